"""Registries of the standard library: dicts and lists in which modules keep what was registered.

`copyreg.pickle`, ``sqlite3.register_adapter``, `xml.etree.ElementTree.register_namespace` and many
others change such a container and nothing else.  So the container is read as the environment enters
and again as it leaves, and a difference is the function's doing.  Only modules that somebody has
imported are looked at.

A shared library registers things as well, once, when it is imported (numpy does).  Such an entry
stays, as the library does: the next environment imports it without executing it again.
"""

from __future__ import annotations

import encodings
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import is_
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.frames import is_own_value
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["Registries"]

_CONTAINERS: Final = {
    "copy": ("_copy_dispatch", "_deepcopy_dispatch"),
    "copyreg": ("dispatch_table", "_extension_registry", "_inverted_registry"),
    "email.charset": ("ALIASES", "CHARSETS", "CODEC_MAP"),
    "email.policy": (
        "default.content_manager.get_handlers",
        "default.content_manager.set_handlers",
        "default.header_factory.registry",
    ),
    "gc": ("garbage",),
    "gettext": ("_localedirs", "_translations"),
    "http.cookies": ("Morsel._reserved",),
    "importlib.machinery": ("BYTECODE_SUFFIXES", "EXTENSION_SUFFIXES", "SOURCE_SUFFIXES"),
    "shutil": ("_ARCHIVE_FORMATS", "_UNPACK_FORMATS"),
    "sqlite3": ("adapters", "converters"),
    "sys": ("_xoptions", "warnoptions"),
    "urllib.parse": ("uses_fragment", "uses_netloc", "uses_params", "uses_query", "uses_relative"),
    "warnings": ("onceregistry",),
    "webbrowser": ("_browsers",),
    "xml.dom.domreg": ("registered", "well_known_implementations"),
    "xml.etree.ElementTree": ("_namespace_map",),
    "xml.sax": ("default_parser_list",),
}
"""The names of containers, by the module that keeps them."""
_LARGE: Final = {
    "encodings.aliases": ("aliases",),
    "mimetypes": ("common_types", "encodings_map", "suffix_map", "types_map"),
}
"""Containers with so many entries that their numbers of entries are compared, not the entries."""

_callbacks: Final = gc.callbacks  # function code may put another object there
_MODULES: Final = (*_CONTAINERS, *_LARGE)
_latest: Final[dict[str, tuple[tuple[Any, ...], list[Any], list[Any]]]] = {}
"""The modules that were loaded at the latest look with the database of types, and containers."""
_contents: Final[list[Any]] = []
"""The latest copies of the others."""
_copies: Final[dict[int, tuple[Any, Any]]] = {}
"""The latest copy of each large container outside environments, by the container's id."""


_encodings: Final[dict[str, object]] = vars(encodings)["_cache"]
"""The codecs by name, as far as somebody has asked for them; None stands for an unknown one."""


def _forget_unknown_encodings() -> None:
    """Let Python look again for each encoding that it has not found.

    Where function code has put None in the place of `sys.meta_path`, a codec such as ``idna``, that
    sockets need, is not found, and Python would remember that for the whole session.
    """
    for name in [name for name, found in _encodings.items() if found is None]:
        del _encodings[name]


class Registries(Part):
    """The entries that function code has added, replaced or removed."""

    def __init__(self, own: Callable[[str], object | None]) -> None:
        """``own`` returns the function's module of a name, or None."""
        self._is_own = own
        self._own: list[tuple[Any, Any]] = []
        """Each changed container, with a copy of what function code has left in it."""

    def enter(self) -> Undo:
        small, large = _loaded()
        contents = _contents_of(small)
        copies = list(map(_copy_of, large))
        sizes = list(map(len, large))
        callbacks = _callbacks.copy()
        count = len(sys.modules)
        for container, own in self._own:
            _fill(container, own)

        def leave() -> None:
            if None in _encodings.values():
                _forget_unknown_encodings()
            self._own = []
            if not _are_equal(small, contents):
                self._take_out(small, contents, count)
            if list(map(len, large)) != sizes:
                self._take_out(large, copies, count)
            gc.callbacks = _callbacks
            if _callbacks != callbacks:
                kept = [one for one in _callbacks if one in callbacks or is_own_value(one)]
                self._own.append((_callbacks, _callbacks.copy()))
                _callbacks[:] = [*(one for one in callbacks if one not in kept), *kept]

        return leave

    def _take_out(self, containers: list[Any], contents: list[Any], count: int) -> None:
        """Keep what function code has left in containers, and restore their contents."""
        imported = self._imported_since(count)
        for container, before in zip(containers, contents, strict=True):
            if not _are_equal(container, before):
                self._own.append((container, container.copy()))
                _fill(container, _with_entries_of(imported, container, before))

    def _imported_since(self, count: int) -> frozenset[str]:
        """Return the names of shared modules that were imported for the first time since then."""
        names = islice(list(sys.modules), count, None)
        return frozenset(name for name in names if self._is_own(name) is None)

    def discard(self) -> None:
        self._own = []


def _loaded() -> tuple[list[Any], list[Any]]:
    """Return the containers of the modules that are loaded now, the large ones in the second."""
    database = (namespace_of(held_module("mimetypes")) or {}).get("_db")
    modules = *map(sys.modules.get, _MODULES), database
    latest = _latest.get("")
    if latest is None or not all(map(is_, latest[0], modules)):
        maps = [getattr(database, name, ()) for name in ("types_map", "types_map_inv")]
        large = [*_containers(_LARGE), *(one for some in maps for one in some)]
        latest = _latest[""] = modules, list(_containers(_CONTAINERS)), large
    return latest[1:]


def _containers(names: dict[str, tuple[str, ...]]) -> Iterator[Any]:
    for module in names:
        space = namespace_of(held_module(module)) or {}
        for name in names[module]:
            first, *others = name.split(".")
            container = space.get(first)
            for one in others:
                container = getattr(container, one, None)
            if type(container) in (dict, list, set):
                yield container


def _contents_of(small: list[Any]) -> list[Any]:
    """Return copies of containers; the latest ones, if nothing has changed."""
    if not _are_equal(small, _contents):
        _contents[:] = [one.copy() for one in small]
    return _contents.copy()


def _copy_of(container: Any) -> Any:  # noqa: ANN401
    known = _copies.get(id(container))
    if known is None or known[0] is not container or len(known[1]) != len(container):
        known = _copies[id(container)] = container, container.copy()
    return known[1]


def _are_equal(container: Any, contents: Any) -> bool:  # noqa: ANN401
    try:
        return bool(container == contents)
    except Exception:  # an object that cannot be compared
        return False


def _with_entries_of(imported: frozenset[str], container: Any, contents: Any) -> Any:  # noqa: ANN401
    """Return the contents of before, and what imported libraries have added to them."""
    if not imported:
        return contents
    if isinstance(container, dict):
        entries = {
            key: value
            for key, value in container.items()
            if key not in contents and _is_of(imported, (key, value))
        }
        return {**contents, **entries}
    added = [one for one in container if one not in contents and _is_of(imported, (one,))]
    return [*contents, *added] if isinstance(container, list) else {*contents, *added}


def _is_of(imported: frozenset[str], entry: Iterable[object]) -> bool:
    """Say whether a library has made an entry; one that is plain text does not tell."""
    modules = {getattr(one, "__module__", None) for one in entry} - {None, "builtins"}
    return not modules or not modules.isdisjoint(imported)


def _fill(container: Any, contents: Any) -> None:  # noqa: ANN401
    if isinstance(container, list):
        container[:] = contents
    else:
        container.clear()
        container.update(contents)
