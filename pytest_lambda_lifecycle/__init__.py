"""AWS Lambda's execution environment, in process, for tests: init, invoke, shutdown.

The public names are imported on first use: pytest imports this package in every run, also in suites
that do not use it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.public_clock import LambdaClock as LambdaClock
    from pytest_lambda_lifecycle.environment.checks.snapshots import Snapshot as Snapshot
    from pytest_lambda_lifecycle.environment.execution_environment import (
        ExecutionEnvironment as ExecutionEnvironment,
    )
    from pytest_lambda_lifecycle.errors import ConfigError as ConfigError
    from pytest_lambda_lifecycle.errors import InvalidTransition as InvalidTransition
    from pytest_lambda_lifecycle.errors import LifecycleError as LifecycleError
    from pytest_lambda_lifecycle.errors import LifecycleWarning as LifecycleWarning
    from pytest_lambda_lifecycle.errors import NetworkRefused as NetworkRefused
    from pytest_lambda_lifecycle.extensions.program_view import (
        ExtensionProgram as ExtensionProgram,
    )
    from pytest_lambda_lifecycle.function.config import FunctionConfig as FunctionConfig
    from pytest_lambda_lifecycle.function.extension import Extension as Extension
    from pytest_lambda_lifecycle.function.extension import RecordingExtension as RecordingExtension
    from pytest_lambda_lifecycle.function.settings import Settings as Settings
    from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall as AwsCall
    from pytest_lambda_lifecycle.lifecycle.call_events import AwsClient as AwsClient
    from pytest_lambda_lifecycle.lifecycle.call_events import Connection as Connection
    from pytest_lambda_lifecycle.lifecycle.call_events import HttpCall as HttpCall
    from pytest_lambda_lifecycle.lifecycle.call_events import NetworkRefusal as NetworkRefusal
    from pytest_lambda_lifecycle.lifecycle.events import AtexitIgnored as AtexitIgnored
    from pytest_lambda_lifecycle.lifecycle.events import Event as Event
    from pytest_lambda_lifecycle.lifecycle.events import ExtensionInit as ExtensionInit
    from pytest_lambda_lifecycle.lifecycle.events import FunctionInit as FunctionInit
    from pytest_lambda_lifecycle.lifecycle.events import FunctionLog as FunctionLog
    from pytest_lambda_lifecycle.lifecycle.events import InitReport as InitReport
    from pytest_lambda_lifecycle.lifecycle.events import InitRuntimeDone as InitRuntimeDone
    from pytest_lambda_lifecycle.lifecycle.events import InitStart as InitStart
    from pytest_lambda_lifecycle.lifecycle.events import InvokeReport as InvokeReport
    from pytest_lambda_lifecycle.lifecycle.events import InvokeStart as InvokeStart
    from pytest_lambda_lifecycle.lifecycle.events import Leftover as Leftover
    from pytest_lambda_lifecycle.lifecycle.events import LogLevelOfTest as LogLevelOfTest
    from pytest_lambda_lifecycle.lifecycle.events import Recycled as Recycled
    from pytest_lambda_lifecycle.lifecycle.events import Replaced as Replaced
    from pytest_lambda_lifecycle.lifecycle.events import Reset as Reset
    from pytest_lambda_lifecycle.lifecycle.events import RestoreReport as RestoreReport
    from pytest_lambda_lifecycle.lifecycle.events import RestoreStart as RestoreStart
    from pytest_lambda_lifecycle.lifecycle.events import RuntimeDone as RuntimeDone
    from pytest_lambda_lifecycle.lifecycle.events import RuntimeInit as RuntimeInit
    from pytest_lambda_lifecycle.lifecycle.events import SharedChange as SharedChange
    from pytest_lambda_lifecycle.lifecycle.events import SharedMemoryRefused as SharedMemoryRefused
    from pytest_lambda_lifecycle.lifecycle.events import SharedModule as SharedModule
    from pytest_lambda_lifecycle.lifecycle.events import ShutdownReport as ShutdownReport
    from pytest_lambda_lifecycle.lifecycle.events import ShutdownStart as ShutdownStart
    from pytest_lambda_lifecycle.lifecycle.events import SnapshotCopy as SnapshotCopy
    from pytest_lambda_lifecycle.lifecycle.events import SpyCall as SpyCall
    from pytest_lambda_lifecycle.lifecycle.events import SuiteMode as SuiteMode
    from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionDone as ExtensionDone
    from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionFault as ExtensionFault
    from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionLog as ExtensionLog
    from pytest_lambda_lifecycle.lifecycle.extension_events import (
        ExtensionNotified as ExtensionNotified,
    )
    from pytest_lambda_lifecycle.lifecycle.extension_events import (
        ExtensionRegistered as ExtensionRegistered,
    )
    from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionState as ExtensionState
    from pytest_lambda_lifecycle.lifecycle.extension_events import LogsDropped as LogsDropped
    from pytest_lambda_lifecycle.lifecycle.extension_events import (
        RegistrationRefused as RegistrationRefused,
    )
    from pytest_lambda_lifecycle.lifecycle.extension_events import Signal as Signal
    from pytest_lambda_lifecycle.lifecycle.extension_events import (
        TelemetrySubscription as TelemetrySubscription,
    )
    from pytest_lambda_lifecycle.lifecycle.failures import ExtensionError as ExtensionError
    from pytest_lambda_lifecycle.lifecycle.failures import FunctionError as FunctionError
    from pytest_lambda_lifecycle.lifecycle.failures import FunctionTimeout as FunctionTimeout
    from pytest_lambda_lifecycle.lifecycle.failures import InitError as InitError
    from pytest_lambda_lifecycle.lifecycle.failures import PayloadTooLarge as PayloadTooLarge
    from pytest_lambda_lifecycle.lifecycle.failures import RuntimeExit as RuntimeExit
    from pytest_lambda_lifecycle.lifecycle.file_events import FileRefusal as FileRefusal
    from pytest_lambda_lifecycle.lifecycle.file_events import StorageExceeded as StorageExceeded
    from pytest_lambda_lifecycle.lifecycle.file_events import TmpWrite as TmpWrite
    from pytest_lambda_lifecycle.lifecycle.import_events import ForeignImport as ForeignImport
    from pytest_lambda_lifecycle.lifecycle.import_times import ImportTime as ImportTime
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation as Invocation
    from pytest_lambda_lifecycle.lifecycle.log_records import Metric as Metric
    from pytest_lambda_lifecycle.lifecycle.phases import Init as Init
    from pytest_lambda_lifecycle.lifecycle.phases import Phase as Phase
    from pytest_lambda_lifecycle.lifecycle.phases import Restore as Restore
    from pytest_lambda_lifecycle.lifecycle.phases import Shutdown as Shutdown
    from pytest_lambda_lifecycle.lifecycle.state_events import StateChange as StateChange
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline as Timeline
    from pytest_lambda_lifecycle.observation.calls.faults import Fault as Fault
    from pytest_lambda_lifecycle.observation.calls.lambda_http import LambdaHttp as LambdaHttp
    from pytest_lambda_lifecycle.observation.spies import Spy as Spy
    from pytest_lambda_lifecycle.plugin.fixtures import LambdaLifecycle as LambdaLifecycle
    from pytest_lambda_lifecycle.plugin.machine import lifecycle_machine as lifecycle_machine

    __version__: str

_HOMES = {
    "clock.public_clock": "LambdaClock",
    "environment.checks.snapshots": "Snapshot",
    "environment.execution_environment": "ExecutionEnvironment",
    "errors": "ConfigError InvalidTransition LifecycleError LifecycleWarning NetworkRefused",
    "function.config": "FunctionConfig",
    "function.extension": "Extension RecordingExtension",
    "function.settings": "Settings",
    "lifecycle.call_events": "AwsCall AwsClient Connection HttpCall NetworkRefusal",
    "lifecycle.events": (
        "AtexitIgnored Event ExtensionInit FunctionInit FunctionLog InitReport "
        "InitRuntimeDone InitStart InvokeReport InvokeStart Leftover LogLevelOfTest "
        "Recycled Replaced Reset RestoreReport RestoreStart RuntimeDone RuntimeInit "
        "SharedChange SharedMemoryRefused SharedModule ShutdownReport ShutdownStart "
        "SnapshotCopy SpyCall SuiteMode"
    ),
    "lifecycle.extension_events": (
        "ExtensionDone ExtensionFault ExtensionLog ExtensionNotified ExtensionRegistered "
        "ExtensionState LogsDropped RegistrationRefused Signal TelemetrySubscription"
    ),
    "extensions.program_view": "ExtensionProgram",
    "lifecycle.failures": (
        "ExtensionError FunctionError FunctionTimeout InitError PayloadTooLarge RuntimeExit"
    ),
    "lifecycle.file_events": "FileRefusal StorageExceeded TmpWrite",
    "lifecycle.import_events": "ForeignImport",
    "lifecycle.import_times": "ImportTime",
    "lifecycle.invocation": "Invocation",
    "lifecycle.log_records": "Metric",
    "lifecycle.phases": "Init Phase Restore Shutdown",
    "lifecycle.state_events": "StateChange",
    "lifecycle.timeline": "Timeline",
    "observation.calls.faults": "Fault",
    "observation.calls.lambda_http": "LambdaHttp",
    "observation.spies": "Spy",
    "plugin.fixtures": "LambdaLifecycle",
    "plugin.machine": "lifecycle_machine",
}
"""The public names, by the module that each is imported from on first use."""

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted((*_HOME_OF, "__version__"))  # pyright: ignore[reportUnsupportedDunderAll]

# The finders before any test or function code could remove one.
_FINDERS_AT_START = (*sys.meta_path, *sys.path_hooks)

if not TYPE_CHECKING:  # type checkers see the imports above, and refuse other names
    # There is no __dir__: freezegun reads every name that it would list, in each suite that has
    # this plugin installed, and to read a name is to import its module.

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            value = version("pytest-lambda-lifecycle")
        elif name in _HOME_OF:
            from importlib import import_module

            value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value
