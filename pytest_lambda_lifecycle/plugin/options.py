"""The ini options and the command line: settings for a whole suite.

pytest loads this module in every run, so it imports nothing of the package before an option is
set.  That is why `OPTIONS` repeats the table of settings instead of reading it: ``python
docs/generate.py`` writes the rows, and a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lambda_lifecycle.function.kinds import IniType
    from pytest_lambda_lifecycle.function.settings import SettingsLayer

__all__ = [
    "check",
    "clock_options",
    "code_dir_candidate",
    "header",
    "layers",
    "register",
]


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

    @property
    def many(self) -> bool:
        """Whether it takes several values."""
        return self.ini_type in ("paths", "args", "linelist")


# <generated: options>
OPTIONS: Final = (
    Option("handler", "HANDLER", "function to invoke, named as on Lambda"),
    Option(
        "code_dir",
        "DIR",
        "directory that holds the function's code, as /var/task does (default: where the "
        "handler's module lies)",
    ),
    Option(
        "layers",
        "DIR",
        "unpacked layers, whose content would be in /opt: directories, at most 5",
        "paths",
    ),
    Option(
        "environment",
        "NAME=VALUE",
        "environment variables of the function, merged key by key over those of lower precedence",
        "linelist",
    ),
    Option("timeout", "SECONDS", "time that an invoke may take: 1..1800 (default: 3)", "int"),
    Option(
        "memory_size",
        "MB",
        "memory that the function's context and REPORT line show: 128..10240 (default: 128)",
        "int",
    ),
    Option("ephemeral_storage", "MB", "declared size of /tmp: 512..10240 (default: 512)", "int"),
    Option(
        "filesystem",
        "MODE",
        "treatment of function code that changes files outside /tmp: read-only, report or open "
        "(default: read-only)",
    ),
    Option("region", "REGION", "AWS region of the function (default: us-east-1)"),
    Option("account_id", "ID", "AWS account of the function: 12 digits (default: 123456789012)"),
    Option(
        "runtime",
        "ID",
        "runtime that the function's variables name, whatever interpreter runs it: "
        "python3.10..python3.15 (default: that of the running interpreter)",
    ),
    Option("extensions", "FILE", "extensions that run beside the function: executables", "paths"),
    Option("log_format", "FORMAT", "format of the function's log: Text or JSON (default: Text)"),
    Option(
        "application_log_level",
        "LEVEL",
        "lowest level that the function logs: TRACE, DEBUG, INFO, WARN, ERROR or FATAL (default: "
        "INFO with JSON, Python's WARNING with Text)",
    ),
    Option(
        "idle_timeout",
        "SECONDS",
        "idleness after which the environment spins down (default: never)",
        "float",
    ),
    Option(
        "max_lifetime",
        "SECONDS",
        "age after which the next invoke recycles the environment (default: never)",
        "float",
    ),
    Option(
        "fresh_packages",
        "NAME",
        "shared packages that each cold start imports afresh: import names, *, or no:NAME",
        "args",
    ),
    Option(
        "bundled",
        "NAME",
        "code outside the task root that the build copies into the function: import names such as "
        "common, or directories",
        "args",
    ),
    Option(
        "foreign_imports",
        "MODE",
        "treatment of imports of code that is not deployed with the function: error, warn or "
        "allow (default: error)",
    ),
    Option(
        "max_init_ms",
        "MS",
        "longest time that an Init may take in a test (default: no limit)",
        "float",
    ),
    Option(
        "max_duration_ms",
        "MS",
        "longest time that an invoke may take in a test (default: no limit)",
        "float",
    ),
    Option(
        "max_http_calls",
        "COUNT",
        "most HTTP requests that an invoke may make in a test: 0 or more (default: no limit)",
        "int",
    ),
    Option(
        "max_aws_calls",
        "COUNT",
        "most AWS calls that an invoke may make in a test: 0 or more (default: no limit)",
        "int",
    ),
    Option(
        "seed",
        "NUMBER",
        "seed from which each process of the function gets its random numbers of random: 0 or "
        "more (default: another one in each run)",
        "int",
    ),
    Option(
        "network",
        "MODE",
        "treatment of function code that reaches out to the network: block, strict, warn or allow "
        "(default: block)",
    ),
    Option(
        "network_allow",
        "HOST",
        "hosts that function code may reach although the network is closed: names, wildcards such "
        "as *.example.com, addresses, CIDR ranges",
        "args",
    ),
    Option(
        "audit",
        "BOOL",
        "whether the state that each invoke changes is recorded: true or false (default: False)",
        "bool",
    ),
    Option(
        "allowed_state",
        "PATH",
        "state that invokes may change for later ones, such as a cache: one in each line",
        "linelist",
    ),
)
# </generated: options>

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
        "float",
    ),
)
"""Settings of the fixture ``lambda_clock``, not of a function."""
_TAKES: Final = {
    "section": "short, full or off",
    "report": "paths that end in .html or .md",
    "trace": "paths that end in .json",
    "trace_time": "virtual or real",
    "clock_start": "text such as '2030-01-31T12:00:00Z'",
    "watchdog": "a number of seconds above 0",
    "cold": "true or false",
    "warm": "a whole number",
}

SECTION: Final = Option(
    "section",
    "EXTENT",
    "the section on Lambda environments in the report of a failed test: short, full or off "
    "(default: short, longer with -v, full with -vv)",
)
"""A setting of the report."""

COLD: Final = Option("cold", "", "each invoke runs in a fresh environment", "bool")
WARM: Final = Option(
    "warm", "N", "the first event of each test is sent N times before, which it does not see", "int"
)
CHAOS: Final = Option(
    "chaos",
    "SEED",
    "resets, recycles and idle hours at random points between invokes; the seed repeats them "
    "(default: another one in each run)",
)
MODES: Final = (COLD, WARM, CHAOS)
"""Modes of the whole suite; ``@pytest.mark.lambda_lifecycle_exact`` keeps a test out of them."""

REPORT: Final = Option(
    "report",
    "PATH",
    "a report of the run with its timelines: a page for a browser (.html), or Markdown (.md, and "
    "the file that GITHUB_STEP_SUMMARY names, to which it is added)",
    "paths",
)
TRACE: Final = Option(
    "trace",
    "PATH",
    "the run in Chrome's trace event format, for Perfetto and speedscope (.json)",
    "paths",
)
REPORTS: Final = (REPORT, TRACE)
"""Files that are written at the end of the run."""
TRACE_TIME: Final = Option(
    "trace_time",
    "TIME",
    "the time of the trace in tests with lambda_clock: virtual or real (default: virtual)",
)
ORDINARY: Final = (*OPTIONS, *CLOCK_OPTIONS, SECTION, *REPORTS, TRACE_TIME)
"""All options but the modes, which argparse reads in ways of their own."""

_layers_key: Final[pytest.StashKey[list[SettingsLayer]]] = pytest.StashKey()
"""On the config: the settings that `layers` has read."""


def register(parser: pytest.Parser) -> None:
    """Add the options to pytest's parser."""
    group = parser.getgroup("lambda_lifecycle", "AWS Lambda lifecycle")
    # pytest 8.4 brought ini options that are numbers; before, numbers are read from text.
    typed = pytest.version_tuple >= (8, 4)
    for option in ORDINARY:
        group.addoption(
            option.flag,
            action="append" if option.many else "store",
            default=None,  # so that "not given" is visible
            metavar=option.metavar,
            dest=option.ini,
            help=option.help + (" (repeatable)" if option.many else ""),
        )
        _add_ini(parser, option, typed=typed)
    # argparse's own ways: a flag, and a value that may be left out.
    group.addoption(COLD.flag, action="store_true", default=None, dest=COLD.ini, help=COLD.help)
    group.addoption(WARM.flag, default=None, metavar="N", dest=WARM.ini, help=WARM.help)
    group.addoption(
        CHAOS.flag,
        nargs="?",
        const="random",
        default=None,
        metavar="SEED",
        dest=CHAOS.ini,
        help=CHAOS.help,
    )
    for option in MODES:
        _add_ini(parser, option, typed=typed)


