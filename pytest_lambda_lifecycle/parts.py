"""Parts of the process that an environment takes over: the logging tree and single values."""

from __future__ import annotations

import decimal
import locale
import logging
import operator
import random
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pytest_lambda_lifecycle.undoing import Undo

__all__ = ["LoggingTree", "Slot", "standard_slots"]

OUTSIDE: Final = object()
"""As a fresh value: begin with what the outside has."""


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
            _forget_what_the_outside_did()
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


def _forget_what_the_outside_did() -> None:
    """Give loggers the state of a fresh process, unless they are a shared library's own.

    The test's copy of the function may have set them up at its import: Powertools would find its mark on the logger and
    not set it up again.  A shared library is not imported again, so what it did to its loggers has to stay.
    """
    for name, logger in logging.Logger.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and name.partition(".")[0] not in sys.modules:
            # pytest 9 puts its handlers on loggers that do not propagate; this one does again, to those on the root.
            kept = [one for one in logger.handlers if type(one) is logging.NullHandler]
            for extra in logger.__dict__.keys() - _LOGGER_ATTRIBUTES:
                del logger.__dict__[extra]
            logger.setLevel(logging.NOTSET)
            logger.propagate, logger.disabled = True, False
            logger.handlers[:], logger.filters[:] = kept, []


_LOGGER_ATTRIBUTES: Final = logging.Logger("any").__dict__.keys() | {"parent", "manager"}


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
            (one, dict(one.__dict__), tuple(one.handlers), tuple(one.filters)) for one in [logging.root, *loggers]
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
            if logger.__dict__ != values:
                logger.__dict__.clear()
                logger.__dict__.update(values)
            if tuple(logger.handlers) != handlers or tuple(logger.filters) != filters:
                logger.handlers[:] = handlers
                logger.filters[:] = filters
        for current, saved in self._placeholders:
            current.clear()
            current.update(saved)
        logging.__dict__.update(self._module)
        level_to_name, name_to_level = self._levels
        logging._levelToName.clear()
        logging._levelToName.update(level_to_name)
        logging._nameToLevel.clear()
        logging._nameToLevel.update(name_to_level)
        logging.Formatter.converter = self._converter
        manager.disable = self._disable
        manager._clear_cache()  # type: ignore[attr-defined]


class Slot:
    """A single value, read and written by two functions.

    ``fresh`` is what a new process of the function begins with; by default what the outside has.  ``at_start`` is what
    the outside had before any test: who puts that back is a tool (`mock.patch`) that had begun before the environment
    entered, and not the function.
    """

    def __init__(
        self,
        read: Callable[[], Any],
        write: Callable[[Any], None],
        fresh: object = OUTSIDE,
        *,
        at_start: object = OUTSIDE,
        same: Callable[[Any, Any], bool] = operator.is_,
    ) -> None:
        self._read = read
        self._write = write
        self._fresh = fresh
        self._at_start = at_start
        self._same = same
        self._own: object = fresh

    def enter(self) -> Undo:
        outside = inside = self._read()
        if self._own is not OUTSIDE:
            inside = self._own
            self._write(inside)

        def leave() -> None:
            now = self._read()
            if not self._same(now, inside):
                by_a_tool = self._same(now, self._at_start)
                self._own = self._fresh if by_a_tool else now
                if by_a_tool:
                    return
            if not self._same(now, outside):
                self._write(outside)

        return leave

    def discard(self) -> None:
        self._own = self._fresh


def _attribute(module: str, name: str, fresh: object = OUTSIDE) -> Callable[[], Slot]:
    """Return what makes a slot of a module's attribute; where there is none its value is None."""

    def read() -> object:
        owner = sys.modules.get(module)
        return None if owner is None else getattr(owner, name, None)

    def write(value: object) -> None:
        owner = sys.modules.get(module)
        if owner is not None:
            setattr(owner, name, value)

    return partial(Slot, read, write, fresh, at_start=_AT_START.get((module, name)))


_ATTRIBUTES: Final = (
    ("os", "environ"),
    ("sys", "excepthook"),
    ("sys", "unraisablehook"),
    ("sys", "displayhook"),
    ("sys", "breakpointhook"),
    ("sys", "dont_write_bytecode"),
    ("threading", "_trace_hook"),
    ("threading", "_profile_hook"),
    ("warnings", "showwarning"),
    ("warnings", "formatwarning"),
)
_AT_START: Final[dict[tuple[str, str], object]] = {
    **{(module, name): getattr(sys.modules[module], name) for module, name in _ATTRIBUTES},
}
_TEMPDIR: Final = tempfile.gettempdir()


def standard_slots(tmp: str) -> list[Slot]:
    """Return the single values that function code is known to change."""
    return [Slot(_read_tempdir, _write_tempdir, tmp, at_start=_TEMPDIR), *(make() for make in _SLOTS)]


def _read_tempdir() -> str | None:
    return tempfile.tempdir


def _write_tempdir(value: str | None) -> None:
    tempfile.tempdir = value


def _read_arguments() -> tuple[Any, list[str]]:
    return sys.argv, list(sys.argv)


def _write_arguments(value: tuple[list[str], list[str]]) -> None:
    sys.argv, arguments = value
    sys.argv[:] = arguments


def _read_field_limit() -> int:
    csv = sys.modules.get("_csv")
    return _FIELD_LIMIT if csv is None else csv.field_size_limit()


def _write_field_limit(value: int) -> None:
    csv = sys.modules.get("_csv")
    if csv is not None:
        csv.field_size_limit(value)


def _read_start_method() -> object:
    context = sys.modules.get("multiprocessing.context")
    return None if context is None else context._default_context._actual_context


def _write_start_method(value: object) -> None:
    context = sys.modules.get("multiprocessing.context")
    if context is not None:
        context._default_context._actual_context = value


def _write_default_context(values: decimal.Context) -> None:
    context = decimal.DefaultContext  # what the contexts of new threads are made from
    if repr(context) != repr(values):
        for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp"):
            setattr(context, name, getattr(values, name))
        context.traps, context.flags = values.traps, values.flags


def _read_locale() -> str:
    return locale.setlocale(locale.LC_ALL)


def _write_locale(value: str) -> None:
    if value != _read_locale():
        locale.setlocale(locale.LC_ALL, value)


_ARGUMENTS_AT_START: Final = _read_arguments()
_LOCALE_AT_START: Final = _read_locale()
_FIELD_LIMIT: Final = 131072
"""What `csv.field_size_limit` is before anyone sets it (CPython, Modules/_csv.c)."""
_TIMEOUT_AT_START: Final = socket.getdefaulttimeout()
_SLOTS: Final[tuple[Callable[[], Slot], ...]] = (
    _attribute("boto3", "DEFAULT_SESSION", None),
    _attribute("urllib.request", "_opener", None),
    *(_attribute(module, name) for module, name in _ATTRIBUTES),
    partial(Slot, _read_arguments, _write_arguments, at_start=_ARGUMENTS_AT_START, same=operator.eq),
    partial(Slot, _read_start_method, _write_start_method, None, at_start=None),
    partial(Slot, socket.getdefaulttimeout, socket.setdefaulttimeout, None, at_start=_TIMEOUT_AT_START),
    partial(Slot, _read_field_limit, _write_field_limit, at_start=_FIELD_LIMIT, same=operator.eq),
    partial(Slot, random.getstate, random.setstate),
    partial(Slot, _read_locale, _write_locale, at_start=_LOCALE_AT_START, same=operator.eq),
    partial(Slot, decimal.DefaultContext.copy, _write_default_context),
)
