"""The plugin's hooks, called for one environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.outlet import of_test

if TYPE_CHECKING:
    from pluggy import HookRelay

    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
    from pytest_lambda_lifecycle.lifecycle.events import Event
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation

__all__ = ["EnvironmentHooks"]


class EnvironmentHooks:
    """Calls the hooks of invokes and events, with the environment in which they happen.

    The environment needs its callbacks when it is made, so `environment` is set afterwards.
    """

    def __init__(self, relay: HookRelay) -> None:
        self._relay = relay
        self._announcing = False
        self.environment: ExecutionEnvironment | None = None

    def unobserved(self, act: Callable[[], list[Event]]) -> None:
        """Run a call whose events are not announced, but for those that it returns."""
        __tracebackhide__ = True
        before, self._announcing = self._announcing, True
        try:
            events = act()
        finally:
            self._announcing = before
        if self.observer is not None:
            for event in events:
                self._announce(event)

    @property
    def around_invoke(self) -> Callable[[object, Callable[[], Invocation]], Invocation] | None:
        """The call of the hook around an invoke; None if only the plugin implements it."""
        implementations = self._relay.pytest_lambda_lifecycle_invoke.get_hookimpls()
        return self._invoke if len(implementations) > 1 else None

    @property
    def observer(self) -> Callable[[Event], None] | None:
        """The call of the hook for an event; None without an implementation.

        A call costs microseconds for each event.
        """
        return self._announce if self._relay.pytest_lambda_lifecycle_event.get_hookimpls() else None

    def _invoke(self, event: object, proceed: Callable[[], Invocation]) -> Invocation:
        __tracebackhide__ = True
        result: Invocation | None = self._relay.pytest_lambda_lifecycle_invoke(
            environment=self.environment, event=event, proceed=proceed
        )
        if result is None:
            raise LifecycleError(
                "no implementation of the hook pytest_lambda_lifecycle_invoke returned "
                "an Invocation",
                "A wrapper has to return the value that `yield` gave it.",
                code="LLC701",
            )
        return result

    def _announce(self, event: Event) -> None:
        """Pass an event on to the hook; an error of an implementation is an error of the test."""
        __tracebackhide__ = True
        if self._announcing or self.environment is None:
            return  # events that an implementation itself causes are not announced
        self._announcing = True
        try:
            # An implementation that prints during a phase adds nothing to the log of the function.
            with redirect_stdout(of_test(sys.stdout)), redirect_stderr(of_test(sys.stderr)):
                self._relay.pytest_lambda_lifecycle_event(environment=self.environment, event=event)
        except Exception as error:
            raise LifecycleError(
                "an implementation of the hook pytest_lambda_lifecycle_event raised at "
                f"{event.name}: {error!r}",
                code="LLC701",
            ) from error
        finally:
            self._announcing = False
