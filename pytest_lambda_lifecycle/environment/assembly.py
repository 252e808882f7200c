"""Puts an environment together, in the order in which its objects need each other."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from pytest_lambda_lifecycle.api.endpoint import Endpoint
from pytest_lambda_lifecycle.clock.clock import Clock, FollowingClock
from pytest_lambda_lifecycle.clock.freeze import FrozenNames
from pytest_lambda_lifecycle.clock.virtual import VirtualClock
from pytest_lambda_lifecycle.conductor.conductor import Conductor
from pytest_lambda_lifecycle.conductor.dependencies import Dependencies
from pytest_lambda_lifecycle.conductor.turns import CurrentTurn, TurnRunner
from pytest_lambda_lifecycle.environment.credential_rotation import Rotation
from pytest_lambda_lifecycle.errors import ConfigError, NetworkRefused, warn
from pytest_lambda_lifecycle.extensions.group import ExtensionGroup
from pytest_lambda_lifecycle.extensions.hints import clash_at
from pytest_lambda_lifecycle.extensions.objects import Objects
from pytest_lambda_lifecycle.extensions.programs import Programs, extension_programs
from pytest_lambda_lifecycle.function.config import FunctionConfig
from pytest_lambda_lifecycle.function.kinds import NOT_FRESH
from pytest_lambda_lifecycle.function.layers import import_folders, opt_layers
from pytest_lambda_lifecycle.function.task_root import (
    find_task_root,
    working_directory_candidates,
)
from pytest_lambda_lifecycle.function.variables import function_variables, is_withheld
from pytest_lambda_lifecycle.isolation.alarm import Alarm
from pytest_lambda_lifecycle.isolation.control_flow import passes_through
from pytest_lambda_lifecycle.isolation.finalizers import is_finalizer_of_others
from pytest_lambda_lifecycle.isolation.interruption import Interruption
from pytest_lambda_lifecycle.isolation.ledger import ProcessSlice
from pytest_lambda_lifecycle.isolation.modules.deployment import Deployment
from pytest_lambda_lifecycle.isolation.modules.essentials import Essentials
from pytest_lambda_lifecycle.isolation.modules.finders import Finders
from pytest_lambda_lifecycle.isolation.modules.foreign_imports import ForeignImports
from pytest_lambda_lifecycle.isolation.modules.fresh_packages import (
    EVERY,
    fresh_rule,
    package_of_handler,
)
from pytest_lambda_lifecycle.isolation.modules.membership import Keep
from pytest_lambda_lifecycle.isolation.modules.replaced import Replacements
from pytest_lambda_lifecycle.isolation.modules.search_path import SearchPath
from pytest_lambda_lifecycle.isolation.modules.shared_modules import SharedNamespaces
from pytest_lambda_lifecycle.isolation.modules.stand_ins import StandIns
from pytest_lambda_lifecycle.isolation.modules.tests_own import keep_for
from pytest_lambda_lifecycle.isolation.modules.world import World, outside_module
from pytest_lambda_lifecycle.isolation.parts.children import MULTIPROCESSING, Children
from pytest_lambda_lifecycle.isolation.parts.counters import POOLS, Counters
from pytest_lambda_lifecycle.isolation.parts.environ import Variables
from pytest_lambda_lifecycle.isolation.parts.event_loop import LOOPS, EventLoop
from pytest_lambda_lifecycle.isolation.parts.exits import Exits
from pytest_lambda_lifecycle.isolation.parts.fault_handler import FaultHandler
from pytest_lambda_lifecycle.isolation.parts.forkserver import ForkServer
from pytest_lambda_lifecycle.isolation.parts.ignored_exceptions import IgnoredExceptions
from pytest_lambda_lifecycle.isolation.parts.lasting_hooks import LastingHooks
from pytest_lambda_lifecycle.isolation.parts.logging_tree import LoggingTree
from pytest_lambda_lifecycle.isolation.parts.random_numbers import RandomNumbers, Seed
from pytest_lambda_lifecycle.isolation.parts.registries import Registries
from pytest_lambda_lifecycle.isolation.parts.shared_memory import SharedMemory
from pytest_lambda_lifecycle.isolation.parts.signals import Signals
from pytest_lambda_lifecycle.isolation.parts.sockets import Sockets
from pytest_lambda_lifecycle.isolation.parts.streams import Streams
from pytest_lambda_lifecycle.isolation.parts.threads import StartedThreads, function_thread
from pytest_lambda_lifecycle.isolation.parts.tmp import OUTSIDE_TMP, EphemeralStorage
from pytest_lambda_lifecycle.isolation.parts.values import Values
from pytest_lambda_lifecycle.isolation.parts.warnings_filters import WarningsFilters
from pytest_lambda_lifecycle.isolation.parts.working_directory import WorkingDirectory
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.events import (
    AtexitIgnored,
    LogLevelOfTest,
    SharedChange,
    SharedMemoryRefused,
)
from pytest_lambda_lifecycle.lifecycle.moments import moment_at
from pytest_lambda_lifecycle.lifecycle.rules import State, handles_signals
from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline
from pytest_lambda_lifecycle.observation.calls import (
    aws,
    aws_clients,
    aws_data,
    http_libraries,
    network_libraries,
)
from pytest_lambda_lifecycle.observation.calls.hooks import by_module
from pytest_lambda_lifecycle.observation.calls.init_only import MAKERS
from pytest_lambda_lifecycle.observation.calls.network_guard import NetworkGuard
from pytest_lambda_lifecycle.observation.calls.recorder import CallRecorder
from pytest_lambda_lifecycle.observation.file_guard import FileGuard
from pytest_lambda_lifecycle.observation.foreign_code import ForeignCode
from pytest_lambda_lifecycle.observation.leftovers import Leftovers
from pytest_lambda_lifecycle.observation.misplaced import MisplacedPatches
from pytest_lambda_lifecycle.observation.patches import Patches
from pytest_lambda_lifecycle.observation.probes import Probes
from pytest_lambda_lifecycle.observation.watched_runtime import WatchedRuntime
from pytest_lambda_lifecycle.observation.writers import Writers
from pytest_lambda_lifecycle.runtimes.client_modules import ClientModules
from pytest_lambda_lifecycle.runtimes.local import LocalRuntime

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.events import Event
    from pytest_lambda_lifecycle.lifecycle.file_events import TmpWrite
    from pytest_lambda_lifecycle.observation.file_guard import Folders
    from pytest_lambda_lifecycle.observation.foreign_code import PathNotes
    from pytest_lambda_lifecycle.observation.watched_runtime import FindTampered
    from pytest_lambda_lifecycle.state.audit import StateAudit
    from pytest_lambda_lifecycle.state.scene import Scene

__all__ = ["Assembly"]

_WRAPPER: Final = "AWS_LAMBDA_EXEC_WRAPPER"
_HOOK_POINTS: Final = by_module(
    *http_libraries.POINTS,
    *aws.POINTS,
    *aws_clients.POINTS,
    *aws_data.POINTS,
    *network_libraries.POINTS,
)
"""The attributes of client libraries that are hooked; each of them once."""


class Assembly:
    """The objects that an environment is made of, made in named steps.

    Nothing in the process changes before the first phase.  An environment that is closed and
    forgotten is freed at once, without the garbage collector: no object here refers to the
    assembly, and `ProcessSlice.close` breaks the only circle of references, that of the parts.
    """

    def __init__(
        self,
        config: FunctionConfig,
        *,
        clock: Clock,
        keep: Keep | None,
        made_in: str,
        path_notes: PathNotes,
        tampered: FindTampered,
        others: Callable[[World], list[World]],
        observer: Callable[[Event], None] | None,
        folders: Callable[[], Folders],
        seed: Seed | None,
    ) -> None:
        if not isinstance(config, FunctionConfig):
            raise ConfigError(
                f"cannot make an environment of {config!r}: it takes a FunctionConfig, as "
                "FunctionConfig('app.handler')",
                code="LLC113",
            )
        self._config = config
        self._clock = clock
        self._timeline = WritableTimeline(observer=observer)
        self._is_observed = observer is not None or bool(config.extensions)
        self.seed = seed or Seed.of_system(config.seed)
        self._programs = extension_programs(config, clock)
        self._locate_function(keep, made_in)
        self._make_process()
        self._make_endpoint()
        self._make_recorder()
        self._make_file_guard(folders, path_notes)
        self._furnish_process()
        self._make_runtime(tampered, others)
        self._make_extensions()
        self._make_conductor()

    def _locate_function(self, keep: Keep | None, made_in: str) -> None:
        """Find the task root, and prepare the modules that are imported from it."""
        config = self._config
        places = [] if config.code_dir else working_directory_candidates()
        source = config.source_of("handler")
        found = find_task_root(
            config.handler, config.code_dir, places, config.layers, source=source
        )
        self.task_root = Path(os.path.realpath(found))  # `Path.resolve` takes twice as long
        hides = config.foreign_imports == "error"
        self._deployment = deployment = Deployment(config.bundled, hides=hides)
        folders = (self.task_root, *import_folders(config.layers), *deployment.folders)
        self._import_path = import_path = [str(folder) for folder in folders]
        deployment.roots = frozenset(import_path)
        self._keep = keep or keep_for(tuple(import_path), made_in)
        of_handler = package_of_handler(config.handler, tuple(import_path))
        fresh = fresh_rule(frozenset(config.fresh_packages), outside_module, of_handler)
        self._client = ClientModules()
        self.world = World(import_path, fresh=fresh, keep=self._keep, deployment=deployment)
        self._search_path = SearchPath(import_path, deployment)
        timeline, clock = self._timeline, self._clock

        def report(target: str, library: str = "") -> None:
            timeline.append(SharedChange(clock.now_us(), target, library))

        self._essentials = Essentials(report)
        self._namespaces = SharedNamespaces(self.world.hook, self.world.own, report, fresh.may_wrap)
        self._patches = Patches(self.world, config.handler)
        _warn_of_unknown(config, self.world)
        _warn_of_wrapper(config)

    def _make_process(self) -> None:
        """Make the function's share of the process, and the parts that others have to refer to."""
        self.process = process = ProcessSlice(f"the environment of {self._config.handler!r}")
        self._turns = TurnRunner(process, self._clock)
        self._threads = StartedThreads(lambda: process, process.runs_here)
        self._runs_function_code = lambda: process.runs_here() or function_thread() is process
        # The streams come later.
        streams = self._streams_of_children = list[Streams]()
        self._children = Children(self._runs_function_code, lambda: streams[0] if streams else None)
        self.world.hook.add(self._children.watch, (MULTIPROCESSING,))
        turn = self._turns.current
        self._alarm = Alarm(Interruption(time_is_up=turn.real_time_is_up, forgive=turn.forgive))
        self._signals = Signals(
            process.runs_here,
            self._runs_function_code,
            self._alarm,
            partial(setattr, process, "exit_code"),
        )
        self.storage = EphemeralStorage()

    def _make_endpoint(self) -> None:
        """Make the HTTP APIs: their address is among the function's variables."""
        threads, search_path, clock = self._threads, self._search_path, self._clock
        self._view = _RuntimeView()
        self._endpoint = Endpoint(
            self._config,
            timeline=self._timeline,
            view=self._view,
            now_us=lambda: clock.now_us(),
            threads=lambda: threads,
            runs_function_code=self._runs_function_code,
            importing=search_path.outside,
            clash_at=clash_at,
        )
        self.process.api_rests = self._endpoint.rests
        virtual = isinstance(self._clock, VirtualClock)
        self._rotation = Rotation(clock.now_us) if virtual else None
        self._lambda_variables = _LambdaVariables(
            self._config, self.task_root, self._endpoint, self._rotation, lambda: clock.now_us()
        )

    def join(self, clock: VirtualClock, real: FollowingClock) -> None:
        """Let an environment that has followed real time live by a virtual clock from now on.

        No phase has run.  Raises `ConfigError` for extensions that are programs.
        """
        extension_programs(self._config, clock)
        real.follow(clock)
        self._rotation = rotation = Rotation(clock.now_us)
        self._lambda_variables.live_by(rotation)
        self.runtime.renew_credentials = rotation.renew
        state = self.conductor.environment_state
        state.born_us = state.active_us = clock.now_us()

    @property
    def api_address(self) -> str:
        """``"host:port"`` of the environment's own APIs, also once it has ended."""
        return self._endpoint.address

    def listens_at(self, port: int) -> bool:
        """Say whether function code has a socket that is bound to a port."""
        return self._endpoint.listens_at(port)

    def unseen_in_test(self, target: str) -> str:
        """Return why not all calls of a target of ``init_only`` can have been seen in this test."""
        seen_by = self.calls.sight if target in MAKERS else self.probes
        return seen_by.unseen_in_test(target)

    def _make_recorder(self) -> None:
        """Make the recorder of calls, the hooks of client libraries, and the network's guard."""
        process, view, endpoint = self.process, self._view, self._endpoint
        self.calls = CallRecorder(
            _HOOK_POINTS,
            process=process,
            world=self.world,
            timeline=self._timeline,
            clock=self._clock,
            conductor=lambda: view.conductor(),
            runs_function_code=self._runs_function_code,
            folders=self._import_path,
            started=self._threads.line_of_current,
            own_address=lambda: endpoint.address,
            set_by_function=self._namespaces.set_by_function,
        )
        process.note_place = partial(_note_place, self._turns.current, self.calls)
        self._guard = NetworkGuard(
            self._config,
            self.calls,
            runs_function_code=self._runs_function_code,
            api=lambda: endpoint.port,
        )

    def _make_file_guard(self, folders: Callable[[], Folders], path_notes: PathNotes) -> None:
        """Make the guards that ask who calls: of the file system, and of imports.

        With ``filesystem="open"`` nobody asks the first one.
        """
        writers = Writers(self.world, self._keep)
        self.files = FileGuard(
            self._config,
            (self.task_root, *self._config.layers),
            writers=writers,
            recorder=self.calls,
            own_tmp=self.storage.location,
            machine_tmp=OUTSIDE_TMP,
            folders=folders,
        )
        if self._config.filesystem != "open":
            self.process.files = self.files
        self.foreign_code = ForeignCode(
            self._config, self.task_root, self._deployment, self.calls, path_notes
        )
        self.world.hook.foreign = ForeignImports(
            self.world,
            self._deployment,
            runs=self.process.runs,
            is_function=partial(_is_of_function, self._runs_function_code, writers),
            note=self.foreign_code.note,
            test_folders=path_notes.test_folders,
        ).find_spec

    def _furnish_process(self) -> None:
        """List the parts: they are entered in this order, and left in the opposite one."""
        process, world, endpoint = self.process, self.world, self._endpoint
        is_of_test = partial(self._threads.is_of_test, partial(_is_function_code, world))
        recorder = _Recorder(self._timeline, self._clock)
        streams = Streams(recorder.write, is_of_test)
        self._streams_of_children.append(streams)
        self._logging = LoggingTree(self._runs_function_code, recorder.level_held, is_of_test)
        on_function_thread = lambda: function_thread() is process  # noqa: E731
        shared_memory = SharedMemory(
            self.calls.runs_function_code, partial(_memory_refused, self.calls)
        )
        world.hook.add(shared_memory.watch, SharedMemory.MODULES)
        event_loop = EventLoop(self._runs_function_code)
        world.hook.add(event_loop.watch, (LOOPS,))
        self._counters = Counters()
        world.hook.add(self._counters.watch, (POOLS,))
        parts = [
            StandIns(self._client),
            world,
            Finders(world.hook, world.own),
            FrozenNames(world.own_modules),
            Variables(self._lambda_variables, withheld=is_withheld),
            self._search_path,
            self.calls,
            WorkingDirectory(str(self.task_root)),
            streams,
            WarningsFilters(),
            event_loop,
            self._alarm,
            self._logging,
            self._logging.listeners,
            self._signals,
            IgnoredExceptions(process.runs, on_function_thread, partial(recorder.write, "stderr")),
            FaultHandler(),
            ForkServer(),
            Sockets(
                lambda: endpoint.port,
                endpoint.connected,
                endpoint.bound,
                endpoint.used,
                self._guard,
            ),
            self._threads,
            self._children,
            shared_memory,
            self._counters,
            Values(process.runs_here),
            Registries(world.own),
            LastingHooks(self._runs_function_code),
            self._random_numbers(),
            self.storage,
            self.files,
            Exits(
                in_phase=process.runs_here,
                is_function_code=partial(_is_function_code, world),
                on_function_thread=on_function_thread,
                ended=partial(setattr, process, "exit_code"),
                interrupt=self._signals.send_interrupt,
                ignored=recorder.atexit_ignored,
            ),
            Replacements(world.enter_replaced),
            self._patches,  # so late that a spy sees calls of the stand-ins above as well
            self._namespaces,  # so late: what it finds in shared modules is not restored yet
            self._essentials,  # last: all others need them to leave
        ]
        self.audit = self._make_audit() if self._config.audit else None
        if self.audit is not None:
            parts.append(self.audit)
        process.furnish(parts, alarm=self._alarm, streams=streams)

    def make_scene(self) -> Scene:
        """Return an object that takes photographs of the state that function code can reach."""
        from pytest_lambda_lifecycle.state.scene import Scene

        storage, written = self.storage.location, self.files.written
        return Scene(self.world, self.process, storage, written, self._import_path)

    def _make_audit(self) -> StateAudit:
        from pytest_lambda_lifecycle.state.audit import StateAudit

        lines: dict[str, str] = {}
        self.files.lines = lines
        line = partial(_line_of, lines, self.storage, self.files.written)
        return StateAudit(self.make_scene(), self._timeline, line)

    def _random_numbers(self) -> RandomNumbers:
        config = self._config
        snapshot = ""
        if config.initialization_type == "snap-start":
            snapshot = f"{config.function_name}:{config.function_version}"
        return RandomNumbers(self.seed, snapshot=snapshot)

    def _make_runtime(self, tampered: FindTampered, others: Callable[[World], list[World]]) -> None:
        """Make the runtime, and the object that compares modules before and after its turns."""
        signals, rotation = self._signals, self._rotation
        config = self._config
        runtime = LocalRuntime(
            config.handler,
            passes_through=partial(_mended, self._essentials),
            sigterm=partial(signals.functions_own, signal.SIGTERM),
            levels=self._logging.levels,
            client=self._client,
            polled=self._counters.poll if handles_signals(config.runtime, busy=False) else None,
        )
        self.runtime = WatchedRuntime(
            runtime,
            world=self.world,
            namespaces=self._namespaces,
            essentials=self._essentials,
            timeline=self._timeline,
            clock=self._clock,
            tampered=tampered,
            misplaced=MisplacedPatches(self.world, others, self._patches.replaces),
            leftovers=Leftovers(self._threads, self._children, self._endpoint.resting),
            patches=self._patches,
            renew_credentials=rotation.renew if rotation is not None else None,
            is_observed=self._is_observed,
        )

    def _make_extensions(self) -> None:
        """Make the extensions: objects in this process, and programs."""
        config, clock, endpoint = self._config, self._clock, self._endpoint
        storage, variables = self.storage, self._lambda_variables
        objects = Objects(
            (extension for extension in config.extensions if not isinstance(extension, Path)),
            endpoint=endpoint,
            turns=self._turns,
            timeline=self._timeline,
            clock=clock,
            apart=self._signals.apart,
            passes_through=_passes_through,
        )
        programs = Programs(
            self._programs,
            variables=lambda: variables(dict(os.environ)),
            directory=lambda: storage.path,
            layers=opt_layers(config),
            scratch=OUTSIDE_TMP,
            keeps_path="PATH" in config.environment,
            note=lambda event: endpoint.note(event),
            now_us=lambda: clock.now_us(),
            exited=partial(_program_exited, endpoint, self.process, self._view, self._alarm),
        )
        self.extensions = ExtensionGroup(
            objects,
            programs,
            endpoint=endpoint,
            turns=self._turns,
            timeline=self._timeline,
            clock=clock,
        )

    def _make_conductor(self) -> None:
        """Make the conductor, and the probes, which record the phase of each call."""
        self.conductor = Conductor(
            Dependencies(
                self._config,
                runtime=self.runtime,
                extensions=self.extensions,
                process=self.process,
                turns=self._turns,
                timeline=self._timeline,
                clock=self._clock,
                renew=partial(_renew, self.storage, self._lambda_variables),
                audit=self.audit,
            )
        )
        self._view.conductor = weakref.ref(self.conductor)
        self.probes = Probes(
            self.world, self._patches, self.conductor, self.process, self.calls.line
        )


