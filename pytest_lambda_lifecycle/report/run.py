"""The tests of a run: the outcome of each, and what its environments did.

What environments did is kept as JSON: a hundred thousand small objects would slow each collection
of garbage down until the run ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypedDict

from pytest_lambda_lifecycle.lifecycle.numbers import in_words
from pytest_lambda_lifecycle.report.reading import Environment

__all__ = [
    "FAILED",
    "Packed",
    "Run",
    "Test",
    "Totals",
    "pack",
    "summary",
    "texts_of",
    "totals_of",
]

FAILED: Final = frozenset({"failed", "error", "crashed", "interrupted"})
"""The outcomes of tests that have not done what they should."""
_WORST: Final = ("passed", "xfailed", "xpassed", "skipped", "rerun", "failed", "error", "crashed")
"""The outcomes of phases, the one last that rules the others; a plugin may bring more."""
_MOST_BYTES: Final = 7_000_000
"""The size of all tests as JSON: what the page adds leaves it below 10 MB."""

_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Totals(TypedDict):
    """The numbers above the list of tests."""

    tests: int
    failed: int
    environments: int
    cold: int
    warm: int
    slowest_init_us: int
    leftovers: int
    changes: int


class Packed(TypedDict):
    """The environments of a test, as they are sent and kept."""

    text: str
    """The list of environments as JSON, in ASCII."""
    numbers: list[int]
    """Which environments of their process they are."""
    counts: dict[str, int]
    real: str
    """The same as ``text`` in real time, if a trace asks for it; otherwise ``""``."""


@dataclass(slots=True)
class Test:
    """One test that used an environment, or that ended its worker."""

    id: str
    worker: str
    outcome: str
    start: float
    """Seconds since the epoch."""
    seconds: float = 0.0
    error: str = ""
    """Of a failed test: the line and the message."""
    packed: Packed | None = None

    @property
    def environments(self) -> list[Environment]:
        """What the environments did; each call reads the JSON again."""
        if self.packed is None:
            return []
        found: list[Environment] = json.loads(self.packed["text"])
        return found

    @property
    def for_trace(self) -> list[Environment]:
        """The environments in the time that the trace asks for."""
        if self.packed is None or not self.packed["real"]:
            return self.environments
        found: list[Environment] = json.loads(self.packed["real"])
        return found

    def as_json(self, environments: str) -> str:
        """Return the test as a JSON object, with the text of its environments."""
        head = {
            "id": self.id,
            "outcome": self.outcome,
            "seconds": round(self.seconds, 4),
            "worker": self.worker,
            "error": self.error,
        }
        return f'{json.dumps(head)[:-1]},"environments":{environments}}}'


_SUMMED: Final = ("cold", "warm", "leftovers", "changes")


def pack(environments: list[Environment], real: list[Environment] | None = None) -> Packed:
    """Return environments as they are sent and kept; ``real`` are the same in real time."""
    counts = {name: 0 for name in _SUMMED}
    slowest = 0
    for one in environments:
        counts["cold"] += one["cold"]
        counts["warm"] += one["warm"]
        counts["leftovers"] += one["leftovers"]
        counts["changes"] += one["changes"]
        slowest = max(slowest, one["slowest_init_us"])
    return {
        "text": _encode(environments),
        "numbers": [one["number"] for one in environments],
        "counts": {**counts, "slowest_init_us": slowest},
        "real": "" if real is None else _encode(real),
    }


class Run:
    """Collects tests, as they end, in the processes of one run."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.all_tests = 0
        """The tests that ended, with those that used no environment."""
        self.interrupted = ""
        self._order: dict[str, int] = {}
        self._running: dict[tuple[str, str], Test] = {}
        self._ended: list[Test] = []

    def set_order(self, ids: Iterable[str]) -> None:
        """Note the order of the tests; a worker that collects later adds nothing new."""
        for test_id in ids:
            self._order.setdefault(test_id, len(self._order))

    def phase_ended(
        self, test_id: str, worker: str, outcome: str, start: float, seconds: float, error: str
    ) -> None:
        """Note the result of the setup, the call or the teardown of a test."""
        test = self._running.get((worker, test_id))
        if test is None:
            test = self._running[worker, test_id] = Test(test_id, worker, outcome, start)
        test.seconds += seconds
        test.error = test.error or error
        if _rank(outcome) > _rank(test.outcome):
            test.outcome = outcome

    def test_ended(self, test_id: str, worker: str, packed: Packed | None) -> None:
        """Note what the environments of a test did; a test without any is counted, not kept."""
        self.all_tests += 1
        test = self._running.pop((worker, test_id), None)
        if test is not None and (packed is not None or test.outcome == "crashed"):
            test.packed = packed
            self._ended.append(test)

    def test_interrupted(self, test_id: str, start: float, packed: Packed | None) -> None:
        """Note what the environments of the test did whose end the run did not see."""
        if ("", test_id) in self._running or packed is not None:  # its setup may not have ended
            self.phase_ended(test_id, "", "interrupted", start, 0.0, "")
            self._running["", test_id].outcome = "interrupted"
            self.test_ended(test_id, "", packed)

    def tests(self) -> list[Test]:
        """Return the tests in the order of their collection."""
        last = len(self._order)
        return sorted(self._ended, key=lambda test: self._order.get(test.id, last))


