"""`LambdaLifecycle`: the value of the ``lambda_lifecycle`` fixtures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Final, NoReturn, cast

import pytest

from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
from pytest_lambda_lifecycle.errors import (
    ConfigError,
    LifecycleError,
    LifecycleWarning,
    no_attribute,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionFault
from pytest_lambda_lifecycle.plugin import options
from pytest_lambda_lifecycle.plugin.environment_hooks import EnvironmentHooks
from pytest_lambda_lifecycle.plugin.folders import folders_of
from pytest_lambda_lifecycle.plugin.kept_modules import handler_file, keep_for
from pytest_lambda_lifecycle.plugin.path_origins import path_notes
from pytest_lambda_lifecycle.plugin.seeds import seed_for
from pytest_lambda_lifecycle.plugin.setting_sources import (
    SettingSources,
    is_misuse,
    path_from_rootdir,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from pytest_lambda_lifecycle.environment.checks.paths import Ignore
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.function.settings import FunctionSettings, Settings
    from pytest_lambda_lifecycle.isolation.ledger import ProcessSlice
    from pytest_lambda_lifecycle.isolation.parts.random_numbers import Seed
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
    from pytest_lambda_lifecycle.plugin.failure_report import FailureReports
    from pytest_lambda_lifecycle.plugin.modes import Modes, ModesOfEnvironment

__all__ = ["LambdaLifecycle"]


_MAKES: Final = (
    "the fixture makes environments when it is called: "
    'env = lambda_lifecycle("app.handler"), then env.invoke(event)'
)


class LambdaLifecycle:
    """Makes execution environments for a test, and ends them with it.

    Settings come from, lowest precedence first: the built-in defaults, the ini file, the command
    line, the ``lambda_lifecycle_config`` fixture, the hook ``pytest_lambda_lifecycle_config``,
    markers (outermost to closest; not for the session form), and the call.  ``environment`` is
    merged key by key over these sources; of every other setting the last value counts.  A relative
    ``code_dir`` or layer starts at pytest's rootdir (on the command line at the current directory,
    in the ini file at the file's).
    """

    def __init__(
        self,
        request: pytest.FixtureRequest,
        defaults: Settings,
        *,
        failure_reports: FailureReports,
        patched: Callable[[ModuleType], list[str]],
        running_item: Callable[[], pytest.Item | None],
    ) -> None:
        __tracebackhide__ = is_misuse
        self._request = request
        self._node = cast("pytest.Item | pytest.Collector", request.node)  # pyright: ignore[reportUnknownMemberType]
        self._sources = SettingSources(request, defaults)
        self._failure_reports = failure_reports
        self._patched = patched
        self._running_item = running_item
        self._modes = _modes_of(request.config)
        self._environments: list[ExecutionEnvironment] = []

    if not TYPE_CHECKING:  # type checkers refuse what these explain

        def __getattr__(self, name: str) -> object:
            if name[:1] != "_" and hasattr(ExecutionEnvironment, name):
                raise AttributeError(f"{name} belongs to an environment, and {_MAKES}")
            raise no_attribute(self, name, {})

        def __enter__(self) -> object:
            raise TypeError(f"{_MAKES}, and 'with' takes the environment")

        def __exit__(self, *_: object) -> None:
            """Do nothing: `__enter__` has raised."""

    def __call__(
        self,
        handler: str | None = None,
        *misplaced: NoReturn,
        **settings: Unpack[FunctionSettings],
    ) -> ExecutionEnvironment:
        """Make an environment for a handler (``"package/module.function"``).

        None of its code runs before its first phase.  The keywords are described at `Settings`;
        without a handler the marker's is used.
        """
        __tracebackhide__ = is_misuse
        called_at = self._line_of(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
        if misplaced:
            raise ConfigError(
                f"the fixture takes one positional argument, the handler, and was given "
                f"{len(misplaced) + 1} (from the call at {called_at})",
                "Settings are keywords, as in timeout=3, and the event goes to invoke: "
                'lambda_lifecycle("app.handler", timeout=3).invoke(event).',
                code="LLC203",
            )
        config = self._configure({"handler": handler, **settings}, called_at)
        environment = self._make(config, self._modes)
        self._adopt(environment, called_at)
        self._announce(environment)
        return environment

    def assert_warm_equals_cold(
        self,
        events: Iterable[object],
        handler: str | None = None,
        *,
        ignore: Ignore | Iterable[Ignore] = (),
        logs: bool = False,
        calls: bool = False,
        **settings: Unpack[FunctionSettings],
    ) -> tuple[str, ...]:
        """Assert that the answer to each event is the same in a warm environment as in a cold one.

        Each event is sent twice in environments of its own.  Then all events are sent in one
        environment, in this and in other orders, with an idle hour, a reset and a recycle between.
        Payloads and errors have to agree; with ``logs=True`` and ``calls=True`` also the lines of
        the log, and the HTTP requests and AWS calls.  Paths at which the two cold answers differ
        are left out, and returned.  ``ignore`` has paths such as ``"headers.date"`` or
        ``"items[*].id"``, and callables that take the path as text, and the value.  Time passes, as
        with `ExecutionEnvironment.idle`.  Raises `AssertionError` with the shortest sequence of
        events that is answered otherwise, and `LifecycleError` if nothing can be compared.
        """
        __tracebackhide__ = True
        # Few tests ask for it.
        from pytest_lambda_lifecycle.environment.checks.cold_and_warm import ColdAgainstWarm

        called_at = self._line_of(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
        make = self._maker({"handler": handler, **settings}, called_at)
        try:
            check = ColdAgainstWarm(events, make, ignore=ignore, logs=logs, calls=calls)
            return check.run()
        except LifecycleError as error:
            raise error.with_traceback(None) from error.__cause__

    def _maker(
        self, call: Mapping[str, object], called_at: str
    ) -> Callable[..., ExecutionEnvironment]:
        """Return what makes environments of one function for a check, which closes them.

        No mode of the suite acts on them, no budget of the test counts them, and no report shows
        them.
        """
        return partial(self._make_another, self._configure(call, called_at))

    def _adopt(self, environment: ExecutionEnvironment, made_at: str) -> None:
        """End an environment with the test, and show it in the report of a failure."""
        self._environments.append(environment)
        self._failure_reports.add(environment, made_at)

    def _make_another(
        self, config: FunctionConfig, seed: Seed | None = None, *, for_test: bool = False
    ) -> ExecutionEnvironment:
        """Make one more environment of a function, for a check that closes it or for the test."""
        environment = self._make(config, self._modes if for_test else None, seed)
        self._announce(environment)
        return environment

    def _line_of(self, frame: FrameType) -> str:
        """Return the line of a test that calls the fixture."""
        path = path_from_rootdir(self._request.config.rootpath, frame.f_code.co_filename)
        return f"{path}:{frame.f_lineno}"

    def _configure(self, call: Mapping[str, object], called_at: str) -> FunctionConfig:
        __tracebackhide__ = is_misuse
        try:
            return self._sources.configure(call, f"the call at {called_at}")
        except ConfigError as error:
            # The traceback ends at the call: the frames that noticed the mistake say nothing more.
            raise error.with_traceback(None) from None

    def _announce(self, environment: ExecutionEnvironment) -> None:
        """Let implementations of the hook prepare a new environment."""
        __tracebackhide__ = True
        self._node.ihook.pytest_lambda_lifecycle_environment(
            environment=environment, request=self._request
        )

    def __repr__(self) -> str:
        count = len(self._environments)
        return f"<LambdaLifecycle of {self._node.nodeid or 'the session'}: {count} made>"

    @property
    def environments(self) -> tuple[ExecutionEnvironment, ...]:
        """The environments made so far, in order."""
        return tuple(self._environments)

    def close(self) -> None:
        """End all environments, the latest first.

        A failure becomes a warning, since the test has its result already.  Control flow of the
        test (a skip, a Ctrl-C) that comes out of an extension or a signal handler is raised once
        all environments have ended.
        """
        problems: list[str] = []
        interruption: BaseException | None = None
        for environment in reversed(self._environments):
            environment._closed_at = f"the end of {self._node.nodeid or 'the session'}"
            try:
                environment.close()
                problems += _faults_of_shutdown(environment)
            except Exception as problem:
                problems.append(
                    f"{environment!r} could not be ended cleanly: "
                    f"{type(problem).__name__}: {problem}"
                )
            except BaseException as raised:
                interruption = interruption or raised
        for text in problems:
            self._node.warn(LifecycleWarning(text))
        if interruption is not None:
            raise interruption

    def _make(
        self, config: FunctionConfig, modes: Modes | None = None, seed: Seed | None = None
    ) -> ExecutionEnvironment:
        hooks = EnvironmentHooks(self._node.ihook)
        around_invoke: Callable[[object, partial[Invocation]], Invocation] | None
        around_invoke = hooks.around_invoke
        acting: ModesOfEnvironment | None = None
        if modes is not None:
            acting = self._acting(modes, hooks)
            around_invoke = acting.around_invoke
        root = cast("Path", config.code_dir)
        environment = ExecutionEnvironment._of_plugin(
            config,
            make_another=partial(self._make_another, config),
            adopt=self._adopt,
            keep=keep_for(self._request.session, root, handler_file(root, config.handler)),
            around_invoke=around_invoke,
            observer=hooks.observer,
            tampered=self._patched,
            folders=partial(folders_of, self._request.config),
            path_notes=path_notes(self._request.session),
            seed=seed or seed_for(self._request.config, self._node.nodeid, config.seed),
        )
        hooks.environment = environment
        if acting is not None:
            acting.environment = environment
        return environment

    def _acting(self, modes: Modes, hooks: EnvironmentHooks) -> ModesOfEnvironment:
        """Return what acts on the next environment in the modes of the suite."""
        from pytest_lambda_lifecycle.plugin.modes import ModesOfEnvironment

        return ModesOfEnvironment(
            modes,
            name=f"{self._node.nodeid} {len(self._environments)}",
            item=self._running_item,
            proceed=hooks.around_invoke,
            unobserved=hooks.unobserved,
        )

    def _in_use(self) -> list[ProcessSlice]:
        """Return the share of the process of each environment that has begun and not ended."""
        processes = [environment._parts.process for environment in self._environments]
        return [process for process in processes if process.entry and not process.closed]


def _modes_of(config: pytest.Config) -> Modes | None:
    """Return the modes of the suite; without one, their module is not imported."""
    if not any(options.given(config, options.MODES)):
        return None
    from pytest_lambda_lifecycle.plugin.modes import modes_of

    return modes_of(config)


def _faults_of_shutdown(environment: ExecutionEnvironment) -> Iterator[str]:
    for event in environment.phases[-1].events if environment.phases else ():
        if isinstance(event, ExtensionFault):
            fault = f"extension {event.extension!r} failed in its shutdown: {event.detail}"
            yield f"{environment!r}: {fault}"
