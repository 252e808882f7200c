"""Verdicts: what a test's settings say about the events of its environments, once it has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.phases import Phase
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["Check", "Evidence", "Verdict", "verdicts"]


class Evidence(NamedTuple):
    """The part of an environment's history that one test has caused."""

    config: FunctionConfig
    timeline: Timeline
    phases: Sequence[Phase]
    """The phases that began in this test."""
    first: int
    """The index of the first event of this test."""


class Verdict(NamedTuple):
    """A remark on a test that has ended."""

    text: str
    """One or several lines."""
    fails: bool
    """It fails the test; otherwise it is a warning."""


Check: TypeAlias = "Callable[[Evidence], Iterable[Verdict]]"

CHECKS: Final[tuple[Check, ...]] = ()


def verdicts(evidence: Evidence) -> Iterator[Verdict]:
    """Yield the verdicts of all checks."""
    for check in CHECKS:
        yield from check(evidence)
