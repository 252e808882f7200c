"""Parts of the process that an environment takes over: single values."""

from __future__ import annotations

import decimal
import locale
import operator
import random
import socket
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pytest_lambda_lifecycle.undoing import Undo

__all__ = ["Slot", "standard_slots"]

OUTSIDE: Final = object()
"""As a fresh value: begin with what the outside has."""


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

    return partial(Slot, read, write, fresh, at_start=_AT_START.get((module, name), OUTSIDE))


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