def _add_ini(parser: pytest.Parser, option: Option, *, typed: bool) -> None:
    ini_type = option.ini_type
    if not (typed or option.many or ini_type == "bool"):
        ini_type = "string"
    parser.addini(option.ini, option.help, type=ini_type, default=None)


def check(config: pytest.Config) -> None:
    """Raise `pytest.UsageError` for a value that Lambda would refuse.

    It costs nothing where nothing is set.
    """
    for_functions = any(True for _ in given(config, OPTIONS))
    for_the_clock = any(True for _ in clock_options(config))
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

    FunctionConfig._resolve(SettingsLayer("", {"handler": "any.handler"}), *layers(config))
    code_dir_candidate(config)


def header(config: pytest.Config, modes: Iterable[str]) -> str | None:
    """Return the line for the header of pytest's report; None if nothing is set.

    ``modes`` are those of the whole suite, with the seed that was chosen.
    """
    shown = [f"{option.setting}={_shown(value)}" for option, _, value in given(config, ORDINARY)]
    shown += modes
    return f"lambda_lifecycle: {', '.join(shown)}" if shown else None


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, cast("list[object]", value)))
    return str(value)


def clock_options(config: pytest.Config) -> Iterator[tuple[str, object, str]]:
    """Yield the values for ``lambda_clock``: name, value and source, lowest precedence first."""
    for option, on_command_line, value in given(config, CLOCK_OPTIONS):
        yield option.setting, value, option.flag if on_command_line else ini_source(config, option)


