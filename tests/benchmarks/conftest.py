"""Measurements, each beside its bare counterpart of the same run, in one table at the end.

`tox -e bench` runs them.  They fail on errors and leaks alone: a figure over its budget is printed,
not failed, as machines differ.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

FUNCTIONS = Path(__file__).resolve().parent / "functions"


class Timing(NamedTuple):
    """Seconds.  The least disturbed round says what the code costs, the median what a test run
    feels.
    """

    median: float
    best: float

    @classmethod
    def of(cls, benchmark: BenchmarkFixture) -> Timing:
        return cls(benchmark.stats.stats.median, benchmark.stats.stats.min)

    def __str__(self) -> str:
        unit, factor = next(
            (pair for pair in (("s", 1), ("ms", 1e3)) if self.best * pair[1] >= 1), ("µs", 1e6)
        )
        return f"{self.median * factor:.2f} {unit} (best {self.best * factor:.2f})"


@dataclass
class Report:
    """The lines of the final table."""

    lines: list[tuple[str, str, str, str, str]] = field(default_factory=list)

    def ratio(self, what: str, ours: Timing, *, bare: Timing, than: str, budget: str) -> None:
        """Add a line on two timings of which the ratio counts."""
        change = f"{ours.median / bare.median:.2f} x (best {ours.best / bare.best:.2f} x)"
        self.lines.append((what, str(ours), f"{than}: {bare}", change, budget))

    def difference(self, what: str, ours: Timing, *, bare: Timing, than: str, budget: str) -> None:
        """Add a line on two timings of which the difference counts."""
        median, best = 1000 * (ours.median - bare.median), 1000 * (ours.best - bare.best)
        self.lines.append(
            (what, str(ours), f"{than}: {bare}", f"{median:+.2f} ms (best {best:+.2f})", budget)
        )

    def text(self, what: str, ours: str, bare: str, change: str, budget: str) -> None:
        """Add a line on what is not a duration."""
        self.lines.append((what, ours, bare, change, budget))

    def table(self) -> Iterator[str]:
        """Return the table as aligned text."""
        rows = [("what", "ours", "bare", "ours to bare", "target"), *self.lines]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        for row in rows:
            yield "  ".join(
                cell.ljust(width) for cell, width in zip(row, widths, strict=True)
            ).rstrip()

    def write(self, page: Path) -> None:
        """Put the lines into the table of this Python on a page, in the places of older ones."""
        title = f"## Python {sys.version_info.major}.{sys.version_info.minor}"
        text = page.read_text(encoding="utf-8")
        intro, *sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
        by_title = {section.partition("\n")[0]: section for section in sections}
        rows: dict[str, str] = {}
        for line in by_title.get(title, "").splitlines():
            if line.startswith("| ") and not line.startswith("| what "):
                rows[line.split(" | ")[0].removeprefix("| ")] = line
        for what, ours, bare, change, budget in self.lines:
            rows[what] = f"| {what} | {ours} | {bare} | {change} | {budget} |"
        head = "| what | ours | against | ratio | target |\n|---|---|---|---|---|"
        by_title[title] = "\n".join([title, "", head, *rows.values(), ""])
        ordered = [by_title[one].rstrip() + "\n" for one in sorted(by_title)]
        page.write_text("\n".join([intro.rstrip() + "\n", *ordered]), encoding="utf-8")


_REPORT = pytest.StashKey[Report]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--page", type=Path, help="write the table into this page as well")


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Report:
    return pytestconfig.stash.setdefault(_REPORT, Report())


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if found := config.stash.get(_REPORT, None):
        terminalreporter.section("budgets")
        for line in found.table():
            terminalreporter.line(line)
        if page := config.getoption("--page"):
            found.write(page)
