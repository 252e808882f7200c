"""The ledger: all that function code may change in this process, and the undo of each change.

An environment *enters* the process at its first phase and *leaves* it at the end of the pytest
phase; in between, the process has its modules, variables, loggers and so on.  Each kind of state is
one `Part`.  Entering a part returns its undo in the same statement, so that everything is restored,
last change first, whatever raises in between.  At most one environment is entered at a time.  The
values of a `PhasePart` that only function code may see (streams, working directory) are in place
during a phase alone; they are taken over and restored in the same way.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from operator import length_hint
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeAlias, TypeVar

from pytest_lambda_lifecycle.errors import InvalidTransition, LifecycleError
from pytest_lambda_lifecycle.isolation import global_locks
from pytest_lambda_lifecycle.isolation.held_signals import Held, Released
from pytest_lambda_lifecycle.isolation.part import Part, PhasePart
from pytest_lambda_lifecycle.isolation.patching import EARLIER_PATCHES, Undo, apply_again
from pytest_lambda_lifecycle.isolation.real import RealOs
from pytest_lambda_lifecycle.isolation.stage import Listener, stage
from pytest_lambda_lifecycle.isolation.unclosed import freeing
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, Raised

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.alarm import Alarm
    from pytest_lambda_lifecycle.isolation.parts.streams import Streams

__all__ = ["ProcessSlice"]

T = TypeVar("T")

_getpid = RealOs.getpid
_get_ident = threading.get_ident

_UNFINISHED: Any = object()

_PhaseCalls: TypeAlias = tuple[tuple[Undo, ...], tuple[Undo, ...], tuple[int, ...]]
"""The methods of the parts that begin a phase, and those that end it in the opposite order.

