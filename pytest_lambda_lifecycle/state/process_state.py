"""State of the process beside objects: variables, loggers, signals, descriptors, files.

Each kind is copied into a container that stays the same, so that a photograph of these containers
finds what differs, with its path.
"""

from __future__ import annotations

import contextvars
import locale
import logging
import os
import signal
import sys
import threading
import types
import warnings
import zlib
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.state.buffers import Summary, Verbatim
from pytest_lambda_lifecycle.state.photograph import Root

__all__ = ["ProcessState"]

_OF_RUNTIME: Final = frozenset({"_X_AMZN_TRACE_ID"})
"""Variables that the runtime sets in each invoke."""
_OTHERS: Final = ("decimal_context", "pytest_lambda_lifecycle.")
"""Beginnings of the names of context variables that are looked at elsewhere, or are ours."""
_HAS_LINKS: Final = os.path.isdir("/proc/self/fd")
_DESCRIPTORS: Final = "/proc/self/fd" if _HAS_LINKS else "/dev/fd"
_WHOLE_FILE: Final = 1024 * 1024
_MOST_FILES: Final = 2000
_TEXTS: Final = (str, Summary)
_local_attribute: Final[Any] = vars(threading.local)["__getattribute__"]


class ProcessState:
    """The containers, and the calls that fill them anew."""

    def __init__(self, tmp: Callable[[], str], written: Collection[str]) -> None:
        """``tmp`` returns the folder that is ``/tmp``; ``written`` are paths beside it."""
        self._tmp = tmp
        self._written = written
        self._variables: dict[str, str] = {}
        self._path: list[str] = []
        self._filters: list[Any] = []
        self._context: dict[Any, Any] = {}
        self.descriptors: dict[int, Summary] = {}
        """The open descriptors, with what they lead to."""
        self._facts: dict[Any, Any] = {}
        self._sums: dict[str, tuple[tuple[int, int, int], Summary]] = {}

    def look(self) -> Iterator[Root]:
        """Fill the containers with the present state; yield the roots that lead to it."""
        _refill(self._variables, {k: v for k, v in os.environ.items() if k not in _OF_RUNTIME})
        _refill(self._context, dict(_context_variables()))
        _refill(self.descriptors, dict(_open_descriptors()))
        _refill(self._facts, dict(self._find_facts()))
        self._path[:] = sys.path
        self._filters[:] = warnings.filters
        yield Root("os.environ", self._variables)
        yield Root("sys.path", self._path)
        yield Root("warnings.filters", self._filters)
        yield Root("ContextVar", self._context)
        yield Root("open file descriptors", self.descriptors)
        yield Root("", self._facts)
        yield from _loggers()

    def _find_facts(self) -> Iterator[tuple[Verbatim, Any]]:
        yield Verbatim("os.getcwd()"), _current_folder()
        yield Verbatim("locale.setlocale(LC_ALL)"), locale.setlocale(locale.LC_ALL)
        yield Verbatim("decimal.getcontext()"), _decimal_context()
        yield Verbatim("asyncio event loop"), _event_loop()
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            is_default = handler is signal.SIG_DFL or handler is signal.SIG_IGN
            if not is_default and not _is_ours(handler):
                name = getattr(number, "name", number)  # one of a range has no name
                yield Verbatim(f"signal.getsignal({name})"), handler
        for name, found in self.files().items():
            yield Verbatim(name), found

    # -- files ------------------------------------------------------------------------------------

    def files(self) -> dict[str, Summary]:
        """Return the files of function code in ``/tmp``, by their names on Lambda."""
        found = ((name, self._file(path)) for path, name in self._files())
        return {name: summary for name, summary in found if summary is not None}

    def text_of_file(self, name: str) -> str:
        """Return the beginning of a file, by its name on Lambda, as text."""
        path = next((path for path, known in self._files() if known == name), name)
        try:
            with open(path, "rb") as file:
                return file.read(_WHOLE_FILE).decode("utf-8", "replace")
        except OSError:
            return ""

    def _files(self) -> Iterator[tuple[str, str]]:
        """Yield the paths of files in ``/tmp``, and their names on Lambda."""
        root = self._tmp()
        count = 0
        for folder, _, names in os.walk(root):
            for name in names:
                count += 1
                if count > _MOST_FILES:
                    return
                path = os.path.join(folder, name)
                yield path, "/tmp" + path.removeprefix(root)
        for path in list(self._written):
            yield path, path

    def _file(self, path: str) -> Summary | None:
        """Return length and checksum of a file; of a large one, of both its ends."""
        try:
            status = os.lstat(path)
            key = status.st_size, status.st_mtime_ns, status.st_ino
            known = self._sums.get(path)
            if known is not None and known[0] == key:
                return known[1]
            made = Summary(f"<file, {status.st_size} bytes, checksum {_checksum(path):08x}>")
        except OSError:  # it has been removed, or may not be read
            return None
        self._sums[path] = key, made
        return made


