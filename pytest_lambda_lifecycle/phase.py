"""A phase of an environment as a test sees it: a view of a stretch of the timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import repeat
from typing import TYPE_CHECKING, ClassVar, overload

from pytest_lambda_lifecycle import projections
from pytest_lambda_lifecycle.clock import moment_at
from pytest_lambda_lifecycle.events import Event, SpyCall

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.timeline import Timeline

__all__ = ["Phase", "Phases"]


class Phase:
    """A stretch of the timeline: Init, Restore, Invoke or Shutdown."""

    __slots__ = ("_first", "_last", "_timeline")

    name: ClassVar[str] = "phase"

    def __init__(self, timeline: Timeline, first: int, last: int) -> None:
        self._timeline = timeline
        self._first = first
        self._last = last

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened in this phase, in order."""
        return tuple(self._timeline[self._first : self._last])

    @property
    def log(self) -> str:
        """What CloudWatch shows of this phase."""
        return projections.log_text(self.events)

    @property
    def spy_calls(self) -> list[SpyCall]:
        """Calls of spied targets during this phase."""
        return [event for event in self.events if type(event) is SpyCall]

    @property
    def started_at(self) -> datetime:
        """When the phase began (aware, UTC)."""
        return moment_at(self._timeline[self._first].at)

    @property
    def duration_ms(self) -> float:
        """How long the phase took, in ms."""
        return self._duration_us / 1000

    @property
    def status(self) -> str:
        """``"success"``, ``"error"``, ``"failure"`` or ``"timeout"``."""
        return self._status

    @property
    def _duration_us(self) -> int:
        raise NotImplementedError

    @property
    def _status(self) -> str:
        raise NotImplementedError

    def _describe(self) -> str:
        return f"{self._status}, {self.duration_ms:.2f} ms"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._describe()}>"


class Phases(Sequence[Phase]):
    """Phases in order; compares equal to a list of phases or of their names: ``env.phases == ["init", "invoke"]``.

    ``in``, `count` and slices take names as well: ``"restore" not in env.phases``.
    """

    def __init__(self, phases: Sequence[Phase]) -> None:
        self._phases = tuple(phases)

    @property
    def names(self) -> list[str]:
        """The phases' names."""
        return [phase.name for phase in self._phases]

    @overload
    def __getitem__(self, index: int) -> Phase: ...
    @overload
    def __getitem__(self, index: slice) -> Phases: ...
    def __getitem__(self, index: int | slice) -> Phase | Phases:
        return Phases(self._phases[index]) if isinstance(index, slice) else self._phases[index]

    def __len__(self) -> int:
        return len(self._phases)

    def __contains__(self, item: object) -> bool:
        return self.count(item) > 0

    def count(self, value: object) -> int:
        """Return how many phases are ``value``, or have that name."""
        return sum(map(_is, self._phases, repeat(value)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Phases):
            return self._phases == other._phases
        if not isinstance(other, (list, tuple)):
            return NotImplemented
        return len(self) == len(other) and all(map(_is, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self._phases))


def _is(phase: Phase, item: object) -> bool:
    return phase.name == item if isinstance(item, str) else phase is item