class _LambdaVariables:
    """Makes the variables of the function's process from those outside it."""

    def __init__(
        self,
        config: FunctionConfig,
        task_root: Path,
        endpoint: Endpoint,
        rotation: Rotation | None,
        now_us: Callable[[], int],
    ) -> None:
        self._config = config
        self._task_root = task_root
        self._endpoint = endpoint
        self._rotation = rotation
        self._now_us = now_us
        self.renew_log_stream()

    def __call__(self, outside: dict[str, str]) -> dict[str, str]:
        """Return the variables."""
        rotation = self._rotation
        return function_variables(
            self._config,
            outside=outside,
            log_stream_name=self.log_stream,
            task_root=self._task_root,
            credentials=rotation.current() if rotation is not None else None,
            api=self._endpoint.address,
            metadata_token=self._endpoint.token,
        )

    def live_by(self, rotation: Rotation) -> None:
        """Give the process credentials that expire, and a log stream of the day."""
        self._rotation = rotation
        self.renew_log_stream()

    def renew_log_stream(self) -> str:
        """Begin another log stream; return its name.

        Lambda's names have the date, the version and 32 hexadecimal digits.
        """
        date = moment_at(self._now_us()).strftime("%Y/%m/%d")
        self.log_stream = f"{date}/[{self._config.function_version}]{secrets.token_hex(16)}"
        return self.log_stream


