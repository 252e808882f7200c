"""The trace of a run, checked against the rules of Chrome's trace event format."""

from __future__ import annotations

import json

import pytest

from pytest_lambda_lifecycle.lifecycle.call_events import HttpCall
from pytest_lambda_lifecycle.lifecycle.events import FunctionLog, InvokeReport, InvokeStart
from pytest_lambda_lifecycle.report.trace import trace

from .runs import read, run_of

APP = """
    def handler(event, context):
        print("</script>")
"""


def events_of(run):
    document = json.loads(trace(run))
    assert document["displayTimeUnit"] in ("ms", "ns")
    check(document["traceEvents"])
    return document["traceEvents"]


def check(events):
    """Check the rules for the events that a trace may have."""
    names = {
        (kind, event["pid"], event["tid"])
        for event in events
        if event["ph"] == "M"
        for kind in [event["name"]]
    }
    flows: dict[tuple[str, str, str], float] = {}
    for event in events:
        assert isinstance(event["name"], str)
        assert {type(event["pid"]), type(event["tid"])} == {int}
        assert ("process_name", event["pid"], 0) in names
        if event["ph"] == "M":
            assert event["args"]
            continue
        assert ("thread_name", event["pid"], event["tid"]) in names
        assert event["ts"] >= 0
        assert event["ph"] in "Xisf"
        flow = event.get("cat"), event["name"], event.get("id")
        if event["ph"] == "X":
            assert event["dur"] >= 1  # viewers lose the order of spans without a length
        elif event["ph"] == "i":
            assert event["s"] in "gpt"
        elif event["ph"] == "s":
            assert flow not in flows
            flows[flow] = event["ts"]
        else:
            assert flows.pop(flow) <= event["ts"]  # it has begun, and ends once
            assert event["bp"] == "e"
        if event["ph"] in "sf":  # a flow is bound to the span around it
            assert any(holds(span, event) for span in events)
    assert not flows
    check_nesting(events)


def holds(span, event):
    same = span["ph"] == "X" and (span["pid"], span["tid"]) == (event["pid"], event["tid"])
    return same and span["ts"] <= event["ts"] <= span["ts"] + span["dur"]


def check_nesting(events):
    """Spans of a thread lie inside each other or apart."""
    threads = {}
    for event in events:
        if event["ph"] == "X":
            spans = threads.setdefault((event["pid"], event["tid"]), [])
            spans.append((event["ts"], event["ts"] + event["dur"]))
    for spans in threads.values():
        open_ends = []
        for begin, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_ends and open_ends[-1] <= begin:
                open_ends.pop()
            assert not open_ends or end <= open_ends[-1]
            open_ends.append(end)


def spans(events, name):
    return [event for event in events if event["ph"] == "X" and event["name"] == name]


def test_an_environment_is_a_process_and_a_participant_a_thread(environment):
    env = environment(APP)
    env.invoke({})
    env.invoke({})
    env.reset()
    env.invoke({})
    events = events_of(run_of(read(env.timeline)))
    threads = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert threads == {"platform", "runtime", "function"}
    assert len(spans(events, "invoke")) == 3
    assert spans(events, "invoke")[0]["args"]["test"] == "test_app.py::test_it"
    assert [event["ph"] for event in events if event["ph"] in "sf"] == ["s", "f", "s", "f"]
    assert "stdout: </script>" in [event["args"]["text"] for event in events if event["ph"] == "i"]


def test_calls_that_overlap_get_threads_of_their_own():
    calls = [
        HttpCall(at, "invoke", 0, "", "GET", "https://a.example/", status=200, duration_us=us)
        for at, us in ((10, 100), (50, 100), (60, 20), (120, 10))
    ]
    start = InvokeStart(0, "r", "1", 0, "", False)
    report = InvokeReport(300, "r", "success", "", 300, 128)
    events = events_of(run_of(read([start, *calls, report])))
    found = [event for event in events if event.get("cat") == "http" and event["ph"] == "X"]
    assert len(found) == 4
    assert len({event["tid"] for event in found}) == 2
    names = [event["args"]["name"] for event in events if event["name"] == "thread_name"]
    assert {"HTTP", "HTTP 2"} < set(names)


def test_virtual_hours_of_one_test_do_not_run_into_the_next_one():
    """The tests share an environment, whose time goes on for longer than the first test took."""
    day = 86_400_000_000
    first = [
        InvokeStart(0, "r", "1", 0, "", False),
        InvokeReport(day, "r", "success", "", day, 128),
    ]
    second = [
        InvokeStart(day, "r", "1", 0, "", False),
        InvokeReport(day + 5, "r", "success", "", 5, 128),
    ]
    events = events_of(run_of(read(first, virtual=True), read(second, virtual=True)))
    one, other = spans(events, "invoke")
    assert other["ts"] == one["ts"] + one["dur"]
    assert one["tid"] == other["tid"]


def test_a_test_of_a_crashed_worker_which_says_no_begin_does_not_shift_the_others(environment):
    env = environment("def handler(event, context): return 1")
    env.invoke({})
    run = run_of(read(env.timeline))
    run.phase_ended("crashed", "gw0", "crashed", 0.0, 0.0, "worker 'gw0' crashed")
    run.test_ended("crashed", "gw0", None)
    events = json.loads(trace(run))["traceEvents"]
    assert min(event["ts"] for event in events if "ts" in event) == 0


def test_phases_without_a_duration_stand_one_behind_the_other(environment, lambda_clock):
    env = environment(APP)
    for _ in range(3):
        env.invoke({})
    events = events_of(run_of(read(env.timeline, virtual=True)))
    phases = [event for event in events if event["ph"] == "X" and event["tid"] == 1]
    assert [event["name"] for event in phases] == ["init", "invoke", "invoke", "invoke"]
    ends = [event["ts"] + event["dur"] for event in phases]
    assert [event["ts"] for event in phases[1:]] == ends[:-1]


@pytest.mark.parametrize("environments", [[], [read([])], [read([FunctionLog(5, "stdout", "x")])]])
def test_a_run_with_nearly_nothing(environments):
    events_of(run_of(*environments))
