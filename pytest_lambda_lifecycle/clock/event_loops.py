"""Event loops of function code: their timers move the virtual clock.

A loop waits for its next timer and for its files.  Its own pipe is in the hands of other threads of
the function; whatever else there is may become ready in real time.
"""

from __future__ import annotations

import select
import selectors
import sys
from collections.abc import Callable
from typing import Any

from pytest_lambda_lifecycle.clock.c_types import replace_methods
from pytest_lambda_lifecycle.clock.file_waits import FOR_FILES, FileWaits
from pytest_lambda_lifecycle.clock.moving import MovingClock
from pytest_lambda_lifecycle.clock.waiting import Waiting
from pytest_lambda_lifecycle.clock.waits import Waits
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["EventLoops"]


class EventLoops:
    """The event loops of asyncio and trio that function code makes, while installed."""

    def __init__(self, clock: MovingClock, waits: Waits, files: FileWaits) -> None:
        """``files`` has the waits of an `epoll` that is none of trio's."""
        self.clock = clock
        self.waits = waits
        self._files = files

    def install(self) -> Undo:
        """Put the stand-ins in place; the returned call restores what was there."""
        # freezegun has loaded asyncio already, and a run without a clock need not load it.
        from asyncio import selector_events

        loop_class: Any = selector_events.BaseSelectorEventLoop
        original_init = loop_class.__init__
        loops = self

        def init(loop: Any, selector: Any = None) -> None:  # noqa: ANN401
            if not loops.waits.applies():
                original_init(loop, selector)
                return
            real = selectors.DefaultSelector() if selector is None else selector
            original_init(loop, _VirtualSelector(real, loops))
            loop.time = lambda: loops.clock.span_ns() / 1_000_000_000
            # asyncio's nanosecond vanishes in a float of this size: a timer that is due would never
            # fire.
            loop._clock_resolution = 1e-6

        restore_trio = replace_methods(*self._polls_of_trio())
        try:
            restore = patch_attributes((loop_class, "__init__", init))
        except BaseException:
            restore_trio()
            raise

        def undo() -> None:
            restore()
            restore_trio()

        return undo

    def wait(
        self,
        poll: Callable[[], Any],
        timeout: float | None,
        *,
        with_files: bool,
        with_children: bool = False,
    ) -> None:
        """Wait until ``poll()`` finds something, or for ``timeout`` s."""
        still = 0.0
        if with_files or with_children:
            # Without a timer there is nothing to wait for but the files.
            longest = self.clock.watchdog / 2
            still = longest if with_children or timeout is None else FOR_FILES
            still = still if timeout is None else min(still, timeout)
        due_us = None
        if timeout is not None:
            due_us = self.waits.until(timeout)
        ready = Waiting(due_us, lambda: bool(poll()), stands_still=still)
        self.waits.schedule.wait(ready, looks=True)

    # -- trio --------------------------------------------------------------------------------------

    def _polls_of_trio(self) -> list[tuple[type, str, Any]]:
        """Return stand-ins for the methods by which trio waits; other callers get the real ones.

        trio has no selector that could be replaced, and makes its objects itself.
        """
        methods: list[tuple[type, str, Any]] = []
        loops, files = self, self._files
        if hasattr(select, "epoll"):
            poll: Any = select.epoll.poll

            def epoll_poll(self: Any, timeout: Any = None, maxevents: int = -1) -> Any:  # noqa: ANN401
                manager = _manager_of_trio(timeout)
                if manager is None:
                    return files.wait_for_events(self, poll, timeout, maxevents)
                if not loops.waits.applies():
                    return poll(self, timeout, maxevents)
                return loops._wait_for_trio(lambda: poll(self, 0, maxevents), timeout, manager)

            methods.append((select.epoll, "poll", epoll_poll))
        kqueue: Any = getattr(select, "kqueue", None)  # on macOS
        if kqueue is not None:
            control = kqueue.control

            def kqueue_control(self: Any, changes: Any, size: int, timeout: Any = None) -> Any:  # noqa: ANN401
                manager = _manager_of_trio(timeout)
                if manager is None or changes or not size or not loops.waits.applies():
                    return control(self, changes, size, timeout)
                return loops._wait_for_trio(
                    lambda: control(self, changes, size, 0), timeout, manager
                )

            methods.append((kqueue, "control", kqueue_control))
        return methods

    def _wait_for_trio(self, poll: Callable[[], Any], timeout: float, manager: Any) -> Any:  # noqa: ANN401
        """Return what ``poll()`` finds within ``timeout`` s.  It finds each event once."""
        found: list[Any] = []

        def look() -> bool:
            found.extend(poll() if not found else ())
            return bool(found)

        if not look() and timeout > 0:
            # One of its files is the pipe by which other threads wake the loop.
            self.wait(look, timeout, with_files=len(manager._registered) > 1)
            look()
        return found


def _manager_of_trio(timeout: Any) -> Any:  # noqa: ANN401
    """Return trio's I/O manager, if that calls a stand-in; else None."""
    frame = sys._getframe(2)
    name = frame.f_globals.get("__name__")
    if name in ("trio._core._io_epoll", "trio._core._io_kqueue") and timeout is not None:
        return frame.f_locals.get("self")
    return None


class _VirtualSelector(selectors.BaseSelector):
    """A selector that waits in virtual time."""

    def __init__(self, real: Any, loops: EventLoops) -> None:  # noqa: ANN401
        self._real = real
        self._loops = loops

    def select(self, timeout: float | None = None) -> list[Any]:
        found: list[Any] = self._real.select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        if not self._loops.waits.applies():
            return self._real.select(timeout)  # type: ignore[no-any-return]
        files = self._real.get_map() or {}
        self._loops.wait(
            lambda: self._real.select(0),
            timeout,
            with_files=len(files) > 1,
            with_children=any(map(_is_child, files.values())),
        )
        if self._loops.clock.ended:
            return self._real.select(timeout)  # type: ignore[no-any-return]
        return self._real.select(0)  # type: ignore[no-any-return]

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any:  # noqa: ANN401
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> Any:  # noqa: ANN401
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> Any:  # noqa: ANN401
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Any:  # noqa: ANN401
        return self._real.get_map()


def _is_child(key: Any) -> bool:  # noqa: ANN401  # a SelectorKey
    """Say whether asyncio waits for a child process at a file."""
    reader = key.data[0] if isinstance(key.data, tuple) and key.data else None
    callback = getattr(reader, "_callback", None)
    owner = getattr(callback, "__self__", None)
    name = type(owner).__name__
    return "ChildWatcher" in name or name.startswith(("_UnixReadPipe", "_UnixWritePipe"))
