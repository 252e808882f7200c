"""The parts of the process that an environment takes over: variables, logging, signals, exits, and single values."""

from __future__ import annotations

import _signal  # signal.getsignal makes an enum member of every answer, twenty times as slow
import atexit
import locale
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType, ModuleType
from typing import Any, Final, NoReturn

from pytest_lambda_lifecycle.outcome import ProcessEnd

__all__ = ["Exits", "LoggingTree", "SharedNamespaces", "Signals", "Slot", "Variables", "attribute", "standard_slots"]

Undo = Callable[[], None]
OUTSIDE: Final = object()
"""As a fresh value: begin with what the outside has."""


class Variables:
    """`os.environ`, and with it the time zone of the C library."""

    def __init__(self, make: Callable[[dict[str, str]], dict[str, str]]) -> None:
        self._make = make
        self._own: dict[str, str] | None = None

    def enter(self) -> Undo:
        outside = dict(os.environ)
        _set_environ(outside, self._make(outside) if self._own is None else self._own)

        def leave() -> None:
            self._own = dict(os.environ)
            _set_environ(self._own, outside)

        return leave

    def discard(self) -> None:
        self._own = None


def _set_environ(current: dict[str, str], wanted: dict[str, str]) -> None:
    for name in current.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if current.get(name) != value:
            os.environ[name] = value
    if current.get("TZ") != wanted.get("TZ") and hasattr(time, "tzset"):
        time.tzset()


class LoggingTree:
    """The logging tree: loggers that function code makes, and what it does to those that exist.

    pytest's own handlers stay on the root logger, so that `caplog` and the report sections hear the function.
    """

    def __init__(self) -> None:
        self._own: _Tree | None = None

    def enter(self) -> Undo:
        outside = _Tree.photograph()
        pytest_handlers = [handler for handler in logging.root.handlers if _is_pytest(handler)]
        if self._own is None:
            logging.root.setLevel(logging.WARNING)
            logging.root.filters[:] = []
            logging.disable(logging.NOTSET)
            own_handlers: list[logging.Handler] = []
        else:
            self._own.restore()
            own_handlers = [handler for handler in logging.root.handlers if not _is_pytest(handler)]
        logging.root.handlers[:] = own_handlers + pytest_handlers

        def leave() -> None:
            self._own = _Tree.photograph()
            outside.restore()

        return leave

    def discard(self) -> None:
        self._own = None


def _is_pytest(handler: logging.Handler) -> bool:
    return type(handler).__module__.startswith("_pytest.")


class _Tree:
    """A photograph of the logging tree.  Loggers are shared objects, so their contents are put back, not they."""

    _MODULE_VALUES = ("raiseExceptions", "lastResort", "_loggerClass", "_logRecordFactory", "_warnings_showwarning")

    def __init__(self) -> None:
        manager = logging.Logger.manager
        self._entries = dict(manager.loggerDict)
        loggers = [entry for entry in self._entries.values() if isinstance(entry, logging.Logger)]
        self._loggers = [
            (one, dict(one.__dict__), list(one.handlers), list(one.filters)) for one in [logging.root, *loggers]
        ]
        self._placeholders = [
            (entry.loggerMap, dict(entry.loggerMap))
            for entry in self._entries.values()
            if isinstance(entry, logging.PlaceHolder)
        ]
        self._disable = manager.disable
        self._module = {name: logging.__dict__.get(name) for name in self._MODULE_VALUES}
        self._levels = (dict(logging._levelToName), dict(logging._nameToLevel))
        self._converter = logging.Formatter.converter

    @classmethod
    def photograph(cls) -> _Tree:
        return cls()

    def restore(self) -> None:
        manager = logging.Logger.manager
        manager.loggerDict.clear()
        manager.loggerDict.update(self._entries)
        for logger, values, handlers, filters in self._loggers:
            logger.__dict__.clear()
            logger.__dict__.update(values)
            logger.handlers[:] = handlers
            logger.filters[:] = filters
        for current, saved in self._placeholders:
            current.clear()
            current.update(saved)
        logging.__dict__.update(self._module)
        for names, saved_names in zip((logging._levelToName, logging._nameToLevel), self._levels, strict=True):
            names.clear()
            names.update(saved_names)  # type: ignore[arg-type]
        logging.Formatter.converter = self._converter
        manager.disable = self._disable
        manager._clear_cache()  # type: ignore[attr-defined]


