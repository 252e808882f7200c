"""An encoder that is reused writes the same text as a new one."""

from __future__ import annotations

import collections
from decimal import Decimal

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st
from simplejson import JSONEncoder
from simplejson import encoder as simplejson_encoder

from pytest_lambda_lifecycle.runtimes import cached_encoder as module
from pytest_lambda_lifecycle.runtimes import codec

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4)
    ),
    max_leaves=12,
)
compiled = pytest.mark.skipif(
    simplejson_encoder.c_make_encoder is None, reason="simplejson without its compiled part"
)


def pair(**options):
    encoder = JSONEncoder(allow_nan=True, **options)
    return module.cached_encoder(encoder), encoder.encode


@pytest.mark.parametrize(
    "options", [{}, {"ensure_ascii": False}, {"use_decimal": False, "default": str}], ids=str
)
@given(value=JSON_VALUES)
def test_a_cached_encoder_writes_the_same_text(options, value):
    cached, anew = pair(**options)
    for _ in range(2):
        assert cached(value) == anew(value)
        assert cached([value, {"key": value}]) == anew([value, {"key": value}])


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "value",
    [
        Point(1, 2),
        {"at": Point(1, 2)},
        (1, 2),
        "text",
        b"text",
        None,
        Decimal("1.10"),
        {1: Decimal("2")},
        {},
    ],
)
def test_values_beyond_json(value):
    cached, anew = pair()
    assert cached(value) == anew(value)


@compiled
@pytest.mark.parametrize(
    "encode", [codec._encode_strict, codec._encode_ascii, codec._encode_unescaped]
)
def test_the_codec_uses_cached_encoders(encode):
    assert encode.__module__ == module.__name__


@pytest.mark.parametrize("made", ["nowhere", "in another way"])
def test_without_a_compiled_encoder_nothing_is_cached(monkeypatch, made):
    if made == "nowhere":
        monkeypatch.setattr(simplejson_encoder, "c_make_encoder", None)
    else:
        monkeypatch.setattr(JSONEncoder, "iterencode", lambda self, value: ["[", "]"])
    cached, anew = pair()
    assert cached == anew
    assert cached([]) == "[]"


def test_a_cached_encoder_works_after_an_error():
    cached, _ = pair()
    circular: list[object] = []
    circular.append(circular)
    broken = {"a": object()}
    for _ in range(2):
        with pytest.raises(ValueError, match="Circular"):
            cached(circular)
        with pytest.raises(TypeError, match="not JSON serializable"):
            cached(broken)
    circular.clear()
    broken["a"] = 1
    assert cached([circular, broken]) == '[[], {"a": 1}]'


def test_a_cached_encoder_that_is_called_while_it_encodes():
    class Nested(Point):
        def _asdict(self):
            return {"inner": cached({"x": [self.x]}), "again": inner}

    cached, _ = pair()
    inner = [1]
    assert simplejson.loads(cached({"a": inner, "b": Nested(1, 2), "c": inner})) == {
        "a": [1],
        "b": {"inner": '{"x": [1]}', "again": [1]},
        "c": [1],
    }
