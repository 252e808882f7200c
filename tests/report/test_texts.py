"""Texts of function code in a report: without secrets, of limited length, harmless to show."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle.report.texts import LONGEST, payload_text, plain, shown


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "api_key: hunter2,",
        "Authorization: Bearer hunter2",
        "https://me:hunter2@config.example/v1?token=hunter2",
        "{'secret': 'hunter2'}",
        "ValueError: password=hunter2",
        "a=b:c=password: hunter2",
        '{"pin": 1, "nested": [{"client_secret": "hunter2"}]}',
        '{"token": {"value": 1}, "password": "hunter2" and no JSON',
        f"password='hunter2{'x' * 9000}'",  # its closing quote lies far behind the cut
    ],
)
def test_no_secret_is_shown(text):
    assert "hunter2" not in shown(text)
    assert "hunter2" not in payload_text(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "status code: 200",
        "key: orders/1",
        "a = b",
        "{'n': 1}",
        "next_token=abc",
        "AssertionError: no",
    ],
)
def test_ordinary_text_stays(text):
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x07", "\u241b[31mred\u2407"),
        ("a\x00b", "a\u2400b"),
        ("one\r\ntwo\rthree\tfour", "one\ntwo\nthree\tfour"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("lone \ud800", "lone \\ud800"),
        ("snow \u2603", "snow \u2603"),
    ],
)
def test_characters_that_act_are_shown_as_characters(text, expected):
    assert plain(text) == expected
    assert shown(text) == expected


def test_long_texts_are_cut():
    text = "x" * 10_000_000
    for cut in (shown(text), plain(text), payload_text(text.encode())):
        assert len(cut) < LONGEST + 100
        assert "more characters" in cut