def _refill(container: dict[Any, Any], contents: dict[Any, Any]) -> None:
    """Give a dict other contents, and leave each value that is the same."""
    for key in container.keys() - contents.keys():
        del container[key]
    for key, value in contents.items():
        known = container.get(key, _refill)
        if known is not value and not (type(known) is type(value) in _TEXTS and known == value):
            container[key] = value


def _checksum(path: str) -> int:
    with open(path, "rb", buffering=0) as file:
        found = zlib.crc32(file.read(_WHOLE_FILE))
        size = os.fstat(file.fileno()).st_size
        if size > _WHOLE_FILE:
            file.seek(max(_WHOLE_FILE, size - _WHOLE_FILE))
            found = zlib.crc32(file.read(_WHOLE_FILE), found)
    return found


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "<removed>"


def _context_variables() -> Iterator[tuple[str, Any]]:
    for variable, value in contextvars.copy_context().items():
        if not variable.name.startswith(_OTHERS):
            yield variable.name, value


def _open_descriptors() -> Iterator[tuple[int, Summary]]:
    try:
        names = os.listdir(_DESCRIPTORS)
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(f"{_DESCRIPTORS}/{name}")
        except OSError:  # that of the folder itself, or a system without such links
            if _HAS_LINKS:
                continue
            target = "descriptor"
        if not os.path.isdir(target):  # the current folder is kept open
            yield int(name), Summary(f"<{target}>")


def _decimal_context() -> Summary | None:
    decimal = namespace_of(held_module("decimal"))
    if decimal is None or "getcontext" not in decimal:
        return None
    context = decimal["getcontext"]()
    traps = [signal_.__name__ for signal_, is_on in context.traps.items() if is_on]
    return Summary(f"<prec={context.prec}, rounding={context.rounding}, traps={traps}>")


def _event_loop() -> Any:  # noqa: ANN401
    """Return the event loop that is set for this thread, which `asyncio` would make otherwise."""
    events = namespace_of(held_module("asyncio.events")) or {}
    policy = events.get("_event_loop_policy")
    local = None if policy is None else vars(policy).get("_local")
    if local is None:
        return None
    return _local_attribute(local, "__dict__").get("_loop")


def _is_ours(handler: object) -> bool:
    function = handler.__func__ if type(handler) is types.MethodType else handler
    if type(function) is not types.FunctionType:
        return False
    return str(function.__globals__.get("__name__")).startswith("pytest_lambda_lifecycle")


def _loggers() -> Iterator[Root]:
    """Yield the loggers, with the attributes that decide what they log."""
    known: list[Any] = list(logging.Logger.manager.loggerDict.values())
    for logger in (logging.root, *known):
        if isinstance(logger, logging.Logger):
            name = "" if logger is logging.root else repr(logger.name)
            yield Root(f"logging.getLogger({name})", logger)
