"""The hooks of one environment, which are looked at before each of its phases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_lambda_lifecycle.observation.calls.hooks import Hook

__all__ = ["HookSet"]


class HookSet:
    """Keeps hooks on top of the mocks of the test while phases run.

    `CallRecorder` asks each time whether there is anything to do.
    """

    def __init__(self, set_by_function: Callable[[Any, str, Any], bool]) -> None:
        """``set_by_function`` says whether function code has set an attribute to a value."""
        self._set_by_function = set_by_function
        self._hooks: list[Hook] = []
        self.owners: list[Any] = []
        """The owners of the hooked attributes."""
        self._names: list[str] = []
        self._expected: list[Any] = []
        """The values of the hooked attributes, unless the test has changed them."""
        self.covers_mocks = False
        """A hook lies on top of a mock of the test, to be uncovered when the phase ends."""

    def add(self, hook: Hook) -> None:
        """Put a hook in place."""
        self._hooks.append(hook)
        self._place(hook)
        self.owners.append(hook.owner)
        self._names.append(hook.name)
        self._expected.append(hook.wrapper)

    def begin_phase(self) -> None:
        """Put a wrapper on top again where the test has put a mock on top of it."""
        try:
            if list(map(getattr, self.owners, self._names)) == self._expected:
                return
        except AttributeError:
            pass
        self._cover()

    def _cover(self) -> None:
        for index, hook in enumerate(self._hooks):
            now = hook.namespace.get(hook.name)
            if now is self._expected[index]:
                continue
            if self._set_by_function(hook.owner, hook.name, now):
                self._expected[index] = now
            else:
                self._place(hook)
                self._expected[index] = hook.wrapper

    def uncover(self) -> None:
        """Uncover the mocks of the test, which finds them in place between phases."""
        for hook in self._hooks:
            if hook.over_mock:
                hook.uncover()

    def remove(self) -> None:
        """Remove all hooks, the latest first."""
        self._expected = []
        self.owners = []
        self._names = []
        self.covers_mocks = False
        while self._hooks:
            self._hooks.pop().remove()

    def _place(self, hook: Hook) -> None:
        hook.place()
        self.covers_mocks = self.covers_mocks or hook.over_mock
