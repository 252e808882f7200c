"""The events of an execution environment, as values.

Events are plain, slotted and cheap to make (a warm invoke records three).  ``at`` is the moment in
microseconds since the epoch; every ``*_us`` is a span in microseconds.  Names follow the Telemetry
API where AWS has one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_lambda_lifecycle.lifecycle.argument_text import call_text

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.import_times import ImportSpan
    from pytest_lambda_lifecycle.lifecycle.outcome import Outcome

__all__ = [
    "AtexitIgnored",
    "Event",
    "ExtensionInit",
    "FunctionInit",
    "FunctionLog",
    "InitReport",
    "InitRuntimeDone",
    "InitStart",
    "InvokeReport",
    "InvokeStart",
    "Leftover",
    "LogLevelOfTest",
    "Recycled",
    "Replaced",
    "Reset",
    "RestoreReport",
    "RestoreStart",
    "RuntimeDone",
    "RuntimeInit",
    "SharedChange",
    "SharedMemoryRefused",
    "SharedModule",
    "ShutdownReport",
    "ShutdownStart",
    "SnapshotCopy",
    "SpyCall",
    "SuiteMode",
]


@dataclass(slots=True)
class Event:
    """Something that happened, and when (``at``: microseconds since the epoch)."""

    at: int
    name: ClassVar[str] = "event"

    if TYPE_CHECKING:
        # `SpyCall in env.timeline` compares events with classes and names, which mypy would
        # refuse (``comparison-overlap``) if the class had no method of its own.
        def __eq__(self, other: object) -> bool: ...


@dataclass(slots=True)
class InitStart(Event):
    """Init begins (``platform.initStart``); ``phase`` is ``"invoke"`` for a suppressed init."""

    initialization_type: str
    phase: str
    runtime: str
    name: ClassVar[str] = "init_start"


@dataclass(slots=True)
class ExtensionInit(Event):
    """First sub-phase of Init: extensions start and register.  ``extensions`` names them."""

    extensions: tuple[str, ...] = ()
    name: ClassVar[str] = "extension_init"


@dataclass(slots=True)
class RuntimeInit(Event):
    """Second sub-phase of Init: the runtime starts."""

    runtime: str
    name: ClassVar[str] = "runtime_init"


@dataclass(slots=True)
class FunctionInit(Event):
    """Third sub-phase of Init: the import of the handler's module, whose top-level code runs."""

    handler: str
    imports: list[ImportSpan] = field(default_factory=list, repr=False, compare=False)
    """The imports during function init; `Init.imports` says what each has cost."""
    name: ClassVar[str] = "function_init"


@dataclass(slots=True)
class InitRuntimeDone(Event):
    """The runtime finished its init (``platform.initRuntimeDone``)."""

    outcome: Outcome
    status: str
    error_type: str = ""
    name: ClassVar[str] = "init_runtime_done"


@dataclass(slots=True)
class InitReport(Event):
    """Init ended (``platform.initReport``)."""

    initialization_type: str
    phase: str
    status: str
    error_type: str
    duration_us: int
    outcome: Outcome
    """The outcome of the runtime's turn, or an extension's failure during Init."""
    name: ClassVar[str] = "init_report"


@dataclass(slots=True)
class RestoreStart(Event):
    """A SnapStart snapshot is being restored (``platform.restoreStart``)."""

    name: ClassVar[str] = "restore_start"


@dataclass(slots=True)
class RestoreReport(Event):
    """A restore ended (``platform.restoreReport``)."""

    outcome: Outcome
    status: str
    error_type: str
    duration_us: int
    name: ClassVar[str] = "restore_report"


@dataclass(slots=True)
class InvokeStart(Event):
    """An invoke begins (``platform.start``); ``cold_start``: an init ran inside this request."""

    request_id: str
    version: str
    deadline_ms: int
    trace_id: str
    cold_start: bool
    name: ClassVar[str] = "invoke_start"


@dataclass(slots=True)
class RuntimeDone(Event):
    """The runtime finished the invoke (``platform.runtimeDone``)."""

    request_id: str
    outcome: Outcome
    status: str
    error_type: str
    duration_us: int
    name: ClassVar[str] = "runtime_done"


@dataclass(slots=True)
class InvokeReport(Event):
    """The invoke ended (``platform.report``).

    ``duration_us`` contains a suppressed init; ``init_us`` and ``restore_us`` are None where REPORT
    has none.
    """

    request_id: str
    status: str
    error_type: str
    duration_us: int
    memory_size: int
    init_us: int | None = None
    restore_us: int | None = None
    overhead_us: int | None = None
    """From the runtime's end until the last extension was done; None without extensions."""
    failure: Outcome | None = None
    """A failure after the runtime had posted its response: an extension crashed, or overran."""
    name: ClassVar[str] = "invoke_report"