class _Recorder:
    """Records on the timeline the observations of parts of the process."""

    def __init__(self, timeline: WritableTimeline, clock: Clock) -> None:
        self._timeline = timeline
        self._clock = clock

    def write(self, stream: str, text: str) -> None:
        """Record output of function code.

        The garbage collector may free objects of another environment at this moment, whose
        ``__del__`` prints: that is no output of this one.
        """
        if not is_finalizer_of_others(sys._getframe(1)):
            self._timeline.write(self._clock.now_us(), stream, text)

    def atexit_ignored(self, function: str) -> None:
        """Record a function that function code has registered with `atexit`."""
        self._timeline.append(AtexitIgnored(self._clock.now_us(), function))

    def level_held(self, level: str, instead_of: str) -> None:
        """Record a level of the test that holds in Init."""
        self._timeline.append(LogLevelOfTest(self._clock.now_us(), level, instead_of))


class _RuntimeView:
    """The runtime in this process as the Runtime API shows it to function code."""

    _STATES: Final = {State.READY: "Ready", State.INVOKE: "Running"}

    conductor: Callable[[], Conductor | None] = staticmethod(lambda: None)
    """Returns the conductor as long as there is one."""

    def state(self) -> str:
        """Return the state by its name in the emulator."""
        conductor = self.conductor()
        return "Started" if conductor is None else self._STATES.get(conductor.state, "Started")

    def request_id(self) -> str:
        """Return the identifier of the latest request."""
        conductor = self.conductor()
        return "" if conductor is None else conductor.environment_state.request_id


