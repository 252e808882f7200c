"""The recorder: puts the calls of function code on the timeline, with phase and line."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.call_events import Call
from pytest_lambda_lifecycle.lifecycle.outcome import DeadlineReached
from pytest_lambda_lifecycle.observation.calls.client_sight import ClientSight
from pytest_lambda_lifecycle.observation.calls.faults import Faults
from pytest_lambda_lifecycle.observation.calls.hook_set import HookSet
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.lines import FunctionLines
from pytest_lambda_lifecycle.observation.calls.on_top import LIBRARIES, ON_TOP, TopMock
from pytest_lambda_lifecycle.observation.calls.own_api import is_own_api
from pytest_lambda_lifecycle.observation.present_phase import present_phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.conductor import Conductor
    from pytest_lambda_lifecycle.isolation.ledger import ProcessSlice
    from pytest_lambda_lifecycle.isolation.modules.world import World
    from pytest_lambda_lifecycle.isolation.patching import Undo
    from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline

__all__ = ["CallRecorder", "Place", "open_call", "recorder_here"]

C = TypeVar("C", bound=Call)

_get_ident: Final = threading.get_ident  # a test may spy on it
_OPEN: Final[ContextVar[Any]] = ContextVar("pytest_lambda_lifecycle.open_call", default=None)
"""The innermost call that is being recorded: layers below it record nothing of their own."""


class Place(NamedTuple):
    """The place of a call in the lifecycle and in the code."""

    at: int
    """Microseconds since the epoch."""
    phase: str
    invocation: int | None
    where: str


class OpenCall(Generic[C]):
    """A call while it runs, as a context manager that records its end.

    A layer that cannot use a ``with`` statement calls `begin` and `end`.
    """

    __slots__ = ("_before", "_recorder", "answered", "call", "key", "over")

    on_timeline: ClassVar[bool] = True

    def __init__(self, recorder: CallRecorder, call: C, key: object) -> None:
        self.call = call
        self.key = key
        """Tells a second wrapper of the same call from a call inside the call."""
        self.answered = False
        """The call has its result, and goes on only to follow it: to a redirect's target."""
        self.over = False
        """A task or thread that began inside the call may see it when it is over."""
        self._recorder = recorder
        self._before: OpenCall[Any] | None = None

    def begin(self) -> None:
        """Put the call on the timeline."""
        self._recorder.timeline.append(self.call)

    @contextmanager
    def in_layers_below(self) -> Iterator[None]:
        """Let the layers below find a call that is no context, while a part of it runs."""
        before = _OPEN.get()
        if before is self:
            yield
            return
        self._before = before
        _OPEN.set(self)
        try:
            yield
        finally:
            if _OPEN.get() is self:
                _OPEN.set(before)

    def answer(self) -> None:
        """Note the end of the call itself, though its context goes on."""
        if not self.answered:
            self.answered = True
            self.call.duration_us = self._recorder.clock.now_us() - self.call.at

    def end(self, exception: BaseException | None = None) -> None:
        """Note the end of the call, which has returned or raised."""
        if not self.answered:
            # A process that Lambda stops at the timeout sees no exception.
            if exception is not None and not isinstance(exception, DeadlineReached):
                self.call.exception = exception
            self.answer()
        self.over = True

    def __enter__(self) -> C:
        self.begin()
        self._before = _OPEN.get()
        _OPEN.set(self)
        return self.call

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A coroutine may be closed in another context than the one in which it began.
        if _OPEN.get() is self:
            _OPEN.set(self._before)
        self.end(value)


def open_call() -> OpenCall[Any] | None:
    """Return the innermost call that is being recorded in this context, or None."""
    found: OpenCall[Any] | None = _OPEN.get()
    while found is not None and found.over:
        found = found._before
    return found


def recorder_here() -> CallRecorder | None:
    """Return the recorder of the entered environment if its function code calls, in a phase."""
    recorder, running = CallRecorder.entered, stage.running
    if recorder is None or not running:
        return None
    # Each request and each AWS call passes here several times, as a rule on the phase's own thread.
    if running[-1] is recorder.process and stage.thread == _get_ident():
        return recorder
    return recorder if recorder.runs_function_code() else None


