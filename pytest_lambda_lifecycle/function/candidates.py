"""The modules that a handler's name may have meant, where the named one was not found."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from pytest_lambda_lifecycle.function.handler_name import HandlerName

__all__ = ["Candidates", "functions_in"]

_MOST_FOLDERS: Final = 3_000
_MOST_SHOWN: Final = 5
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
_FUNCTION: Final = re.compile(r"^(?:async )?def ([A-Za-z]\w*)\(", re.MULTILINE)
_HANDLERS: Final = re.compile(r"handler|main|lambda", re.IGNORECASE)


class Candidates:
    """Folders below a directory in which the module lies, and modules of a similar name."""

    def __init__(self, root: Path, name: HandlerName) -> None:
        self._root = root
        self._name = name
        self.folders: list[Path] = []
        """Folders that could be the task root, since the module lies there."""
        self._near: dict[str, Path] = {}
        """Modules with as many parts as the wanted one, by name, and their folders."""

    @classmethod
    def below(cls, root: Path, name: HandlerName) -> Candidates:
        """Look through a directory; hidden folders and those of installed packages are left out."""
        found = cls(root, name)
        wanted = [part.removesuffix(".py") for part in name.path.replace("/", ".").split(".")]
        if wanted and wanted[-1] == "py":  # "app.py.handler"
            wanted.pop()
        if all(wanted):
            for file in _modules_below(root):
                found._consider(file, wanted)
        return found

    def _consider(self, file: Path, wanted: list[str]) -> None:
        parts = file.relative_to(self._root).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        tail = parts[-len(wanted) :]
        if len(tail) < len(wanted):
            return
        folder = self._root.joinpath(*parts[: -len(wanted)])
        if list(tail) == wanted:
            self.folders.append(folder)
        else:
            self._near.setdefault(".".join(tail), folder)

    def hint(self, why: str) -> str:
        """Return the advice; ``why`` says where the module was looked for."""
        found = [*self.folders, *_loaded(self._name, self.folders)]
        if found:
            shown = [f"  {self._as_settings(folder)}" for folder in found[:_MOST_SHOWN]]
            more = len(found) - _MOST_SHOWN
            shown += [f"  and {more} more"] if more > 0 else []
            module = self._name.module.removesuffix(".py")
            handler = f"{module}.{self._name.attribute}"
            text = "" if module == self._name.module else f", as the handler {handler!r}"
            return "\n".join([f"The module {module} lies in{text}:", *shown])
        lower = {name.lower(): name for name in self._near}
        near = difflib.get_close_matches(self._name.module.lower(), lower, n=1, cutoff=0.7)
        if not near:
            return self._beside() or f"Correct the handler's name or code_dir: {why}."
        meant = lower[near[0]]
        folder = self._near[meant]
        place = "" if folder == self._root else f", with code_dir={self._shown(folder)!r}"
        return f"Did you mean '{meant}.{self._name.attribute}'{place}?"

    def _as_settings(self, folder: Path) -> str:
        """Return the settings for a folder that holds the module; it may lie inside a package."""
        packages: list[str] = []
        while (folder / "__init__.py").is_file() and folder != folder.parent:
            packages.insert(0, folder.name)
            folder = folder.parent
        handler = ".".join([*packages, self._name.module, self._name.attribute])
        inside = f", and the handler {handler!r}" if packages else ""
        return f"code_dir={self._shown(folder)!r}{inside}"

    def _beside(self) -> str:
        """Name the modules of the package in which the wanted one would lie."""
        package, _, _ = self._name.module.rpartition(".")
        names = [name for name in self._near if name.rpartition(".")[0] == package]
        if not names or len(names) > _MOST_SHOWN * 2:
            return ""
        where = f"The modules of {package}" if package else f"The modules below {self._root}"
        return f"{where} are: {', '.join(sorted(names))}."

    def _shown(self, folder: Path) -> str:
        if folder == self._root or self._root not in folder.parents:
            return str(folder)
        return str(folder.relative_to(self._root))


def functions_in(task_root: Path, module: str) -> list[str]:
    """Return the functions of a module that look like handlers, or all if none does."""
    path = task_root.joinpath(*module.replace(".", "/").split("/"))
    for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
        try:
            names = _FUNCTION.findall(file.read_text(errors="replace"))
        except OSError:
            continue
        return [name for name in names if _HANDLERS.search(name)] or names
    return []


def _modules_below(root: Path) -> Iterator[Path]:
    for folder, subfolders, files in islice(os.walk(root), _MOST_FOLDERS):
        subfolders[:] = sorted(
            name
            for name in subfolders
            if name[0] != "." and name not in _SKIPPED and not _is_interpreter(folder, name)
        )
        yield from (Path(folder, file) for file in sorted(files) if file.endswith(".py"))


def _is_interpreter(folder: str, name: str) -> bool:
    """Say whether a folder is a virtual environment."""
    return os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))


def _loaded(name: HandlerName, found: list[Path]) -> list[Path]:
    """Return the folder of a module of that name which the test process has loaded."""
    module = sys.modules.get(name.module)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return []
    folder = Path(file).parent if Path(file).stem != "__init__" else Path(file).parent.parent
    for _ in name.parts[1:]:
        folder = folder.parent
    known = {os.path.realpath(one) for one in found}
    return [] if os.path.realpath(folder) in known else [folder]
