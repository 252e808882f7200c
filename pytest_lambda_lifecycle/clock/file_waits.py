"""Stand-ins for the waits for several files at once: `select.select`, `poll` and `epoll`.

Without a file they are sleeps.  Where both ends of each are in the hands of the function (a pair of
sockets, a pipe), its threads end the wait, and a timeout is virtual.  Others wait in real time:
another process or machine ends their waits.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import select
import selectors
import stat
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from pytest_lambda_lifecycle.clock.moving import MovingClock
from pytest_lambda_lifecycle.clock.waiting import Waiting
from pytest_lambda_lifecycle.clock.waits import Waits
from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["FOR_FILES", "FileWaits"]

FOR_FILES: Final = 0.1
"""Seconds of real time that files are waited for before time moves on.

Somebody outside of the function may hold the other end, such as a thread of the test.
"""
_FIRST_OWN: Final = 3
"""The first file descriptor that a process opens; those before it are its standard streams."""
_WITH_PROCESSES: Final = ("multiprocessing", "socketserver", "subprocess")
_CREDENTIALS: Final = struct.Struct("3i")
_new_poll: Final[Any] = getattr(select, "poll", None)  # Windows has none


class FileWaits:
    """The waits for files under a clock, while installed."""

    def __init__(self, clock: MovingClock, waits: Waits) -> None:
        self._clock = clock
        self._waits = waits
        self._strangers = _children() or frozenset()
        """Children of the test, which have none of the files that the function opens later."""

    def install(self) -> Undo:
        """Put the stand-ins in place; the returned call restores what was there."""
        stand_ins: list[tuple[Any, str, Any]] = [(select, "select", self._select(select.select))]
        if _new_poll is not None:
            poll = self._poll(_new_poll)
            stand_ins.append((select, "poll", poll))
            stand_ins.append((selectors.PollSelector, "_selector_cls", staticmethod(poll)))
        return patch_attributes(*stand_ins)

    def _select(self, original: Any) -> Callable[..., Any]:  # noqa: ANN401
        def select_(rlist: Any, wlist: Any, xlist: Any, timeout: Any = None, /) -> Any:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            waits = type(timeout) in (int, float) and timeout > 0 and self._waits.applies()
            if not waits:
                return original(rlist, wlist, xlist, timeout)
            lists = [list(files) for files in (rlist, wlist, xlist)]
            return self._wait(
                lambda *seconds: original(*lists, *(seconds or [timeout])),
                [_descriptor(file) for files in lists for file in files],
                timeout,
            )

        return select_

    def _poll(self, original: Any) -> Callable[[], Any]:  # noqa: ANN401
        def poll() -> Any:  # noqa: ANN401
            return _Poll(original(), self._wait) if self._waits.applies() else original()

        return poll

    def wait_for_events(self, epoll: Any, original: Any, timeout: Any, most: int) -> Any:  # noqa: ANN401
        """Stand in for `epoll.poll`."""
        __tracebackhide__ = __function_code_above__ = True
        waits = type(timeout) in (int, float) and timeout > 0 and self._waits.applies()
        files = _files_of(epoll) if waits else None
        if files is None:
            return original(epoll, timeout, most)
        return self._wait(
            lambda *seconds: original(epoll, *(seconds or [timeout]), most), files, timeout
        )

    def _wait(self, poll: Callable[..., Any], files: list[int], timeout: float) -> Any:  # noqa: ANN401
        """Return what ``poll`` finds within ``timeout`` s, which it takes itself in real time."""
        __tracebackhide__ = __function_code_above__ = True
        found = [poll(0)]  # an `epoll` may tell of an event only once

        def look() -> bool:
            if not _any(found[0]):
                found[0] = poll(0)
            return _any(found[0])

        if look():
            return found[0]
        virtual = self._waits.applies() and not _for_processes()
        if not virtual or (files and not self._are_in_own_hands(files)):
            return poll()
        still = min(FOR_FILES, timeout) if files else 0.0
        waiting = Waiting(self._waits.until(timeout), look if files else None, stands_still=still)
        self._waits.schedule.wait(waiting, looks=bool(files))
        if self._clock.ended and not look():
            return poll()
        look()
        return found[0]

    def _are_in_own_hands(self, files: Iterable[int]) -> bool:
        """Say whether no other process holds the other end of any of some files."""
        children = _children()
        # A child that the function has started may have inherited it.
        return (
            children is not None
            and children <= self._strangers
            and all(map(_is_between_threads, files))
        )


class _Poll:
    """An object of `select.poll` that waits in virtual time."""

    def __init__(self, real: Any, wait: Callable[..., Any]) -> None:  # noqa: ANN401
        self._real = real
        self._wait = wait
        self._files: set[int] = set()

    def register(self, fd: Any, *eventmask: int) -> None:  # noqa: ANN401
        self._real.register(fd, *eventmask)
        self._files.add(_descriptor(fd))

    def modify(self, fd: Any, eventmask: int) -> None:  # noqa: ANN401
        self._real.modify(fd, eventmask)

    def unregister(self, fd: Any) -> None:  # noqa: ANN401
        self._real.unregister(fd)
        self._files.discard(_descriptor(fd))

    def poll(self, timeout: Any = None, /) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        if type(timeout) not in (int, float) or timeout <= 0:
            return self._real.poll(timeout)
        return self._wait(
            lambda *ms: self._real.poll(*(ms or [timeout])), list(self._files), timeout / 1000
        )


def _for_processes() -> bool:
    """Say whether a library waits that counts its own time by the real clock (`readings`)."""
    frame = sys._getframe(2)
    while frame.f_back is not None and (
        is_own(frame) or frame.f_globals.get("__name__") == "selectors"
    ):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _WITH_PROCESSES


def _descriptor(file: Any) -> int:  # noqa: ANN401  # a number, or an object with `fileno`
    return file if isinstance(file, int) else int(file.fileno())


def _any(found: Any) -> bool:  # noqa: ANN401  # three lists of `select`, or a list
    return any(found) if isinstance(found, tuple) else bool(found)


def _files_of(epoll: Any) -> list[int] | None:  # noqa: ANN401
    """Return the file descriptors that an `epoll` watches; None if nobody says."""
    try:
        lines = Path(f"/proc/self/fdinfo/{epoll.fileno()}").read_text().splitlines()
        return [int(line.split()[1]) for line in lines if line.startswith("tfd:")]
    except (OSError, ValueError):
        return None


def _children() -> frozenset[str] | None:
    """Return the numbers of this process's children; None if the system does not say."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        lists = list(Path("/proc/self/task").glob("*/children"))
        return frozenset(" ".join(one.read_text() for one in lists).split()) if lists else None
    except ChildProcessError:
        return frozenset()  # as nearly always
    except (AttributeError, OSError):  # this is not Linux; or a thread has ended
        return None


def _is_between_threads(file: int) -> bool:
    with contextlib.suppress(OSError, AttributeError):  # it is closed; or the system cannot say
        mode = os.fstat(file).st_mode
        if stat.S_ISFIFO(mode):
            return file >= _FIRST_OWN
        if stat.S_ISSOCK(mode):
            end = _socket.socket(fileno=file)
            try:
                level, name = _socket.SOL_SOCKET, _socket.SO_PEERCRED
                peer = _CREDENTIALS.unpack(end.getsockopt(level, name, _CREDENTIALS.size))
            finally:
                end.detach()
            return bool(peer[0] == os.getpid())
    return False
