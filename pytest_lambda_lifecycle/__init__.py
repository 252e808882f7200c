"""AWS Lambda's execution environment, in process, for tests: init, invoke, shutdown.

The public names are imported on first use: pytest imports this package in every run, also where nobody uses it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.config import FunctionConfig as FunctionConfig
    from pytest_lambda_lifecycle.environment import ExecutionEnvironment as ExecutionEnvironment
    from pytest_lambda_lifecycle.errors import ConfigError as ConfigError
    from pytest_lambda_lifecycle.errors import ExtensionError as ExtensionError
    from pytest_lambda_lifecycle.errors import FunctionError as FunctionError
    from pytest_lambda_lifecycle.errors import FunctionTimeout as FunctionTimeout
    from pytest_lambda_lifecycle.errors import InitError as InitError
    from pytest_lambda_lifecycle.errors import InvalidTransition as InvalidTransition
    from pytest_lambda_lifecycle.errors import LifecycleError as LifecycleError
    from pytest_lambda_lifecycle.errors import LifecycleWarning as LifecycleWarning
    from pytest_lambda_lifecycle.errors import PayloadTooLarge as PayloadTooLarge
    from pytest_lambda_lifecycle.errors import RuntimeExit as RuntimeExit
    from pytest_lambda_lifecycle.events import AtexitIgnored as AtexitIgnored
    from pytest_lambda_lifecycle.events import Event as Event
    from pytest_lambda_lifecycle.events import ExtensionInit as ExtensionInit
    from pytest_lambda_lifecycle.events import FunctionInit as FunctionInit
    from pytest_lambda_lifecycle.events import FunctionLog as FunctionLog
    from pytest_lambda_lifecycle.events import InitReport as InitReport
    from pytest_lambda_lifecycle.events import InitRuntimeDone as InitRuntimeDone
    from pytest_lambda_lifecycle.events import InitStart as InitStart
    from pytest_lambda_lifecycle.events import InvokeReport as InvokeReport
    from pytest_lambda_lifecycle.events import InvokeStart as InvokeStart
    from pytest_lambda_lifecycle.events import Leftover as Leftover
    from pytest_lambda_lifecycle.events import Recycled as Recycled
    from pytest_lambda_lifecycle.events import Replaced as Replaced
    from pytest_lambda_lifecycle.events import Reset as Reset
    from pytest_lambda_lifecycle.events import RestoreReport as RestoreReport
    from pytest_lambda_lifecycle.events import RestoreStart as RestoreStart
    from pytest_lambda_lifecycle.events import RuntimeDone as RuntimeDone
    from pytest_lambda_lifecycle.events import RuntimeInit as RuntimeInit
    from pytest_lambda_lifecycle.events import SharedChange as SharedChange
    from pytest_lambda_lifecycle.events import SharedModule as SharedModule
    from pytest_lambda_lifecycle.events import ShutdownReport as ShutdownReport
    from pytest_lambda_lifecycle.events import ShutdownStart as ShutdownStart
    from pytest_lambda_lifecycle.events import SpyCall as SpyCall
    from pytest_lambda_lifecycle.extension import Extension as Extension
    from pytest_lambda_lifecycle.extension import RecordingExtension as RecordingExtension
    from pytest_lambda_lifecycle.extension_events import ExtensionDone as ExtensionDone
    from pytest_lambda_lifecycle.extension_events import ExtensionFault as ExtensionFault
    from pytest_lambda_lifecycle.extension_events import ExtensionLog as ExtensionLog
    from pytest_lambda_lifecycle.extension_events import ExtensionNotified as ExtensionNotified
    from pytest_lambda_lifecycle.extension_events import ExtensionRegistered as ExtensionRegistered
    from pytest_lambda_lifecycle.extension_events import ExtensionState as ExtensionState
    from pytest_lambda_lifecycle.extension_events import LogsDropped as LogsDropped
    from pytest_lambda_lifecycle.extension_events import Signal as Signal
    from pytest_lambda_lifecycle.extension_events import TelemetrySubscription as TelemetrySubscription
    from pytest_lambda_lifecycle.fixtures import LambdaLifecycle as LambdaLifecycle
    from pytest_lambda_lifecycle.lambda_clock import LambdaClock as LambdaClock
    from pytest_lambda_lifecycle.phase import Phase as Phase
    from pytest_lambda_lifecycle.phases import Init as Init
    from pytest_lambda_lifecycle.phases import Invocation as Invocation
    from pytest_lambda_lifecycle.phases import Restore as Restore
    from pytest_lambda_lifecycle.phases import Shutdown as Shutdown
    from pytest_lambda_lifecycle.settings import Settings as Settings
    from pytest_lambda_lifecycle.spies import Spy as Spy
    from pytest_lambda_lifecycle.timeline import Timeline as Timeline

    __version__: str

__all__ = [
    "AtexitIgnored",
    "ConfigError",
    "Event",
    "ExecutionEnvironment",
    "Extension",
    "ExtensionDone",
    "ExtensionError",
    "ExtensionFault",
    "ExtensionInit",
    "ExtensionLog",
    "ExtensionNotified",
    "ExtensionRegistered",
    "ExtensionState",
    "FunctionConfig",
    "FunctionError",
    "FunctionInit",
    "FunctionLog",
    "FunctionTimeout",
    "Init",
    "InitError",
    "InitReport",
    "InitRuntimeDone",
    "InitStart",
    "InvalidTransition",
    "Invocation",
    "InvokeReport",
    "InvokeStart",
    "LambdaClock",
    "LambdaLifecycle",
    "Leftover",
    "LifecycleError",
    "LifecycleWarning",
    "LogsDropped",
    "PayloadTooLarge",
    "Phase",
    "RecordingExtension",
    "Recycled",
    "Replaced",
    "Reset",
    "Restore",
    "RestoreReport",
    "RestoreStart",
    "RuntimeDone",
    "RuntimeExit",
    "RuntimeInit",
    "Settings",
    "SharedChange",
    "SharedModule",
    "Shutdown",
    "ShutdownReport",
    "ShutdownStart",
    "Signal",
    "Spy",
    "SpyCall",
    "TelemetrySubscription",
    "Timeline",
    "__version__",
]

# Where they come from; the first ones import the least.
_MODULES = tuple(
    "errors events extension extension_events settings config timeline phase phases spies lambda_clock environment "
    "fixtures".split()
)

# What finds modules, before any test or function code could take it away.
_FINDERS_AT_START = (*sys.meta_path, *sys.path_hooks)

if not TYPE_CHECKING:  # type checkers see the imports above, and refuse other names
    # There is no __dir__: freezegun looks at every name that it lists, in suites that use nothing of this as well.

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            globals()[name] = value = version("pytest-lambda-lifecycle")
            return value
        if name in __all__:
            from importlib import import_module

            for home in _MODULES:
                module = import_module(f"{__name__}.{home}")
                if name in module.__all__:
                    globals()[name] = value = getattr(module, name)
                    return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
