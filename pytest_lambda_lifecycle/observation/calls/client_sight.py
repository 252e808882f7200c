"""Whether the clients that function code makes can be seen, or a mock of the test hides them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.frames import is_own_value
from pytest_lambda_lifecycle.isolation.part import PhasePart

__all__ = ["ClientSight"]

_NAMES: Final = ("client", "resource", "Session")


class ClientSight(PhasePart):
    """Says why calls of ``boto3.client`` and the like may not have been seen.

    The hooks lie in the methods of `boto3.session.Session`, so they see every way to them, also
    under a mock of such a method.  A mock in the place of ``boto3.client`` or of the class calls no
    method.  It may be gone when an assertion is made, so it is looked for at the end of each phase.
    A wrapper on top of ``boto3.client`` would see the mock as well, but it would stand between the
    test and its mock.
    """

    def __init__(self, own_modules: Callable[[], Mapping[str, ModuleType]]) -> None:
        """``own_modules`` returns the modules of function code by name."""
        self._own_modules = own_modules
        self._hidden: dict[str, str] = {}
        """The reasons by name, of all phases so far; those of the present test alone are below."""
        self._hidden_in_test: dict[str, str] = {}
        self._genuine: list[Any] = []
        """The latest values of the names in `boto3` that are no mocks."""

    def end_phase(self) -> None:
        """Remember mocks that were there in this phase: they are there until it ends."""
        boto3 = sys.modules.get("boto3")
        if boto3 is None:
            return
        names = vars(boto3)
        values = list(map(names.get, _NAMES))
        if values == self._genuine:
            return
        found = {
            f"boto3.{name}": _replaced(f"boto3.{name}", value)
            for name, value in zip(_NAMES, values, strict=True)
            if not _is_genuine(value)
        }
        if not found:
            self._genuine = values
        self._hidden = {**found, **self._hidden}
        self._hidden_in_test = {**found, **self._hidden_in_test}

    def unseen(self, target: str) -> str:
        """Return why calls of a target may not have been seen; ``""`` if all were.

        ``target`` is ``"boto3.client"``, ``"boto3.resource"``, ``"boto3.Session"``,
        ``"Session.client"`` or ``"Session.resource"``.
        """
        return self._unseen(target, self._hidden)

    def unseen_in_test(self, target: str) -> str:
        """Return the same of the phases of the present test."""
        return self._unseen(target, self._hidden_in_test)

    def forget_test(self) -> None:
        """Forget the mocks that were found in phases of the present test."""
        self._hidden_in_test = {}

    def _unseen(self, target: str, hidden: dict[str, str]) -> str:
        for name in (target, "boto3.Session"):
            if name in hidden:
                return hidden[name]
        return _default_session_unseen() or self._own_name_unseen(target)

    def _own_name_unseen(self, target: str) -> str:
        """Look for a mock by the name ``boto3``, or the target's, in modules of function code."""
        mock = sys.modules.get("unittest.mock")
        if mock is None:
            return ""
        names = ("boto3", target.rpartition(".")[2])
        for module, found in self._own_modules().items():
            for name in names:
                value = vars(found).get(name)
                if isinstance(value, mock.NonCallableMock):
                    return _replaced(f"{module}.{name}", value)
        return ""


def _default_session_unseen() -> str:
    session = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    genuine = getattr(sys.modules.get("boto3.session"), "Session", None)
    if session is None or not isinstance(genuine, type) or isinstance(session, genuine):
        return ""
    return _replaced("boto3.DEFAULT_SESSION", session)


def _is_genuine(value: Any) -> bool:  # noqa: ANN401
    """Say whether a value of the module boto3 is boto3's own, perhaps with a spy around it."""
    while is_own_value(value) or type(value) is FunctionType:
        inner = vars(value).get("__wrapped__")
        if inner is None:
            break
        value = inner
    return isinstance(value, FunctionType | type) and value.__module__.startswith("boto3")


def _replaced(name: str, value: object) -> str:
    return f"the test has put {value!r:.60} in the place of {name}; spy on it: env.spy({name!r})"