class Slot:
    """One value of the process, read and written by two callables; ``fresh`` is what a new process has."""

    def __init__(self, read: Callable[[], Any], write: Callable[[Any], None], fresh: object = OUTSIDE) -> None:
        self._read = read
        self._write = write
        self._fresh = fresh
        self._own: object = fresh

    def enter(self) -> Undo:
        outside = self._read()
        if self._own is not OUTSIDE:
            self._write(self._own)

        def leave() -> None:
            self._own = self._read()
            if self._own is not outside:
                self._write(outside)

        return leave

    def discard(self) -> None:
        self._own = self._fresh


def attribute(module: str, name: str, fresh: object = OUTSIDE, *, absent: object = None) -> Slot:
    """Return the slot of a module's attribute; while the module is not loaded its value is ``absent``."""

    def read() -> object:
        owner = sys.modules.get(module)
        return absent if owner is None else getattr(owner, name, absent)

    def write(value: object) -> None:
        owner = sys.modules.get(module)
        if owner is not None:
            setattr(owner, name, value)

    return Slot(read, write, fresh)


def standard_slots(tmp: str) -> list[Slot]:
    """Return the single values that function code is known to change."""
    return [
        attribute("tempfile", "tempdir", tmp),
        attribute("boto3", "DEFAULT_SESSION", None),
        attribute("urllib.request", "_opener", None),
        attribute("sys", "excepthook"),
        attribute("sys", "unraisablehook"),
        attribute("sys", "displayhook"),
        attribute("sys", "dont_write_bytecode"),
        attribute("sys", "argv"),
        attribute("threading", "excepthook"),
        attribute("warnings", "showwarning"),
        attribute("warnings", "formatwarning"),
        Slot(sys.getrecursionlimit, sys.setrecursionlimit),
        Slot(socket.getdefaulttimeout, socket.setdefaulttimeout, None),
        Slot(random.getstate, random.setstate),
        Slot(_read_locale, _write_locale),
    ]


def _read_locale() -> str:
    return locale.setlocale(locale.LC_ALL)


def _write_locale(value: str) -> None:
    if value != _read_locale():
        locale.setlocale(locale.LC_ALL, value)


class SharedNamespaces:
    """What function code replaces in shared modules while it is being imported (``builtins.print = …``).

    Photographs are taken around Init, since that is where libraries patch, and since a test's own patches of the same
    modules must not be mistaken for the function's.
    """

    _NAMES = ("builtins", "os", "json", "socket", "ssl", "http.client", "logging", "random", "subprocess", "time")
    _CLASSES = (
        ("botocore.client", "BaseClient"),
        ("http.client", "HTTPConnection"),
        ("requests.sessions", "Session"),
        ("urllib3.connectionpool", "HTTPConnectionPool"),
    )
    _ABSENT = object()

    def __init__(self) -> None:
        self._before: list[tuple[object, dict[str, object]]] = []
        self._changes: list[tuple[object, str, object, object]] = []

    def photograph(self) -> None:
        """Remember the namespaces as they are now."""
        owners: list[object] = [sys.modules[name] for name in self._NAMES if name in sys.modules]
        for module, name in self._CLASSES:
            owner = getattr(sys.modules.get(module), name, None)
            if owner is not None:
                owners.append(owner)
        self._before = [(owner, dict(vars(owner))) for owner in owners]

    def compare(self) -> None:
        """Take what has changed since `photograph` as the environment's own."""
        absent = self._ABSENT
        for owner, before in self._before:
            now = vars(owner)
            names = [name for name, value in list(now.items()) if before.get(name, absent) is not value]
            names += [name for name in before if name not in now]
            self._changes += [
                (owner, name, before.get(name, absent), now.get(name, absent))
                for name in names
                if not name.startswith("__")
            ]
        self._before = []

    def enter(self) -> Undo:
        for owner, name, _, new in self._changes:
            self._set(owner, name, new)

        def leave() -> None:
            for owner, name, old, _ in reversed(self._changes):
                self._set(owner, name, old)

        return leave

    def discard(self) -> None:
        self._before = []
        self._changes = []

    def _set(self, owner: object, name: str, value: object) -> None:
        if value is not self._ABSENT:
            setattr(owner, name, value)
        elif name in vars(owner):
            delattr(owner, name)


