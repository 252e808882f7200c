"""The settings of a function: one table, and the sources that give values.

The options of the ini file and the command line, the checks of values and the tables of the
documentation are made from `SETTINGS`.  To add a setting, write

1. a row of `SETTINGS`, with the kind of its values, its default and its help;
2. a field of `FunctionSettings`, in ``setting_types.py``, for type checkers; its docstring repeats
   the row, for editors;
3. a field of `FunctionConfig`, in ``config.py``, with the type of the value that is kept.

Then run ``python docs/generate.py``: it writes the option into ``plugin/options.py`` and the rows
of ``docs/reference.md``.  Tests fail until all of these agree.

Ranges and patterns are those of the Developer Guide ("Lambda quotas", "Configuring environment
variables") and of the API reference (``CreateFunction``).  The timeout of 1,800 s is that of
2026-11-19 (botocore 1.44.7, Lambda's model); the 5,400 s there are for asynchronous and event
source invokes of Managed Instances, which this package does not simulate.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, get_args

from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.function.budget_kinds import Count, Milliseconds, Targets
from pytest_lambda_lifecycle.function.hosts import Hosts
from pytest_lambda_lifecycle.function.kinds import (
    Choice,
    Given,
    Handler,
    Kind,
    Packages,
    Seconds,
    Text,
    Variables,
    WholeNumber,
)
from pytest_lambda_lifecycle.function.path_kinds import Bundled, Directory, Extensions, Layers
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
from pytest_lambda_lifecycle.function.state_kinds import StatePaths, Switch

__all__ = [
    "SETTINGS",
    "FunctionSettings",
    "Setting",
    "Settings",
    "SettingsLayer",
    "refuse_unknown",
    "setting_names",
    "validate",
]

MAX_ENVIRONMENT_BYTES: Final = 4096
_OLDEST: Final = 10
_NEWEST: Final = 15
_RUNTIMES: Final = [f"python3.{minor}" for minor in range(_OLDEST, _NEWEST + 1)]


class Setting(NamedTuple):
    """A row of the table: all that there is to know about a setting, but for its static types."""

    kind: Kind
    """The values that it takes."""
    default: object
    """The value that counts where no source gives one."""
    help: str
    """One line, which begins in lower case and has no full stop."""
    metavar: str = ""
    """The name of a value in the command line's help.

    ``""`` for a setting that makes no sense for a whole suite: it is no option.
    """
    computed: str = ""
    """The default in words, where it depends on the machine."""

    @property
    def description(self) -> str:
        """The setting in one sentence, with the values that it takes."""
        none = f", or None: {self.kind.none}" if self.kind.none else ""
        return f"{self.help[0].upper()}{self.help[1:]}: {self.kind.takes}{none}."

    @property
    def default_in_words(self) -> str:
        """The default as text, without quotes; ``""`` where there is none."""
        if self.computed or self.default is None:
            return self.computed or self.kind.none
        return str(self.default) if isinstance(self.default, str | int) else ""


def _running_runtime() -> str:
    """Return the identifier of the running interpreter, or of the nearest one that Lambda has."""
    minor = min(max(sys.version_info.minor, _OLDEST), _NEWEST)
    return f"python3.{minor}"


SETTINGS: Final[Mapping[str, Setting]] = {
    "handler": Setting(Handler(), None, "function to invoke, named as on Lambda", "HANDLER"),
    "code_dir": Setting(
        Directory(), None, "directory that holds the function's code, as /var/task does", "DIR"
    ),
    "layers": Setting(Layers(most=5), (), "unpacked layers, whose content would be in /opt", "DIR"),
    "environment": Setting(
        Variables(MAX_ENVIRONMENT_BYTES),
        {},
        "environment variables of the function, merged key by key over those of lower precedence",
        "NAME=VALUE",
    ),
    "timeout": Setting(
        WholeNumber(1, 1_800, "s", "seconds"), 3, "time that an invoke may take", "SECONDS"
    ),
    "memory_size": Setting(
        WholeNumber(128, 10_240, "MB", "MB"),
        128,
        "memory that the function's context and REPORT line show",
        "MB",
    ),
    "ephemeral_storage": Setting(
        WholeNumber(512, 10_240, "MB", "MB"), 512, "declared size of /tmp", "MB"
    ),
    "filesystem": Setting(
        Choice(*get_args(FileSystem)),
        "read-only",
        "treatment of function code that changes files outside /tmp",
        "MODE",
    ),
    "function_name": Setting(
        Text(r"[A-Za-z0-9_-]{1,64}", "1..64 letters, digits, '-' and '_'"),
        "function",
        "name of the function, in its ARN, log group and context",
    ),
    "function_version": Setting(
        Text(
            r"\$LATEST|[0-9]{1,20}", "'$LATEST' or the number of a published version, such as '1'"
        ),
        "$LATEST",
        "version of the function",
    ),
    "region": Setting(
        Text(r"[a-z]{2,}(-[a-z]+)+-[0-9]+", "the name of a region, such as 'eu-west-1'"),
        "us-east-1",
        "AWS region of the function",
        "REGION",
    ),
    "account_id": Setting(
        Text(r"[0-9]{12}", "a string of 12 digits", limits="12 digits"),
        "123456789012",
        "AWS account of the function",
        "ID",
    ),
    "runtime": Setting(
        Choice(*_RUNTIMES, limits=f"{_RUNTIMES[0]}..{_RUNTIMES[-1]}"),
        _running_runtime(),
        "runtime that the function's variables name, whatever interpreter runs it",
        "ID",
        computed="that of the running interpreter",
    ),
    "initialization_type": Setting(
        Choice(*get_args(InitializationType)),
        "on-demand",
        "way in which Lambda initializes the environment",
    ),
    "extensions": Setting(Extensions(), (), "extensions that run beside the function", "FILE"),
    "log_format": Setting(
        Choice(*get_args(LogFormat)), "Text", "format of the function's log", "FORMAT"
    ),
    "application_log_level": Setting(
        Choice(
            *get_args(LogLevel),
            none="INFO with JSON, Python's WARNING with Text",
            synonyms={"WARNING": "WARN", "CRITICAL": "FATAL"},
        ),
        None,
        "lowest level that the function logs",
        "LEVEL",
    ),
    "idle_timeout": Setting(
        Seconds(), None, "idleness after which the environment spins down", "SECONDS"
    ),
    "max_lifetime": Setting(
        Seconds(), None, "age after which the next invoke recycles the environment", "SECONDS"
    ),
    "fresh_packages": Setting(
        Packages(), (), "shared packages that each cold start imports afresh", "NAME"
    ),
    "bundled": Setting(
        Bundled(),
        (),
        "code outside the task root that the build copies into the function",
        "NAME",
    ),
    "foreign_imports": Setting(
        Choice(*get_args(ForeignImports)),
        "error",
        "treatment of imports of code that is not deployed with the function",
        "MODE",
    ),
    "init_only": Setting(Targets(), (), "targets that init calls and no invoke may call"),
    "max_init_ms": Setting(
        Milliseconds(), None, "longest time that an Init may take in a test", "MS"
    ),
    "max_duration_ms": Setting(
        Milliseconds(), None, "longest time that an invoke may take in a test", "MS"
    ),
    "max_http_calls": Setting(
        Count(), None, "most HTTP requests that an invoke may make in a test", "COUNT"
    ),
    "max_aws_calls": Setting(
        Count(), None, "most AWS calls that an invoke may make in a test", "COUNT"
    ),
    "seed": Setting(
        Count(none="another one in each run"),
        None,
        "seed from which each process of the function gets its random numbers of random",
        "NUMBER",
    ),
    "network": Setting(
        Choice(*get_args(NetworkMode)),
        "block",
        "treatment of function code that reaches out to the network",
        "MODE",
    ),
    "network_allow": Setting(
        Hosts(), (), "hosts that function code may reach although the network is closed", "HOST"
    ),
    "audit": Setting(
        Switch(), False, "whether the state that each invoke changes is recorded", "BOOL"
    ),
    "allowed_state": Setting(
        StatePaths(), (), "state that invokes may change for later ones, such as a cache", "PATH"
    ),
}
"""The settings by name, in the order of the documentation."""


@dataclass(frozen=True, slots=True)
class SettingsLayer:
    """The values that one source gives for settings."""

    source: str
    """For messages: "the marker at tests/test_x.py:12"."""
    values: Mapping[str, object]
    directory: Path | None = None
    """Where relative paths among the values start; None = the current directory."""


def setting_names() -> tuple[str, ...]:
    """Return the names of all settings, in alphabetical order."""
    return tuple(sorted(SETTINGS))


def validate(name: str, value: object, source: str, directory: Path | None = None) -> object:
    """Return the value as `FunctionConfig` keeps it, or raise `ConfigError`."""
    return SETTINGS[name].kind.check(Given(name, value, source, directory))


def refuse_unknown(name: object, source: str) -> NoReturn:
    """Raise the error for a setting that does not exist."""
    __tracebackhide__ = True
    import difflib

    names = setting_names()
    asked = str(name).lower().replace("-", "_")
    near = difflib.get_close_matches(asked, names, n=1)
    if not near:
        near = [known for known in names if known.startswith(asked[:3])][:1]
    hint = f": did you mean {near[0]!r}?" if near else "."
    raise ConfigError(
        f"unknown setting {name!r}{hint} (from {source})",
        f"The settings are: {', '.join(names)}.",
        code="LLC201",
    )
