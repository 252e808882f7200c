"""The timeline as a picture, and its colours on a terminal."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree

import pytest

from pytest_lambda_lifecycle import FunctionLog, InvokeReport, InvokeStart, Leftover, Timeline
from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall, HttpCall
from pytest_lambda_lifecycle.lifecycle.events import (
    FunctionInit,
    InitReport,
    InitRuntimeDone,
    InitStart,
    RuntimeDone,
    RuntimeInit,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionDone, ExtensionNotified
from pytest_lambda_lifecycle.lifecycle.outcome import Loaded, Returned
from pytest_lambda_lifecycle.lifecycle.timeline_colours import are_wanted, coloured

HOSTILE = "</script><svg onload=x>\x1b[31m\x00\u202e\udc80]]>"
SVG = "{http://www.w3.org/2000/svg}"


def init(at):
    return [
        InitStart(at, "on-demand", "init", "python3.12"),
        RuntimeInit(at + 100, "python3.12"),
        FunctionInit(at + 200, "app.handler"),
        InitRuntimeDone(at + 900, Loaded(), "success"),
        InitReport(at + 1000, "on-demand", "init", "success", "", 1000, Loaded()),
    ]


def invoke(at, *inside, status="success", cold=False):
    return [
        InvokeStart(at, f"r-{at}", "1", 0, "", cold),
        *inside,
        RuntimeDone(at + 900, "r", Returned(b"", ""), status, "", 900),
        InvokeReport(at + 1000, "r", "success", "", 1000, 128),
    ]


def drawn(*events):
    """Return the texts of the picture, the titles of its shapes, and the picture."""
    text = Timeline(list(events)).svg()
    root = ElementTree.fromstring(text)
    titles = [
        (child.tag.removeprefix(SVG), child.find(f"{SVG}title").text)
        for child in root
        if child.find(f"{SVG}title") is not None
    ]
    return [one.text for one in root.iter(f"{SVG}text")], titles, text


def test_lanes_are_the_participants_and_the_calls():
    place = ("invoke", 0, "app.py:3")
    inside = [
        ExtensionNotified(2100, "otel", {"eventType": "INVOKE"}),
        HttpCall(2200, *place, "GET", "https://a.example/?token=needle", duration_us=100),
        AwsCall(2400, *place, "s3", "GetObject", duration_us=100),
        Leftover(2500, "thread", "worker", "app.py:4"),
        ExtensionDone(2800, "otel", 700),
    ]
    texts, titles, text = drawn(*init(0), *invoke(2000, *inside, cold=True))
    assert texts[:6] == ["platform", "runtime", "function", "extension otel", "HTTP", "AWS"]
    assert texts[6:] == ["Init", "1.00 ms ", "idle", "1 ms", "Invoke (cold)", "1.00 ms "]
    assert ("rect", "the handler runs") in titles
    assert ("circle", "left running: thread worker, started at app.py:4") in titles
    assert ("rect", "GET https://a.example/?token=***: unanswered (mocked), at app.py:3") in titles
    assert ("rect", "s3.GetObject: unanswered, at app.py:3") in titles
    assert "needle" not in text


def test_idle_time_is_a_gap_of_one_width():
    widths = [
        ElementTree.fromstring(Timeline([*invoke(0), *invoke(1000 + us)]).svg()).get("width")
        for us in (2_000, 3_600_000_000)
    ]
    assert widths[0] == widths[1]
    assert drawn(*invoke(0), *invoke(5_400_001_000))[0][5:7] == ["idle", "1.5 h"]


def test_a_failed_phase_says_so():
    texts, _, text = drawn(*invoke(0, status="error"))
    assert "1.00 ms error" in texts
    assert text.count("#b00020") == 3  # its length, the platform's bar and the function's


def test_thousands_of_phases_make_a_picture_of_some():
    texts, _, text = drawn(*(event for at in range(0, 20_000_000, 2000) for event in invoke(at)))
    assert "9900 more" in texts
    assert len(text) < 200_000


def test_hostile_texts_are_texts():
    inside = [FunctionLog(10, "stdout", HOSTILE), Leftover(20, "thread", HOSTILE * 100_000, "")]
    notified = ExtensionNotified(30, HOSTILE, {})
    texts, titles, text = drawn(*invoke(0, *inside, notified))
    assert all(one.isprintable() for one in (*texts, *(title for _, title in titles)))
    assert text.encode()
    assert len(text) < 10_000
    assert "<svg" not in text[4:]
    page = Timeline([*invoke(0, *inside)])._repr_html_()
    assert "<svg onload" not in page
    assert len(page) < 30_000


def test_a_timeline_without_phases_has_a_picture():
    assert "no phase has run" in drawn()[0]
    assert drawn(*invoke(0)[:2])[0][3] == "Invoke (warm)"  # it runs still


class Stream:
    def __init__(self, answer):
        self.answer = answer

    def isatty(self):
        if self.answer is None:
            raise ValueError("I/O operation on closed file")
        return self.answer


@pytest.mark.parametrize(
    ("terminal", "variables", "wanted"),
    [
        (True, {}, True),
        (False, {}, False),
        (None, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"FORCE_COLOR": "1"}, False),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_terminals_unless_a_variable_says_otherwise(terminal, variables, wanted):
    assert are_wanted(Stream(terminal), variables) is wanted


def test_colours_change_no_text(monkeypatch):
    timeline = Timeline([*init(0), *invoke(2000), *invoke(4000, status="error")])
    monkeypatch.setattr(sys, "stdout", Stream(True))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = str(timeline)
    assert text == coloured(repr(timeline))
    assert re.sub(r"\x1b\[\d+m", "", text) == repr(timeline)
    assert "\x1b[33mInit (on-demand)\x1b[0m" in text
    assert "\x1b[31m  runtime done: error\x1b[0m" in text
    assert "\x1b" not in repr(timeline)


def test_the_table_shows_control_characters_as_text_and_shortens_long_lines():
    table = repr(
        Timeline([FunctionLog(0, "stdout", "\x1b[2Jgone\udc80\ta tab\n" + "x" * 1_000_000)])
    )
    assert r"stdout: \x1b[2Jgone\udc80" + "\ta tab" in table
    assert len(table) < 11_000