class CallRecorder(PhasePart):
    """Hooks client libraries while the environment is entered, and records their calls."""

    entered: ClassVar[CallRecorder | None] = None
    sent: list[tuple[Any, object]] | None = None
    """If somebody wants to read them: calls, with the objects that hold what each has sent."""

    def __init__(
        self,
        points: Mapping[str, Sequence[HookPoint]],
        *,
        process: ProcessSlice,
        world: World,
        timeline: WritableTimeline,
        clock: Clock,
        conductor: Callable[[], Conductor | None],
        runs_function_code: Callable[[], bool],
        folders: Iterable[str],
        started: Callable[[], str],
        own_address: Callable[[], str],
        set_by_function: Callable[[Any, str, Any], bool],
    ) -> None:
        """``points`` are the attributes to hook, by the names of their modules.

        ``folders`` are those of function code: the task root and the layers.
        ``started`` returns the file and line that has started the current thread, or ``""``.
        ``own_address`` returns the ``host:port`` of the environment's own APIs.
        ``set_by_function`` says whether function code has set an attribute to a value.
        """
        self.timeline = timeline
        self.clock = clock
        self.faults = Faults()
        self.process = process
        self.runs_function_code = runs_function_code
        self._world = world
        self._conductor = conductor
        self._lines = FunctionLines(world, folders, started)
        self._own_address = own_address
        self._points = points
        self._hooks = HookSet(set_by_function)
        self.sight = ClientSight(world.own_modules)
        self._on_top: list[TopMock] = []
        """The mocks that are on top in the phase that runs."""
        world.hook.add(self._executed, points)
        world.hook.add(self._put_on_top, LIBRARIES)

    # -- hooks ------------------------------------------------------------------------------------

    def enter(self) -> Undo:
        """Hook the libraries that are loaded; others are hooked when they are imported."""
        modules = sys.modules
        for name in filter(modules.__contains__, self._points):
            module = modules[name]
            if module is not None:
                self._add_hooks(module)
        CallRecorder.entered = self
        return self._leave

    def _leave(self) -> None:
        CallRecorder.entered = None
        self._lines.forget()
        self._hooks.remove()

    def begin_phase(self) -> None:
        """Put the wrappers on top again, and then the mocks that have to be there."""
        hooks = self._hooks
        if hooks.owners:
            hooks.begin_phase()
        if ON_TOP:
            self._put_mocks_on_top()

    def _put_mocks_on_top(self) -> None:
        try:
            for mock in ON_TOP:
                mock.begin_phase()
                self._on_top.append(mock)
        except BaseException:
            self._take_mocks_off()
            raise

    def _take_mocks_off(self) -> None:
        """Take off the mocks that are on top, and all of them even if one raises."""
        try:
            while self._on_top:
                self._on_top.pop().end_phase()
        except BaseException:
            self._take_mocks_off()
            raise

    def end_phase(self) -> None:
        """Uncover the mocks of the test, and take off the mocks that are on top."""
        if "boto3" in sys.modules:
            self.sight.look()
        if self._on_top or self._hooks.covers_mocks:
            try:
                self._take_mocks_off()
            finally:
                self._hooks.uncover()

    def _executed(self, module: ModuleType) -> None:
        if CallRecorder.entered is self:
            self._add_hooks(module)

    def _put_on_top(self, module: ModuleType) -> None:
        for mock in self._on_top:
            mock.executed(module)

    def _add_hooks(self, module: ModuleType) -> None:
        shared = self._world.own(module.__name__) is not module
        for point in self._points[module.__name__]:
            hook = point.hook(module, shared=shared)
            if hook is not None:
                self._hooks.add(hook)

    # -- records ----------------------------------------------------------------------------------

    def place(self, above: int = 0) -> Place | None:
        """Return the place of the call that function code is making; None between phases.

        ``above`` are the frames of this package over the caller.
        """
        conductor = self._conductor()
        present = None if conductor is None else present_phase(conductor)
        if present is None:
            return None
        return Place(self.clock.now_us(), *present, self._lines.innermost(above + 2))

    def open(
        self,
        make: Callable[[Place], C],
        key: object,
        *,
        above: int = 0,
        off_timeline: bool = False,
        sent: object = None,
    ) -> OpenCall[C]:
        """Return the context in which a call runs; ``make`` makes its event from a `Place`.

        Between phases nothing is recorded: the event stays off the timeline.  ``off_timeline`` asks
        for that: for a call that a mock makes while it answers one of function code.  ``above`` are
        the frames of this package over the caller, and ``sent`` holds the content of a request.
        """
        place = None if off_timeline else self.place(above + 1)
        if place is None:
            return _Unrecorded(self, make(Place(self.clock.now_us(), "", None, "")), key)
        opened = OpenCall(self, make(place), key)
        if self.sent is not None and sent is not None:
            self.sent.append((opened.call, sent))
        return opened

    def line_at(self, frame: FrameType | None) -> str:
        """Return the innermost line of function code on the stack of ``frame``."""
        return self._lines.at(frame)

    def line(self) -> str:
        """Return the innermost line of function code, as ``"shop/app.py:12"``; ``""`` if none."""
        return self._lines.innermost(2)

    def called_inside(self) -> bool:
        """Say whether function code makes a call of its own inside the call that is open."""
        return self._lines.called_inside()

    def is_function_code(self, frame: FrameType) -> bool:
        """Say whether a frame runs code of the function, and not of a client library."""
        return self._lines.is_function(frame)

    def is_own_api(self, url: str) -> bool:
        """Say whether a URL is one of the environment's own APIs: requests to it are no calls."""
        return is_own_api(url, self._own_address())


class _Unrecorded(OpenCall[C]):
    """A call that stays off the timeline."""

    __slots__ = ()

    on_timeline = False

    def begin(self) -> None:
        """Record nothing."""
