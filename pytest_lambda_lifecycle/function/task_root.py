"""The task root: the directory that holds a function's code, as ``/var/task`` does on Lambda."""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.function.handler_name import HandlerName
from pytest_lambda_lifecycle.function.layers import hint_at_layers, import_folders

__all__ = [
    "find_task_root",
    "has_module",
    "hint_at_form",
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
    root: Path | None = None,
) -> Path:
    """Return ``code_dir``, or the first candidate that holds the handler's module.

    A candidate is a directory and its description.  A handler for which the runtime has its own
    error, and one whose module comes from a layer, need no directory of their own: they get the
    first candidate.  ``source`` says where the handler came from; below ``root``, by default the
    first candidate, the error looks for modules that may have been meant.
    """
    if code_dir is not None:
        return code_dir
    name = HandlerName.parse(handler)
    if not name.is_importable:
        return candidates[0][0]
    # As in Python's import system, a module anywhere wins over a plain directory (a namespace
    # package) anywhere.
    for holds in (has_module, _has_directory):
        for directory, _ in candidates:
            if holds(directory, name.parts):
                return directory
    if any(has_module(folder, name.parts) for folder in import_folders(layers)):
        return candidates[0][0]
    raise _not_found(handler, source, candidates, layers, root or candidates[0][0])


def hint_at_form(handler: str) -> str:
    """Explain how a handler is named, with the name that was probably meant."""
    form = "A handler is named 'module.function'"
    if ":" in handler:
        module, _, function = handler.partition(":")
        function = function.lstrip(":")
        meant = f"{module.removesuffix('.py')}.{function}"
        return f"{form}, with a dot: did you mean {meant!r}?"
    if handler.endswith(".py"):
        return f"{form}, without '.py': did you mean '{handler.removesuffix('.py')}.handler'?"
    path, _, last = handler.rpartition("/")
    if path:
        return f"{form}, with a dot before the function: did you mean '{path}.{last}'?"
    return f"{form}, such as 'app.handler' for the function handler in app.py."


def hint_at_neighbour(task_root: Path, handler: str, missing: str) -> str:
    """Say where the module ``missing`` lies, if it lies beside the handler's file.

    Such a module is not imported unless the handler's file lies in the task root itself.
    """
    name = HandlerName.parse(handler)
    wanted = missing.partition(".")[0]
    if not name.is_importable or not wanted:
        return ""
    folder = task_root.joinpath(*name.parts)
    if not has_module(folder, ["__init__"]):
        folder = folder.parent
    if folder == task_root or not _holds(folder, wanted) or _holds(task_root, wanted):
        return ""
    packages = folder.relative_to(task_root).parts
    package = ".".join(packages)
    shorter = ".".join([*name.parts[len(packages) :], name.attribute])
    return (
        f"{wanted} lies beside the handler's file, in {folder}, but imports start at the task "
        f"root, {task_root}, as on Lambda: write 'from {package} import {wanted}', or make "
        f"{folder} the task root (code_dir) with the handler {shorter!r}"
    )


def hint_at_namesake(task_root: Path, handler: str, module: ModuleType | None = None) -> str:
    """Name the loaded library that was imported in the place of the handler's module.

    ``module`` is what was imported; without it, the import has failed in the package around it.
    """
    name = HandlerName.parse(handler)
    if not name.is_importable or not has_module(task_root, name.parts):
        return ""
    top = name.parts[0]
    file: object = getattr(module or sys.modules.get(top), "__file__", None)
    if not isinstance(file, str):
        return ""
    own = os.path.realpath(task_root / top)
    if os.path.realpath(file).startswith((f"{own}.", f"{own}{os.sep}")):
        return ""
    return (
        f"{top} is {file} here: the test process has loaded it, and shares installed packages and "
        f"the standard library with the function, so {'/'.join(name.parts)} in {task_root} is not "
        "imported; give it another name"
    )


def working_directory_candidates() -> list[tuple[Path, str]]:
    """Return the places to search without pytest: in a REPL, or a script."""
    here = Path.cwd()
    return [(here, "the current directory"), (here / "src", "its src directory")]


def _holds(directory: Path, name: str) -> bool:
    return has_module(directory, [name]) or _has_directory(directory, [name])


def has_module(directory: Path, parts: Sequence[str]) -> bool:
    """Say whether a directory holds a module: a file, or a package with an ``__init__``."""
    path = str(directory.joinpath(*parts))
    # Unlike those of `Path`, these functions raise nothing for a path that cannot be read or is
    # too long.
    return any(
        os.path.isfile(path + suffix) or os.path.isfile(os.path.join(path, "__init__" + suffix))
        for suffix in importlib.machinery.all_suffixes()
    )


def _has_directory(directory: Path, parts: Sequence[str]) -> bool:
    return os.path.isdir(directory.joinpath(*parts))


def _not_found(
    handler: str,
    source: str,
    candidates: Sequence[tuple[Path, str]],
    layers: Iterable[Path],
    root: Path,
) -> ConfigError:
    # Most handlers are found.
    from pytest_lambda_lifecycle.function.candidates import Candidates

    name = HandlerName.parse(handler)
    sources = " and ".join(name.sources)
    places = [
        f"  {directory}  ({description}{'' if os.path.isdir(directory) else '; it does not exist'})"
        for directory, description in candidates
    ]
    of_layers = hint_at_layers(layers, name.module)
    return ConfigError(
        f"no task root for the handler {handler!r} (from {source}): looked for {sources} in",
        *places,
        *([of_layers] if of_layers else []),
        hint_at_form(handler)
        if ":" in handler
        else Candidates.below(root, name).hint(f"nothing below {root} has a name like it"),
        "Name the directory that Lambda would unpack into /var/task with code_dir=..., or for the "
        "whole suite with the ini option lambda_lifecycle_code_dir.",
        code="LLC204",
    )
