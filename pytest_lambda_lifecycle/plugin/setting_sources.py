"""The sources from which a fixture takes the settings of its environments."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import pytest

from pytest_lambda_lifecycle.errors import ConfigError, LifecycleError
from pytest_lambda_lifecycle.function.config import FunctionConfig
from pytest_lambda_lifecycle.function.settings import SETTINGS, SettingsLayer, refuse_unknown
from pytest_lambda_lifecycle.function.task_root import find_task_root
from pytest_lambda_lifecycle.plugin import options
from pytest_lambda_lifecycle.plugin.markers import location, own_marks

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.settings import Settings

__all__ = ["SettingSources", "is_misuse", "path_from_rootdir"]

is_misuse: Final = operator.methodcaller("errisinstance", LifecycleError)
"""For ``__tracebackhide__``: the frames of the plugin are hidden in the traceback of misuse."""


class SettingSources:
    """The settings of a fixture's environments, from the ini file to the marker."""

    def __init__(self, request: pytest.FixtureRequest, defaults: Settings) -> None:
        """``defaults`` is the value of the fixture ``lambda_lifecycle_config``."""
        __tracebackhide__ = is_misuse
        self._request = request
        self._node = cast("pytest.Item | pytest.Collector", request.node)  # pyright: ignore[reportUnknownMemberType]
        self._rootdir = request.config.rootpath
        self._defaults = self._layer(defaults, "the lambda_lifecycle_config fixture")
        # A marker belongs to one test; an environment of the session serves others as well.
        self._markers = self._marker_layers() if request.scope != "session" else []

    def configure(self, call: Mapping[str, object], source: str) -> FunctionConfig:
        """Return the configuration for one call of the fixture, with its task root."""
        suite = [*options.layers(self._request.config), self._defaults]
        test = [*self._markers, SettingsLayer(source, call, self._rootdir)]
        layers = [*suite, *self._hook_layers([*suite, *test]), *test]
        if self._request.scope == "session":
            self._require_handler(layers, source)
        if all(layer.values.get("handler") is None for layer in layers):
            self._refuse_misspelt_marker(source)
        config = FunctionConfig._resolve(*layers)
        if config.code_dir is not None:
            return config
        # Without code_dir the search has to succeed: a wrong module name should not look like an
        # init that fails.
        root = find_task_root(
            config.handler,
            None,
            list(self._candidates()),
            config.layers,
            source=config.source_of("handler"),
            root=self._rootdir,
        )
        return config._with_code_dir(root, "the search for the handler's module")

    def _layer(self, values: object, source: str) -> SettingsLayer:
        __tracebackhide__ = is_misuse
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"{source} has to return a mapping of settings, not {values!r}", code="LLC210"
            )
        return SettingsLayer(source, cast("Mapping[str, object]", values), self._rootdir)

    def _marker_layers(self) -> list[SettingsLayer]:
        """Return the settings of the node's markers, outermost first."""
        __tracebackhide__ = is_misuse
        layers: list[SettingsLayer] = []
        for node in cast("list[pytest.Collector]", self._node.listchain()):
            for mark in reversed(own_marks(node, "lambda_lifecycle")):
                source = f"the marker at {location(node)}"
                layers.append(SettingsLayer(source, _settings_of(mark, source), self._rootdir))
        return layers

    def _hook_layers(self, others: Iterable[SettingsLayer]) -> list[SettingsLayer]:
        """Return the settings of the hook's implementations, lowest precedence first."""
        hook = self._node.ihook.pytest_lambda_lifecycle_config
        implementations = hook.get_hookimpls()
        if not implementations:
            return []
        plugins = {
            path_from_rootdir(self._rootdir, hook_impl.plugin_name) for hook_impl in implementations
        }
        source = f"hook pytest_lambda_lifecycle_config of {' and '.join(sorted(plugins))}"
        # pluggy calls the implementation nearest to the test first, and that one counts most.
        results = hook(request=self._request, settings=_merged(others))
        return [self._layer(result, source) for result in reversed(results)]

    def _require_handler(self, layers: Iterable[SettingsLayer], source: str) -> None:
        """Raise the error for a test that relies on its marker, which the session form ignores."""
        if any(layer.values.get("handler") is not None for layer in layers):
            return
        marked = [
            item
            for item in self._request.session.items
            if item.get_closest_marker("lambda_lifecycle")
        ]
        users = [
            item
            for item in marked
            if "session_lambda_lifecycle" in getattr(item, "fixturenames", ())
        ]
        for item in (users or marked)[:1]:
            raise ConfigError(
                f"no handler (from {source}): a marker, such as the one that {item.nodeid} has, "
                "does not reach session_lambda_lifecycle",
                "The environments of a session serve tests with other markers too.",
                "Name the handler in the call or in the lambda_lifecycle_config fixture, or use "
                "the form of another scope.",
                code="LLC203",
            )

    def _refuse_misspelt_marker(self, source: str) -> None:
        """Raise the error for a handler in a marker of a similar name, which nobody reads."""
        import difflib

        names = {mark.name for mark in self._node.iter_markers()} - {"lambda_clock"}
        near = difflib.get_close_matches("lambda_lifecycle", names, n=1, cutoff=0.8)
        if near and near[0] != "lambda_lifecycle":
            raise ConfigError(
                f"no handler (from {source}): the test has the marker {near[0]!r}; did you mean "
                "@pytest.mark.lambda_lifecycle?",
                code="LLC203",
            )

    def _candidates(self) -> Iterator[tuple[Path, str]]:
        """Yield the places to search for the handler's module, each with its description.

        First the places that the suite names, then the directories from the test up to rootdir.
        """
        config = self._request.config
        rootdir = self._rootdir
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


def path_from_rootdir(rootdir: Path, path: str | os.PathLike[str]) -> str:
    """Return a path for messages: relative to rootdir if it lies there."""
    return os.fspath(path).removeprefix(f"{rootdir}{os.sep}")


def _settings_of(mark: pytest.Mark, source: str) -> dict[str, object]:
    """Return the arguments of a marker as settings, or raise `ConfigError`."""
    __tracebackhide__ = is_misuse
    if len(mark.args) > 1:
        raise ConfigError(
            "the marker takes one positional argument, the handler, and was given "
            f"{len(mark.args)}: {', '.join(map(repr, mark.args))} (from {source})",
            "Each other setting is a keyword.",
            code="LLC209",
        )
    values: dict[str, object] = dict(mark.kwargs)
    for name in values:
        if name not in SETTINGS:
            refuse_unknown(name, source)
    if mark.args:
        if "handler" in values:
            raise ConfigError(
                f"two handlers: {mark.args[0]!r} and {values['handler']!r} (from {source})",
                code="LLC209",
            )
        values["handler"] = mark.args[0]
    return values


def _merged(layers: Iterable[SettingsLayer]) -> dict[str, object]:
    """Return the settings of all layers together; ``environment`` is merged key by key."""
    settings: dict[str, object] = {}
    environment: dict[str, object] = {}
    for layer in layers:
        settings |= {name: value for name, value in layer.values.items() if value is not None}
        environment |= _variables(layer)
    return {**settings, "environment": environment} if environment else settings


def _variables(layer: SettingsLayer) -> Mapping[str, object]:
    value = layer.values.get("environment")
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}
