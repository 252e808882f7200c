"""The state audit: compares the state before and after each invoke, and records what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.isolation.held_signals import Held
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.lifecycle.events import Leftover
from pytest_lambda_lifecycle.lifecycle.file_events import FileRefusal
from pytest_lambda_lifecycle.lifecycle.outcome import Outcome, Raised, Returned
from pytest_lambda_lifecycle.lifecycle.state_events import StateChange
from pytest_lambda_lifecycle.state.changes import Change, compare
from pytest_lambda_lifecycle.state.log_keys import LogKeys
from pytest_lambda_lifecycle.state.photograph import Photograph
from pytest_lambda_lifecycle.state.places import Target, target_of
from pytest_lambda_lifecycle.state.settling import reason_to_settle
from pytest_lambda_lifecycle.state.texts import text_of

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline
    from pytest_lambda_lifecycle.state.scene import Scene

__all__ = ["StateAudit"]

_MOST: Final = 2000
"""Changes of one invoke that are recorded."""
_PLURALS: Final = {"process": "processes"}


class StateAudit(Part):
    """Looks at the state around the invokes of one environment."""

    def __init__(
        self, scene: Scene, timeline: WritableTimeline, lines: Callable[[str], str]
    ) -> None:
        """``lines`` returns the line of function code that has written a file in ``/tmp``."""
        self._lines = lines
        self._at = 0
        self._scene = scene
        self._log_keys = LogKeys()
        self._timeline = timeline
        self._before: Photograph | None = None
        self._first = 0
        self._running: Counter[tuple[str, str]] = Counter()
        """Leftovers after the latest invoke, by kind and label."""
        self.invokes = 0
        """The number of invokes of this process that were compared."""
        self.most_invokes = 0
        """The largest such number of all processes of the environment."""

    def discard(self) -> None:
        """Begin anew: the process has ended."""
        self._before = None
        self._running = Counter()
        self.invokes = 0
        self._scene.discard()
        self._log_keys = LogKeys()

    def knows(self, pattern: str) -> bool:
        """Say whether a pattern names something in a module of the function, or may do so."""
        return self._scene.knows(pattern)

    def begin(self) -> None:
        """Note the state before an invoke; changes of the test since the last one are in it."""
        self._first = self._timeline.size()
        with Held():
            self._before = self._scene.take()

    def end(self, outcome: Outcome) -> None:
        """Record what the invoke has changed; nothing of a process that has ended stays."""
        before, self._before = self._before, None
        if before is None or not isinstance(outcome, Returned | Raised):
            return
        self._at = self._timeline[-1].at
        self.invokes += 1
        self.most_invokes = max(self.most_invokes, self.invokes)
        with Held():
            after = self._scene.take()
        changes = compare(before, after)[:_MOST]
        made = [*(self._change(one, after) for one in changes), *self._of_log_keys(before, after)]
        made += [*self._of_leftovers(), *self._of_files()]
        for change in made:
            self._timeline.append(change)

    def _change(self, change: Change, after: Photograph) -> StateChange:
        old, new = change.texts
        if change.path.startswith("/"):
            find = partial(self._line_of_file, change.path)
        else:
            target = target_of(change)
            find = partial(self._scene.places.find, target, strict=change.is_library)
        return StateChange(
            self._at,
            change.path,
            change.kind,
            old,
            new,
            self.invokes,
            reason_to_settle(change, after),
            find,
        )

    def _line_of_file(self, path: str) -> str:
        return self._scene.places.shown(self._lines(path))

    def _of_log_keys(self, before: Photograph, after: Photograph) -> Iterator[StateChange]:
        for path, name, value in self._log_keys.kept(before, after):
            target = Target("", (), name, "added", is_variable=False, is_entry=True)
            find = partial(self._scene.places.find_keyword, target)
            text = f"{text_of(value, name)} of an earlier invoke, not cleared"
            yield StateChange(self._at, path, "added", "", text, self.invokes, "", find)

    def _of_leftovers(self) -> Iterator[StateChange]:
        """Yield threads, processes and tasks that run on, and did not after the invoke before."""
        running: Counter[tuple[str, str]] = Counter()
        for event in self._timeline[self._first :]:
            if not isinstance(event, Leftover):
                continue
            key = event.kind, event.label
            running[key] += 1
            if running[key] > self._running[key]:
                yield self._event(
                    f"{_PLURALS.get(event.kind, event.kind + 's')}[{event.label!r}]",
                    "<still running>",
                    "a library keeps it, and it waits for work" if event.idle else "",
                    event.where,
                )
        self._running = running

    def _of_files(self) -> Iterator[StateChange]:
        for event in self._timeline[self._first :]:
            if isinstance(event, FileRefusal):
                text = f"<tried to {event.asked}: read-only on Lambda>"
                yield self._event(event.path, text, "", event.where)

    def _event(self, path: str, new: str, settles: str, where: str) -> StateChange:
        shown = partial(self._scene.places.shown, where)
        return StateChange(self._at, path, "added", "", new, self.invokes, settles, shown)
