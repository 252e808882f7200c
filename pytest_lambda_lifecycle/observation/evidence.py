"""The evidence that a check at the end of a test looks at, and the verdict that it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.phases import Phase
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["Check", "Evidence", "Verdict"]


def _nothing(target: str) -> str:
    return ""


class Evidence(NamedTuple):
    """The part of an environment's history that one test has caused."""

    config: FunctionConfig
    timeline: Timeline
    phases: Sequence[Phase]
    """The phases that began in this test."""
    history: Sequence[Phase]
    """All phases, also those of earlier tests."""
    first: int
    """The index of the first event of this test."""
    unseen: Callable[[str], str] = _nothing
    """Returns why not all calls of a spied target can have been seen in this test, or ``""``."""


class Verdict(NamedTuple):
    """A remark on a test that has ended."""

    text: str
    """One or several lines."""
    fails: bool
    """It fails the test; otherwise it is a warning."""
    kind: str = ""
    """``"budget"``, ``"refusal"`` for a swallowed one, or ``""``."""


Check: TypeAlias = "Callable[[Evidence], Iterable[Verdict]]"