@dataclass(slots=True)
class ShutdownStart(Event):
    """Shutdown begins; ``budget_ms`` is the time of all participants together."""

    reason: str
    budget_ms: int
    name: ClassVar[str] = "shutdown_start"


@dataclass(slots=True)
class ShutdownReport(Event):
    """Shutdown ended."""

    reason: str
    status: str
    duration_us: int
    signals: tuple[str, ...] = ()
    killed: tuple[str, ...] = ()
    name: ClassVar[str] = "shutdown_report"


@dataclass(slots=True)
class Reset(Event):
    """The processes of the environment ended, as after a failure.

    Globals are gone, ``/tmp`` stays, and the next invoke includes an Init.
    """

    reason: str
    error_type: str = ""
    name: ClassVar[str] = "reset"


@dataclass(slots=True)
class Recycled(Event):
    """Lambda took the environment away.

    The next invoke gets a new one, with an empty ``/tmp`` and a new log stream.
    """

    log_stream: str
    name: ClassVar[str] = "recycled"


@dataclass(slots=True)
class FunctionLog(Event):
    """Text that function code wrote to ``stream`` (``"stdout"`` or ``"stderr"``)."""

    stream: str
    text: str
    name: ClassVar[str] = "function_log"


@dataclass(slots=True)
class SpyCall(Event):
    """One call of a spied target, made by function code."""

    target: str
    phase: str
    invocation: int | None
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    exception: BaseException | None = None
    where: str = field(default="", compare=False)
    """The innermost line of function code that called, as ``"shop/app.py:12"``."""
    parameters: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """The names of the target's parameters for `args`, as far as they are known."""
    name: ClassVar[str] = "spy_call"

    def __str__(self) -> str:
        """Return the call as code, shortened and without the values of secret names."""
        return f"{self.target}({call_text(self.args, self.kwargs, self.parameters)})"


@dataclass(slots=True)
class AtexitIgnored(Event):
    """Function code registered ``function`` with `atexit`.

    It never runs, as on Lambda: SIGKILL ends the process.
    """

    function: str
    name: ClassVar[str] = "atexit_ignored"


@dataclass(slots=True)
class LogLevelOfTest(Event):
    """The root logger has a level that the test has asked for, where Lambda sets its own in Init.

    `caplog.set_level`, ``assertLogs`` and a `setLevel` of the test ask for a level.
    """

    level: str
    instead_of: str
    """The level that the root logger has on Lambda."""
    name: ClassVar[str] = "log_level_of_test"


@dataclass(slots=True)
class SharedMemoryRefused(Event):
    """Function code asked for a semaphore or for memory that processes share.

    Lambda has no ``/dev/shm``: the call raises `OSError` there, and here.
    """

    call: str
    where: str = field(default="", compare=False)
    """The innermost line of function code that called, as ``"shop/app.py:12"``."""
    name: ClassVar[str] = "shared_memory_refused"


@dataclass(slots=True)
class SharedModule(Event):
    """A package of the task root is imported once and shared by all environments.

    ``reason`` says why.
    """

    module: str
    reason: str
    name: ClassVar[str] = "shared_module"


@dataclass(slots=True)
class SharedChange(Event):
    """Init set or deleted ``target``, a name of a shared module.

    The change is undone whenever the environment leaves.  A shared library that makes such a change
    once in a process will not make it for the next environment, unless ``fresh_packages`` names it.
    """

    target: str
    library: str = ""
    """The shared library that has made the change, or ``""``."""
    name: ClassVar[str] = "shared_change"


@dataclass(slots=True)
class Replaced(Event):
    """An invoke bound a global of a module to another object than init had; recorded once."""

    target: str
    before: Any
    after: Any
    name: ClassVar[str] = "replaced"


@dataclass(slots=True)
class SuiteMode(Event):
    """A mode of the whole suite acted on the environment, and not the test."""

    mode: str
    """``"cold"``, ``"warm"`` or ``"chaos"``."""
    action: str
    """What it did, in words."""
    name: ClassVar[str] = "suite_mode"


@dataclass(slots=True)
class SnapshotCopy(Event):
    """The environment has got the state of a snapshot that another one has taken."""

    copied: tuple[str, ...]
    """Paths of the values that are those of the snapshot."""
    own: tuple[str, ...]
    """Paths of the values that cannot be copied, and differ: Init has made them anew."""
    name: ClassVar[str] = "snapshot_copy"


@dataclass(slots=True)
class Leftover(Event):
    """Something that function code started was still alive when the invoke ended."""

    kind: str
    """``"thread"``, ``"timer"``, ``"executor"``, ``"process"`` or ``"task"``."""
    label: str
    """Its own name."""
    where: str
    """``file:line`` of function code where it was started, or where its task was submitted; for a
    task of asyncio, where it waits; ``""`` if unknown.
    """
    idle: bool = False
    """Whether it is a thread that a library keeps, and that waits for work: a freeze cuts nothing
    off.
    """
    name: ClassVar[str] = "leftover"
