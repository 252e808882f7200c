"""Where a function's code lies: the directory that plays ``/var/task``."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_lambda_lifecycle.errors import ConfigError

__all__ = [
    "find_task_root",
    "hint_at_namesake",
    "hint_at_neighbour",
    "working_directory_candidates",
]


def find_task_root(
    handler: str,
    code_dir: Path | None,
    candidates: Sequence[tuple[Path, str]],
    layers: Iterable[Path] = (),
    *,
    source: str,
) -> Path:
    """Return ``code_dir``, or the first candidate (a directory and its description) that holds the
    handler's module.

    A handler string for which the runtime has its own error, and one whose module comes from a
    layer, need no directory of their own: they get the first candidate.  ``source`` says where the
    handler string came from.
    """
    if code_dir is not None:
        return code_dir
    parts = _module_parts(handler)
    if parts is None:
        return candidates[0][0]
    # As in Python's import system, a module anywhere wins over a plain directory (a namespace
    # package) anywhere.
    for holds in (_has_module, _has_directory):
        for directory, _ in candidates:
            if holds(directory, parts):
                return directory
    minor = f"python3.{sys.version_info.minor}"
    for layer in layers:
        if any(
            _has_module(layer / sub, parts)
            for sub in ("python", f"python/lib/{minor}/site-packages")
        ):
            return candidates[0][0]
    raise ConfigError(_not_found(handler, source, parts, candidates))


def hint_at_neighbour(task_root: Path, handler: str, missing: str) -> str:
    """Say where the module is that was not found, if it lies beside the handler's file and so is
    not imported.
    """
    parts, name = _module_parts(handler), missing.partition(".")[0]
    if parts is None or not name:
        return ""
    folder = task_root.joinpath(*parts)
    if not _has_module(folder, ["__init__"]):
        folder = folder.parent
    beside, at_root = (
        _has_module(one, [name]) or _has_directory(one, [name]) for one in (folder, task_root)
    )
    if folder == task_root or not beside or at_root:
        return ""
    packages = folder.relative_to(task_root).parts
    package = ".".join(packages)
    return (
        f"{name} lies beside the handler's file, in {folder}, but imports start at the task root, {task_root}, as on "
        f"Lambda: write 'from {package} import {name}', or make {folder} the task root (code_dir) with the handler "
        f"{'.'.join([*parts[len(packages) :], handler.rpartition('.')[2]])!r}"
    )


def hint_at_namesake(task_root: Path, handler: str) -> str:
    """Say which loaded library was taken for the handler's module, where that is what happened."""
    parts = _module_parts(handler)
    file: object = getattr(sys.modules.get(parts[0]), "__file__", None) if parts else None
    if parts is None or not isinstance(file, str) or not _has_module(task_root, parts):
        return ""
    own = str(task_root / parts[0])
    if os.path.realpath(file).startswith((f"{own}.", f"{own}{os.sep}")):
        return ""
    return (
        f"{parts[0]} is {file} here: the test process has loaded it, and shares installed packages and the standard "
        f"library with the function, so {'/'.join(parts)} in {task_root} is not imported; give it another name"
    )


def working_directory_candidates() -> list[tuple[Path, str]]:
    """Where to look when nothing else is known: a REPL, a script."""
    here = Path.cwd()
    return [(here, "the current directory"), (here / "src", "its src directory")]


def _module_parts(handler: str) -> list[str] | None:
    """Split as the runtime does (awslambdaric ``_get_handler``); None where it has an error of its
    own.
    """
    module, dot, _ = handler.rpartition(".")
    parts = module.replace("/", ".").split(".")
    if not dot or not all(parts) or module.split(".")[0] in sys.builtin_module_names:
        return None
    return parts


def _has_module(directory: Path, parts: Sequence[str]) -> bool:
    path = str(directory.joinpath(*parts))
    # Unlike those of `Path`, these functions raise nothing for what cannot be read or is too long.
    return any(
        os.path.isfile(path + suffix) or os.path.isfile(os.path.join(path, "__init__" + suffix))
        for suffix in importlib.machinery.all_suffixes()
    )


def _has_directory(directory: Path, parts: Sequence[str]) -> bool:
    return os.path.isdir(directory.joinpath(*parts))


def _not_found(
    handler: str, source: str, parts: Sequence[str], candidates: Sequence[tuple[Path, str]]
) -> str:
    path = "/".join(parts)
    looked = "\n".join(
        f"  {directory}  ({description}{'' if os.path.isdir(directory) else '; it does not exist'})"
        for directory, description in candidates
    )
    return (
        f"no task root for the handler {handler!r} (from {source}): looked for {path}.py and {path}/__init__.py "
        f"in\n{looked}\n"
        "Name the directory that Lambda would unpack into /var/task with code_dir=..., or for the whole suite with the "
        "ini option lambda_lifecycle_code_dir."
    )
