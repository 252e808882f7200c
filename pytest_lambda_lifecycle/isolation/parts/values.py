"""Single values of the process that an environment takes over."""

from __future__ import annotations

import decimal
import locale
import operator
import random
import socket
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["Slots"]

_OUTSIDE: Final = object()
"""As a fresh value: begin with what the outside has."""


class _Slot(NamedTuple):
    """A value, read and written by two functions.

    ``fresh`` is what a new process of the function begins with; by default what the outside has.
    ``at_start`` is what the outside had before any test: who puts that back is a tool
    (`mock.patch`) that had begun before the environment entered, and not the function.
    """

    read: Callable[[], Any]
    write: Callable[[Any], object]
    fresh: object = _OUTSIDE
    at_start: object = _OUTSIDE
    same: Callable[[Any, Any], bool] = operator.is_


class Slots(Part):
    """The values that function code is known to change.  A part of the process.

    One part for all of them: with an object and a closure for each, the garbage collector would run
    once in every cold start, which costs as much as entering ten parts.
    """

    def __init__(self) -> None:
        self._own: list[object] = _FRESH

    def enter(self) -> Undo:
        outside: list[Any] = []
        inside: list[Any] = []

        def leave() -> None:
            own, problems = list(self._own), []
            while outside:
                index = len(outside) - 1
                try:
                    own[index] = self._leave(index, outside.pop(), inside[index])
                except Exception as problem:
                    problems.append(problem)
            self._own = own
            if problems:
                raise problems[0]

        try:
            for slot, own in zip(_SLOTS, self._own, strict=True):
                value = slot.read()
                inside.append(value if own is _OUTSIDE else own)
                outside.append(value)
                if own is not _OUTSIDE:
                    slot.write(own)
        except BaseException:
            leave()
            raise
        return leave

    def _leave(self, index: int, outside: Any, inside: Any) -> object:  # noqa: ANN401
        """Put the outside's value back; returns the environment's own."""
        slot, own = _SLOTS[index], self._own[index]
        now = slot.read()
        if not slot.same(now, inside):
            if slot.same(now, slot.at_start):
                return _FRESH[index]
            own = now
        if not slot.same(now, outside):
            slot.write(outside)
        return own

    def discard(self) -> None:
        self._own = _FRESH


def _attribute(module: str, name: str, fresh: object = _OUTSIDE) -> _Slot:
    """Return the slot of a module's attribute; where there is none its value is None."""

    def read() -> object:
        owner = sys.modules.get(module)
        return None if owner is None else getattr(owner, name, None)

    def write(value: object) -> None:
        owner = sys.modules.get(module)
        if owner is not None:
            setattr(owner, name, value)

    return _Slot(read, write, fresh, _AT_START.get((module, name), _OUTSIDE))


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
_SLOTS: Final = (
    _attribute("boto3", "DEFAULT_SESSION", None),
    _attribute("urllib.request", "_opener", None),
    *(_attribute(module, name) for module, name in _ATTRIBUTES),
    _Slot(_read_arguments, _write_arguments, at_start=_ARGUMENTS_AT_START, same=operator.eq),
    _Slot(_read_start_method, _write_start_method, fresh=None, at_start=None),
    _Slot(
        socket.getdefaulttimeout, socket.setdefaulttimeout, fresh=None, at_start=_TIMEOUT_AT_START
    ),
    _Slot(_read_field_limit, _write_field_limit, at_start=_FIELD_LIMIT, same=operator.eq),
    _Slot(random.getstate, random.setstate),
    _Slot(_read_locale, _write_locale, at_start=_LOCALE_AT_START, same=operator.eq),
    _Slot(decimal.DefaultContext.copy, _write_default_context),
)
_FRESH: Final[list[object]] = [slot.fresh for slot in _SLOTS]
