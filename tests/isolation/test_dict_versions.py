"""Versions of dicts, where Python has them."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Callable

import pytest

from pytest_lambda_lifecycle.isolation import dict_versions
from pytest_lambda_lifecycle.isolation.dict_versions import Versions

has_versions = pytest.mark.skipif(
    sys.implementation.name != "cpython" or sys.version_info >= (3, 14),
    reason="CPython has them from 3.10 to 3.13",
)


class Owner:
    attribute = 1


def changed_by(space: dict[str, object], change: Callable[[], object]) -> bool:
    versions = Versions([{}, space])
    before = versions.now()
    assert before is not None
    assert versions.now() == before
    change()
    after = versions.now()
    assert after is not None
    assert after[0] == before[0]
    return after[1] != before[1]


@has_versions
def test_an_attribute_of_a_module():
    module = types.ModuleType("module")
    space = vars(module)
    assert changed_by(space, lambda: setattr(module, "name", 1))
    assert changed_by(space, lambda: setattr(module, "name", 2))
    assert changed_by(space, lambda: exec("name = 3", space))
    assert changed_by(space, lambda: space.update(name=4))
    assert changed_by(space, lambda: delattr(module, "name"))
    assert not changed_by(space, lambda: (getattr(module, "name", None), space.copy(), list(space)))


@has_versions
def test_an_attribute_of_a_class(monkeypatch):
    (space,) = gc.get_referents(vars(Owner))
    assert changed_by(space, lambda: monkeypatch.setattr(Owner, "attribute", 2))
    assert changed_by(space, monkeypatch.undo)
    assert not changed_by(space, lambda: (Owner(), Owner.attribute))


@has_versions
@pytest.mark.parametrize("times", [1, 1000])
def test_a_global_that_compiled_code_sets_again_and_again(times):
    space: dict[str, object] = {"number": 0}
    exec("def count():\n global number\n number += 1", space)
    count = space["count"]
    assert callable(count)
    for _ in range(times):
        assert changed_by(space, count)


def test_a_field_that_does_not_tell_changes_is_not_used():
    class Field:
        value = 7

    assert not dict_versions._is_version(lambda one: Field)


def test_a_field_that_changes_at_other_times_is_not_used():
    class Field:
        reads = 0

        @property
        def value(self) -> int:
            self.reads += 1
            return self.reads

    field = Field()
    assert not dict_versions._is_version(lambda one: field)


def test_the_number_of_entries_is_no_version():
    class Field:
        def __init__(self, one: dict[str, object]) -> None:
            self.one = one

        @property
        def value(self) -> int:
            return len(self.one)

    assert not dict_versions._is_version(Field)


def test_there_are_none_without_ctypes(monkeypatch):
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert dict_versions._find_reader() is None


def test_none_are_told_then(monkeypatch):
    monkeypatch.setattr(dict_versions, "_view", None)
    versions = Versions([{}])
    assert versions.now() is None
    assert not versions.are_known
