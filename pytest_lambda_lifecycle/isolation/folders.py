"""The folders of modules, and whether they are installed (standard library, ``site-packages``)."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

__all__ = [
    "PACKAGE_FOLDERS",
    "folder_of",
    "folder_of_module",
    "inside",
    "is_installed",
    "is_source_under",
    "namespace_of",
    "real",
]

_OWN_FOLDER: Final = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
PACKAGE_FOLDERS: Final = frozenset({"site-packages", "dist-packages"})
"""The names of folders for installed packages."""


@lru_cache(maxsize=4096)
def real(directory: str) -> str:
    """Return a folder without symbolic links."""
    return os.path.realpath(directory)


@lru_cache(maxsize=16384)
def folder_of(file: str) -> str:
    """Return the real folder of a file."""
    return real(os.path.dirname(file))


def inside(path: str, root: str) -> bool:
    """Say whether a path is the root or lies below it."""
    return path == root or path.startswith(root if root.endswith(os.sep) else root + os.sep)


@lru_cache(maxsize=1)
def _interpreter_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple({real(paths[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib")})


@lru_cache(maxsize=4096)
def is_installed(directory: str) -> bool:
    """Say whether a folder (as realpath) holds the standard library or installed packages.

    This package counts as installed, wherever it lies: no function imports it afresh.
    """
    if inside(directory, _OWN_FOLDER) or not PACKAGE_FOLDERS.isdisjoint(directory.split(os.sep)):
        return True
    return any(inside(directory, folder) for folder in _interpreter_folders())


_namespace_of: Final[Any] = vars(ModuleType)["__dict__"].__get__


def namespace_of(module: object) -> dict[str, Any] | None:
    """Return the namespace of an entry of `sys.modules`, or None if it is no module.

    Anything may lie there, and its class may raise on every access, or import something.
    """
    cls = type(module)
    if cls is ModuleType:
        namespace = module.__dict__
    elif issubclass(cls, ModuleType):
        namespace = _namespace_of(module)
    else:
        try:
            namespace = object.__getattribute__(module, "__dict__")
        except Exception:
            return None
    return namespace if type(namespace) is dict else None


def folder_of_module(module: object) -> str | None:
    """Return the real folder that a module was loaded from.

    None if there is none: the module is built in, or was made by hand.
    """
    namespace = module.__dict__ if type(module) is ModuleType else namespace_of(module)
    if namespace is None:
        return None
    file = namespace.get("__file__")
    if isinstance(file, str):
        return folder_of(file)
    # A namespace package has no file, and a path of one or more folders.
    try:
        return next((real(entry) for entry in namespace.get("__path__") or ()), None)
    except Exception:  # the __path__ of a lazy module may do anything
        return None


def is_source_under(folder: str, root: str) -> bool:
    """Say whether a folder lies under a root and is not installed there."""
    if not inside(folder, root):
        return False
    parts = folder[len(root) :].split(os.sep)
    prefix = real(sys.prefix)
    in_tree_prefix = inside(prefix, root) and prefix != root and inside(folder, prefix)
    return PACKAGE_FOLDERS.isdisjoint(parts) and not in_tree_prefix
