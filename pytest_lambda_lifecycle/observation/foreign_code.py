"""What a test is told of imports of code that is not deployed with the function."""

from __future__ import annotations

import os
from collections.abc import Callable, Container
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_lambda_lifecycle.errors import warn
from pytest_lambda_lifecycle.function.layers import hint_at_layers
from pytest_lambda_lifecycle.isolation.tracebacks import chain_of
from pytest_lambda_lifecycle.lifecycle.import_events import ForeignImport

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.isolation.modules.deployment import Deployment
    from pytest_lambda_lifecycle.observation.calls.recorder import CallRecorder

__all__ = ["ForeignCode", "PathNotes"]


def _origin_in_script(entry: str) -> str:
    if entry in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        return "from PYTHONPATH"
    return "the folder of the script, or what it has added"


class PathNotes(NamedTuple):
    """What is known of the entries of the tests' `sys.path`."""

    origin_of: Callable[[str], str] = _origin_in_script
    """Returns where an entry came from, in words."""
    base: Path | None = None
    """Where relative paths of the ini file start; None without pytest."""
    test_folders: Container[str] = frozenset()
    """The folders of test modules and conftest files, without symbolic links."""


class ForeignCode:
    """Records such imports, and explains the errors that they end in."""

    def __init__(
        self,
        config: FunctionConfig,
        task_root: Path,
        deployment: Deployment,
        recorder: CallRecorder,
        notes: PathNotes,
    ) -> None:
        self._config = config
        self._task_root = str(task_root)
        self._deployment = deployment
        self._recorder = recorder
        self._notes = notes
        self._noted: set[tuple[str, int | None, str]] = set()
        self._told: set[str] = set()
        self.untold: list[ForeignImport] = []
        """The imports of which the test has to be warned."""

    def note(self, module: str, path: str, entry: str, refused: bool) -> None:
        """Record an import; the same one once in each kind of phase and in each invoke."""
        place = self._recorder.place()
        if place is None or self._config.foreign_imports == "allow":
            return
        key = (place.phase, place.invocation, module)
        if key not in self._noted:
            self._noted.add(key)
            event = ForeignImport(*place, module, path, entry, refused)
            self._recorder.timeline.append(event)
            if not refused and module not in self._told:
                self._told.add(module)
                self.untold.append(event)

    def tell(self) -> None:
        """Warn of each module that was found and is not deployed, once in an environment."""
        while self.untold:
            event = self.untold.pop(0)
            at = f" at {event.where}" if event.where else ""
            mode, source = self._config.foreign_imports, self._config.source_of("foreign_imports")
            why = f"foreign_imports={mode!r} from {source}"
            if mode == "error":
                why = "it lies beside the tests, and may be a stand-in of theirs"
            warn(
                f"{self._config.handler}: function code imported {event.module!r}{at}. Here it was "
                f"found at {event.path} by the sys.path entry {event.entry} ({why}); on Lambda "
                "there is no such module.\n"
                f"If your build copies it: {self._line(event.module, event.path)}"
            )

    def hint(self, error: BaseException | None) -> str:
        """Return the advice for a failure that such an import has caused; ``""`` for others."""
        if not self._deployment.hides:
            return ""
        for one in chain_of(error):
            if isinstance(one, ModuleNotFoundError) and one.name:
                found = self._deployment.find(one.name)
                if found is not None:
                    return self._advice(one.name, *found)
        return ""

    def _advice(self, module: str, path: str, entry: str) -> str:
        lines = [
            f"No module named {module!r} (as on Lambda). Found at {os.path.normpath(path)} by the "
            f"sys.path entry {os.path.normpath(entry) if entry else repr(entry)} "
            f"({self._notes.origin_of(entry)}).",
            f"If your build copies it: {self._line(module, path)}",
        ]
        of_layers = hint_at_layers(self._config.layers, module)
        if of_layers:
            lines.append(of_layers)
        folder = os.path.realpath(entry)
        if os.path.basename(folder) == "python":
            layers = [*map(str, self._config.layers), self._shown(os.path.dirname(folder))]
            lines.append(f"If it is a layer: {self._setting('layers', *layers)}")
        if self._task_root.startswith(os.path.realpath(path) + os.sep):
            inner = os.path.relpath(self._task_root, folder).replace(os.sep, "/")
            handler = f"{inner}/{self._config.handler}"
            lines.append(
                f"If Lambda unpacks {folder} itself: code_dir={self._shown(folder)!r}, with the "
                f"handler {handler!r}"
            )
        return "\n".join(lines)

    def _line(self, module: str, path: str) -> str:
        """Return the line that allows an import; it keeps what is bundled already."""
        top = module.partition(".")[0]
        value = module if self._deployment.places_of(top) else top
        base = self._notes.base or Path.cwd()
        named = base / value
        if named.is_dir() and os.path.realpath(named) != os.path.realpath(path):
            folder = path if os.path.isdir(path) else os.path.dirname(path)
            value = os.path.relpath(folder, base)
        bundled = [
            self._shown(str(one)) if isinstance(one, Path) else one for one in self._config.bundled
        ]
        return self._setting("bundled", *bundled, value)

    def _shown(self, path: str) -> str:
        """Return a path as the ini file takes it: relative, if it lies below the file's folder."""
        base = os.path.realpath(self._notes.base or Path.cwd())
        return os.path.relpath(path, base) if path.startswith(f"{base}{os.sep}") else path

    def _setting(self, name: str, *values: str) -> str:
        source = self._config.source_of(name)
        if self._notes.base is None:
            return f"{name}={list(values)!r}"
        if getattr(self._config, name) and not source.startswith("ini option"):
            return f"{name}={list(values)!r} (in the place of the value from {source})"
        return f"lambda_lifecycle_{name} = {' '.join(values)}"
