"""The static types of settings, which type checkers and editors read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

from pytest_lambda_lifecycle.function.extension import Extension

if TYPE_CHECKING:
    StrPath: TypeAlias = str | os.PathLike[str]

__all__ = [
    "FileSystem",
    "ForeignImports",
    "FunctionSettings",
    "InitializationType",
    "LogFormat",
    "LogLevel",
    "NetworkMode",
    "Settings",
]

InitializationType: TypeAlias = Literal["on-demand", "provisioned-concurrency", "snap-start"]
FileSystem: TypeAlias = Literal["read-only", "report", "open"]
ForeignImports: TypeAlias = Literal["error", "warn", "allow"]
LogFormat: TypeAlias = Literal["Text", "JSON"]
NetworkMode: TypeAlias = Literal["block", "strict", "warn", "allow"]
LogLevel: TypeAlias = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


class FunctionSettings(TypedDict, total=False):
    """Every setting but the handler, which is also the first positional argument of each call."""

    code_dir: StrPath | None
    """Directory that holds the function's code, as /var/task does: a path, or None: where the
    handler's module lies.
    """
    layers: Sequence[StrPath]
    """Unpacked layers, whose content would be in /opt: a list of directories, at most 5."""
    environment: Mapping[str, str | None]
    """Environment variables of the function, merged key by key over those of lower precedence: a
    mapping of names to strings, at most 4096 bytes; None takes a variable out.
    """
    timeout: int
    """Time that an invoke may take: a whole number of seconds, 1..1800."""
    memory_size: int
    """Memory that the function's context and REPORT line show: a whole number of MB, 128..10240."""
    ephemeral_storage: int
    """Declared size of /tmp: a whole number of MB, 512..10240."""
    filesystem: FileSystem
    """Treatment of function code that changes files outside /tmp: one of 'read-only', 'report',
    'open'.
    """
    function_name: str
    """Name of the function, in its ARN, log group and context: 1..64 letters, digits, '-' and
    '_'.
    """
    function_version: str
    """Version of the function: '$LATEST' or the number of a published version, such as '1'."""
    region: str
    """AWS region of the function: the name of a region, such as 'eu-west-1'."""
    account_id: str
    """AWS account of the function: a string of 12 digits."""
    runtime: str
    """Runtime that the function's variables name, whatever interpreter runs it: one of
    'python3.10', 'python3.11', 'python3.12', 'python3.13', 'python3.14', 'python3.15'.
    """
    initialization_type: InitializationType
    """Way in which Lambda initializes the environment: one of 'on-demand',
    'provisioned-concurrency', 'snap-start'.
    """
    extensions: Sequence[Extension | type[Extension] | StrPath]
    """Extensions that run beside the function: a list of Extension objects or classes, and paths of
    executables.
    """
    log_format: LogFormat
    """Format of the function's log: one of 'Text', 'JSON'."""
    application_log_level: LogLevel | None
    """Lowest level that the function logs: one of 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR',
    'FATAL', or None: INFO with JSON, Python's WARNING with Text.
    """
    idle_timeout: float | None
    """Idleness after which the environment spins down: a number of seconds above 0, or None:
    never.
    """
    max_lifetime: float | None
    """Age after which the next invoke recycles the environment: a number of seconds above 0, or
    None: never.
    """
    fresh_packages: Sequence[str]
    """Shared packages that each cold start imports afresh: a list of import names, '*' for every
    pure-Python package, 'no:NAME' for none of it.
    """
    bundled: Sequence[StrPath]
    """Code outside the task root that the build copies into the function: a list of import names
    such as 'common', and of directories.
    """
    foreign_imports: ForeignImports
    """Treatment of imports of code that is not deployed with the function: one of 'error', 'warn',
    'allow'.
    """
    init_only: Sequence[str]
    """Targets that init calls and no invoke may call: a list of dotted names such as
    'shop.config.load' or 'boto3.client'.
    """
    max_init_ms: float | None
    """Longest time that an Init may take in a test: a number of ms above 0, or None: no limit."""
    max_duration_ms: float | None
    """Longest time that an invoke may take in a test: a number of ms above 0, or None: no limit."""
    max_http_calls: int | None
    """Most HTTP requests that an invoke may make in a test: a whole number, 0 or more, or None: no
    limit.
    """
    max_aws_calls: int | None
    """Most AWS calls that an invoke may make in a test: a whole number, 0 or more, or None: no
    limit.
    """
    seed: int | None
    """Seed from which each process of the function gets its random numbers of random: a whole
    number, 0 or more, or None: another one in each run.
    """
    network: NetworkMode
    """Treatment of function code that reaches out to the network: one of 'block', 'strict', 'warn',
    'allow'.
    """
    network_allow: Sequence[str]
    """Hosts that function code may reach although the network is closed: a list of host names,
    wildcards such as '*.example.com', addresses and CIDR ranges such as '10.0.0.0/8'.
    """
    audit: bool
    """Whether the state that each invoke changes is recorded: True or False."""
    allowed_state: Sequence[str]
    """State that invokes may change for later ones, such as a cache: a list of paths such as
    'shop.app.CACHE', in which * stands for any text.
    """


class Settings(FunctionSettings, total=False):
    """Every setting, as a keyword of the fixture's call, of the marker and of `FunctionConfig`."""

    handler: str | None
    """Function to invoke, named as on Lambda: text such as 'package/module.function'."""
