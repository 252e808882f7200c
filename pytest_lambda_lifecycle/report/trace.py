"""The trace of a run in Chrome's trace event format, which Perfetto and speedscope open.

A process of the trace is an environment, a thread one of its participants.  Spans of one thread lie
inside each other or apart, which the format asks for: what overlaps gets another thread.  The
environments of a test begin where the test began; inside them their own time passes, which is
virtual under ``lambda_clock`` unless real time was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from pytest_lambda_lifecycle.report.reading import OUTSIDE, Environment, Phase
from pytest_lambda_lifecycle.report.run import Run, Test

__all__ = ["trace"]

_LANES: Final = {"platform": 1, "runtime": 2, "function": 3, "http": 4, "aws": 5}
_NAMES: Final = {"http": "HTTP", "aws": "AWS"}


def trace(run: Run) -> str:
    """Return the trace of a run as JSON in ASCII, an event on each line."""
    tests = run.tests()
    begin = min((test.start for test in tests if test.packed is not None), default=0.0)
    processes: dict[tuple[str, int], _Process] = {}
    for test in tests:
        at = round((test.start - begin) * 1e6)
        environments = test.for_trace
        for environment in environments:
            # One clock for all environments of a test, but for those that are real and virtual.
            first = min(
                one["start"] for one in environments if one["virtual"] == environment["virtual"]
            )
            key = test.worker, environment["number"]
            process = processes.get(key)
            if process is None:
                process = processes[key] = _Process(len(processes) + 1, environment, test)
            process.add(test, environment, at + environment["start"] - first)
    events = [event for process in processes.values() for event in process.events()]
    lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in events)
    about = json.dumps({"run": run.title, "tests": len(tests)})
    return f'{{"displayTimeUnit":"ms","otherData":{about},"traceEvents":[\n{lines}\n]}}\n'


class _Process:
    """The events of one environment, in all its tests."""

    def __init__(self, pid: int, environment: Environment, test: Test) -> None:
        self._pid = pid
        self._name = f"{environment['function']}, environment {environment['number']}"
        if test.worker:
            self._name += f" of {test.worker}"
        self._threads: dict[tuple[str, int], int] = {}
        """The thread of each lane, and of what overlaps in it."""
        self._ends: dict[int, list[int]] = {}
        """By thread: the ends of the spans that are open at the latest begin."""
        self._flows = 0
        self._end = 0
        self._found: list[dict[str, Any]] = []

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the names of process and threads, then all events by their moments."""
        yield self._name_of("process_name", 0, self._name)
        for (lane, copy), thread in self._threads.items():
            name = _NAMES.get(lane, lane.removeprefix("ext:"))
            yield self._name_of("thread_name", thread, f"{name} {copy + 1}" if copy else name)
            yield {
                "ph": "M",
                "name": "thread_sort_index",
                "pid": self._pid,
                "tid": thread,
                "args": {"sort_index": thread},
            }
        yield from sorted(self._found, key=lambda event: (event["ts"], -event.get("dur", 0)))

    def _name_of(self, kind: str, thread: int, name: str) -> dict[str, Any]:
        return {"ph": "M", "name": kind, "pid": self._pid, "tid": thread, "args": {"name": name}}

    def add(self, test: Test, environment: Environment, at: int) -> None:
        """Add what the environment did in a test that began at a moment of the trace."""
        cold: int | None = None
        at = max(at, self._end)  # virtual time may have gone on for longer than the test before
        for phase in environment["phases"]:
            # In virtual time phases may take no time.  Viewers lose the order of spans without a
            # length, so each of them gets a microsecond, and what follows waits for its end.
            begin = max(at + phase["at"], self._end)
            self._end = max(begin + phase["us"], begin + 1)
            self._happenings(phase, begin)
            if phase["kind"] == OUTSIDE:
                continue
            name = phase["kind"]
            arguments = {
                "test": test.id,
                "status": phase["status"],
                "cold": phase["cold"],
                "more": phase["text"],
            }
            thread = self._span("platform", name, begin, self._end - begin, arguments)
            if name in ("init", "restore"):
                cold = begin
            elif name == "invoke" and phase["cold"] and cold is not None:
                self._flow(thread, cold, begin)
                cold = None

    def _happenings(self, phase: Phase, start: int) -> None:
        ends: dict[str, int] = {}
        for what in phase["happenings"]:
            lane, begin = what["lane"], start + max(0, what["at"] - phase["at"])
            if what["us"] is not None:
                if not phase["us"] or not what["us"]:
                    begin = max(begin, ends.get(lane, begin))
                us = max(1, what["us"])
                ends[lane] = begin + us
                if us == 1:
                    self._end = max(self._end, begin + us)
                self._span(lane, what["text"].partition("\n")[0][:200], begin, us, {})
                continue
            self._found.append(
                {
                    "ph": "i",
                    "s": "t",
                    "name": what["kind"].replace("_", " "),
                    "cat": what["kind"],
                    "ts": begin,
                    "pid": self._pid,
                    "tid": self._thread(lane, 0),
                    "args": {"text": what["text"]},
                }
            )

    def _span(self, lane: str, name: str, begin: int, us: int, arguments: dict[str, Any]) -> int:
        """Add a span to the first thread of a lane where it cuts through no other one."""
        copy = 0
        while True:
            thread = self._thread(lane, copy)
            ends = self._ends.setdefault(thread, [])
            while ends and ends[-1] <= begin:
                ends.pop()
            if not ends or begin + us <= ends[-1]:
                break
            copy += 1
        ends.append(begin + us)
        self._found.append(
            {
                "ph": "X",
                "name": name,
                "cat": lane.partition(":")[0],
                "ts": begin,
                "dur": us,
                "pid": self._pid,
                "tid": thread,
                "args": arguments,
            }
        )
        return thread

    def _flow(self, thread: int, cold: int, request: int) -> None:
        """Lead from a cold start to the request that it was for."""
        self._flows += 1
        ends = (("s", cold), ("f", request))
        for kind, at in ends:
            event = {
                "ph": kind,
                "name": "cold start",
                "cat": "cold start",
                "id": f"{self._pid}.{self._flows}",
                "ts": at,
                "pid": self._pid,
                "tid": thread,
            }
            self._found.append({**event, "bp": "e"} if kind == "f" else event)

    def _thread(self, lane: str, copy: int) -> int:
        """Return the number of a thread: those of the platform and the function come first."""
        thread = self._threads.get((lane, copy))
        if thread is None:
            known = _LANES.get(lane, 0) if not copy else 0
            others = sum(1 for one, of in self._threads if one not in _LANES or of)
            thread = known or len(_LANES) + 1 + others
            self._threads[lane, copy] = thread
        return thread