For each number of parts that have still to begin, the third tuple has the number of ends, from the
first one, whose parts have not begun.
"""
_NO_CALLS: Final[_PhaseCalls] = ((), (), (0,))


class ProcessSlice:
    """One environment's share of the process."""

    def __init__(self, label: str) -> None:
        """``label`` names it in messages."""
        self.label = label
        self.closed = False
        self.entry = 0
        """The number of its latest entry, counted over all environments; 0 before the first."""
        self.exit_code: int | None = None
        """Set when a thread of the function has ended the process while the handler runs on."""
        self.files: Listener | None = None
        """Judges the calls of function code that change files."""
        self.note_place: Callable[[FrameType | None], None] | None = None
        """Notes the line of function code that a stack is at."""
        self.api_rests: Callable[[], bool] | None = None
        """Says whether all internal extensions wait for their next event."""
        self._pid = _getpid()
        self._parts: tuple[Part, ...] = ()
        self._phase = _NO_CALLS
        self._phase_with_streams_held: _PhaseCalls | None = None
        """The same without the streams, made at its first use."""
        self._discards: list[Undo] = []
        self._undo: list[Undo] = []
        self._context = contextvars.Context()

    def furnish(self, parts: Sequence[Part], *, alarm: Alarm, streams: Streams) -> None:
        """Give it its parts, which may refer to it; ``alarm`` and ``streams`` are two of them."""
        self._parts = tuple(parts)
        plan = _plan_of(tuple(map(type, parts)), parts.index(streams))
        self._phase = plan.phase_calls(parts)
        self._discards = [parts[index].discard for index in plan.discards]
        self._alarm = alarm
        self._streams = streams

    def time_is_up(self, frame: FrameType | None) -> None:
        """Note where function code is at its deadline: it may swallow the interruption."""
        if self.note_place is not None:
            self.note_place(frame)

    def runs(self) -> bool:
        """Say whether a phase of this environment runs, and of no other inside it."""
        return bool(stage.running) and stage.running[-1] is self

    def runs_here(self) -> bool:
        """Say whether such a phase runs on the current thread."""
        return stage.on_phase_thread() and stage.running[-1] is self

    # -- the process as a whole --------------------------------------------------------------------

    def take_process(self) -> None:
        """Enter every part; if one raises, restore those before it."""
        try:
            for part in self._parts:
                self._undo.append(part.enter())
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        """Undo every change, last one first, also when an undo raises."""
        problems: list[Exception] = []
        while self._undo:
            try:
                self._undo.pop()()
            except Exception as problem:
                problems.append(problem)
        if problems:
            raise LifecycleError(
                f"{self.label}: not everything could be restored: {problems!r}", code="LLC112"
            ) from problems[0]

    def discard(self) -> None:
        """End the function's process: all that it has changed is gone."""
        self._leave_and_discard()
        self.exit_code = None
        self._context = contextvars.Context()

    def close(self) -> None:
        """Leave for good."""
        self.closed = True
        self._leave_and_discard()
        self.files = self.note_place = self.api_rests = None
        # Parts refer to us, directly or not: without these circles, an environment that is closed
        # and forgotten is freed at once.
        self._parts = ()
        self._streams.close()
        self._discards = []
        self._phase = self._phase_with_streams_held = _NO_CALLS
        self._context = contextvars.Context()

    def _leave_and_discard(self) -> None:
        with Held(), freeing():
            try:
                if stage.current is self:
                    Part.ending = True
                    stage.leave()
            finally:
                Part.ending = False
                _do_all(iter(self._discards))

    # -- one phase ---------------------------------------------------------------------------------

    def run(self, function: Callable[[], T], /, limit: float | None = None) -> T:
        """Run function code on this thread: in its own context, working directory and streams.

        After ``limit`` s of real time `DeadlineReached` interrupts it, where that is possible.
        """
        __tracebackhide__ = __phase_above__ = True
        running = stage.running
        depth = len(running)
        before = stage.current
        calls, ends, not_begun = (
            self._calls_without_streams() if self._streams.held else self._phase
        )
        # If a part raises, the rest of this iterator tells how many have begun.  A list to which
        # each part adds its end would be simpler, and takes 2 % of a warm invoke.
        begins = iter(calls)
        begun = False
        ended = _UNFINISHED
        try:
            thread = _get_ident()
            if depth and stage.thread != thread:
                self._refuse_thread()
            stage.thread = thread
            running.append(self)
            if before is not self:
                stage.enter(self)
            if EARLIER_PATCHES:
                apply_again()
            try:
                for begin_phase in begins:
                    begin_phase()
                begun = True
                if Held.handlers is not None:
                    ended = self._run_released(function, limit)
                else:
                    self._alarm.begin(limit)
                    ended = self._context.run(function)
                return ended
            finally:
                if not begun:  # one part has raised, and those after it have not begun
                    ends = ends[not_begun[length_hint(begins)] :]
                self._end_phase(ends, ended)
        finally:
            # A thread that was refused must not end the phase of another one.
            if len(running) > depth and stage.thread == _get_ident():
                running.pop()
            if ended is _UNFINISHED:
                global_locks.give_back()
            if depth and before is not None and before is not self:
                stage.enter(before)  # the environment whose handler has invoked this one goes on
            if stage.interrupted:
                _raise_interrupt(ended)

    def _calls_without_streams(self) -> _PhaseCalls:
        if self._phase_with_streams_held is None:
            begins, ends, not_begun = self._phase  # the streams begin last
            left = tuple(number - 1 for number in not_begun[1:])
            self._phase_with_streams_held = begins[:-1], ends[1:], left
        return self._phase_with_streams_held

    def _run_released(self, function: Callable[[], T], limit: float | None) -> T:
        """Run function code in a step in which signals wait: here, they arrive at once."""
        __tracebackhide__ = True
        with Released():
            try:
                self._alarm.begin(limit)
                return self._context.run(function)
            finally:
                self._alarm.end()  # if a handler of the test raises in here, `_end_phase` ends it

    def _end_phase(self, ends: Iterable[Undo], ended: object) -> None:
        __tracebackhide__ = True
        try:
            self._alarm.end()
        except BaseException:
            # A signal handler of the test has raised, that of pytest-timeout or of Ctrl-C.
            self._alarm.end()
            raise
        finally:
            if _getpid() != self._pid:
                # Function code has forked: the child must not go on as a second pytest.
                RealOs.exit(_exit_code(ended))
            steps = iter(ends)
            try:  # `_do_all` alone would do; each warm invoke would pay for its call
                for step in steps:
                    step()
            except BaseException:
                _do_all(steps)
                raise

    def _refuse_thread(self) -> NoReturn:
        raise InvalidTransition(
            f"cannot run a phase of {self.label} on thread "
            f"{threading.current_thread().name!r}: {stage.running[-1].label} is inside a phase on "
            "another thread",
            "Environments share this process; invoke them one after another.",
            code="LLC109",
        )

    def hold_streams(self) -> Undo:
        """Keep the function's streams in place between turns, as its threads go on.

        The returned call ends that.
        """
        return self._streams.hold()


