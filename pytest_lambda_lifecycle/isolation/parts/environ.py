"""`os.environ`: both function code and the test may change it while an environment is entered.

A change during a phase belongs to the function and stays with the environment.  A change between
phases (``monkeypatch.setenv`` and its undoing) belongs to the test, and reaches the outside when
the environment leaves.  That would be all, if both had the same variables to start with.  But the
environment has some of its own: Lambda's, credentials, those of the setting ``environment``.  Their
names are *managed*.  A value that a managed name gets between phases has one of four origins:

* The test sets it for the function: it stays with the environment.
* A tool that had started before the environment entered ends (``mock.patch.dict``), and restores
  the value from outside.  It must not reach the function, whose own value returns.
* The same tool restores a whole copy of `os.environ`, made before the environment entered.  Names
  that only Lambda has are missing in it, and that is how such a copy is recognized.
* The test sets a name that is withheld from functions (real credentials, which some tools read).
  The test sees its value, function code does not.

A tool may also restore the *environment's* value after the environment has left, since it was there
when the tool began.  `sweep` undoes that at the end of the test.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.parts.environ_bytes import (
    DATA,
    KEY,
    change_variables,
    changed,
    changes_since,
    decoded,
    note_other,
    variables_of,
)
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.real import RealOs

__all__ = ["Variables", "sweep"]

_LAMBDAS_ALONE: Final = "AWS_LAMBDA_RUNTIME_API"
_TRACE: Final = "_X_AMZN_TRACE_ID"
_UNKNOWN: Final = object()

_ZONE: Final = b"TZ" if KEY is bytes else "TZ"


def _is_utc() -> bool:
    return (time.tzname, time.timezone, time.altzone) == (("UTC", "UTC"), 0, 0)


_UTC_ZONES: Final = {":UTC", "UTC"} | ({None} if "TZ" not in os.environ and _is_utc() else set())
"""Values of TZ that mean UTC; None, its absence, if the machine has that zone."""

_OVERRIDDEN: dict[str, tuple[str | None, set[str | None]]] = {}
"""Names that a test has set although the environment had a value of its own.