def _line_of(
    lines: Mapping[str, str], storage: EphemeralStorage, written: Mapping[str, TmpWrite], path: str
) -> str:
    """Return the line that has written a file in ``/tmp``, by its name on Lambda."""
    if path in written:
        return written[path].where
    return lines.get(path) or lines.get(storage.location + path.removeprefix("/tmp"), "")


def _note_place(turn: CurrentTurn, calls: CallRecorder, frame: FrameType | None) -> None:
    turn.note_place(calls.line_at(frame))


def _memory_refused(calls: CallRecorder, call: str) -> None:
    """Record a call for shared memory, which Lambda does not have."""
    event = SharedMemoryRefused(calls.clock.now_us(), call, calls.line())
    calls.timeline.append(event)


def _is_of_function(
    runs_function_code: Callable[[], bool], writers: Writers, frame: FrameType | None
) -> bool:
    """Say whether a frame, and not a tool or a test above it, runs on behalf of the function."""
    return runs_function_code() and writers.function_at(frame) is not None


def _is_function_code(world: World, namespace: dict[str, Any]) -> bool:
    module = world.own(str(namespace.get("__name__")))
    return module is not None and vars(module) is namespace


def _mended(essentials: Essentials, error: BaseException) -> bool:
    """Ask once `builtins` are whole again: function code has ended by an exception."""
    essentials.after_turn()
    return _passes_through(error)


