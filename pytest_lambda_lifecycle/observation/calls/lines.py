"""The innermost line of function code that makes a call, on its own stack or behind a loop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final

from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.isolation.stage import stage

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["FunctionLines"]

_getframe: Final = sys._getframe  # a test may spy on it
_current_frames: Final = sys._current_frames

_LIBRARIES: Final = frozenset(
    "requests urllib3 httpx httpcore aiohttp boto3 botocore s3transfer aioboto3 aiobotocore".split()
)
"""Client libraries: the line that calls them counts, also where they are bundled."""
_PACKAGE: Final = __name__.partition(".")[0] + "."
_ELSEWHERE: Final[set[str]] = set()
"""Modules of client libraries and of this package that were met on a stack: a look-up is cheap, and
each recorded call passes a dozen of their frames.

They are known by their names and not by their files: Python raises an audit event for each access
to the code of a frame.
"""
_identity: Final = object.__hash__
"""The same as `id`, which raises an audit event."""
_MOST_AWAITERS: Final = 20


class FunctionLines:
    """Finds lines of function code.

    As a rule the line stands on the stack of the caller.  It does not in a task that runs a
    coroutine of a library (``gather(client.get(a), client.get(b))``), nor in a worker thread
    (``to_thread(requests.get, url)``).  There the stack leads at best to ``asyncio.run(main())`` in
    the handler, while the line that makes the calls is the one at which another task waits.  So
    where the stack passes an event loop before it comes to function code, the suspended tasks of
    that loop are looked at.
    """

    def __init__(self, world: World, folders: Iterable[str], started: Callable[[], str]) -> None:
        """``started`` returns the file and line that has started the current thread, or ``""``."""
        self._world = world
        self._folders = tuple(f"{folder}/" for folder in folders)
        self._started = started
        self._known: dict[int, tuple[CodeType, dict[str, Any], str]] = {}
        """Code of the function that was found, by identity, with its globals and its file."""

    def forget(self) -> None:
        """Forget the code that was found: the function's modules may be unloaded."""
        self._known = {}

    def innermost(self, above: int) -> str:
        """Return the innermost line, as ``"shop/app.py:12"``; ``""`` if there is none.

        The caller is one of ``above`` frames of this package in a row, which are passed over: a
        frame that nobody looks at need not be made an object.
        A thread without a line of function code shows the line that has started it, and one of an
        executor the line that has submitted its task.  Where nobody knows that, it is the line at
        which the phase is now.
        """
        frame = self._find(_getframe(above + 1))
        if frame is None:
            started = self._started()
            if started.startswith(self._folders):
                return self._shown(started)
            frame = self._find(_current_frames().get(stage.thread or 0))
        return self._text(frame)

    def at(self, frame: FrameType | None) -> str:
        """Return the innermost line of the stack of ``frame``, in the same form."""
        return self._text(self._find(frame))

    def _text(self, frame: FrameType | None) -> str:
        if frame is None:
            return ""
        code = frame.f_code
        known = self._known.get(_identity(code))
        if known is None or known[0] is not code or known[1] is not frame.f_globals:
            known = code, frame.f_globals, self._shown(code.co_filename)
            self._known[_identity(code)] = known
        return f"{known[2]}:{frame.f_lineno}"

    def called_inside(self) -> bool:
        """Say whether function code lies between the caller and the next frame of this package.

        That frame is the wrapper of an outer call: a hook of function code makes a call of its own
        inside it.
        """
        frame: FrameType | None = _getframe(1)
        while frame is not None and is_own(frame):
            frame = frame.f_back
        while frame is not None and not is_own(frame):
            if self.is_function(frame):
                return True
            frame = frame.f_back
        return False

    def _find(self, frame: FrameType | None) -> FrameType | None:
        loop: Any = None
        while frame is not None:
            namespace = frame.f_globals
            name = namespace.get("__name__")
            if type(name) is not str or name not in _ELSEWHERE:
                code = frame.f_code
                known = self._known.get(_identity(code))
                if known is not None and known[0] is code and known[1] is namespace:
                    break
                if self.is_function(frame):
                    break
                if code.co_name == "run_forever":
                    loop = frame.f_locals.get("self")
            frame = frame.f_back
        return frame if loop is None else self._awaiting(loop) or frame

    def is_function(self, frame: FrameType) -> bool:
        """Say whether a frame runs code of the function, and not of a client library."""
        namespace = frame.f_globals
        name = namespace.get("__name__")
        if type(name) is not str or name in _ELSEWHERE:
            return False
        if name.partition(".")[0] in _LIBRARIES or name.startswith(_PACKAGE):
            _ELSEWHERE.add(name)
            return False
        if is_own(frame):  # the trampoline of a spied function, which has the function's globals
            return False
        module = self._world.own(name)
        return module is not None and vars(module) is namespace and self._world.is_source(name)

    def _awaiting(self, loop: Any) -> FrameType | None:  # noqa: ANN401
        """Return the line at which a task waits for the current one, or the only one that waits."""
        asyncio: Any = sys.modules.get("asyncio")
        try:
            tasks = list(asyncio.all_tasks(loop))
            current = asyncio.current_task(loop)
        except Exception:  # a loop of another kind, or one that changes in another thread
            return None
        for _ in range(_MOST_AWAITERS):
            current = next((task for task in tasks if _waits_for(task, current)), None)
            if current is None:
                break
            frame = self._suspended_at(current)
            if frame is not None:
                return frame
        frames = [frame for task in tasks if (frame := self._suspended_at(task)) is not None]
        return frames[0] if len(frames) == 1 else None

    def _suspended_at(self, task: Any) -> FrameType | None:  # noqa: ANN401
        found = None
        for frame in _frames_of(task.get_coro()):
            if self.is_function(frame):
                found = frame
        return found

    def _shown(self, file: str) -> str:
        for folder in self._folders:
            if file.startswith(folder):
                return file[len(folder) :]
        return file


def _waits_for(task: Any, other: Any) -> bool:  # noqa: ANN401
    if other is None:
        return False
    awaited = getattr(task, "_fut_waiter", None)
    return awaited is other or other in (getattr(awaited, "_children", None) or ())


def _frames_of(coroutine: Any) -> Iterator[FrameType]:  # noqa: ANN401
    """Yield the frames of a suspended coroutine, outermost first."""
    while coroutine is not None:
        for frame, awaited in (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom")):
            found = getattr(coroutine, frame, None)
            if found is not None:
                yield found
                coroutine = getattr(coroutine, awaited, None)
                break
        else:
            return
