"""Kept JSON that is lent: equal to what was parsed, and nobody's changes reach another holder."""

import copy
import json
import operator
import pickle
import threading
from collections import OrderedDict

import pytest

from pytest_lambda_lifecycle.observation.calls.lent_data import keep, lend

TEXT = '{"b": {"c": [1, {"d": null}, [{"e": "x"}]], "f": {}}, "a": [], "g": 2.5, "h": {"i": true}}'
PARSED = json.loads(TEXT, object_pairs_hook=OrderedDict)
WAYS = {
    "itself": lambda lent: lent,
    "copy": lambda lent: lent.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda lent: pickle.loads(pickle.dumps(lent)),
    "OrderedDict": OrderedDict,
    "dict": dict,
    "unpacking": lambda lent: {**lent},
    "call": lambda lent: (lambda **names: names)(**lent),
    "update": lambda lent: [new := {}, new.update(lent)][0],
    "or": lambda lent: lent | {},
    "ror": lambda lent: {} | lent,
    "items": lambda lent: dict(lent.items()),
    "zip": lambda lent: dict(zip(lent, lent.values(), strict=True)),
    "get": lambda lent: {name: lent.get(name) for name in lent},
    "setdefault": lambda lent: {name: lent.setdefault(name, 0) for name in lent},
    "pop": lambda lent: {name: lent.pop(name) for name in list(lent)},
    "popitem": lambda lent: OrderedDict([lent.popitem(last=False) for _ in range(len(lent))]),
    "json": lambda lent: json.loads(json.dumps(lent), object_pairs_hook=OrderedDict),
}


def spoil(value):
    """Change each container in a value."""
    for one in list(value.values() if isinstance(value, dict) else value):
        if isinstance(one, (dict, list)):
            spoil(one)
    value.clear()


@pytest.mark.parametrize("way", WAYS)
def test_what_was_lent_is_equal_and_ones_own(way):
    kept = keep(PARSED)
    found = WAYS[way](lend(kept))
    assert json.dumps(found) == TEXT
    assert found == PARSED
    assert operator.eq(PARSED, found)
    spoil(found)
    assert lend(kept) == PARSED


def test_a_part_stays_the_same_object():
    lent = lend(keep(PARSED))
    assert lent["b"] is lent["b"] is lent.get("b") is dict(lent.items())["b"]
    lent["b"]["new"] = own = {}
    assert lent["b"]["new"] is own
    assert list(lent) == list(PARSED)


def test_it_looks_like_what_was_parsed():
    lent = lend(keep(PARSED))
    assert repr(lent) == repr(PARSED)
    assert (lend(keep(PARSED)) == PARSED, lend(keep(PARSED)) != PARSED) == (True, False)
    assert PARSED == lend(keep(PARSED)) != {}
    assert isinstance(lent, OrderedDict)
    assert type(lent["b"]["c"]) is list
    with pytest.raises(KeyError, match="none"):
        lent["none"]
    with pytest.raises(KeyError, match="none"):
        lent.pop("none")
    assert (lent.pop("none", 1), lent.get("none"), lent.setdefault("none", 2)) == (1, None, 2)


def test_threads_get_the_same_part():
    for _ in range(20):
        lent, found = lend(keep(PARSED)), []
        barrier = threading.Barrier(4)

        def read(lent=lent, found=found, barrier=barrier):
            barrier.wait(10)
            found.append(lent["b"]["c"])

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(one is found[0] for one in found)
