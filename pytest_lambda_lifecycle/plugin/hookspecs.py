"""Hooks of the plugin, for plugins and for ``conftest.py`` files.

A ``conftest.py`` implements one by defining a function of the same name; it may take any of the
arguments, by name.  A plugin that should also work where this one is not installed decorates with
``@pytest.hookimpl(optionalhook=True)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
    from pytest_lambda_lifecycle.function.settings import Settings
    from pytest_lambda_lifecycle.lifecycle.events import Event
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation


@pytest.hookspec
def pytest_lambda_lifecycle_config(
    request: pytest.FixtureRequest, settings: Mapping[str, object]
) -> Settings | None:
    """Return settings for an environment that is about to be made, or None.

    Called each time one of the ``lambda_lifecycle`` fixtures is called.  The returned settings
    count for more than the ini file, the command line and the ``lambda_lifecycle_config`` fixture,
    and for less than markers and the call.  Every implementation is called; where several set the
    same value, the one nearest to the test counts (conftest files of deeper directories before
    those above them, before plugins).

    :param request:
        The request of the fixture; ``request.node`` is the test, or the class, module or session.
    :param settings:
        The settings of all other sources, markers and call included: to look at, not to change.

    Use in conftest plugins
    -----------------------
    Any conftest file can implement this hook.  For a given test, only the conftest files in its
    directory and above are consulted; for the session form of the fixture, those of the root
    directory.
    """


@pytest.hookspec
def pytest_lambda_lifecycle_environment(
    environment: ExecutionEnvironment, request: pytest.FixtureRequest
) -> None:
    """Prepare an environment that was just made.

    Called once for each environment that a ``lambda_lifecycle`` fixture makes, before its first
    phase: spies and patches can still be placed.  Return values are ignored.

    :param environment: The new environment.
    :param request: The request of the fixture that made it.

    Use in conftest plugins
    -----------------------
    As for :hook:`pytest_lambda_lifecycle_config`.
    """


@pytest.hookspec(firstresult=True)
def pytest_lambda_lifecycle_invoke(
    environment: ExecutionEnvironment, event: object, proceed: Callable[[], Invocation]
) -> Invocation | None:
    """Run one invoke.

    Called for each ``environment.invoke(event)``, once the state of the environment allows it.
    Stops at the first result that is not None.  The plugin's own implementation comes last and
    returns ``proceed()``.  To act around every invoke, implement the hook as a wrapper::

        @pytest.hookimpl(wrapper=True)
        def pytest_lambda_lifecycle_invoke(environment, event):
            invocation = yield
            assert invocation.duration_ms < 100
            return invocation

    :param environment: The environment that is invoked.
    :param event: The event as the test gave it.
    :param proceed:
        Runs the invoke and returns its `Invocation`, also a failed one: whether a failure is raised
        is decided after the hook.

    Use in conftest plugins
    -----------------------
    As for :hook:`pytest_lambda_lifecycle_config`, as seen from the test that made the environment.
    """


@pytest.hookspec
def pytest_lambda_lifecycle_event(environment: ExecutionEnvironment, event: Event) -> None:
    """Observe an event of an environment.

    Called for each event at the moment when it is put on the timeline, also while function code
    runs.  Return values are ignored; an exception ends the phase as an error of the test.  Events
    that an implementation itself causes are not announced.

    :param environment: The environment of the event.
    :param event: The event, such as `InvokeStart` or `FunctionLog`.

    Use in conftest plugins
    -----------------------
    As for :hook:`pytest_lambda_lifecycle_config`, as seen from the test that made the environment.
    """