Each comes with the value outside, and with the values of the environment that a tool may restore.
"""
_LASTING: dict[str, str | None] = {}
"""The value outside of such names when the test that has set them had ended."""
_MANAGED: dict[str, tuple[str | None, str | None]] = {}
"""The managed names of environments that have left: the value outside, and the value inside."""
_WRITTEN: dict[str, tuple[str | None, str | None]] = {}
"""Names that a test has written inside: the value outside, and the one that it has written."""

_OS: Final[dict[str, Any]] = os.__dict__
_DELETED: Final[Any] = object()


class Variables(PhasePart):
    """`os.environ`, and with it the time zone of the C library."""

    def __init__(
        self, make: Callable[[dict[str, str]], dict[str, str]], *, withheld: Callable[[str], bool]
    ) -> None:
        """``make`` returns the function's variables, made of those outside.

        ``withheld`` says of a name whether function code must never see the test's value.
        """
        self._make = make
        self._withheld = withheld
        self._own: dict[str, str | None] = {}
        """Values that function code has set; None for a name that it has removed."""
        self._tests: dict[str, str | None] = {}
        """The same for the test, since the environment has entered."""
        self._outside: dict[str, str] = {}
        self._inside: dict[str, str] = {}
        self._entered: dict[Any, Any] = {}
        """`DATA` after the environment had entered."""
        self._managed: set[str] = set()
        self._covered: dict[str, str | None] = {}
        """The test's values of withheld names: shown between phases, hidden during a phase."""
        self._seen: dict[Any, Any] = {}
        """`DATA` without the changes of the test since the last phase."""
        self._written: set[Any] = set()
        """Names that the test has set or deleted since then, perhaps to the value they had."""
        self._in_phase = False
        self._is_zone_touched = False
        """Whether TZ was written since the environment has entered."""
        self._before: Any = None
        """The mapping in `os.environ` as the phase begins."""
        self._mapping: tuple[Any, ...] = ()
        """The object that function code has put in its place, if it has."""

    def enter(self) -> Undo:
        # A test may have put another mapping here, and may have removed it when we leave.
        environ = os.environ
        outside = self._outside = variables_of(environ)
        inside = self._inside = _edited(self._make(outside), self._own)
        changes = _differences(outside, inside)
        _set_environ(environ, changes, outside.get("TZ"), inside.get("TZ"))
        self._managed = {*changes[0], *changes[1]}
        self._managed.update(name for name, value in self._own.items() if value is None)
        self._entered = dict(DATA)
        self._tests = {}
        self._is_zone_touched = False
        overridden = {
            name for name, (before, _) in _OVERRIDDEN.items() if outside.get(name) != before
        }
        self._covered = {name: outside.get(name) for name in overridden if self._withheld(name)}
        self._show(self._covered)
        self._seen = dict(DATA)
        self._written = set()
        unwatch = patch_attributes((os, "putenv", self._putenv), (os, "unsetenv", self._unsetenv))

        def leave() -> None:
            unwatch()
            self._look()
            changes = changes_since(environ, self._entered, inside)
            tests = self._tests
            self._own |= {
                name: value
                for name, value in changes.items()
                if name not in tests and name not in overridden
            }
            names = self._managed
            others = changes.keys() - names
            if tests or not others.isdisjoint(outside):
                now, wanted = _edited(inside, changes), _edited(outside, tests)
                back = _differences(now, wanted)
            else:  # all that is here is Lambda's or new, as nearly always
                now, wanted = inside, outside
                back = names | others, {name: outside[name] for name in outside if name in names}
            zones = now.get("TZ"), wanted.get("TZ")
            _set_environ(environ, back, *zones, is_zone_touched=self._is_zone_touched)
            values = zip(map(outside.get, names), map(inside.get, names), strict=True)
            _MANAGED.update(zip(names, values, strict=True))

        return leave

    def discard(self) -> None:
        self._own = {}
        self._mapping = ()

    def begin_phase(self) -> None:
        if self._written:
            self._look()
        self._in_phase = True
        if self._covered:
            self._show({name: self._inside.get(name) for name in self._covered})
        self._before = os.environ
        if self._mapping:
            _put_mapping(*self._mapping)

    def end_phase(self) -> None:
        # pytest writes there between phases, and could not go on with the object of the function.
        if self._mapping or _OS.get("environ") is not self._before:
            mapping = _OS.get("environ", _DELETED)
            self._mapping = () if mapping is self._before else (mapping,)
            _OS["environ"] = self._before
        if self._covered:
            self._show(self._covered)
        self._in_phase = False

    def _show(self, variables: dict[str, str | None]) -> None:
        for name, value in variables.items():
            _set_variable(name, value)

    # `os.environ` calls these two for each change.  To compare it as a whole instead would take
    # longer than a small invoke.

    def _putenv(self, name: Any, value: Any) -> None:  # noqa: ANN401  # bytes; text on Windows
        RealOs.putenv(name, value)
        self._is_zone_touched |= name == _ZONE
        if self._in_phase:
            self._seen[name] = value
        else:
            self._written.add(name)

    def _unsetenv(self, name: Any) -> None:  # noqa: ANN401
        RealOs.unsetenv(name)
        self._is_zone_touched |= name == _ZONE
        if self._in_phase:
            self._seen.pop(name, None)
        else:
            self._written.add(name)

    def _look(self) -> None:
        """Attribute changes since the last phase to the test."""
        if self._in_phase or not self._written:
            return
        now = decoded(DATA)
        # What function code has given to `os.putenv` itself, as text, is not in `os.environ`.
        seen = decoded({name: value for name, value in self._seen.items() if type(name) is KEY})
        changed = _differing(now, seen)
        for name in map(os.fsdecode, self._written):
            _WRITTEN[name] = (self._outside.get(name), now.get(name))
        is_copy = any(
            name not in now and name not in self._outside for name in changed & self._managed
        )
        # The runtime sets the trace id in each invoke: an older one is part of a copy.
        for name in changed - {_TRACE}:
            self._take(name, now.get(name), seen.get(name), is_copy=is_copy)
        if is_copy:
            # Names with the same value inside and in the copy have been restored as well.
            self._tests |= {name: now[name] for name in self._managed - changed if name in now}
        self._seen = dict(DATA)
        self._written = set()

    def _take(self, name: str, value: str | None, seen: str | None, *, is_copy: bool) -> None:
        """Decide whose a value is that has appeared between phases; ``seen`` was there before."""
        inside = self._inside.get(name)
        is_managed = name in self._managed
        if not is_managed and (name in self._tests or seen == inside):
            self._tests[name] = value
            return
        outside, insides = _OVERRIDDEN.setdefault(name, (self._outside.get(name), set()))
        if not is_managed:  # function code had set it: the value stays with the environment
            insides.add(seen)
            if is_copy:
                _set_variable(name, seen)
            return
        insides.add(inside)
        if self._withheld(name):
            self._tests[name] = outside if value == inside else value
            self._covered[name] = value
        elif is_copy or value == outside:
            self._tests[name] = value
            _set_variable(name, seen)
        else:
            self._own[name] = self._inside[name] = value or ""
            note_other(self._entered, name)


