"""The recorder: puts the calls of function code on the timeline, with phase and line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from types import FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.call_events import Call
from pytest_lambda_lifecycle.observation.calls.hooks import Hook, HookPoint
from pytest_lambda_lifecycle.observation.present_phase import present_phase

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.conductor import Conductor
    from pytest_lambda_lifecycle.isolation.modules.world import World
    from pytest_lambda_lifecycle.isolation.patching import Undo
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["CallRecorder", "Place", "open_call", "recorder_here"]

C = TypeVar("C", bound=Call)

_getframe: Final = sys._getframe  # a test may spy on it
_current_frames: Final = sys._current_frames

_LIBRARIES: Final = frozenset(
    "requests urllib3 httpx httpcore aiohttp boto3 botocore s3transfer aioboto3 aiobotocore".split()
)
"""Client libraries: the line that calls them counts, also where they are bundled."""

_OPEN: Final[ContextVar[Any]] = ContextVar("open_call", default=None)
"""The innermost call that is being recorded: layers below it record nothing of their own."""


class Place(NamedTuple):
    """The place of a call in the lifecycle and in the code."""

    at: int
    """Microseconds since the epoch."""
    phase: str
    invocation: int | None
    where: str


class OpenCall(Generic[C]):
    """A call while it runs, as a context manager that records its end."""

    __slots__ = ("_before", "_recorder", "call", "key")

    def __init__(self, recorder: CallRecorder, call: C, key: object) -> None:
        self.call = call
        self.key = key
        """Tells a second wrapper of the same call from a call inside the call."""
        self._recorder = recorder
        self._before = _OPEN.get()

    def __enter__(self) -> C:
        self._recorder.timeline.append(self.call)
        _OPEN.set(self)
        return self.call

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _OPEN.set(self._before)
        self.call.duration_us = self._recorder.clock.now_us() - self.call.at
        if value is not None and self.call.exception is None:
            self.call.exception = value


def open_call() -> OpenCall[Any] | None:
    """Return the innermost call that is being recorded in this context, or None."""
    found: OpenCall[Any] | None = _OPEN.get()
    return found


def recorder_here() -> CallRecorder | None:
    """Return the recorder of the entered environment if its function code calls, in a phase."""
    recorder = CallRecorder.entered
    if recorder is None or not stage.running or not recorder.runs_function_code():
        return None
    return recorder


class CallRecorder(PhasePart):
    """Hooks client libraries while the environment is entered, and records what they report."""

    entered: ClassVar[CallRecorder | None] = None

    def __init__(
        self,
        points: Iterable[HookPoint],
        *,
        world: World,
        timeline: Timeline,
        clock: Clock,
        conductor: Callable[[], Conductor | None],
        runs_function_code: Callable[[], bool],
        folders: Iterable[str],
    ) -> None:
        """``folders`` are those of function code: the task root and the layers."""
        self.timeline = timeline
        self.clock = clock
        self.runs_function_code = runs_function_code
        self._world = world
        self._conductor = conductor
        self._folders = tuple(f"{folder}/" for folder in folders)
        self._points: dict[str, list[HookPoint]] = {}
        for point in points:
            self._points.setdefault(point.module, []).append(point)
        self._hooks: list[Hook] = []
        self._seen: list[Any] = []
        """The values of the hooked attributes at the end of the latest phase."""
        world.hook.add(self._executed, *self._points)

    # -- hooks ------------------------------------------------------------------------------------

    def enter(self) -> Undo:
        """Hook the libraries that are loaded; others are hooked when they are imported."""
        modules = sys.modules
        for name in self._points:
            module = modules.get(name)
            if module is not None:
                self._add_hooks(module)
        CallRecorder.entered = self
        return self._leave

    def _leave(self) -> None:
        CallRecorder.entered = None
        while self._hooks:
            self._hooks.pop().remove()

    def begin_phase(self) -> None:
        """Put a wrapper on top again where the test has put a mock on top of it."""
        if self._hooks and self._values() != self._seen:
            seen = dict(zip(self._hooks, self._seen, strict=False))
            for hook in self._hooks:
                now = hook.namespace.get(hook.name)
                if now is not hook.wrapper and now is not seen.get(hook):
                    hook.place()

    def end_phase(self) -> None:
        """Note the values that function code leaves."""
        if self._hooks:
            self._seen = self._values()

    def _values(self) -> list[Any]:
        return [hook.namespace.get(hook.name) for hook in self._hooks]

    def _executed(self, module: ModuleType) -> None:
        if CallRecorder.entered is self:
            self._add_hooks(module)

    def _add_hooks(self, module: ModuleType) -> None:
        shared = self._world.own(module.__name__) is not module
        for point in self._points[module.__name__]:
            hook = point.hook(module, shared=shared)
            if hook is not None:
                hook.place()
                self._hooks.append(hook)

    # -- records ----------------------------------------------------------------------------------

    def place(self) -> Place | None:
        """Return the place of the call that function code is making; None between phases."""
        conductor = self._conductor()
        present = None if conductor is None else present_phase(conductor)
        if present is None:
            return None
        return Place(self.clock.now_us(), *present, self.line())

    def open(self, make: Callable[[Place], C], key: object) -> OpenCall[C]:
        """Return the context in which a call runs; ``make`` makes its event from a `Place`.

        Between phases nothing is recorded: the event stays off the timeline.
        """
        place = self.place()
        if place is None:
            return _Unrecorded(self, make(Place(self.clock.now_us(), "", None, "")), key)
        return OpenCall(self, make(place), key)

    def line(self) -> str:
        """Return the innermost line of function code, as ``"shop/app.py:12"``; ``""`` if none.

        A thread that has none (a worker that runs a library's function, or resolves a name) shows
        the line at which the phase is now.
        """
        frame = self._innermost(_getframe(1))
        if frame is None and stage.thread is not None:
            frame = self._innermost(_current_frames().get(stage.thread))
        if frame is None:
            return ""
        return f"{self._shown(frame.f_code.co_filename)}:{frame.f_lineno}"

    def _innermost(self, frame: FrameType | None) -> FrameType | None:
        return next(self._frames(frame), None)

    def _frames(self, frame: FrameType | None) -> Iterator[FrameType]:
        world = self._world
        while frame is not None:
            namespace = frame.f_globals
            name = namespace.get("__name__")
            if isinstance(name, str) and name.partition(".")[0] not in _LIBRARIES:
                module = None if is_own(frame) else world.own(name)
                if module is not None and vars(module) is namespace and world.is_source(name):
                    yield frame
            frame = frame.f_back

    def _shown(self, file: str) -> str:
        for folder in self._folders:
            if file.startswith(folder):
                return file[len(folder) :]
        return file


class _Unrecorded(OpenCall[C]):
    """A call of a thread that goes on between phases."""

    __slots__ = ()

    def __enter__(self) -> C:
        _OPEN.set(self)
        return self.call
