"""Registries of the standard library: dicts and lists in which modules keep what was registered.

`copyreg.pickle`, ``sqlite3.register_adapter``, `xml.etree.ElementTree.register_namespace` and many
others change such a container and nothing else.  So the container is read as the environment enters
and again as it leaves, and a difference is the function's doing.  Only modules that somebody has
imported are looked at.
"""

from __future__ import annotations

import encodings
import gc
from collections.abc import Iterator
from operator import is_
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.isolation.frames import is_own_value
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["Registries"]

_CONTAINERS: Final = {
    "copyreg": ("dispatch_table", "_extension_registry", "_inverted_registry"),
    "email.charset": ("ALIASES", "CHARSETS", "CODEC_MAP"),
    "gettext": ("_localedirs", "_translations"),
    "shutil": ("_ARCHIVE_FORMATS", "_UNPACK_FORMATS"),
    "sqlite3": ("adapters", "converters"),
    "urllib.parse": ("uses_fragment", "uses_netloc", "uses_params", "uses_query", "uses_relative"),
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

_MODULES: Final = (*_CONTAINERS, *_LARGE)
_latest: Final[dict[str, tuple[tuple[Any, ...], list[Any], list[Any]]]] = {}
"""The modules that were loaded at the latest look with the database of types, and containers."""
_copies: Final[dict[int, tuple[Any, Any]]] = {}
"""The latest copy of each large container outside environments, by the container's id."""


_encodings: Final[dict[str, object]] = vars(encodings)["_cache"]
"""The codecs by name, as far as somebody has asked for them; None stands for an unknown one."""


def _forget_unknown_encodings() -> None:
    """Let Python look again for each encoding that it has not found.

    Where function code has blocked imports (``sys.meta_path = None``), a codec such as ``idna``,
    that sockets need, is not found, and Python would remember that for the whole session.
    """
    for name in [name for name, found in _encodings.items() if found is None]:
        del _encodings[name]


class Registries(Part):
    """The entries that function code has added, replaced or removed."""

    def __init__(self) -> None:
        self._own: list[tuple[Any, Any]] = []
        """Each changed container, with a copy of what function code has left in it."""

    def enter(self) -> Undo:
        small, large = _loaded()
        before = [(one, one.copy()) for one in small]
        before += [(one, _copy_of(one)) for one in large]
        callbacks = list(gc.callbacks)
        for container, contents in self._own:
            _fill(container, contents)

        def leave() -> None:
            _forget_unknown_encodings()
            self._own = [
                (container, container.copy())
                for container, contents in before
                if len(container) != len(contents) or _differs(container, contents)
            ]
            changed = {id(container) for container, _ in self._own}
            for container, contents in before:
                if id(container) in changed:
                    _fill(container, contents)
            if gc.callbacks != callbacks:
                kept = [one for one in gc.callbacks if one in callbacks or is_own_value(one)]
                self._own.append((gc.callbacks, list(gc.callbacks)))
                gc.callbacks[:] = [*(one for one in callbacks if one not in kept), *kept]

        return leave

    def discard(self) -> None:
        self._own = []


def _loaded() -> tuple[list[Any], list[Any]]:
    """Return the containers of the modules that are loaded now, the large ones in the second."""
    database = (namespace_of(held_module("mimetypes")) or {}).get("_db")
    modules = *map(held_module, _MODULES), database
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
            container = space.get(name)
            if type(container) in (dict, list, set):
                yield container


def _copy_of(container: Any) -> Any:  # noqa: ANN401
    known = _copies.get(id(container))
    if known is None or known[0] is not container or len(known[1]) != len(container):
        known = _copies[id(container)] = container, container.copy()
    return known[1]


def _differs(container: Any, contents: Any) -> bool:  # noqa: ANN401
    if id(container) in _copies:
        return False
    try:
        return bool(container != contents)
    except Exception:  # an object that cannot be compared
        return True


def _fill(container: Any, contents: Any) -> None:  # noqa: ANN401
    if isinstance(container, list):
        container[:] = contents
    else:
        container.clear()
        container.update(contents)
