"""Bytes to objects and back, by the rules of the real runtime."""

from __future__ import annotations

import collections
import datetime
import enum
import math
from decimal import Decimal

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.runtimes import codec

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4)
    ),
    max_leaves=12,
)


def encoded(result: object) -> str | bytes:
    body, _ = codec.encode_response(codec.response_encoder(), result)
    return body


@pytest.fixture(autouse=True)
def _no_runtime_named(monkeypatch):
    monkeypatch.delenv("AWS_EXECUTION_ENV", raising=False)


# -- events, decoded


@given(JSON_VALUES)
def test_decoding_is_the_inverse_of_simplejson(value):
    assert codec.decode(simplejson.dumps(value).encode(), "application/json") == value


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "text/plain", ""]
)
def test_any_other_content_type_is_left_as_bytes(content_type):
    assert codec.decode(b'{"a": 1}', content_type) == b'{"a": 1}'


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"NaN", "Expecting value: line 1 column 1 (char 0)"),
        (b"[-Infinity]", "Expecting value: line 1 column 2 (char 1)"),
        (b'{"a": 1} {"b": 2}', "Extra data: line 1 column 10 - line 1 column 18 (char 9 - 17)"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_malformed_json_is_refused_with_the_message_of_the_runtime(body, detail):
    with pytest.raises(codec.RuntimeFault) as caught:
        codec.decode(body, "application/json")
    assert caught.value.error_type == "Runtime.UnmarshalError"
    assert caught.value.message == f"Unable to unmarshal input: {detail}"
    assert caught.value.stack_trace == ()


def test_last_of_equal_keys_wins_and_a_byte_order_mark_is_skipped():
    assert codec.decode(b'\xef\xbb\xbf{"a": 1, "a": 2}', "application/json") == {"a": 2}


def test_numbers_beyond_doubles_become_infinite():
    assert codec.decode(b"1e400", "application/json") == math.inf


# -- results, encoded

Point = collections.namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 1


class Name(str):
    def __str__(self) -> str:
        return "not this"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, "null"),
        ({"b": 1, "a": [True, 1.5]}, '{"b": 1, "a": [true, 1.5]}'),
        (Point(1, 2), '{"x": 1, "y": 2}'),
        ([b"text"], '["text"]'),
        (
            {1: "a", "1": "b", 1.5: "c", False: "d", None: "e"},
            '{"1": "a", "1": "b", "1.5": "c", "false": "d", "null": "e"}',
        ),
        (Colour.RED, "1"),
        (Name("kept"), '"kept"'),
        (Decimal("1.10"), "1.10"),
        (
            [Decimal("1E+5"), Decimal("-0"), Decimal("NaN"), Decimal("-sNaN")],
            "[1E+5, -0, NaN, NaN]",
        ),
        (Decimal("Infinity"), "Infinity"),
        ([math.nan, math.inf, -math.inf], "[NaN, Infinity, -Infinity]"),
        (simplejson.RawJSON("[1,2]"), "[1,2]"),
        ("é😀\u2028", '"\\u00e9\\ud83d\\ude00\\u2028"'),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_results_are_encoded_as_by_the_runtime(result, text):
    assert encoded(result) == text


def test_bytes_are_posted_as_they_are():
    class Raw(bytes):
        pass

    encode = codec.response_encoder()
    assert codec.encode_response(encode, b"\x00\xff") == (b"\x00\xff", "application/unknown")
    assert codec.encode_response(encode, Raw(b"x")) == (b"x", "application/unknown")


@pytest.mark.parametrize(
    ("result", "detail"),
    [
        (datetime.datetime(2026, 1, 1), "Object of type datetime is not JSON serializable"),
        ({"a": {1, 2}}, "Object of type set is not JSON serializable"),
        (bytearray(b"x"), "Object of type bytearray is not JSON serializable"),
        ({(1, 2): 3}, "keys must be str, int, float, bool or None, not tuple"),
        ([b"\xff"], "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_other_results_are_refused_with_the_message_of_the_runtime(result, detail):
    with pytest.raises(codec.RuntimeFault) as caught:
        encoded(result)
    assert caught.value.error_type == "Runtime.MarshalError"
    assert caught.value.message == f"Unable to marshal response: {detail}"


def test_a_result_that_contains_itself_does_not_spoil_the_next_one():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(codec.RuntimeFault, match="Circular reference detected"):
        encoded(loop)
    assert encoded([[], []]) == "[[], []]"


@pytest.mark.parametrize("minor", [12, 13, 14, 15])
def test_newer_runtimes_do_not_escape_letters(monkeypatch, minor):
    monkeypatch.setenv("AWS_EXECUTION_ENV", f"AWS_Lambda_python3.{minor}")
    assert encoded("é\u2028\x7f") == '"é\u2028\x7f"'
    assert codec.encode_error({"errorMessage": "é"}) == '{"errorMessage": "é"}'


def test_the_variable_is_read_once_for_responses_and_each_time_for_errors(monkeypatch):
    encode = codec.response_encoder()
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12")
    assert encode("é") == '"\\u00e9"'
    assert codec.encode_error("é") == '"é"'


@given(JSON_VALUES)
def test_results_are_encoded_as_by_simplejson(value):
    assert encoded(value) == simplejson.dumps(value)


# -- events, encoded


@given(JSON_VALUES)
def test_events_are_encoded_as_by_simplejson(value):
    assert codec.encode_event(value) == simplejson.dumps(value).encode()


def test_bytes_are_delivered_unchanged():
    assert codec.encode_event(b"not json \xff") == b"not json \xff"


def test_decimals_keep_their_digits():
    assert codec.encode_event({"price": Decimal("1.10")}) == b'{"price": 1.10}'


def _loop() -> dict[str, object]:
    loop: dict[str, object] = {}
    loop["down"] = [loop]
    return loop


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (
            {"a": [0, 1, 2, datetime.date(2026, 1, 1)]},
            'event["a"][3] is of type datetime.date, which JSON cannot hold',
        ),
        ({"a": {"b": {1}}}, 'event["a"]["b"] is of type set'),
        (object(), "event is of type object"),
        ([math.nan], "event[0] is nan, which is not JSON"),
        ({"x": -math.inf}, 'event["x"] is -inf, which is not JSON'),
        ({"x": Decimal("NaN")}, 'event["x"] is NaN, which is not JSON'),
        ({"body": b"bytes"}, 'event["body"] is of type bytes'),
        ({("a", 1): 2}, "event has the key ('a', 1) of type tuple"),
        (_loop(), 'event["down"][0] contains itself'),
    ],
)
def test_the_refusal_of_an_event_names_the_path(event, complaint):
    with pytest.raises(LifecycleError) as caught:
        codec.encode_event(event)
    assert complaint in str(caught.value)
    assert "or bytes to deliver them as they are" in str(caught.value)


def test_an_event_that_is_too_deep_is_refused():
    event: list[object] = []
    for _ in range(100_000):
        event = [event]
    try:
        with pytest.raises(LifecycleError, match="recursion limit"):
            codec.encode_event(event)
    finally:
        # Level by level: the interpreter may run out of stack when it frees all of it at once.
        while event:
            event = event.pop()
