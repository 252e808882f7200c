"""The ini options and the command line: settings for a whole suite.

Each is one setting of `FunctionConfig`; the command line's default is None, so that "not given" is
visible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, cast

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lambda_lifecycle.function.settings import SettingsLayer

__all__ = ["check", "code_dir_candidate", "header", "layers", "register"]

IniType: TypeAlias = Literal["string", "paths", "args", "linelist", "int", "float"]


class Option(NamedTuple):
    """A setting that makes sense for a whole suite."""

    setting: str
    metavar: str
    help: str
    ini_type: IniType = "string"

    @property
    def ini(self) -> str:
        """Name in the ini file."""
        return f"lambda_lifecycle_{self.setting}"

    @property
    def flag(self) -> str:
        """Name on the command line."""
        return "--" + self.ini.replace("_", "-")


# pytest 8.4 brought these types; before, a number is read from a string.
_NUMBER: Final[IniType] = "int" if pytest.version_tuple >= (8, 4) else "string"
_SPAN: Final[IniType] = "float" if pytest.version_tuple >= (8, 4) else "string"

OPTIONS: Final = (
    Option("code_dir", "DIR", "directory that holds the functions' code, as /var/task does"),
    Option("layers", "DIR", "unpacked Lambda layers", "paths"),
    Option("environment", "NAME=VALUE", "environment variables of the functions", "linelist"),
    Option("timeout", "SECONDS", "function timeout, 1..900 (default: 3)", _NUMBER),
    Option("memory_size", "MB", "memory size, 128..10240 (default: 128)", _NUMBER),
    Option("ephemeral_storage", "MB", "size of /tmp, 512..10240 (default: 512)", _NUMBER),
    Option("region", "REGION", "AWS region (default: us-east-1)"),
    Option("account_id", "ID", "AWS account, 12 digits (default: 123456789012)"),
    Option(
        "runtime",
        "ID",
        "identifier of the Lambda runtime (default: that of the running interpreter)",
    ),
    Option("extensions", "FILE", "executables that are extensions of every function", "paths"),
    Option("log_format", "FORMAT", "Text or JSON (default: Text)"),
    Option("application_log_level", "LEVEL", "TRACE, DEBUG, INFO, WARN, ERROR or FATAL"),
    Option(
        "idle_timeout",
        "SECONDS",
        "idleness after which environments spin down (default: none, for never)",
        _SPAN,
    ),
    Option(
        "max_lifetime",
        "SECONDS",
        "age at which environments are recycled (default: none, for never)",
        _SPAN,
    ),
    Option(
        "fresh_packages",
        "NAME",
        "shared packages that each cold start imports afresh, or *",
        "args",
    ),
)
CLOCK_OPTIONS: Final = (
    Option(
        "clock_start",
        "MOMENT",
        "when lambda_clock starts, such as 2030-01-31T12:00:00Z (default: now)",
    ),
    Option(
        "watchdog",
        "SECONDS",
        "real time that a phase may take under lambda_clock (default: 10)",
        _SPAN,
    ),
)
"""They are no settings of a function, but of the fixture ``lambda_clock``."""
_MANY: Final = frozenset({"paths", "args", "linelist"})
_NUMBERS: Final = frozenset({"timeout", "memory_size", "ephemeral_storage"})
_SPANS: Final = frozenset({"idle_timeout", "max_lifetime"})
_TAKES: Final = {
    **dict.fromkeys((*_SPANS, "watchdog"), "; it takes a number of seconds above 0"),
    "clock_start": "; it takes text such as '2030-01-31T12:00:00Z'",
}

_layers_key: Final[pytest.StashKey[list[SettingsLayer]]] = pytest.StashKey()


def register(parser: pytest.Parser) -> None:
    """Add the options to pytest's parser."""
    group = parser.getgroup("lambda_lifecycle", "AWS Lambda lifecycle")
    for option in (*OPTIONS, *CLOCK_OPTIONS):
        many = option.ini_type in _MANY
        group.addoption(
            option.flag,
            action="append" if many else "store",
            default=None,
            metavar=option.metavar,
            dest=option.ini,
            help=option.help + (" (repeatable)" if many else ""),
        )
        parser.addini(option.ini, option.help, type=option.ini_type, default=None)


def check(config: pytest.Config) -> None:
    """Raise `pytest.UsageError` for a value that Lambda would refuse.  Costs nothing where nothing
    is set.
    """
    for_functions, for_the_clock = (
        any(True for _ in _given(config)),
        any(True for _ in clock_options(config)),
    )
    if not for_functions and not for_the_clock:
        return
    from pytest_lambda_lifecycle.errors import ConfigError

    try:
        if for_functions:
            _check_settings(config)
        if for_the_clock:
            from pytest_lambda_lifecycle.plugin import clock_fixture

            clock_fixture.check(clock_options(config))
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error


