"""The summary at the end of a run: environments, cold starts, and what stands out.

The workers of pytest-xdist send what they have counted with the report of each teardown, so that a
worker that crashes takes the figures of its last test along, and no others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.tally import SlowInit, Tally, TallyData

__all__ = ["FromWorkers", "ToController", "show"]

TITLE: Final = "Lambda environments"
_ATTRIBUTE: Final = "lambda_lifecycle_tally"
_TALLY: Final = "pytest_lambda_lifecycle.environment.tally"
_HEADS: Final = {
    "leftover": "left running when an invoke ended",
    "refusal": "refusals that function code swallowed",
    "budget": "budgets exceeded",
}
_MOST: Final = {0: 3, 1: 10}
"""The lines of each part, and the modules of an Init; with ``-vv`` all that were kept."""


class FromWorkers:
    """A plugin of the controller of pytest-xdist: adds up what the workers have counted."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the figures that came with a report."""
        data = vars(report).pop(_ATTRIBUTE, None)
        if data is not None:
            from pytest_lambda_lifecycle.environment import tally

            tally.merge(tally.RUNS[-1].data, data)


class ToController:
    """A plugin of a worker of pytest-xdist: sends what was counted since the last test.

    It looks at reports when they are logged, since a hook of the suite may replace them earlier.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Put the figures on the report of a teardown."""
        tally = _of_run() if report.when == "teardown" else None
        data = None if tally is None else tally.drain()
        if data is not None:
            setattr(report, _ATTRIBUTE, data)


def _of_run() -> Tally | None:
    module: Any = sys.modules.get(_TALLY)
    return None if module is None else module.RUNS[-1]


def show(reporter: pytest.TerminalReporter, verbosity: int) -> None:
    """Write the summary, if some environment was made; ``-q`` and ``--no-summary`` hide it."""
    tally = _of_run()
    if tally is None or verbosity < 0 or reporter.config.getoption("no_summary", False):
        return  # pytest 9.2 asks plugins for their summaries under --no-summary as well
    open_environments = sys.modules.get("pytest_lambda_lifecycle.environment.open_environments")
    if open_environments is not None:
        open_environments.count(tally)
    if tally.data["environments"]:
        reporter.ensure_newline()
        reporter.section(TITLE)
        root = f"{reporter.config.rootpath}{os.sep}"
        for line in _lines(tally.data, verbosity):
            reporter.write_line(line.replace(root, ""))


def _lines(data: TallyData, verbosity: int) -> Iterator[str]:
    from pytest_lambda_lifecycle.lifecycle.numbers import in_words

    most = _MOST.get(verbosity, sys.maxsize)
    yield ", ".join(
        (
            in_words(data["environments"], "environment", ","),
            in_words(data["cold"], "cold start", ","),
            in_words(data["warm"], "warm invoke", ","),
        )
    )
    if data["slow"]:
        slow = sorted(data["slow"].items(), key=lambda item: item[1]["us"], reverse=True)
        yield "slowest inits:"
        for handler, init in slow[:most]:
            yield from _init_lines(handler, init, most, verbose=verbosity > 0)
        yield from _more(len(slow) - most, "functions")
    for kind, head in _HEADS.items():
        texts, more = data["texts"][kind], data["more"][kind]
        if texts:
            yield f"{head}:"
            shown = sorted(texts.items(), key=lambda item: item[1], reverse=True)
            yield from _text_lines(shown[:most])
            yield from _more(sum(count for _, count in shown[most:]) + more, "of them")


def _init_lines(handler: str, init: SlowInit, most: int, *, verbose: bool) -> Iterator[str]:
    imports = [f"{name} {ms:.2f} ms" for name, ms in init["imports"][:most]]
    costly = f" (imports: {', '.join(imports)})" if imports and not verbose else ""
    yield f"  {init['us'] / 1000:10.2f} ms  {handler}, {init['place']}{costly}"
    if verbose:
        yield from (f"  {ms:10.2f} ms    import {name}" for name, ms in init["imports"][:most])


def _text_lines(texts: Iterable[tuple[str, int]]) -> Iterator[str]:
    for text, count in texts:
        yield f"  {text}" + (f"   x {count}" if count > 1 else "")


def _more(count: int, what: str) -> Iterator[str]:
    if count > 0:
        yield f"  ({count:,} more {what}; -vv shows all that were kept)"