def _rank(outcome: str) -> int:
    return _WORST.index(outcome) if outcome in _WORST else 1


def totals_of(tests: Iterable[Test]) -> Totals:
    """Add the numbers of tests up."""
    sums = dict.fromkeys(_SUMMED, 0)
    number = failed = slowest = 0
    seen: set[tuple[str, int]] = set()
    for test in tests:
        number += 1
        failed += test.outcome in FAILED
        if test.packed is not None:
            seen.update((test.worker, one) for one in test.packed["numbers"])
            counts = test.packed["counts"]
            slowest = max(slowest, counts["slowest_init_us"])
            for name in _SUMMED:
                sums[name] += counts[name]
    return {
        "tests": number,
        "failed": failed,
        "environments": len(seen),
        "cold": sums["cold"],
        "warm": sums["warm"],
        "slowest_init_us": slowest,
        "leftovers": sums["leftovers"],
        "changes": sums["changes"],
    }


def summary(run: Run) -> str:
    """Return the run in a sentence or two."""
    totals = totals_of(run.tests())
    ended = f" The run was interrupted: {run.interrupted}." if run.interrupted else ""
    if not totals["tests"]:
        all_tests = in_words(run.all_tests, "test")
        return f"No test of this run made or used an environment ({all_tests} ended).{ended}"
    parts = (
        in_words(totals["environments"], "environment"),
        in_words(totals["cold"], "cold start"),
        in_words(totals["warm"], "warm invoke"),
        f"{totals['leftovers']} left running",
    )
    failed = f", {totals['failed']} of them failed" if totals["failed"] else ""
    return f"{in_words(totals['tests'], 'test')}{failed}: {', '.join(parts)}.{ended}"


def texts_of(tests: list[Test], most_bytes: int = _MOST_BYTES) -> list[str]:
    """Return the tests as JSON objects, in ASCII, all of them not larger than there is room for.

    Where they are, the largest lose what happened inside their phases, those that passed first;
    then the phases go.
    """
    texts = [test.as_json(test.packed["text"] if test.packed else "[]") for test in tests]
    size = sum(map(len, texts))
    for keep_phases in (True, False):
        if size <= most_bytes:
            break
        order = sorted(
            range(len(tests)), key=lambda one: (tests[one].outcome in FAILED, -len(texts[one]))
        )
        for index in order:
            if size <= most_bytes:
                break
            lean = [_lean(one, keep_phases=keep_phases) for one in tests[index].environments]
            size -= len(texts[index])
            texts[index] = tests[index].as_json(_encode(lean))
            size += len(texts[index])
    return texts


def _lean(environment: Environment, *, keep_phases: bool) -> Environment:
    """Return an environment without what happened inside its phases, or without the phases."""
    phases = environment["phases"]
    lost = sum(len(phase["happenings"]) for phase in phases)
    if not keep_phases:
        return {**environment, "phases": [], "left_out": environment["left_out"] + lost + 1}
    return {
        **environment,
        "phases": [{**phase, "happenings": []} for phase in phases],
        "left_out": environment["left_out"] + lost,
    }
