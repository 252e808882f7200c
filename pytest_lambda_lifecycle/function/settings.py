"""The settings of a function: their names, the values that Lambda accepts, and where a value came
from.

Ranges and patterns are those of the Developer Guide ("Lambda quotas", "Configuring environment
variables") and of the API reference (``CreateFunction``).
"""

from __future__ import annotations

import math
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NoReturn, TypeAlias, TypedDict, cast

from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.function.extension import Extension, check_extension, extension_name

if TYPE_CHECKING:
    StrPath: TypeAlias = str | os.PathLike[str]

__all__ = [
    "FunctionSettings",
    "Settings",
    "SettingsLayer",
    "running_runtime",
    "setting_names",
    "validate",
]

InitializationType: TypeAlias = Literal["on-demand", "provisioned-concurrency", "snap-start"]
LogFormat: TypeAlias = Literal["Text", "JSON"]
LogLevel: TypeAlias = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


class FunctionSettings(TypedDict, total=False):
    """Every setting but the handler, which is also the first positional argument wherever settings
    are given.
    """

    code_dir: StrPath | None
    """The task root: the directory whose content would be in ``/var/task``.  None = search for the
    handler's module.
    """
    layers: Sequence[StrPath]
    """Unpacked layers, at most 5: directories whose content would be in ``/opt``."""
    environment: Mapping[str, str]
    """Environment variables of the function.  Merged key by key over those of the sources with
    lower precedence.
    """
    timeout: int
    """Seconds, 1..900."""
    memory_size: int
    """MB, 128..10240."""
    ephemeral_storage: int
    """Size of ``/tmp`` in MB, 512..10240."""
    function_name: str
    function_version: str
    """``"$LATEST"``, or the number of a published version."""
    region: str
    account_id: str
    """Twelve digits."""
    runtime: str
    """``"python3.10"`` .. ``"python3.15"``: what the function is told; the interpreter is always
    the running one.
    """
    initialization_type: InitializationType
    extensions: Sequence[Extension | type[Extension] | StrPath]
    """Extensions: `Extension` objects or classes, which run in this process, or the paths of
    executables.
    """
    log_format: LogFormat
    application_log_level: LogLevel | None
    idle_timeout: float | None
    """Seconds of idleness after which the environment spins down; None = never (Lambda does not
    document it).
    """
    max_lifetime: float | None
    """Seconds after which the environment is recycled at the next invoke; None = never (Lambda:
    "every few hours").
    """
    fresh_packages: Sequence[str]
    """Import names of shared packages that each cold start imports afresh; ``"*"`` = every
    pure-Python one.
    """


class Settings(FunctionSettings, total=False):
    """Every setting, as a keyword of the fixture's call, of the marker and of `FunctionConfig`."""

    handler: str | None
    """``"package/module.function"``, as on Lambda."""


@dataclass(frozen=True, slots=True)
class SettingsLayer:
    """What one source says about the settings."""

    source: str
    """For messages: "the marker at tests/test_x.py:12"."""
    values: Mapping[str, object]
    directory: Path | None = None
    """Where relative paths among the values start; None = the current directory."""


RANGES: Final = {
    "timeout": (1, 900, "s", "seconds"),
    "memory_size": (128, 10_240, "MB", "MB"),
    "ephemeral_storage": (512, 10_240, "MB", "MB"),
}
RUNTIMES: Final = tuple(f"python3.{minor}" for minor in range(10, 16))
CHOICES: Final = {
    "runtime": RUNTIMES,
    "initialization_type": ("on-demand", "provisioned-concurrency", "snap-start"),
    "log_format": ("Text", "JSON"),
    "application_log_level": ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"),
}
PATTERNS: Final = {
    "function_name": (r"[A-Za-z0-9_-]{1,64}", "1..64 letters, digits, '-' and '_'"),
    "function_version": (
        r"\$LATEST|[0-9]{1,20}",
        "'$LATEST' or the number of a published version, such as '1'",
    ),
    "region": (r"[a-z]{2,}(-[a-z]+)+-[0-9]+", "the name of a region, such as 'eu-west-1'"),
    "account_id": (r"[0-9]{12}", "a string of 12 digits"),
}
SPANS: Final = frozenset({"idle_timeout", "max_lifetime"})
MAX_LAYERS: Final = 5
MAX_ENVIRONMENT_BYTES: Final = 4096
# Developer Guide, "Configuring environment variables", "Defined runtime environment variables",
# reserved.
RESERVED_VARIABLES: Final = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
    }
)
_SETTING_OF_VARIABLE: Final = {
    "_HANDLER": "handler",
    "AWS_DEFAULT_REGION": "region",
    "AWS_REGION": "region",
    "AWS_EXECUTION_ENV": "runtime",
    "AWS_LAMBDA_FUNCTION_NAME": "function_name",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "memory_size",
    "AWS_LAMBDA_FUNCTION_VERSION": "function_version",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "initialization_type",
    "AWS_LAMBDA_LOG_GROUP_NAME": "function_name",
    "LAMBDA_TASK_ROOT": "code_dir",
}