def layers(config: pytest.Config) -> list[SettingsLayer]:
    """Return the settings of the ini file and the command line, lowest precedence first."""
    found = config.stash.get(_layers_key, None)
    if found is None:
        config.stash[_layers_key] = found = list(_read(config))
    return found


def code_dir_candidate(config: pytest.Config) -> tuple[Path, str] | None:
    """Return the directory of the ini option ``lambda_lifecycle_code_dir``, and its source.

    It is the first place where handlers are looked for.
    """
    (option,) = (option for option in OPTIONS if option.setting == "code_dir")
    value = _ini_value(config, option)
    if value is None:
        return None
    from pytest_lambda_lifecycle.function.settings import validate

    source = ini_source(config, option)
    return cast("Path", validate("code_dir", value, source, ini_directory(config))), source


def given(
    config: pytest.Config, options: Iterable[Option]
) -> Iterator[tuple[Option, bool, object]]:
    """Yield each option that is set, whether the command line set it, and its value.

    The ini file comes first.
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
    from pytest_lambda_lifecycle.function.settings import SETTINGS, SettingsLayer

    for option, on_command_line, text in given(config, OPTIONS):
        if on_command_line:
            source = option.flag
            directory = config.invocation_params.dir
        elif option.setting == "code_dir":
            continue  # no setting in the ini file but a place to look first: `code_dir_candidate`
        else:
            source = ini_source(config, option)
            directory = ini_directory(config)
        value = SETTINGS[option.setting].kind.read(text, source)
        yield SettingsLayer(source, {option.setting: value}, directory)


def _ini_value(config: pytest.Config, option: Option) -> object:
    try:
        return config.getini(option.ini)
    except (TypeError, ValueError, pytest.UsageError) as error:
        source = ini_source(config, option)
        raise pytest.UsageError(f"{source}: {error}; it takes {_takes(option)}") from error


def _takes(option: Option) -> str:
    """Return the values of an option, in words."""
    from pytest_lambda_lifecycle.function.settings import SETTINGS

    if option.setting in SETTINGS:
        return SETTINGS[option.setting].kind.takes
    return _TAKES[option.setting]


def ini_source(config: pytest.Config, option: Option) -> str:
    """Return the ini file, or the override of it, in words."""
    if any(entry.startswith(f"{option.ini}=") for entry in config.getoption("override_ini") or ()):
        return f"ini option {option.ini} given with -o"
    return f"ini option {option.ini} in {config.inipath.name if config.inipath else 'no file'}"


def ini_directory(config: pytest.Config) -> Path:
    return config.inipath.parent if config.inipath else config.rootpath
