"""Puts an environment together: the world, the parts of the process, the runtime and the conductor."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from pytest_lambda_lifecycle.alarm import Alarm
from pytest_lambda_lifecycle.api.endpoint import Endpoint
from pytest_lambda_lifecycle.capture import Unbuffered
from pytest_lambda_lifecycle.clock import Clock, FreezegunNames, moment_at
from pytest_lambda_lifecycle.conductor import Conductor
from pytest_lambda_lifecycle.config import FunctionConfig
from pytest_lambda_lifecycle.ephemeral_storage import OUTSIDE_TMP, EphemeralStorage
from pytest_lambda_lifecycle.errors import ConfigError, warn
from pytest_lambda_lifecycle.events import AtexitIgnored
from pytest_lambda_lifecycle.exits import Exits, Signals, ThreadExits
from pytest_lambda_lifecycle.extensions.files import find_extensions
from pytest_lambda_lifecycle.extensions.group import ExtensionGroup
from pytest_lambda_lifecycle.extensions.objects import Objects
from pytest_lambda_lifecycle.extensions.programs import Programs
from pytest_lambda_lifecycle.failures import passes_through
from pytest_lambda_lifecycle.finders import Finders
from pytest_lambda_lifecycle.forkserver import ForkServer
from pytest_lambda_lifecycle.fresh import EVERY, fresh_rule
from pytest_lambda_lifecycle.interruption import Interruption
from pytest_lambda_lifecycle.leftovers import Children, Leftovers
from pytest_lambda_lifecycle.lifecycle import State
from pytest_lambda_lifecycle.logging_tree import LoggingTree
from pytest_lambda_lifecycle.namespaces import SharedNamespaces
from pytest_lambda_lifecycle.process import ProcessSlice, stage
from pytest_lambda_lifecycle.reach import Reach
from pytest_lambda_lifecycle.replacements import Replacements
from pytest_lambda_lifecycle.rotation import Rotation
from pytest_lambda_lifecycle.runtimes.local import LocalRuntime
from pytest_lambda_lifecycle.setters import FaultHandler, WatchedSetters
from pytest_lambda_lifecycle.slots import Slots
from pytest_lambda_lifecycle.surroundings import SearchPath, Variables
from pytest_lambda_lifecycle.task_root import find_task_root, working_directory_candidates
from pytest_lambda_lifecycle.threads import StartedThreads, function_thread
from pytest_lambda_lifecycle.timeline import Timeline
from pytest_lambda_lifecycle.turns import Turns
from pytest_lambda_lifecycle.variables import function_variables, is_withheld
from pytest_lambda_lifecycle.virtual_clock import VirtualClock
from pytest_lambda_lifecycle.watching import WatchedRuntime
from pytest_lambda_lifecycle.working_directory import WorkingDirectory
from pytest_lambda_lifecycle.world import Keep, World

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.events import Event

__all__ = ["Assembly", "assemble"]


@dataclass
class Assembly:
    """What an `ExecutionEnvironment` is made of."""

    conductor: Conductor
    process: ProcessSlice
    world: World
    runtime: WatchedRuntime
    extensions: ExtensionGroup
    replacements: Replacements
    storage: EphemeralStorage
    task_root: Path


def assemble(
    config: FunctionConfig,
    *,
    clock: Clock,
    keep: Keep,
    tampered: Callable[[ModuleType], Iterable[str]],
    misplaced: Callable[[World], Iterable[str]] | None,
    observer: Callable[[Event], None] | None,
) -> Assembly:
    """Build an environment that has not begun: nothing in the process changes before its first phase."""
    if not isinstance(config, FunctionConfig):
        raise ConfigError(
            f"cannot make an environment of {config!r}: it takes a FunctionConfig, as FunctionConfig('app.handler')"
        )
    places, source = [] if config.code_dir else working_directory_candidates(), config.source_of("handler")
    task_root = find_task_root(config.handler, config.code_dir, places, config.layers, source=source).resolve()
    programs = extension_programs(config, clock)
    timeline = Timeline(observer=observer)
    import_path = [str(folder) for folder in (task_root, *_layer_folders(config.layers))]
    world = World(import_path, fresh=fresh_rule(frozenset(config.fresh_packages)), keep=keep)
    _warn_of_unknown(config, world)
    storage, log_stream = EphemeralStorage(), _new_log_stream(config, clock.now_us())
    namespaces, replacements = SharedNamespaces(world.hook, world.own), Replacements(world, config.handler)

    endpoint = Endpoint(
        config,
        timeline=timeline,
        view=_RuntimeView(lambda: conducting()),
        now_us=clock.now_us,
        threads=lambda: threads,
        is_functions=lambda: in_phase() or function_thread() is process,
        importing=lambda: path.outside(),
    )
    rotation = Rotation(clock.now_us) if isinstance(clock, VirtualClock) else None

    def inside(outside: dict[str, str]) -> dict[str, str]:
        return function_variables(
            config,
            outside=outside,
            log_stream_name=log_stream,
            task_root=task_root,
            credentials=rotation.current() if rotation is not None else None,
            api=endpoint.address,
            metadata_token=endpoint.token,
        )

    variables = Variables(inside, withheld=is_withheld)
    path, directory = SearchPath(import_path), WorkingDirectory(str(task_root))
    alarm = Alarm(Interruption(time_is_up=clock.real_time_is_up, forgive=clock.forgive))

    def in_phase() -> bool:
        return stage.on_phase_thread() and stage.running[-1] is process

    signals = Signals(in_phase, alarm)
    threads, children = StartedThreads(lambda: process, in_phase), Children(in_phase)

    def is_function_code(namespace: dict[str, Any]) -> bool:
        module = world.own(str(namespace.get("__name__")))
        return module is not None and vars(module) is namespace

    def record(stream: str, text: str) -> None:
        timeline.write(clock.now_us(), stream, text)

    process = ProcessSlice(
        [
            world,
            Finders(world.hook, world.own),
            FreezegunNames(world.own_modules),
            variables,
            path,
            directory,
            alarm,
            LoggingTree(),
            signals,
            ThreadExits(lambda: function_thread() is process, partial(record, "stderr")),
            WatchedSetters(in_phase),
            FaultHandler(),
            ForkServer(),
            Reach(lambda: endpoint.port, endpoint.connected, endpoint.bound, endpoint.used),
            threads,
            children,
            Slots(),
            storage,
            namespaces,
            Exits(
                in_phase=in_phase,
                is_function_code=is_function_code,
                ended=lambda code: setattr(process, "exit_code", code),
                ignored=lambda function: timeline.append(AtexitIgnored(clock.now_us(), function)),
            ),
            replacements,  # last: a spy sees also what is called of ours
        ],
        [world, variables, path, directory],
        alarm,
        [Unbuffered("stdout", record), Unbuffered("stderr", record)],
        f"the environment of {config.handler!r}",
    )

    def is_tests_own(exception: BaseException) -> bool:
        return passes_through(exception, interrupted=signals.interrupted)

    runtime = WatchedRuntime(
        LocalRuntime(
            config.handler, passes_through=is_tests_own, sigterm=lambda: signals.functions_own(signal.SIGTERM)
        ),
        world=world,
        namespaces=namespaces,
        timeline=timeline,
        clock=clock,
        tampered=tampered,
        misplaced=misplaced,
        leftovers=Leftovers(threads, children, endpoint.resting),
        renew_credentials=rotation.renew if rotation is not None else None,
    )

    def program_exited(name: str, exit_code: int) -> None:
        endpoint.registry.exited(name, exit_code)
        conductor = conducting()
        if in_own_turn() and conductor and conductor.state in {State.INIT, State.INVOKE}:  # at the end it is expected
            alarm.cut()

    def in_own_turn() -> bool:
        return bool(stage.running) and stage.running[-1] is process

    turns = Turns(process, clock)
    extensions = ExtensionGroup(
        Objects(
            (one for one in config.extensions if not isinstance(one, Path)),
            endpoint=endpoint,
            turns=turns,
            timeline=timeline,
            clock=clock,
            apart=signals.apart,
            passes_through=is_tests_own,
        ),
        Programs(
            programs,
            variables=lambda: inside(dict(os.environ)),
            directory=lambda: storage.path,
            layers=opt_layers(config),
            scratch=OUTSIDE_TMP,
            note=lambda event: endpoint.note(event),
            now_us=clock.now_us,
            exited=program_exited,
        ),
        endpoint=endpoint,
        turns=turns,
        timeline=timeline,
        clock=clock,
    )

    def renew() -> str:
        nonlocal log_stream
        storage.empty()
        log_stream = _new_log_stream(config, clock.now_us())
        return log_stream

    conductor = Conductor(
        config,
        runtime=runtime,
        extensions=extensions,
        process=process,
        turns=turns,
        timeline=timeline,
        clock=clock,
        renew=renew,
    )
    conducting = weakref.ref(conductor)  # no circle: what is closed and forgotten is freed at once
    return Assembly(conductor, process, world, runtime, extensions, replacements, storage, task_root)


class _RuntimeView:
    """What the Runtime API tells function code of the runtime in this process, as long as there is one."""

    _STATES: Final = {State.READY: "Ready", State.INVOKE: "Running"}

    def __init__(self, conductor: Callable[[], Conductor | None]) -> None:
        self._conductor = conductor

    def state(self) -> str:
        """Return the state by its name in the emulator."""
        conductor = self._conductor()
        return "Started" if conductor is None else self._STATES.get(conductor.state, "Started")

    def request_id(self) -> str:
        """Return the identifier of the latest request."""
        conductor = self._conductor()
        return "" if conductor is None else conductor.request_id


def extension_programs(config: FunctionConfig, clock: Clock) -> list[tuple[str, Path]]:
    """Return name and path of the extensions that are executables: those of the layers, and those that were named.

    Raises `ConfigError` for two of the same name, and under a virtual clock, which other processes do not have.
    """
    programs = dict(find_extensions(config.layers)) if config.layers else {}
    for path in config.extensions:
        if isinstance(path, Path):
            if path.name in programs:
                raise ConfigError(
                    f"extensions: {path} has the name of {programs[path.name]}, and each has to register by its name "
                    f"(from {config.source_of('extensions')})"
                )
            programs[path.name] = path
    if programs and isinstance(clock, VirtualClock):
        name, path = min(programs.items())
        raise ConfigError(
            f"cannot run the extension {name!r} ({path}) under lambda_clock: it is a process of its own, in which time "
            "is real; pass an Extension object, which runs in this process, or test without lambda_clock"
        )
    return sorted(programs.items())


def opt_layers(config: FunctionConfig) -> list[Path]:
    """Return what is in ``/opt``: the layers, and the folders around ``extensions`` folders whose files were named."""
    paths = [path for path in config.extensions if isinstance(path, Path)]
    return [*config.layers, *dict.fromkeys(path.parents[1] for path in paths if path.parent.name == "extensions")]


def _warn_of_unknown(config: FunctionConfig, world: World) -> None:
    for name in config.fresh_packages:
        steps = name.split(".")
        if name != EVERY and name not in sys.modules and world.module_length(steps) < len(steps):
            source = config.source_of("fresh_packages")
            warn(f"fresh_packages has {name!r}, and there is no such module on the import path (from {source})")


def _new_log_stream(config: FunctionConfig, now: int) -> str:
    """Return a name as Lambda makes them: date, version, 32 hexadecimal digits."""
    return f"{moment_at(now).strftime('%Y/%m/%d')}/[{config.function_version}]{secrets.token_hex(16)}"


def _layer_folders(layers: Iterable[Path]) -> list[Path]:
    """Return the import folders of layers, unpacked over each other in ``/opt``: what comes later wins."""
    minor = f"python3.{sys.version_info.minor}"
    ordered = [layer.resolve() for layer in layers][::-1]
    folders = [layer / "python" / "lib" / minor / "site-packages" for layer in ordered]
    folders += [layer / "python" for layer in ordered]
    return [folder for folder in folders if folder.is_dir()]
