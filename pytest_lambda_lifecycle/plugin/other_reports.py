"""What other reports show of a test: properties in JUnit XML, and a timeline in pytest-html's page.

Both take what is on the report of a test: its ``user_properties`` and its ``extras``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_lambda_lifecycle.environment.tally import Tally
from pytest_lambda_lifecycle.lifecycle.plain_text import plain
from pytest_lambda_lifecycle.lifecycle.timeline_svg import svg

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_lambda_lifecycle.lifecycle.events import Event

__all__ = ["add_extras", "add_properties"]

_PREFIX: Final = "lambda_lifecycle."
_PICTURE: Final = 'style="overflow-x:auto;white-space:normal"'


def add_properties(
    report: pytest.TestReport,
    used: Sequence[tuple[str, Sequence[Event]]],
    counts: Mapping[str, int],
) -> None:
    """Add the figures of a test to its report, with JUnit XML.

    ``used`` has the handler and the events of each environment that the test used; ``counts`` are
    those of verdicts on the test.
    """
    tally = Tally()
    for handler, events in used:
        tally.ended(handler, events, str)
    data = tally.data
    figures: dict[str, float] = {
        "environments": len(used),
        "cold_starts": data["cold"],
        "warm_invokes": data["warm"],
        "leftovers": tally.count("leftover"),
        "swallowed_refusals": counts.get("refusal", 0),
        "exceeded_budgets": counts.get("budget", 0),
    }
    if data["slow"]:
        figures["slowest_init_ms"] = max(slow["us"] for slow in data["slow"].values()) / 1000
    report.user_properties += [(_PREFIX + name, value) for name, value in figures.items()]


def add_extras(report: pytest.TestReport, used: Sequence[tuple[str, Sequence[Event]]]) -> None:
    """Add a picture of each timeline to the row of a test in the page of pytest-html."""
    html: Any = sys.modules.get("pytest_html.extras")
    if html is not None:
        found: Any = report
        found.extras = [*getattr(report, "extras", ()), *(html.html(one) for one in _pages(used))]


def _pages(used: Sequence[tuple[str, Sequence[Event]]]) -> Iterator[str]:
    for handler, events in used:
        name = plain(handler)
        picture = svg(events, f"Timeline of {name}")
        yield f"<div {_PICTURE}><p>{escape(name)}</p>{picture}</div>"
