"""Extensions that are programs: a process each, one generation after another."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.clock.clock import Clock
from pytest_lambda_lifecycle.clock.virtual import VirtualClock
from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.function.config import FunctionConfig
from pytest_lambda_lifecycle.function.layers import find_extensions
from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionLog, LogsDropped

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.events import Event
    from pytest_lambda_lifecycle.processes.child import ExtensionProcess
    from pytest_lambda_lifecycle.processes.guard import Guard
    from pytest_lambda_lifecycle.processes.opt import Opt

__all__ = ["SANDBOX", "Programs", "extension_programs", "extension_variables"]

SANDBOX: Final = Path(__file__).resolve().parents[1] / "isolation" / "sandbox"
"""The folder that comes first on ``PYTHONPATH`` of an extension's process."""
_GONE_S: Final = 2.0
"""Seconds that a killed process may take to end."""
_HIDDEN: Final = frozenset(
    """
    AWS_EXECUTION_ENV AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_XRAY_CONTEXT_MISSING
    AWS_XRAY_DAEMON_ADDRESS LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT _HANDLER
    """.split()
)
_HIDDEN_PREFIXES: Final = ("_AWS_XRAY_", "_LAMBDA_", "_X_AMZN_")


class Programs:
    """Launches, freezes and kills the programs.  Without any, nothing for processes is loaded."""

    def __init__(
        self,
        files: Sequence[tuple[str, Path]],
        *,
        variables: Callable[[], Mapping[str, str]],
        directory: Callable[[], Path],
        layers: Sequence[Path],
        scratch: str,
        keeps_path: bool,
        note: Callable[[Event], None],
        now_us: Callable[[], int],
        exited: Callable[[str, int], None],
    ) -> None:
        """``files`` are names and paths.

        ``variables`` returns the variables of the function, ``directory`` the environment's
        ``/tmp``: the programs start there, and find it as ``TMPDIR``.  ``layers`` are the folders
        in ``/opt``, and ``scratch`` is a place for folders of this package.  ``keeps_path`` is
        true where the function declares ``PATH``.  ``note``, and ``exited`` with name and exit
        code, are called on other threads.
        """
        if files:
            # Imported during a phase, it would capture the watches on child processes and threads
            # of the function instead of the originals.
            import pytest_lambda_lifecycle.processes.guard  # noqa: F401
            from pytest_lambda_lifecycle.processes.opt import has_own_hosts

            has_own_hosts()  # asked once: no Init spends time on it
        self.files = files
        self._variables = variables
        self._directory = directory
        self._layers = layers
        self._scratch = scratch
        self._keeps_path = keeps_path
        self._opt: Opt | None = None
        self._note = note
        self._now_us = now_us
        self._exited = exited
        self._processes: dict[str, ExtensionProcess] = {}
        self._guard: Guard | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order in which the programs start."""
        return tuple(name for name, _ in self.files)

    def __contains__(self, name: str) -> bool:
        return name in self._processes

    def __bool__(self) -> bool:
        return bool(self.files)

    def launch(self, name: str) -> tuple[str, str] | None:
        """Start a program; return error type and text if it cannot be started."""
        from pytest_lambda_lifecycle.processes.child import ExtensionProcess, LaunchError
        from pytest_lambda_lifecycle.processes.guard import Guard
        from pytest_lambda_lifecycle.processes.opt import Opt

        # Function and extensions share `/tmp` ("Lambda extensions"); here both find it by TMPDIR.
        directory = self._directory()
        variables = extension_variables(self._variables(), keeps_path=self._keeps_path)
        variables["TMPDIR"] = str(directory)
        self._guard = self._guard or Guard(variables["AWS_LAMBDA_RUNTIME_API"])
        path = dict(self.files)[name]
        self._opt = self._opt or Opt(self._layers, self._scratch)
        process = ExtensionProcess(
            name,
            path,
            command=self._opt.command(path),
            variables=variables,
            directory=directory,
            wrote=lambda lines: self._note(ExtensionLog(self._now_us(), name, lines)),
            exited=lambda code: self._ended(process, code),
            dropped=lambda lines, size: self._note(
                LogsDropped(self._now_us(), name, lines, size, "more output than is kept")
            ),
            guard=self._guard,
        )
        self._processes[name] = process
        try:
            process.start()
        except LaunchError as problem:
            del self._processes[name]
            return problem.error_type, str(problem)
        return None

    def _ended(self, process: ExtensionProcess, exit_code: int) -> None:
        if self._processes.get(process.name) is process:  # not one of an earlier generation
            self._exited(process.name, exit_code)

    def freeze(self) -> None:
        """Stop the programs, as Lambda does between invokes."""
        for process in self._processes.values():
            process.freeze()

    def thaw(self) -> None:
        """Continue the programs."""
        for process in self._processes.values():
            process.thaw()

    def kill(self, name: str) -> None:
        """Send SIGKILL to a program and its group."""
        self._processes[name].kill()

    def end(self) -> None:
        """Kill all that are left, also detached ones, and wait until they are gone."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.join(_GONE_S)
        self._processes = {}
        if self._guard is not None:
            self._guard.end_strays()
            self._guard.close()
            self._guard = None
        if self._opt is not None:
            self._opt.close()
            self._opt = None


def extension_programs(config: FunctionConfig, clock: Clock) -> list[tuple[str, Path]]:
    """Return name and path of the extensions that are executables: of layers, and named ones.

    Raises `ConfigError` for two of the same name, and under a virtual clock, which other processes
    do not have.
    """
    programs = dict(find_extensions(config.layers)) if config.layers else {}
    for path in config.extensions:
        if isinstance(path, Path):
            if path.name in programs:
                raise ConfigError(
                    f"extensions: {path} has the name of {programs[path.name]}, and each has to "
                    f"register by its name (from {config.source_of('extensions')})",
                    code="LLC207",
                )
            programs[path.name] = path
    if programs and isinstance(clock, VirtualClock):
        name, path = min(programs.items())
        raise ConfigError(
            f"cannot run the extension {name!r} ({path}) under lambda_clock: it is a process of "
            "its own, in which time is real",
            "Pass an Extension object, which runs in this process, or test without lambda_clock.",
            code="LLC604",
        )
    return sorted(programs.items())


def extension_variables(
    variables: Mapping[str, str], *, keeps_path: bool = False
) -> dict[str, str]:
    """Return the variables of an extension (Developer Guide, "Runtime environment variables").

    ``PYTHONPATH`` begins with a folder of this package, which makes Python resolve the names of the
    sandbox, and ``PATH`` with the folder of the Python that runs the tests, so that ``python3`` is
    that one, unless the ``PATH`` is the function's own.
    """
    seen = {
        name: value
        for name, value in variables.items()
        if name not in _HIDDEN and not name.startswith(_HIDDEN_PREFIXES)
    }
    seen["PYTHONPATH"] = os.pathsep.join(filter(None, (str(SANDBOX), seen.get("PYTHONPATH", ""))))
    folder, path = os.path.dirname(sys.executable), seen.get("PATH", os.defpath)
    here = None if keeps_path else shutil.which("python3", path=folder)
    if here is not None and shutil.which("python3", path=path) != here:
        seen["PATH"] = os.pathsep.join((folder, path))
    return seen
