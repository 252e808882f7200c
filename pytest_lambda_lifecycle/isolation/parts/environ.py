"""`os.environ`: both function code and the test may change it while an environment is entered.

A change during a phase belongs to the function and stays with the environment.  A change between
phases belongs to the test (``monkeypatch.setenv`` and its undoing) and reaches the outside when the
environment leaves.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.parts.environ_bytes import (
    DATA,
    change_variables,
    decoded,
    variables_of,
)
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["Variables", "sweep"]

_putenv, _unsetenv = os.putenv, os.unsetenv


class Variables(PhasePart):
    """`os.environ`, and with it the time zone of the C library.

    A name is *managed* where the environment's value differs from the outside's: Lambda's own
    variables, withheld ones (credentials), those of the setting ``environment``.  What a test sets
    a managed name to stays with the environment. ``withheld`` names are never the test's to give:
    it sees what it sets, function code does not.  And a value that comes from outside is one that a
    tool puts back which had started before the environment entered (``mock.patch.dict``): then the
    environment's own returns.  What function code has set stays with the environment as well,
    whoever sets it next.
    """

    def __init__(
        self, make: Callable[[dict[str, str]], dict[str, str]], *, withheld: Callable[[str], bool]
    ) -> None:
        self._make = make
        self._withheld = withheld
        self._own: dict[str, str | None] = {}
        self._tests: dict[str, str | None] = {}
        self._outside: dict[str, str] = {}
        self._inside: dict[str, str] = {}
        self._managed: set[str] = set()
        self._covered: dict[str, str | None] = {}
        """Withheld names that the test has set: it sees its own value, function code does not."""
        self._seen: dict[Any, Any] = {}
        """`DATA` without what the test has changed since the last phase."""
        self._written: set[Any] = set()
        """Names that the test has set or deleted since then, perhaps to what they were."""
        self._in_phase = False

    def enter(self) -> Undo:
        environ = (
            os.environ
        )  # a test may have put another mapping in its place, which may be gone when we leave
        outside = self._outside = variables_of(environ)
        inside = self._inside = _edited(self._make(outside), self._own)
        self._managed = _set_environ(environ, outside, inside)
        self._tests = {}
        edited = {name for name, (before, _) in _EDITED.items() if outside.get(name) != before}
        self._covered = {name: outside.get(name) for name in edited if self._withheld(name)}
        self._show(self._covered)
        self._seen, self._written = dict(DATA), set()
        unwatch = patch_attributes((os, "putenv", self._putenv), (os, "unsetenv", self._unsetenv))

        def leave() -> None:
            unwatch()
            self._look()
            now = variables_of(environ)
            self._own |= {
                name: now.get(name)
                for name in _differing(now, inside) - self._tests.keys() - edited
            }
            _set_environ(environ, now, _edited(outside, self._tests))
            _MANAGED.update({name: (outside.get(name), inside.get(name)) for name in self._managed})

        return leave

    def discard(self) -> None:
        self._own = {}

    def begin_phase(self) -> None:
        """Take what has changed since the last phase as the test's; cover what is withheld."""
        if self._written:
            self._look()
        self._in_phase = True
        if self._covered:
            self._show({name: self._inside.get(name) for name in self._covered})

    def end_phase(self) -> None:
        """Show the test what is withheld from function code."""
        if self._covered:
            self._show(self._covered)
        self._in_phase = False

    def _show(self, variables: dict[str, str | None]) -> None:
        for name, value in variables.items():
            _set_variable(name, value)

    # `os.environ` calls these two for each change, and comparing it as a whole would cost more than
    # a small invoke.

    def _putenv(self, name: Any, value: Any) -> None:  # noqa: ANN401  # bytes; text on Windows
        _putenv(name, value)
        if self._in_phase:
            self._seen[name] = value
        else:
            self._written.add(name)

    def _unsetenv(self, name: Any) -> None:  # noqa: ANN401
        _unsetenv(name)
        if self._in_phase:
            self._seen.pop(name, None)
        else:
            self._written.add(name)

    def _look(self) -> None:
        if self._in_phase or not self._written:
            return
        now, seen = decoded(DATA), decoded(self._seen)
        changed = _differing(now, seen)
        _REWRITTEN.update(
            {
                name: (self._outside.get(name), now.get(name))
                for name in map(os.fsdecode, self._written)
            }
        )
        # Names that only Lambda has are gone: somebody put back a whole copy that was made before
        # the environment came.
        wholesale = any(
            name not in now and name not in self._outside for name in changed & self._managed
        )
        for name in changed - {
            _TRACE
        }:  # the runtime's, in each invoke: who puts an older one back is a whole copy
            value, inside = now.get(name), self._inside.get(name)
            if name not in self._managed and (name in self._tests or seen.get(name) == inside):
                self._tests[name] = value
                continue
            outside, insides = _EDITED.setdefault(name, (self._outside.get(name), set()))
            if name not in self._managed:  # function code had set it
                insides.add(seen.get(name))
                if wholesale:
                    _set_variable(name, seen.get(name))
                continue
            insides.add(inside)
            if self._withheld(name):
                self._tests[name] = outside if value == inside else value
                self._covered[name] = value
            elif wholesale or value == outside:
                self._tests[name] = value
                _set_variable(name, seen.get(name))
            else:
                self._own[name] = self._inside[name] = value or ""
        if wholesale:  # what is the same inside and in that copy has come back as well
            self._tests |= {name: now[name] for name in self._managed - changed if name in now}
        self._seen, self._written = dict(DATA), set()