def _passes_through(exception: BaseException) -> bool:
    if isinstance(exception, NetworkRefused):
        exception._has_left = True
    return passes_through(exception, interrupted=stage.interrupted)


def _program_exited(
    endpoint: Endpoint,
    process: ProcessSlice,
    view: _RuntimeView,
    alarm: Alarm,
    name: str,
    exit_code: int,
) -> None:
    """Register the exit of a program, and cut the phase that cannot go on without it."""
    endpoint.registry.exited(name, exit_code)
    conductor = view.conductor()
    # In the phase Shutdown an exit is expected.
    if conductor is None or conductor.state not in {State.INIT, State.INVOKE}:
        return
    if process.runs():
        alarm.cut()


def _renew(storage: EphemeralStorage, variables: _LambdaVariables) -> str:
    """Empty ``/tmp`` and begin a log stream for a recycled environment; return its name."""
    storage.empty()
    return variables.renew_log_stream()


def _warn_of_unknown(config: FunctionConfig, world: World) -> None:
    for name in config.fresh_packages:
        steps = name.split(".")
        if name.startswith(NOT_FRESH):
            continue
        if name != EVERY and name not in sys.modules and world.module_length(steps) < len(steps):
            source = config.source_of("fresh_packages")
            warn(
                f"fresh_packages has {name!r}, and there is no such module on the import path "
                f"(from {source})"
            )


def _warn_of_wrapper(config: FunctionConfig) -> None:
    wrapper = config.environment.get(_WRAPPER)
    if wrapper:
        source = config.source_of("environment")
        warn(
            f"{_WRAPPER}={wrapper!r} has no effect: the function runs in the process of the tests, "
            "so there is no start of a runtime that a script could wrap, and nothing here starts a "
            f"runtime in a process of its own (from {source}).  Leave it out, and declare what the "
            "script sets up: its variables in environment=, its modules in layers="
        )
