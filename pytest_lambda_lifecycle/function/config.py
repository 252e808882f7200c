"""`FunctionConfig`: the settings of one function, checked, with the source of each value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.function.extension import Extension
from pytest_lambda_lifecycle.function.setting_types import (
    FileSystem,
    ForeignImports,
    FunctionSettings,
    InitializationType,
    LogFormat,
    LogLevel,
    NetworkMode,
    Settings,
)
from pytest_lambda_lifecycle.function.settings import (
    MAX_ENVIRONMENT_BYTES,
    SETTINGS,
    SettingsLayer,
    refuse_unknown,
    validate,
)

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = ["FunctionConfig", "Settings", "SettingsLayer"]

BUILT_IN: Final = "the built-in default"
_DIRECT: Final = "the arguments of FunctionConfig"
_PUBLISHED_ONLY: Final = ("provisioned-concurrency", "snap-start")


@dataclass(frozen=True, slots=True, init=False)
class FunctionConfig:
    """A function's configuration, as ``GetFunctionConfiguration`` would return it.  Immutable.

    The settings and their defaults are described at `Settings`.

    >>> FunctionConfig("orders.app.handler", timeout=30).memory_size
    128
    """

    # Type checkers need the fields; their defaults are those of the table of settings.
    handler: str
    code_dir: Path | None
    layers: tuple[Path, ...]
    environment: Mapping[str, str]
    timeout: int
    memory_size: int
    ephemeral_storage: int
    filesystem: FileSystem
    function_name: str
    function_version: str
    region: str
    account_id: str
    runtime: str
    initialization_type: InitializationType
    extensions: tuple[Extension | type[Extension] | Path, ...]
    log_format: LogFormat
    application_log_level: LogLevel | None
    idle_timeout: float | None
    max_lifetime: float | None
    fresh_packages: tuple[str, ...]
    bundled: tuple[str | Path, ...]
    foreign_imports: ForeignImports
    init_only: tuple[str, ...]
    max_init_ms: float | None
    max_duration_ms: float | None
    max_http_calls: int | None
    max_aws_calls: int | None
    seed: int | None
    network: NetworkMode
    network_allow: tuple[str, ...]
    audit: bool
    allowed_state: tuple[str, ...]
    _taken_out: frozenset[str] = field(init=False, repr=False)
    """Variables of None: they are not set, whatever other sources and the process itself say."""
    _sources: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __init__(self, handler: str | None = None, **settings: Unpack[FunctionSettings]) -> None:
        self._fill([SettingsLayer(_DIRECT, {"handler": handler, **settings})])

    @classmethod
    def _resolve(cls, *layers: SettingsLayer) -> Self:
        """Merge the values of several sources, lowest precedence first.

        ``environment`` is merged key by key, and a value of None takes a variable out; of every
        other setting the last value counts.
        """
        config = cls.__new__(cls)
        config._fill(layers)
        return config

    def replace(self, **settings: Unpack[Settings]) -> Self:
        """Return a copy with other values.

        ``environment`` is replaced as a whole here, not merged.
        """
        changed: dict[str, object] = dict(settings)
        kept = [
            SettingsLayer(source, {name: getattr(self, name)})
            for name, source in self._sources.items()
            if name in SETTINGS and name not in changed and name != "environment"
        ]
        if "environment" not in changed:
            kept += [
                SettingsLayer(self._sources[f"environment.{key}"], {"environment": {key: value}})
                for key, value in {
                    **self.environment,
                    **dict.fromkeys(self._taken_out),
                }.items()
            ]
        return self._resolve(*kept, SettingsLayer("FunctionConfig.replace", changed))

    def _with_code_dir(self, code_dir: Path, source: str) -> Self:
        """Return a copy with a task root that was found rather than given."""
        config = copy(self)
        object.__setattr__(config, "code_dir", code_dir)
        object.__setattr__(config, "_sources", {**self._sources, "code_dir": source})
        return config

    def source_of(self, name: str) -> str:
        """Return the source of a setting's value, in words.

        For one variable of ``environment``, ask for ``"environment.KEY"``.
        """
        if name.split(".")[0] not in SETTINGS:
            refuse_unknown(name, "FunctionConfig.source_of")
        return self._sources.get(name, BUILT_IN)

    def _fill(self, layers: Iterable[SettingsLayer]) -> None:
        values, sources = _merge(layers)
        values["handler"] = _handler_of(values, sources)
        _check_version(values, sources)
        variables: dict[str, str | None] = values["environment"]
        values["environment"] = {
            name: value for name, value in variables.items() if value is not None
        }
        values["_taken_out"] = frozenset(variables.keys() - values["environment"].keys())
        _check_environment_size(values["environment"], sources)
        for name, value in values.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_sources", sources)


def _merge(layers: Iterable[SettingsLayer]) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {name: setting.default for name, setting in SETTINGS.items()}
    values["environment"] = {}
    sources: dict[str, str] = {}
    for layer in layers:
        for name, raw in layer.values.items():
            if name not in SETTINGS:
                refuse_unknown(name, layer.source)
            value: Any = validate(name, raw, layer.source, layer.directory)
            if name == "environment":
                values["environment"].update(value)
                sources.update((f"environment.{key}", layer.source) for key in value)
            elif name == "handler" and value is None:
                continue  # `lambda_lifecycle()` leaves the handler to the marker
            else:
                values[name] = value
            sources[name] = layer.source
    return values, sources


def _handler_of(values: dict[str, Any], sources: dict[str, str]) -> str:
    handler: str | None = values["handler"]
    if handler is None:
        asked = f" ({', '.join(sorted(set(sources.values())))} gave none)" if sources else ""
        raise ConfigError(
            f"no handler{asked}: name it as on Lambda, in the call "
            'lambda_lifecycle("app.handler") or FunctionConfig("app.handler")',
            'A marker can name it too: @pytest.mark.lambda_lifecycle("app.handler").',
            code="LLC203",
        )
    return handler


def _check_version(values: dict[str, Any], sources: dict[str, str]) -> None:
    """Only published versions can have provisioned concurrency or SnapStart."""
    kind = values["initialization_type"]
    if kind not in _PUBLISHED_ONLY or values["function_version"] != "$LATEST":
        return
    if "function_version" not in sources:
        values["function_version"] = "1"
        return
    raise ConfigError(
        f"function_version='$LATEST' (from {sources['function_version']}) cannot have "
        f"initialization_type={kind!r} (from {sources['initialization_type']})",
        "Lambda offers it for published versions only, such as function_version='1'.",
        code="LLC208",
    )


def _check_environment_size(declared: Mapping[str, str | None], sources: Mapping[str, str]) -> None:
    environment = {name: value for name, value in declared.items() if value is not None}
    size = sum(_bytes(name) + _bytes(value) for name, value in environment.items())
    if size <= MAX_ENVIRONMENT_BYTES:
        return
    largest = max(environment, key=lambda name: _bytes(environment[name]))
    raise ConfigError(
        f"environment: the names and values have {size} bytes together, "
        f"Lambda's limit is {MAX_ENVIRONMENT_BYTES}; the largest is {largest!r}",
        f"{largest!r} has {_bytes(environment[largest])} bytes "
        f"(from {sources[f'environment.{largest}']}).",
        code="LLC205",
    )


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