_EDITED: dict[str, tuple[str | None, set[str | None]]] = {}
"""Managed names that a test has set: the outside's value, and the environment's that the test will
put back.
"""
_UNKNOWN: Final = object()
_LASTING: dict[str, str | None] = {}
"""Of these names, what they were for the outside when that test had ended."""
_MANAGED: dict[str, tuple[str | None, str | None]] = {}
"""Of each managed name the outside's value, and the environment's, the latest time that one
left.
"""
_LAMBDAS_ALONE: Final = "AWS_LAMBDA_RUNTIME_API"
_TRACE: Final = "_X_AMZN_TRACE_ID"
_REWRITTEN: dict[str, tuple[str | None, str | None]] = {}
"""Names that a test has written inside: the outside's value, and the one that was written."""


def sweep(before: Mapping[str, str] | None = None, *, any_open: bool = False) -> None:
    """Undo what was put back too late: ``monkeypatch`` may undo at the end of a test, after the
    environment has left.

    To be called when a test has ended and no environment is entered.  ``before`` are the variables
    as the test began: what was put back to them inside goes for the outside, too, even where that
    changed nothing inside. ``any_open`` says whether an environment goes on after the test.
    """
    if _LAMBDAS_ALONE in os.environ and _MANAGED.get(_LAMBDAS_ALONE, ("",))[0] is None:
        for name, (
            outside,
            lambdas,
        ) in _MANAGED.items():  # a whole copy is back that was made inside
            if outside is None or os.environ.get(name) == lambdas:
                _set_variable(name, _EDITED[name][0] if name in _EDITED else outside)
    if not any_open:
        _MANAGED.clear()
    for name, (outside, inside) in list(_EDITED.items()):
        now = os.environ.get(name)
        if now in inside:
            _set_variable(name, outside)
        elif now != outside and _lasts(name, now, before):
            continue
        del _EDITED[name]
        _LASTING.pop(name, None)
    for name, (outside, written) in _REWRITTEN.items():
        if before is not None and written == before.get(name) and os.environ.get(name) == outside:
            _set_variable(name, written)
    _REWRITTEN.clear()


def _lasts(name: str, now: str | None, before: Mapping[str, str] | None) -> bool:
    """Say whether a variable is as a fixture of wider scope has set it, which puts it back after a
    later test.
    """
    if name not in _LASTING and before is not None and before.get(name) != now:
        _LASTING[name] = now
    return _LASTING.get(name, _UNKNOWN) == now


def _differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name, _ in one.items() ^ other.items()}


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


def _set_environ(
    environ: MutableMapping[str, str], current: dict[str, str], wanted: dict[str, str]
) -> set[str]:
    """Change what differs; returns the names of it."""
    removed, added = current.keys() - wanted.keys(), dict(wanted.items() - current.items())
    change_variables(environ, removed, added.items())
    if current.get("TZ") != wanted.get("TZ") and hasattr(time, "tzset"):
        time.tzset()
    return {*removed, *added}
