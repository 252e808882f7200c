"""`LambdaLifecycle`: what the ``lambda_lifecycle`` fixtures hand out."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TextIO, cast

import pytest

from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
from pytest_lambda_lifecycle.errors import ConfigError, LifecycleError, LifecycleWarning
from pytest_lambda_lifecycle.function.config import FunctionConfig
from pytest_lambda_lifecycle.function.settings import SettingsLayer, refuse_unknown, setting_names
from pytest_lambda_lifecycle.function.task_root import find_task_root
from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionFault
from pytest_lambda_lifecycle.plugin import options
from pytest_lambda_lifecycle.plugin.kept_modules import handler_file, keep_for
from pytest_lambda_lifecycle.plugin.markers import location, own_marks

if TYPE_CHECKING:
    from pluggy import HookRelay
    from typing_extensions import Unpack

    from pytest_lambda_lifecycle.function.settings import FunctionSettings, Settings
    from pytest_lambda_lifecycle.isolation.ledger import ProcessSlice
    from pytest_lambda_lifecycle.lifecycle.events import Event
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
    from pytest_lambda_lifecycle.plugin.journal import Journal
    from pytest_lambda_lifecycle.plugin.patch_watch import Misplaced

__all__ = ["LambdaLifecycle"]

_misuse = operator.methodcaller("errisinstance", LifecycleError)


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
        journal: Journal,
        patched: Callable[[ModuleType], list[str]],
        misplaced: Callable[[], Misplaced],
    ) -> None:
        __tracebackhide__ = _misuse
        self._request = request
        self._node = cast("pytest.Item | pytest.Collector", request.node)  # pyright: ignore[reportUnknownMemberType]
        self._rootdir = request.config.rootpath
        self._defaults = self._mapping(defaults, "the lambda_lifecycle_config fixture")
        self._markers = self._marker_layers() if request.scope != "session" else []
        self._journal = journal
        self._patched = patched
        self._misplaced = misplaced
        self._environments: list[ExecutionEnvironment] = []

    def __call__(
        self, handler: str | None = None, **settings: Unpack[FunctionSettings]
    ) -> ExecutionEnvironment:
        """Make an environment for a handler (``"package/module.function"``); nothing of it runs
        before its first phase.

        The keywords are described at `Settings`; without a handler the marker's is used.
        """
        __tracebackhide__ = _misuse
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        called_at = f"{self._relative(frame.f_code.co_filename)}:{frame.f_lineno}"
        try:
            config = self._configure({"handler": handler, **settings}, f"the call at {called_at}")
        except ConfigError as error:
            raise error.with_traceback(
                None
            ) from None  # where our code noticed it is of no interest
        environment = self._make(config)
        self._environments.append(environment)
        self._journal.add(environment, called_at)
        self._node.ihook.pytest_lambda_lifecycle_environment(
            environment=environment, request=self._request
        )
        return environment

    def __repr__(self) -> str:
        return f"<LambdaLifecycle of {self._node.nodeid or 'the session'}: {len(self._environments)} made>"

    @property
    def environments(self) -> tuple[ExecutionEnvironment, ...]:
        """The environments made so far, in order."""
        return tuple(self._environments)

    def _in_use(self) -> list[ProcessSlice]:
        """Return what the environments have of the process, of those that have begun and not
        ended.
        """
        processes = [environment._parts.process for environment in self._environments]
        return [process for process in processes if process.entry and not process.closed]

    def close(self) -> None:
        """End all environments, the latest first.  What fails there is a warning: the test has its
        own result.

        A test's own control flow, in an extension or in a signal handler, is raised when all have
        ended.
        """
        problems: list[str] = []
        interruption: BaseException | None = None
        for environment in reversed(self._environments):
            environment.closed_at = f"the end of {self._node.nodeid or 'the session'}"
            try:
                environment.close()
                problems += [
                    f"{environment!r}: extension {one.extension!r} failed in its shutdown: {one.detail}"
                    for one in (environment.phases[-1].events if environment.phases else ())
                    if isinstance(one, ExtensionFault)
                ]
            except Exception as problem:
                problems.append(
                    f"{environment!r} could not be ended cleanly: {type(problem).__name__}: {problem}"
                )
            except BaseException as raised:
                interruption = interruption or raised
        for text in problems:
            self._node.warn(LifecycleWarning(text))
        if interruption is not None:
            raise interruption

    # -- settings -------------------------------------------------------------------------------------------------

    def _configure(self, call: Mapping[str, object], source: str) -> FunctionConfig:
        suite = [*options.layers(self._request.config), self._defaults]
        test = [*self._markers, SettingsLayer(source, call, self._rootdir)]
        layers = [*suite, *self._hook_layers([*suite, *test]), *test]
        if self._request.scope == "session" and all(
            layer.values.get("handler") is None for layer in layers
        ):
            self._refuse_marker(source)
        config = FunctionConfig.resolve(*layers)
        if config.code_dir is not None:
            return config
        # Without code_dir the search below has to succeed: a wrong module name should not look like
        # a failing init.
        root = find_task_root(
            config.handler,
            None,
            list(self._places()),
            config.layers,
            source=config.source_of("handler"),
        )
        return config.with_code_dir(root, "the search for the handler's module")

    def _refuse_marker(self, source: str) -> None:
        """Whoever relies on a test's marker for the handler should hear that it does not reach this
        form.
        """
        marked = [
            item
            for item in self._request.session.items
            if item.get_closest_marker("lambda_lifecycle")
        ]
        marked.sort(
            key=lambda item: "session_lambda_lifecycle" not in getattr(item, "fixturenames", ())
        )
        if marked:
            raise ConfigError(
                f"no handler (from {source}): a marker, such as the one that {marked[0].nodeid} has, does not reach "
                "session_lambda_lifecycle, whose environments serve tests with other markers too; name the handler in "
                "the call or in the lambda_lifecycle_config fixture, or use the form of another scope"
            )

    def _hook_layers(self, others: Iterable[SettingsLayer]) -> list[SettingsLayer]:
        hook = self._node.ihook.pytest_lambda_lifecycle_config
        implementations = hook.get_hookimpls()
        if not implementations:
            return []
        settings: dict[str, object] = {}
        for layer in others:
            environment = {
                **_mapping_of(settings, "environment"),
                **_mapping_of(layer.values, "environment"),
            }
            settings |= {name: value for name, value in layer.values.items() if value is not None}
            settings |= {"environment": environment} if environment else {}
        names = " and ".join(sorted({self._relative(i.plugin_name) for i in implementations}))
        results = hook(request=self._request, settings=settings)
        # The implementation nearest to the test is called first, and counts most.
        return [
            self._mapping(r, f"hook pytest_lambda_lifecycle_config of {names}")
            for r in reversed(results)
        ]

    def _mapping(self, values: object, source: str) -> SettingsLayer:
        __tracebackhide__ = _misuse
        if not isinstance(values, Mapping):
            raise ConfigError(f"{source} has to return a mapping of settings, not {values!r}")
        return SettingsLayer(source, cast("Mapping[str, object]", values), self._rootdir)

    def _marker_layers(self) -> list[SettingsLayer]:
        __tracebackhide__ = _misuse
        layers: list[SettingsLayer] = []
        for node in cast("list[pytest.Collector]", self._node.listchain()):
            for mark in reversed(own_marks(node, "lambda_lifecycle")):
                source = f"the marker at {location(node)}"
                layers.append(SettingsLayer(source, _arguments(mark, source), self._rootdir))
        return layers

    # -- where things are -----------------------------------------------------------------------------------------

    def _places(self) -> Iterator[tuple[Path, str]]:
        """Where to look for the handler's module: what the suite says, then upwards from the
        test.
        """
        config, rootdir = self._request.config, self._rootdir
        named = options.code_dir_candidate(config)
        if named is not None:
            yield named
        yield rootdir, "rootdir"
        yield rootdir / "src", "rootdir/src"
        with suppress(ValueError):  # -p no:python_path
            for entry in config.getini("pythonpath"):
                yield Path(entry), "an entry of the ini option pythonpath"
        folder = self._node.path
        for parent in [folder, *folder.parents] if folder != rootdir else ():
            if parent == rootdir or not parent.is_relative_to(rootdir):
                break
            if parent.is_dir():
                yield parent, "a directory of the test"

    def _relative(self, path: str | os.PathLike[str]) -> str:
        root = f"{self._rootdir}{os.sep}"
        return os.fspath(path).removeprefix(root)

    # -- environments ---------------------------------------------------------------------------------------------

    def _make(self, config: FunctionConfig) -> ExecutionEnvironment:
        made: list[ExecutionEnvironment] = []
        hooks: HookRelay = self._node.ihook
        root = cast("Path", config.code_dir)
        # Dispatch costs microseconds for each event, so it is paid only where somebody listens.
        listeners = hooks.pytest_lambda_lifecycle_event.get_hookimpls()
        wrapped = len(hooks.pytest_lambda_lifecycle_invoke.get_hookimpls()) > 1
        environment = ExecutionEnvironment(
            config,
            keep=keep_for(self._request.session, root, handler_file(root, config.handler)),
            around_invoke=partial(_invoke_through_hook, hooks, made) if wrapped else None,
            observer=_Announcer(hooks, made) if listeners else None,
            tampered=self._patched,
            misplaced=self._misplaced(),
        )
        made.append(environment)
        return environment


def _mapping_of(values: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = values.get(name)
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _arguments(mark: pytest.Mark, source: str) -> dict[str, object]:
    __tracebackhide__ = _misuse
    if len(mark.args) > 1:
        raise ConfigError(
            f"the marker takes one positional argument, the handler, and was given {len(mark.args)}: "
            f"{', '.join(map(repr, mark.args))}; everything else is a keyword (from {source})"
        )
    values: dict[str, object] = dict(mark.kwargs)
    for name in values:
        if name not in setting_names():
            refuse_unknown(name, source)
    if mark.args:
        if "handler" in values:
            raise ConfigError(
                f"two handlers: {mark.args[0]!r} and {values['handler']!r} (from {source})"
            )
        values["handler"] = mark.args[0]
    return values


def _invoke_through_hook(
    hooks: HookRelay,
    made: list[ExecutionEnvironment],
    event: object,
    proceed: Callable[[], Invocation],
) -> Invocation:
    __tracebackhide__ = True
    result: Invocation | None = hooks.pytest_lambda_lifecycle_invoke(
        environment=made[0], event=event, proceed=proceed
    )
    if result is None:
        raise LifecycleError(
            "no implementation of the hook pytest_lambda_lifecycle_invoke returned an Invocation; "
            "a wrapper has to return what `yield` gave it"
        )
    return result


class _Announcer:
    """Passes events on to the hook, and errors of the hook's implementations to the test."""

    def __init__(self, hooks: HookRelay, made: list[ExecutionEnvironment]) -> None:
        self._hooks = hooks
        self._made = made
        self._announcing = False

    def __call__(self, event: Event) -> None:
        __tracebackhide__ = True
        if (
            self._announcing or not self._made
        ):  # what an implementation itself causes is not announced
            return
        self._announcing = True
        try:
            # What an implementation prints during a phase is not the function's output.
            with redirect_stdout(_outside(sys.stdout)), redirect_stderr(_outside(sys.stderr)):
                self._hooks.pytest_lambda_lifecycle_event(environment=self._made[0], event=event)
        except Exception as error:
            raise LifecycleError(
                f"an implementation of the hook pytest_lambda_lifecycle_event raised at {event.name}: {error!r}"
            ) from error
        finally:
            self._announcing = False


def _outside(stream: TextIO) -> TextIO:
    return getattr(stream, "outside", None) or stream
