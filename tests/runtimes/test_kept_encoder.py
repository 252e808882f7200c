"""An encoder that is kept writes the same text as a new one."""

from __future__ import annotations

import collections
from decimal import Decimal

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st
from simplejson import JSONEncoder
from simplejson import encoder as simplejson_encoder

from pytest_lambda_lifecycle.runtimes import codec
from pytest_lambda_lifecycle.runtimes import encoder as kept

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
    return kept.kept_encoder(encoder), encoder.encode


@pytest.mark.parametrize(
    "options", [{}, {"ensure_ascii": False}, {"use_decimal": False, "default": str}], ids=str
)
@given(value=JSON_VALUES)
def test_a_kept_encoder_writes_the_same_text(options, value):
    kept, anew = pair(**options)
    for _ in range(2):
        assert kept(value) == anew(value)
        assert kept([value, {"key": value}]) == anew([value, {"key": value}])


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
    kept, anew = pair()
    assert kept(value) == anew(value)


@compiled
@pytest.mark.parametrize(
    "encode", [codec._encode_strict, codec._encode_ascii, codec._encode_unescaped]
)
def test_the_codec_uses_kept_encoders(encode):
    assert encode.__module__ == kept.__name__


@pytest.mark.parametrize("made", ["nowhere", "in another way"])
def test_without_a_compiled_encoder_nothing_is_kept(monkeypatch, made):
    if made == "nowhere":
        monkeypatch.setattr(simplejson_encoder, "c_make_encoder", None)
    else:
        monkeypatch.setattr(JSONEncoder, "iterencode", lambda self, value: ["[", "]"])
    kept, anew = pair()
    assert kept == anew
    assert kept([]) == "[]"


def test_a_kept_encoder_works_after_an_error():
    kept, _ = pair()
    circular: list[object] = []
    circular.append(circular)
    broken = {"a": object()}
    for _ in range(2):
        with pytest.raises(ValueError, match="Circular"):
            kept(circular)
        with pytest.raises(TypeError, match="not JSON serializable"):
            kept(broken)
    circular.clear()
    broken["a"] = 1
    assert kept([circular, broken]) == '[[], {"a": 1}]'


def test_a_kept_encoder_that_is_called_while_it_encodes():
    class Nested(Point):
        def _asdict(self):
            return {"inner": kept({"x": [self.x]}), "again": inner}

    kept, _ = pair()
    inner = [1]
    assert simplejson.loads(kept({"a": inner, "b": Nested(1, 2), "c": inner})) == {
        "a": [1],
        "b": {"inner": '{"x": [1]}', "again": [1]},
        "c": [1],
    }
