"""Puts an environment together: the world, the parts of the process, the runtime and the
conductor.
"""

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

from pytest_lambda_lifecycle.api.endpoint import Endpoint
from pytest_lambda_lifecycle.clock.clock import Clock
from pytest_lambda_lifecycle.clock.freeze import FreezegunNames
from pytest_lambda_lifecycle.clock.virtual import VirtualClock
from pytest_lambda_lifecycle.conductor.conductor import Conductor
from pytest_lambda_lifecycle.conductor.turns import Turns
from pytest_lambda_lifecycle.environment.credentials import Rotation
from pytest_lambda_lifecycle.errors import ConfigError, warn
from pytest_lambda_lifecycle.extensions.group import ExtensionGroup
from pytest_lambda_lifecycle.extensions.objects import Objects
from pytest_lambda_lifecycle.extensions.programs import Programs, extension_programs
from pytest_lambda_lifecycle.function.config import FunctionConfig
from pytest_lambda_lifecycle.function.layers import import_folders, opt_layers
from pytest_lambda_lifecycle.function.task_root import find_task_root, working_directory_candidates
from pytest_lambda_lifecycle.function.variables import function_variables, is_withheld
from pytest_lambda_lifecycle.isolation.alarm import Alarm
from pytest_lambda_lifecycle.isolation.control_flow import passes_through
from pytest_lambda_lifecycle.isolation.interruption import Interruption
from pytest_lambda_lifecycle.isolation.ledger import ProcessSlice
from pytest_lambda_lifecycle.isolation.modules.finders import Finders
from pytest_lambda_lifecycle.isolation.modules.fresh_packages import EVERY, fresh_rule
from pytest_lambda_lifecycle.isolation.modules.search_path import SearchPath
from pytest_lambda_lifecycle.isolation.modules.shared_modules import SharedNamespaces
from pytest_lambda_lifecycle.isolation.modules.world import Keep, World
from pytest_lambda_lifecycle.isolation.parts.children import Children
from pytest_lambda_lifecycle.isolation.parts.environ import Variables
from pytest_lambda_lifecycle.isolation.parts.exits import Exits, ThreadExits
from pytest_lambda_lifecycle.isolation.parts.forkserver import ForkServer
from pytest_lambda_lifecycle.isolation.parts.logging_tree import LoggingTree
from pytest_lambda_lifecycle.isolation.parts.setters import FaultHandler, WatchedSetters
from pytest_lambda_lifecycle.isolation.parts.signals import Signals
from pytest_lambda_lifecycle.isolation.parts.sockets import Reach
from pytest_lambda_lifecycle.isolation.parts.threads import StartedThreads, function_thread
from pytest_lambda_lifecycle.isolation.parts.tmp import OUTSIDE_TMP, EphemeralStorage
from pytest_lambda_lifecycle.isolation.parts.values import Slots
from pytest_lambda_lifecycle.isolation.parts.working_directory import WorkingDirectory
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.isolation.streams import Unbuffered
from pytest_lambda_lifecycle.lifecycle.events import AtexitIgnored
from pytest_lambda_lifecycle.lifecycle.moments import moment_at
from pytest_lambda_lifecycle.lifecycle.rules import State
from pytest_lambda_lifecycle.lifecycle.timeline import Timeline
from pytest_lambda_lifecycle.observation.leftovers import Leftovers
from pytest_lambda_lifecycle.observation.replacements import Replacements
from pytest_lambda_lifecycle.observation.watching import WatchedRuntime
from pytest_lambda_lifecycle.runtimes.local import LocalRuntime

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.events import Event

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
    """Build an environment that has not begun: nothing in the process changes before its first
    phase.
    """
    if not isinstance(config, FunctionConfig):
        raise ConfigError(
            f"cannot make an environment of {config!r}: it takes a FunctionConfig, as FunctionConfig('app.handler')"
        )
    places, source = (
        [] if config.code_dir else working_directory_candidates(),
        config.source_of("handler"),
    )
    task_root = find_task_root(
        config.handler, config.code_dir, places, config.layers, source=source
    ).resolve()
    programs = extension_programs(config, clock)
    timeline = Timeline(observer=observer)
    import_path = [str(folder) for folder in (task_root, *import_folders(config.layers))]
    world = World(import_path, fresh=fresh_rule(frozenset(config.fresh_packages)), keep=keep)
    _warn_of_unknown(config, world)
    storage, log_stream = EphemeralStorage(), _new_log_stream(config, clock.now_us())
    namespaces, replacements = (
        SharedNamespaces(world.hook, world.own),
        Replacements(world, config.handler),
    )

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
            config.handler,
            passes_through=is_tests_own,
            sigterm=lambda: signals.functions_own(signal.SIGTERM),
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
        if (
            in_own_turn() and conductor and conductor.state in {State.INIT, State.INVOKE}
        ):  # at the end it is expected
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
    return Assembly(
        conductor, process, world, runtime, extensions, replacements, storage, task_root
    )


class _RuntimeView:
    """What the Runtime API tells function code of the runtime in this process, as long as there is
    one.
    """

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


def _warn_of_unknown(config: FunctionConfig, world: World) -> None:
    for name in config.fresh_packages:
        steps = name.split(".")
        if name != EVERY and name not in sys.modules and world.module_length(steps) < len(steps):
            source = config.source_of("fresh_packages")
            warn(
                f"fresh_packages has {name!r}, and there is no such module on the import path (from {source})"
            )


def _new_log_stream(config: FunctionConfig, now: int) -> str:
    """Return a name as Lambda makes them: date, version, 32 hexadecimal digits."""
    return (
        f"{moment_at(now).strftime('%Y/%m/%d')}/[{config.function_version}]{secrets.token_hex(16)}"
    )
