"""Code and places of modules that each cold start executes anew, kept in the process between them.

Python finds a module, reads its bytecode and makes code objects of it each time, or compiles it if
there is no bytecode.  All of that has the same result as long as the files are the same.

* The *code* of a module is kept by its path, with the state of the source and of its bytecode.
  Python itself looks at whole seconds and the size, and only where there is bytecode.  Nothing is
  kept of a file that has just changed: it may change again without a sign.
* The *place* of a module is kept as long as the finder of the first folder on the path has the
  very same list of files, and the folder has not changed since that list was made.

Both hold for the loader of the standard library alone, with its own methods.  Whatever else finds
or loads modules (pytest's assertion rewriting, typeguard, beartype, zip files) does so each time.

A spec has the ordinary loader, for the loader is what `inspect`, `traceback` and others ask.  An
attribute of that one object hides its `get_code` once.  To execute the code in a loader of our own
was tried, and leaves a frame in the traceback of each error of an import.  For the same reason
`_get_code` has the file name of Python's import system, whose frames Python takes out itself.

Function code cannot change a code object, with one exception: tools of `sys.monitoring` set events
on it.  So each cold start has a copy while there are such tools, and `forget` takes away what may
have events of a tool that is gone.  Debuggers and compilers note things beside a code object.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import (
    BuiltinImporter,
    FileFinder,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from operator import attrgetter
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, TypeAlias
from weakref import ref

from pytest_lambda_lifecycle.isolation.file_states import State, is_settled, keep_latest, state_of
from pytest_lambda_lifecycle.isolation.real import RealOs

__all__ = ["KeptNames", "find_again", "forget", "offer"]

_Place: TypeAlias = """tuple[
    Any, Any, float, str, str, float, str | None, str | None, tuple[Any, ...] | None
]"""

_MOST: Final = 4096
_CODE: Final[dict[str, tuple[State, State | None, CodeType]]] = {}
"""For each path of a source: its state, that of its bytecode, and the code."""
_PLACES: Final[dict[tuple[str, str], _Place]] = {}
"""For each name and folder: the finder, its list of files, the time of that, the file and its
folder, the time of the package's folder (-1 for a plain module), the file of the bytecode, the
folder of those, and the state of pytest's assertion rewriting.
"""

_stat: Final = RealOs.stat
_LOADER_METHODS: Final = attrgetter(
    "get_code", "exec_module", "source_to_code", "get_data", "path_stats", "create_module"
)
_GENUINE_LOADER: Final = _LOADER_METHODS(SourceFileLoader)
_FINDER_METHODS: Final = vars(PathFinder)["find_spec"], FileFinder.find_spec
_TOOLS: Final = range(6)
_get_tool: Final[Any] = getattr(getattr(sys, "monitoring", None), "get_tool", None)


class KeptNames:
    """The names of modules that a cold start executes again, as far as names tell."""

    def __init__(self, tops: frozenset[str], fresh: Callable[[str], bool]) -> None:
        """``tops`` are the top-level names of the function's own modules."""
        self._tops = tops
        self._fresh = fresh

    def __contains__(self, name: object) -> bool:
        name = str(name)
        return name.partition(".")[0] in self._tops or self._fresh(name)


def find_again(
    name: str, path: Sequence[str] | None, target: ModuleType | None, *, skip: object
) -> ModuleSpec | None:
    """Find a module as Python's own finders do, but for places that are known.

    None where a finder of somebody else comes first: it is asked once, by the import system.
    """
    if not _is_genuine_finder():
        return None
    known, asked = _known(name, path)
    refused: tuple[Any, ...] | None = None
    spec: ModuleSpec | None
    for finder in sys.meta_path:
        if finder is skip:
            continue
        if finder is PathFinder:
            if known is not None:
                return known
            spec = PathFinder.find_spec(name, path)
            if spec is not None:
                _note_place(name, path, spec, refused)
            return spec
        state = _state_of_rewriting(finder)
        if state is None and not _is_ordinary(finder):
            return None
        if state is None or known is None or state != asked:
            found: Any = finder
            spec = found.find_spec(name, path, target)
            if spec is not None:
                return spec
        refused = state or refused
    return None


def offer(spec: ModuleSpec) -> None:
    """Let the loader of a spec execute the kept code of its file once, if there is any."""
    loader: Any = spec.loader
    if type(loader) is SourceFileLoader and len(vars(loader)) == 2 and loader.path[:1] == os.sep:
        vars(loader)["get_code"] = partial(_get_code, loader, spec.cached)


def forget() -> None:
    """Forget all code: somebody may have set events on it."""
    _CODE.clear()


# -- code ------------------------------------------------------------------------------------------