def setting_names() -> tuple[str, ...]:
    """Every setting, in alphabetical order."""
    return tuple(sorted(Settings.__annotations__))


def running_runtime() -> str:
    """The identifier of the interpreter that runs this process, or the nearest one that Lambda
    has.
    """
    minor = min(max(sys.version_info.minor, 10), 15)
    return f"python3.{minor}"


def validate(name: str, value: object, source: str, directory: Path | None = None) -> object:
    """Return the value as `FunctionConfig` keeps it, or raise `ConfigError`."""
    if name in RANGES:
        return _whole_number(name, value, source)
    if name in CHOICES:
        return _choice(name, value, source)
    if name in SPANS:
        return _span(name, value, source)
    if name in PATTERNS:
        return _matching(name, value, source)
    return _CHECKS[name](value, source, directory)


def refuse_unknown(name: object, source: str) -> NoReturn:
    """Raise the error for a setting that does not exist."""
    __tracebackhide__ = True
    import difflib

    names = setting_names()
    asked = str(name).lower().replace("-", "_")
    near = (
        difflib.get_close_matches(asked, names, n=1)
        or [n for n in names if n.startswith(asked[:3])][:1]
    )
    hint = f": did you mean {near[0]!r}?" if near else "."
    raise ConfigError(
        f"unknown setting {name!r}{hint} (from {source})\nThe settings are: {', '.join(names)}."
    )


def _whole_number(name: str, value: object, source: str) -> int:
    low, high, unit, units = RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int):
        hint = (
            f", written {name}={value.strip()}"
            if isinstance(value, str) and value.strip().isdecimal()
            else ""
        )
        raise ConfigError(
            f"{name}={value!r} is of type {type(value).__name__}: Lambda takes a whole number of {units}, "
            f"{low}..{high}{hint} (from {source})"
        )
    if not low <= value <= high:
        raise ConfigError(
            f"{name}={value} {unit} is outside Lambda's range {low}..{high} {unit} (from {source})"
        )
    return value


def _span(name: str, value: object, source: str) -> float | None:
    if value is None:
        return None
    number = (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    )
    if not (math.isfinite(number) and number > 0):
        raise ConfigError(
            f"{name}={value!r} has to be a number of seconds above 0, or None for never (from {source})"
        )
    return number


def _choice(name: str, value: object, source: str) -> object:
    allowed = CHOICES[name]
    if value in allowed or (value is None and name == "application_log_level"):
        return value
    hint = ""
    if isinstance(value, str):
        near = [a for a in allowed if a.lower() == value.strip().lower()]
        near += {"WARNING": ["WARN"], "CRITICAL": ["FATAL"]}.get(value.upper(), [])
        hint = f": did you mean {near[0]!r}?" if near else ""
    raise ConfigError(
        f"{name}={value!r} is not one of {', '.join(map(repr, allowed))}{hint} (from {source})"
    )


def _matching(name: str, value: object, source: str) -> object:
    pattern, meaning = PATTERNS[name]
    if isinstance(value, str) and re.fullmatch(pattern, value):
        return value
    kind = "" if isinstance(value, str) else f" is of type {type(value).__name__}; it"
    raise ConfigError(f"{name}={value!r}{kind} has to be {meaning} (from {source})")


