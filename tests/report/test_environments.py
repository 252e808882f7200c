"""What an environment did in a test, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest

from pytest_lambda_lifecycle import FunctionError, FunctionTimeout
from pytest_lambda_lifecycle.environment.tally import Tally
from pytest_lambda_lifecycle.lifecycle.call_events import HttpCall
from pytest_lambda_lifecycle.lifecycle.events import (
    Event,
    FunctionLog,
    InvokeReport,
    InvokeStart,
    Leftover,
    RuntimeDone,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionFault
from pytest_lambda_lifecycle.lifecycle.outcome import ExtensionFailed, Returned
from pytest_lambda_lifecycle.lifecycle.state_events import StateChange
from pytest_lambda_lifecycle.report.environments import MOST_EVENTS, what_happened

from .runs import read

APP = """
    import json, time
    print("module level")
    def handler(event, context):
        if event == "raise":
            json.loads("no JSON")
        if event == "sleep":
            time.sleep(9)
        return {"id": 1, "token": "hunter2"}
"""


def kinds(environment):
    return [(phase["kind"], phase["status"], phase["cold"]) for phase in environment["phases"]]


def happenings(environment, kind):
    return [
        what
        for phase in environment["phases"]
        for what in phase["happenings"]
        if what["kind"] == kind
    ]


def invoke(at, *events, cold=False, failure=None):
    """Return the events of one invoke, of 100 us."""
    return [
        InvokeStart(at, f"r-{at}", "1", 0, "", cold),
        *events,
        RuntimeDone(at + 100, "r", Returned(b"{}", "application/json"), "success", "", 100),
        InvokeReport(at + 100, "r", "success", "", 100, 128, failure=failure),
    ]


def test_the_phases_of_a_lifecycle_with_reasons_errors_and_results(environment, lambda_clock):
    env = environment(APP, timeout=3)
    env.invoke("fine")
    with pytest.raises(FunctionError):
        env.invoke("raise")
    with pytest.raises(FunctionTimeout):
        env.invoke("sleep")
    env.invoke("fine")
    found = read(env.timeline, virtual=True)
    assert kinds(found) == [
        ("init", "success", True),
        ("invoke", "success", True),
        ("invoke", "error", False),
        ("invoke", "timeout", False),
        ("between", "", False),
        ("init", "success", True),
        ("invoke", "success", True),
    ]
    texts = [phase["text"] for phase in found["phases"]]
    assert "why: the environment is new" in texts[0]
    assert "cold: the environment is new" in texts[1]
    assert 'result: {"id": 1, "token": "***"}' in texts[1]
    assert "JSONDecodeError: Expecting value" in texts[2]
    assert "line 6, in handler" in texts[2]
    assert "timed out after 3 s, at app.py:8" in texts[3]
    assert "the environment was reset (timeout Sandbox.Timedout)" in texts[5]
    assert found["phases"][3]["us"] == 3_000_000
    assert (found["cold"], found["warm"]) == (2, 2)
    assert happenings(found, "log")[0]["text"] == "stdout: module level"
    assert "hunter2" not in json.dumps(found)


def test_cold_starts_are_counted_as_in_the_summary_of_a_run(environment):
    """By runs of Init: here it fails, and again inside the invoke."""
    env = environment("1 / 0")
    for _ in range(2):
        with pytest.raises(FunctionError):
            env.invoke({})
    tally = Tally()
    tally.ended("app.handler", env.timeline, str)
    found = read(env.timeline)
    assert (found["cold"], found["warm"]) == (tally.data["cold"], tally.data["warm"]) == (3, 0)


def test_an_environment_of_several_tests_keeps_the_reason_of_the_next_init(environment):
    env = environment(APP)
    env.invoke("fine")
    facts = {"number": 1, "function": "", "facts": "", "made_at": "", "virtual": False}
    _, why = what_happened(env.timeline, **facts)
    assert why == ""
    seen = len(env.timeline)
    env.reset()
    env.invoke("fine")
    found, _ = what_happened(env.timeline[seen:], why=why, **facts)
    assert "why: the environment was reset" in found["phases"][1]["text"]


def test_spans_end_with_their_participants(environment):
    env = environment(APP)
    env.invoke("fine")
    init, first = read(env.timeline)["phases"]
    spans = {what["kind"]: what for what in init["happenings"] if what["us"] is not None}
    assert list(spans) == ["runtime init", "function init"]
    assert spans["function init"]["at"] + spans["function init"]["us"] <= init["at"] + init["us"]
    assert [(what["lane"], what["kind"]) for what in first["happenings"]] == [
        ("function", "handler")
    ]


def test_the_fault_of_an_extension_stands_in_its_lane():
    found = read(invoke(0, ExtensionFault(9, "agent", "Extension.Crash", "exit status 1")))
    (fault,) = happenings(found, "extension_fault")
    assert (fault["lane"], fault["bad"]) == ("ext:agent", True)


def test_calls_leftovers_and_state_changes():
    def where():
        return "app.py:9"

    call = HttpCall(
        10, "invoke", 0, "app.py:7", "GET", "https://a.example/?token=hunter2", status=503
    )
    events = invoke(
        0,
        call,
        Leftover(90, "thread", "poller", "app.py:8"),
        StateChange(95, "os.environ['MODE']", "changed", "'hunter2'", "'hunter3'", 1, "", where),
        StateChange(95, "app.CACHE['c']", "added", "", "1", 1, "", where),
    )
    found = read(events)
    assert (found["leftovers"], found["changes"]) == (1, 2)
    (http,) = happenings(found, "http")
    assert http["bad"]
    assert http["text"].startswith("GET https://a.example/?token=***: 503")
    assert [what["text"] for what in happenings(found, "state")] == [
        "os.environ['MODE']: changed, at app.py:9",
        "app.CACHE['c']: added 1, at app.py:9",
    ]
    (leftover,) = happenings(found, "leftover")
    assert "thread poller, started at app.py:8" in leftover["text"]


def test_an_extension_that_failed_after_the_response_fails_the_invoke():
    failure = ExtensionFailed("watcher", "Extension.Crash", "exit status 1")
    (phase,) = read(invoke(0, failure=failure))["phases"]
    assert phase["status"] == "error"
    assert "Extension.Crash" in phase["text"]


def test_thousands_of_events_are_counted_and_not_kept():
    events = [event for number in range(5000) for event in invoke(number * 200)]
    found = read(events)
    assert found["warm"] == 5000
    assert found["left_out"] == len(events) - MOST_EVENTS
    assert len(found["phases"]) <= MOST_EVENTS
    assert found["phases"][-1]["at"] == 4999 * 200


def test_megabytes_of_logs_are_not_kept():
    events = invoke(0, *(FunctionLog(10, "stdout", f"{n}" * 300_000) for n in range(1, 100)))
    assert len(json.dumps(read(events))) < 100_000


def test_an_unknown_event_is_a_moment_with_its_name():
    @dataclass(slots=True)
    class Sun(Event):
        name: ClassVar[str] = "sun_rises"

    (what,) = happenings(read([Sun(5)]), "sun_rises")
    assert (what["text"], what["us"]) == ("sun rises", None)


def test_no_event_at_all():
    assert read([])["phases"] == []