def _load(loader: Any, cached: str | None, name: str) -> CodeType | None:  # noqa: ANN401
    del loader.get_code
    path = loader.path
    source = state_of(path)
    if source is None or _LOADER_METHODS(SourceFileLoader) != _GENUINE_LOADER:
        code: CodeType | None = loader.get_code(name)
        return code
    kept = _CODE.get(path)
    if kept is not None and kept[0] == source and kept[1] == _state_of_bytecode(cached):
        return kept[2] if not _is_watched() else marshal.loads(marshal.dumps(kept[2]))
    code = loader.get_code(name)
    if type(code) is CodeType and is_settled(source):
        own = marshal.loads(marshal.dumps(code)) if _is_watched() else code
        keep_latest(_CODE, path, (source, _state_of_bytecode(cached), own), _MOST)
    return code


_get_code: Final = FunctionType(
    _load.__code__.replace(co_filename="<frozen importlib._bootstrap_external>"),
    globals(),
    "get_code",
)


def _state_of_bytecode(path: str | None) -> State | None:
    return None if path is None else state_of(path)


def _is_watched() -> bool:
    """Say whether somebody keeps something with each code object."""
    if _get_tool is not None and any(map(_get_tool, _TOOLS)):
        return True
    modules = sys.modules
    return "_pydevd_bundle" in modules or "torch._dynamo" in modules


# -- places ----------------------------------------------------------------------------------------


def _is_genuine_finder() -> bool:
    return (vars(PathFinder).get("find_spec"), FileFinder.find_spec) == _FINDER_METHODS


def _is_ordinary(finder: object) -> bool:
    """Say whether a finder is Python's, or the one that setuptools puts first."""
    is_pythons = finder is BuiltinImporter or finder is FrozenImporter
    return is_pythons or type(finder).__module__ == "_distutils_hack"


def _state_of_rewriting(finder: object) -> tuple[Any, ...] | None:
    """Return what pytest's assertion rewriting decides by, beside name and file; else None.

    It takes longer to say that a module is none of its own than all other finders.
    """
    cls = type(finder)
    if cls.__name__ != "AssertionRewritingHook" or cls.__module__ != "_pytest.assertion.rewrite":
        return None
    held: Any = finder
    try:
        names = len(held._must_rewrite), len(held._basenames_to_check_rewrite)
        method: Any = cls.find_spec  # type: ignore[attr-defined]
        checked = held._session_paths_checked
        return ref(held), method, id(held.session), checked, names  # a run inside this one ends
    except (AttributeError, TypeError):  # another version of pytest
        return None


def _first(path: Sequence[str] | None) -> str | None:
    entries = sys.path if path is None else path
    return entries[0] if type(entries) is list and entries else None


def _known(
    name: str, path: Sequence[str] | None
) -> tuple[ModuleSpec | None, tuple[Any, ...] | None]:
    """Return a new spec if the import system would find the very same file again.

    The other value is the state of the assertion rewriting that has not wanted the module.
    """
    entry = _first(path)
    place = None if entry is None else _PLACES.get((name, entry))
    if entry is None or place is None:
        return None, None
    finder, listing, changed, file, folder, of_package, cached, prefix, asked = place
    finders: Any = sys.path_importer_cache
    if (
        finders.get(entry) is not finder
        or finder._path_cache is not listing
        or finder._path_mtime != changed
        or sys.pycache_prefix != prefix
    ):
        return None, None
    try:
        if _stat(finder.path).st_mtime != changed:
            return None, None
        if of_package >= 0 and _stat(folder).st_mtime != of_package:
            return None, None
    except OSError:
        return None, None
    spec = ModuleSpec(name, SourceFileLoader(name, file), origin=file, is_package=of_package >= 0)
    spec.has_location = True
    spec.cached = cached
    if of_package >= 0:
        spec.submodule_search_locations = [folder]
    return spec, asked


def _note_place(
    name: str, path: Sequence[str] | None, spec: ModuleSpec, asked: tuple[Any, ...] | None
) -> None:
    """Note a module that lies in the first folder on the path, where nothing can hide it."""
    entry = _first(path)
    if entry is None or type(spec.loader) is not SourceFileLoader:
        return
    finder: Any = sys.path_importer_cache.get(entry)
    if type(finder) is not FileFinder:
        return
    file, tail = str(spec.origin), name.rpartition(".")[2]
    listing = getattr(finder, "_path_cache", None)
    folder, of_package = os.path.dirname(file), -1.0
    if spec.submodule_search_locations is not None:
        if folder != os.path.join(finder.path, tail):
            return
        try:
            of_package = _stat(folder).st_mtime
        except OSError:
            return
    elif folder != finder.path or listing is None or tail in listing:
        return  # a folder of the same name may become a package
    changed = getattr(finder, "_path_mtime", -1)
    times = changed, file, folder, of_package
    place = (finder, listing, *times, spec.cached, sys.pycache_prefix, asked)
    keep_latest(_PLACES, (name, entry), place, _MOST)
