"""The report as Markdown, as it stands in the summary of a job on GitHub."""

from __future__ import annotations

import re
from typing import Final

from pytest_lambda_lifecycle.lifecycle.numbers import in_words
from pytest_lambda_lifecycle.report.run import FAILED, Run, Test, summary

__all__ = ["markdown"]

_MOST_ROWS: Final = 50
"""GitHub takes a summary of 1 MiB, and nobody reads a longer table."""
_SPECIAL: Final = re.compile(r"[\\`*_\[\]<>#|~@$&!]|:(?=//)|(?<=www)\.")


def markdown(run: Run) -> str:
    """Return the report of a run."""
    tests = run.tests()
    parts = ["## Lambda lifecycle", _plain(summary(run), 500)]
    failed = [test for test in tests if test.outcome in FAILED]
    if failed:
        rows: list[tuple[str, ...]] = [(one.outcome, one.id, one.error) for one in failed]
        parts.append(_table(in_words(len(failed), "failed test"), ("", "test", "error"), rows))
    inits = _inits(tests)
    if inits:
        rows = [(f"{us / 1000:.1f}", function, why, where) for us, function, why, where in inits]
        parts.append(_table("Slowest inits", ("ms", "function", "why", "test"), rows, most=10))
    left = _left(tests)
    if left:
        parts.append(_table("Left for later invokes", ("what", "times", "first in"), left, most=20))
    if tests:
        heads = ("", "test", "cold", "warm", "slowest init, ms")
        parts.append(_table("Tests", heads, [_row(test) for test in tests]))
    return "\n\n".join(parts) + "\n"


def _row(test: Test) -> tuple[str, ...]:
    environments = test.environments
    slowest = max((one["slowest_init_us"] for one in environments), default=0)
    return (
        test.outcome,
        test.id,
        str(sum(one["cold"] for one in environments)),
        str(sum(one["warm"] for one in environments)),
        f"{slowest / 1000:.1f}",
    )


def _inits(tests: list[Test]) -> list[tuple[int, str, str, str]]:
    """Return duration, function, reason and test of each Init, the slowest first."""
    found = [
        (phase["us"], one["function"], _why(phase["text"]), test.id)
        for test in tests
        for one in test.environments
        for phase in one["phases"]
        if phase["kind"] == "init"
    ]
    return sorted(found, key=lambda row: -row[0])


def _why(text: str) -> str:
    reasons = [line for line in text.splitlines() if line.startswith("why: ")]
    return reasons[0].removeprefix("why: ") if reasons else ""


def _left(tests: list[Test]) -> list[tuple[str, ...]]:
    """Return each leftover and state change once, with its number and its first test."""
    found: dict[str, tuple[int, str]] = {}
    for test in tests:
        for one in test.environments:
            for phase in one["phases"]:
                for what in phase["happenings"]:
                    if what["kind"] in ("leftover", "state"):
                        times, first = found.get(what["text"], (0, test.id))
                        found[what["text"]] = times + 1, first
    return [(text, str(times), first) for text, (times, first) in found.items()]


def _table(
    title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]], most: int = _MOST_ROWS
) -> str:
    lines = [f"### {title}", "", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows[:most]]
    if len(rows) > most:
        lines += ["", f"{len(rows) - most} more."]
    return "\n".join(lines)


def _plain(text: str, longest: int = 200) -> str:
    """Return text in which nothing is Markdown or HTML, on one line."""
    text = " ".join(text.split())
    shown = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return _SPECIAL.sub(r"\\\g<0>", shown)