class Signals:
    """Python signal handlers, which only the main thread can set; a real Ctrl-C is told from a raised one."""

    def __init__(self) -> None:
        self._own: dict[int, Any] = {}
        self.interrupted = False
        """A SIGINT arrived while the environment was entered."""

    def enter(self) -> Undo:
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        outside = _handlers()
        if outside[signal.SIGINT] is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._on_interrupt)
        inside = _handlers()
        for number, handler in self._own.items():
            signal.signal(number, handler)

        def leave() -> None:
            now = _handlers()
            self._own = {number: handler for number, handler in now.items() if handler != inside[number]}
            for number, handler in outside.items():
                if now[number] != handler and handler is not None:
                    signal.signal(number, handler)

        return leave

    def discard(self) -> None:
        self._own = {}

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = True
        signal.default_int_handler(number, frame)


def _catchable() -> tuple[int, ...]:
    """Return the signals for which function code may install a handler, without the real-time ones."""
    fixed = {getattr(signal, name, None) for name in ("SIGKILL", "SIGSTOP")}
    return tuple(int(number) for number in signal.Signals if number not in fixed)


_CATCHABLE: Final = _catchable()


def _handlers() -> dict[int, Any]:
    return {number: _signal.getsignal(number) for number in _CATCHABLE}


class Exits:
    """What would end this process: `os._exit` and its like become `ProcessEnd`, `atexit` registrations are noted.

    Only for function code: on the thread of the phase, or where the caller's module is the function's own.  A forked
    child keeps the real ones, and so does everybody else (pytest-timeout ends a hung session by `os._exit`).
    """

    _exit: Callable[[int], NoReturn] = staticmethod(os._exit)
    _abort: Callable[[], NoReturn] = staticmethod(os.abort)
    _kill = staticmethod(os.kill)
    _register = staticmethod(atexit.register)

    def __init__(
        self,
        *,
        in_phase: Callable[[], bool],
        is_function_code: Callable[[dict[str, Any]], bool],
        ended: Callable[[int], None],
        ignored: Callable[[str], None],
    ) -> None:
        self._in_phase = in_phase
        self._is_function_code = is_function_code
        self._ended = ended
        self._ignored = ignored
        self._pid = os.getpid()

    def enter(self) -> Undo:
        replacements: list[tuple[ModuleType, str, Any]] = [
            (os, "_exit", self._replace_exit),
            (os, "abort", self._replace_abort),
            (os, "kill", self._replace_kill),
            (atexit, "register", self._replace_register),
        ]
        originals = [(owner, name, getattr(owner, name)) for owner, name, _ in replacements]
        for owner, name, replacement in replacements:
            setattr(owner, name, replacement)

        def leave() -> None:
            for owner, name, original in originals:
                setattr(owner, name, original)

        return leave

    def discard(self) -> None:
        """Nothing of a process's end outlives it."""

    def _applies(self) -> bool:
        if os.getpid() != self._pid:
            return False
        if self._in_phase():
            return True
        return self._is_function_code(sys._getframe(2).f_globals)

    def _end(self, exit_code: int) -> NoReturn:
        if not self._in_phase():  # another thread: the phase learns of it when the handler returns
            self._ended(exit_code)
            raise SystemExit(exit_code)
        raise ProcessEnd(exit_code)

    def _replace_exit(self, status: int = 0) -> NoReturn:
        if self._applies():
            self._end(status & 0xFF)
        self._exit(status)

    def _replace_abort(self) -> NoReturn:
        if self._applies():
            self._end(-signal.SIGABRT)
        self._abort()

    def _replace_kill(self, pid: int, number: int) -> None:
        fatal = number in _FATAL and (number == signal.SIGKILL or signal.getsignal(number) == signal.SIG_DFL)
        if fatal and pid == os.getpid() and self._applies():
            self._end(-number)
        self._kill(pid, number)

    def _replace_register(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
        if self._is_function_code(sys._getframe(1).f_globals):
            self._ignored(getattr(function, "__qualname__", repr(function)))
            return function
        return self._register(function, *arguments, **keywords)


def _numbers(names: Iterable[str]) -> frozenset[int]:
    return frozenset(int(getattr(signal, name)) for name in names if hasattr(signal, name))


_FATAL: Final = _numbers(
    "SIGHUP SIGINT SIGQUIT SIGILL SIGABRT SIGFPE SIGKILL SIGSEGV SIGPIPE SIGALRM SIGTERM SIGUSR1 SIGUSR2".split()
)
"""Signals whose default action ends the process (POSIX, "Signal Concepts")."""