class _Plan(NamedTuple):
    """Which parts have a share in each phase, and which forget something when a process ends.

    The numbers are those of the parts.  All environments have the same classes of parts, so there
    is one plan, and not a look at the methods of each part in every cold start.
    """

    begins: tuple[int, ...]
    ends: tuple[int, ...]
    not_begun: tuple[int, ...]
    """See `_PhaseCalls`."""
    discards: tuple[int, ...]

    def phase_calls(self, parts: Sequence[Any]) -> _PhaseCalls:
        begins = tuple([parts[index].begin_phase for index in self.begins])
        ends = tuple([parts[index].end_phase for index in self.ends])
        return begins, ends, self.not_begun


@lru_cache(maxsize=64)
def _plan_of(classes: tuple[type[Part], ...], streams: int) -> _Plan:
    """Return the plan for parts of these classes; ``streams`` is the number of the streams.

    These begin last and end first.
    """
    begins: list[int] = []
    ends: list[int] = []
    before: list[int] = []  # for each part that begins: the ends of those before it
    phased = [index for index, cls in enumerate(classes) if issubclass(cls, PhasePart)]
    phased.remove(streams)
    for index in [*phased, streams]:
        if _overrides(classes[index], PhasePart, "begin_phase"):
            before.append(len(ends))
            begins.append(index)
        if _overrides(classes[index], PhasePart, "end_phase"):
            ends.append(index)
    not_begun = [len(ends) - number for number in [*reversed(before), 0]]
    discards = [index for index, cls in enumerate(classes) if _overrides(cls, Part, "discard")]
    return _Plan(tuple(begins), tuple(reversed(ends)), tuple(not_begun), tuple(discards))


def _overrides(cls: type[Part], base: type[Part], method: str) -> bool:
    return getattr(cls, method) is not getattr(base, method)


def _do_all(steps: Iterator[Undo]) -> None:
    """Take each step, and all of them even if one raises."""
    try:
        for step in steps:
            step()
    except BaseException:
        _do_all(steps)
        raise


def _raise_interrupt(ended: object) -> None:
    """Raise the Ctrl-C that has arrived in a phase, unless the phase has ended with it.

    A handler that has invoked another environment may catch it, too: then the end of its own phase
    raises it again.
    """
    __tracebackhide__ = True
    if not stage.running:
        stage.interrupted = False
    if ended is not _UNFINISHED or not isinstance(sys.exc_info()[1], KeyboardInterrupt):
        raise KeyboardInterrupt


def _exit_code(ended: object) -> int:
    """Return the exit code of a forked child, which is that of a runtime that ends so."""
    if isinstance(ended, Exited):
        return ended.exit_code if ended.exit_code >= 0 else 128 - ended.exit_code
    return 1 if ended is _UNFINISHED or isinstance(ended, Raised) else 0