def _handler(value: object, source: str, directory: Path | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    # A function object is the common slip: the handler has to be imported by init, so only its name
    # can be given.
    name = getattr(value, "__qualname__", None)
    hint = f": give its name, {value.__module__}.{name}" if name else ""
    raise ConfigError(
        f"handler={value!r} is of type {type(value).__name__}; it has to be a string such as 'app.handler'{hint} "
        f"(from {source})"
    )


def _directory(name: str, value: object, source: str, directory: Path | None) -> Path:
    if not value or not isinstance(value, str | os.PathLike):
        raise ConfigError(f"{name}={value!r} has to be the path of a directory (from {source})")
    given = os.fspath(cast("StrPath", value))
    path = _absolute(given, directory)
    problem = _problem_with(path)
    if not problem:
        return path
    resolved = "" if given == str(path) else f" = {path}"
    raise ConfigError(f"{name}={given!r}{resolved} {problem} (from {source})")


def _problem_with(path: Path) -> str:
    """Say why a path is no directory that can be used, or nothing."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return "does not exist"
    except OSError as error:
        return f"cannot be reached: {error.strerror}"
    if not stat.S_ISDIR(mode):
        unpack = "; unpack the archive and give the directory" if path.suffix == ".zip" else ""
        return f"is a file, not a directory{unpack}"
    return (
        ""
        if os.access(path, os.R_OK | os.X_OK)
        else "cannot be read: this user lacks the permission"
    )


def _code_dir(value: object, source: str, directory: Path | None) -> Path | None:
    return None if value is None else _directory("code_dir", value, source, directory)


def _layers(value: object, source: str, directory: Path | None) -> tuple[Path, ...]:
    entries = _sequence("layers", value, source, "directories")
    if len(entries) > MAX_LAYERS:
        raise ConfigError(
            f"{len(entries)} layers are more than Lambda's maximum of {MAX_LAYERS} (from {source})"
        )
    return tuple(
        _directory(f"layers[{i}]", entry, source, directory) for i, entry in enumerate(entries)
    )


def _extensions(
    value: object, source: str, directory: Path | None
) -> tuple[Extension | type[Extension] | Path, ...]:
    found: dict[str, Extension | type[Extension] | Path] = {}
    for i, entry in enumerate(
        _sequence("extensions", value, source, "Extension objects, or paths of executables")
    ):
        checked = _extension(f"extensions[{i}]", entry, source, directory)
        name = checked.name if isinstance(checked, Path) else extension_name(checked)
        if name in found:
            raise ConfigError(
                f"extensions: two are called {name!r}, and each has to register by its name (from {source})"
            )
        found[name] = checked
    return tuple(found.values())


def _extension(
    name: str, entry: object, source: str, directory: Path | None
) -> Extension | type[Extension] | Path:
    if isinstance(entry, Extension) or (isinstance(entry, type) and issubclass(entry, Extension)):
        problem = check_extension(entry)
        if problem:
            raise ConfigError(f"{name}={entry!r}: {problem} (from {source})")
        return entry
    if not entry or not isinstance(entry, str | os.PathLike):
        raise ConfigError(
            f"{name}={entry!r} has to be an Extension object or class, or the path of an executable (from {source})"
        )
    path = _absolute(cast("StrPath", entry), directory)
    if not os.path.isfile(path):
        problem = (
            "is a directory, not an executable" if os.path.isdir(path) else _problem_with(path)
        )
        raise ConfigError(
            f"{name}={os.fspath(cast('StrPath', entry))!r} = {path} {problem} (from {source})"
        )
    return path


def _absolute(given: StrPath, directory: Path | None) -> Path:
    return Path(
        os.path.abspath(Path(directory or Path.cwd(), os.path.expanduser(os.fspath(given))))
    )


def _fresh_packages(value: object, source: str, directory: Path | None) -> tuple[str, ...]:
    if value == "*":
        return ("*",)
    names = _sequence("fresh_packages", value, source, "package names, or '*'")
    for name in names:
        if isinstance(name, str) and (
            name == "*" or all(part.isidentifier() for part in name.split("."))
        ):
            continue
        guess = re.sub(r"[^A-Za-z0-9_.]", "_", str(name))
        hint = f": did you mean {guess!r}?" if guess != name and guess.isidentifier() else ""
        raise ConfigError(
            f"fresh_packages has {name!r}, which is no import name{hint} (from {source})"
        )
    return tuple(str(name) for name in names)


def _sequence(name: str, value: object, source: str, what: str) -> Sequence[object]:
    scalar = isinstance(value, str | os.PathLike)
    if isinstance(value, Iterable) and not scalar and not isinstance(value, bytes | Mapping):
        return list(cast("Iterable[object]", value))
    hint = f", as in {name}=[{str(cast('StrPath', value))!r}]" if scalar else ""
    raise ConfigError(f"{name}={value!r} has to be a list of {what}{hint} (from {source})")


def _environment(value: object, source: str, directory: Path | None) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"environment={value!r} has to be a mapping of names to strings (from {source})"
        )
    pairs = cast("Mapping[object, object]", value).items()
    return {_variable_name(key, source): _variable_value(key, text, source) for key, text in pairs}


def _variable_name(key: object, source: str) -> str:
    if key in RESERVED_VARIABLES:
        setting = _SETTING_OF_VARIABLE.get(str(key))
        remedy = f"use the setting {setting}" if setting else "leave it out: Lambda sets it"
        raise ConfigError(f"environment: {key!r} is reserved by Lambda; {remedy} (from {source})")
    if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]+", key):
        raise ConfigError(
            f"environment: Lambda refuses the name {key!r}: a name starts with a letter, has at least two characters "
            f"and consists of letters, digits and '_' (from {source})"
        )
    return key


def _variable_value(key: object, value: object, source: str) -> str:
    if not isinstance(value, str):
        hint = "leave it out" if value is None else f"write {str(value)!r}"
        raise ConfigError(
            f"environment: the value of {key!r} is {value!r}, of type {type(value).__name__}; it has to be a string: "
            f"{hint} (from {source})"
        )
    if "\0" in value:
        raise ConfigError(
            f"environment: the value of {key!r} contains a null character (from {source})"
        )
    return value


_CHECKS: Final[Mapping[str, Callable[[object, str, Path | None], object]]] = {
    "handler": _handler,
    "code_dir": _code_dir,
    "layers": _layers,
    "environment": _environment,
    "extensions": _extensions,
    "fresh_packages": _fresh_packages,
}