def _put_mapping(mapping: Any) -> None:  # noqa: ANN401  # anything
    if mapping is _DELETED:
        del os.environ
    else:
        _OS["environ"] = mapping


def sweep(before: Mapping[str, str] | None = None, *, any_open: bool = False) -> None:
    """Undo values that a tool has restored after the environments had left.

    Call it when a test has ended and no environment is entered.  ``before`` are the variables as
    the test began.  ``any_open`` says whether an environment goes on after the test.
    """
    if _LAMBDAS_ALONE in os.environ and _MANAGED.get(_LAMBDAS_ALONE, ("",))[0] is None:
        _undo_copy()
    if not any_open:
        _MANAGED.clear()
    for name, (outside, inside) in list(_OVERRIDDEN.items()):
        now = os.environ.get(name)
        if now in inside:
            _set_variable(name, outside)
        elif now != outside and _lasts(name, now, before):
            continue
        del _OVERRIDDEN[name]
        _LASTING.pop(name, None)
    # A tool may restore, inside, the value that the test began with, where that changes nothing.
    # It counts for the outside all the same.
    for name, (outside, written) in _WRITTEN.items():
        if before is not None and written == before.get(name) and os.environ.get(name) == outside:
            _set_variable(name, written)
    _WRITTEN.clear()


def _undo_copy() -> None:
    """Undo the restoration of a whole copy of `os.environ` that was made inside."""
    for name, (outside, lambdas) in _MANAGED.items():
        if outside is None or os.environ.get(name) == lambdas:
            _set_variable(name, _OVERRIDDEN[name][0] if name in _OVERRIDDEN else outside)


def _lasts(name: str, now: str | None, before: Mapping[str, str] | None) -> bool:
    """Say whether a fixture of wider scope has set a variable, to restore it after a later test."""
    if name not in _LASTING and before is not None and before.get(name) != now:
        _LASTING[name] = now
    return _LASTING.get(name, _UNKNOWN) == now


def _differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {*changed(one, other), *(other.keys() - one.keys())}


def _set_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _edited(variables: dict[str, str], changes: dict[str, str | None]) -> dict[str, str]:
    if not changes:
        return dict(variables)
    merged: dict[str, str | None] = {**variables, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def _set_zone(current: str | None, wanted: str | None, *, is_touched: bool) -> None:
    """Let the C library read TZ again, unless both values mean UTC, as Lambda's does.

    Two readings of the files of time zones would take 11 us of each cold start.  If TZ was written
    in the meantime (``is_touched``), the C library may have read that value by itself
    (`time.strftime` does), which nothing shows.
    """
    is_same = current == wanted or (current in _UTC_ZONES and wanted in _UTC_ZONES and _is_utc())
    if (is_touched or not is_same) and hasattr(time, "tzset"):
        time.tzset()


def _differences(
    current: dict[str, str], wanted: dict[str, str]
) -> tuple[set[str], dict[str, str]]:
    """Return the names of variables to remove, and the variables to set.

    One that has another value is removed first: so the changed ones lie in the order of ``wanted``.
    """
    added: dict[str, str] = changed(wanted, current)
    removed = current.keys() & added.keys()
    if not current.keys() <= wanted.keys():
        removed |= current.keys() - wanted.keys()
    return removed, added


def _set_environ(
    environ: MutableMapping[str, str],
    changes: tuple[set[str], dict[str, str]],
    zone: str | None,
    wanted_zone: str | None,
    *,
    is_zone_touched: bool = False,
) -> None:
    """Change variables, and with them the time zone."""
    change_variables(environ, *changes)
    _set_zone(zone, wanted_zone, is_touched=is_zone_touched)