def _check_settings(config: pytest.Config) -> None:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.function.settings import SettingsLayer

    FunctionConfig.resolve(SettingsLayer("", {"handler": "any.handler"}), *layers(config))
    code_dir_candidate(config)


def clock_options(config: pytest.Config) -> Iterator[tuple[str, object, str]]:
    """Yield what is set for ``lambda_clock``: name, value and source, lowest precedence first."""
    for option, on_command_line, value in _given(config, CLOCK_OPTIONS):
        yield option.setting, value, option.flag if on_command_line else _ini_source(config, option)


def header(config: pytest.Config) -> str | None:
    """Return the line of the report's head, if anything is set."""
    given = [
        f"{option.setting}={_shown(value)}"
        for option, _, value in _given(config, (*OPTIONS, *CLOCK_OPTIONS))
    ]
    return f"lambda_lifecycle: {', '.join(given)}" if given else None


def layers(config: pytest.Config) -> list[SettingsLayer]:
    """What the ini file and the command line say, lowest precedence first."""
    found = config.stash.get(_layers_key, None)
    if found is None:
        config.stash[_layers_key] = found = list(_read(config))
    return found


def code_dir_candidate(config: pytest.Config) -> tuple[Path, str] | None:
    """Return the directory of the ini option ``lambda_lifecycle_code_dir``: the first place to look
    for a handler.
    """
    value = _ini_value(config, OPTIONS[0])
    if value is None:
        return None
    from pytest_lambda_lifecycle.function.settings import validate

    source = _ini_source(config, OPTIONS[0])
    return cast("Path", validate("code_dir", value, source, _ini_directory(config))), source


def _given(
    config: pytest.Config, options: tuple[Option, ...] = OPTIONS
) -> Iterator[tuple[Option, bool, object]]:
    """Yield what is set: the option, whether by the command line, the value.  The ini file comes
    first.
    """
    for option in options:
        value = _ini_value(config, option)
        if value is not None:
            yield option, False, value
    for option in options:
        value = config.getoption(option.ini)
        if value is not None:
            yield option, True, value


def _read(config: pytest.Config) -> Iterator[SettingsLayer]:
    from pytest_lambda_lifecycle.function.settings import SettingsLayer

    for option, on_command_line, value in _given(config):
        if on_command_line:
            source, directory = option.flag, config.invocation_params.dir
        elif option.setting == "code_dir":
            continue  # not a setting but a place to look first: see `code_dir_candidate`
        else:
            source, directory = _ini_source(config, option), _ini_directory(config)
        yield SettingsLayer(source, {option.setting: _parsed(option, value, source)}, directory)


def _ini_value(config: pytest.Config, option: Option) -> object:
    try:
        return config.getini(option.ini)
    except (TypeError, ValueError, pytest.UsageError) as error:
        from pytest_lambda_lifecycle.function.settings import RANGES

        low, high, _, units = RANGES.get(option.setting, ("", "", "", ""))
        takes = (
            f"; it takes a whole number of {units}, {low}..{high}"
            if units
            else _TAKES.get(option.setting, "")
        )
        raise pytest.UsageError(f"{_ini_source(config, option)}: {error}{takes}") from error


def _ini_source(config: pytest.Config, option: Option) -> str:
    if any(entry.startswith(f"{option.ini}=") for entry in config.getoption("override_ini") or ()):
        return f"ini option {option.ini} given with -o"
    return f"ini option {option.ini} in {config.inipath.name if config.inipath else 'no file'}"


def _ini_directory(config: pytest.Config) -> Path:
    return config.inipath.parent if config.inipath else config.rootpath


def _parsed(option: Option, value: object, source: str) -> object:
    """Turn text into the setting's type where it can be; what cannot be is refused with the
    setting's own message.
    """
    if option.setting in _SPANS:
        text = str(value).strip()
        try:
            return None if text.lower() == "none" else float(text)
        except ValueError:
            return value
    if option.setting in _NUMBERS:
        text = str(value).strip()
        return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else value
    if option.setting == "environment":
        return dict(_pair(entry, source) for entry in cast("Iterable[str]", value))
    return value


def _pair(entry: str, source: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not equals:
        from pytest_lambda_lifecycle.errors import ConfigError

        raise ConfigError(f"environment: {entry!r} is not of the form NAME=VALUE (from {source})")
    return name.strip(), value.strip()


def _shown(value: object) -> str:
    return (
        ",".join(map(str, cast("Iterable[object]", value)))
        if isinstance(value, list)
        else str(value)
    )
