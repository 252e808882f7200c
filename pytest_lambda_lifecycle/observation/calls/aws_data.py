"""What botocore reads for each session, kept for the sessions of all environments.

Each process of a function has sessions of its own, and nearly all of the time in which a client is
made goes into the same files: the models of services, the endpoints, the list of services.  So what
botocore's own loader has parsed of its own files is kept, and lent to each session (`lent_data`).

The loader itself does all as ever where function code has changed something: a loader of another
class, another method that reads a file, data outside the installed packages.  So it does where
botocore logs at the level DEBUG, since the lines of the loader are part of the log of a process.

A client also has two hundred names of events translated by a table, which always gives the same.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.file_states import State, is_settled, keep_latest, state_of
from pytest_lambda_lifecycle.isolation.folders import is_installed, real
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.lent_data import keep, lend
from pytest_lambda_lifecycle.observation.calls.recorder import recorder_here

__all__ = ["POINTS"]

_MODULE: Final = "botocore.loaders"
_EVENTS: Final = "botocore.hooks"
_DEBUG: Final = 10
_SUFFIXES: Final = (".json", ".json.gz")
_MOST: Final = 64
_FILES: Final[dict[str, tuple[object, tuple[State | None, ...], Any]]] = {}
"""For each file without its suffix: the code that has read it, its states, and what it has."""
_SERVICES: Final[dict[tuple[str, ...], tuple[object, tuple[State | None, ...], list[str]]]] = {}
"""For a type of data and folders: the code that looks for files, their states, and the services."""
_NAMES: Final[dict[str, str]] = {}
"""Names of events as botocore translates them by the table `_TABLE`."""
_TABLE: Final[dict[str, str]] = {}
_MOST_NAMES: Final = 8192


def _is_quiet(module: str) -> bool:
    """Say whether a module of botocore does not log at the level DEBUG."""
    logger = getattr(sys.modules.get(module), "logger", None)
    return logger is not None and not logger.isEnabledFor(_DEBUG)


def _is_botocores(value: object, name: str) -> bool:
    cls = type(value)
    return cls.__module__ == _MODULE and cls.__qualname__ == name


def _code(value: object, name: str) -> object:
    """Return the code of a method of an object, None if botocore has not written it."""
    code = getattr(vars(type(value)).get(name), "__code__", None)
    file = getattr(sys.modules.get(_MODULE), "__file__", None)
    return code if code is not None and code.co_filename == file else None


def _load_file(original: Any) -> Any:  # noqa: ANN401
    """Wrap `JSONFileLoader.load_file`."""

    @functools.wraps(original)
    def load_file(self: Any, file_path: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        if not _may_keep_file(self, file_path):
            return original(self, file_path)
        reader = _code(self, "_load_file")
        states = tuple([state_of(file_path + suffix) for suffix in _SUFFIXES])
        kept = _FILES.get(file_path)
        if kept is not None and kept[0] is reader and kept[1] == states:
            return lend(kept[2])
        data = original(self, file_path)
        present = [state for state in states if state is not None]
        if reader is None or data is None or not (present and all(map(is_settled, present))):
            return data
        keep_latest(_FILES, file_path, (reader, states, keep(data)), _MOST)
        return lend(_FILES[file_path][2]) if file_path in _FILES else data

    return load_file


def _may_keep_file(loader: object, path: object) -> bool:
    return (
        type(path) is str
        and _is_botocores(loader, "JSONFileLoader")
        and recorder_here() is not None
        and _is_quiet(_MODULE)
        and is_installed(real(os.path.dirname(path)))
    )


def _list_available_services(original: Any) -> Any:  # noqa: ANN401
    """Wrap `Loader.list_available_services`."""

    @functools.wraps(original)
    def list_available_services(self: Any, type_name: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        own_key = "list_available_services", type_name
        if (
            type(type_name) is not str
            or not _is_botocores(self, "Loader")
            or not _is_botocores(self.file_loader, "JSONFileLoader")
            or own_key in self._cache
            or recorder_here() is None
        ):
            return original(self, type_name)
        folders = tuple(map(str, self.search_paths))
        states = tuple(map(state_of, folders))
        present = [one for one, state in zip(folders, states, strict=True) if state is not None]
        if not all(is_installed(real(folder)) for folder in present):
            return original(self, type_name)
        looks = _code(self.file_loader, "exists")
        kept = _SERVICES.get((type_name, *folders))
        if kept is not None and kept[0] is looks and kept[1] == states:
            self._cache[own_key] = own = kept[2].copy()
            return own
        services = original(self, type_name)
        if looks is not None:
            keep_latest(_SERVICES, (type_name, *folders), (looks, states, list(services)), _MOST)
        return services

    return list_available_services


def _alias_event_name(original: Any) -> Any:  # noqa: ANN401
    """Wrap `EventAliaser._alias_event_name`."""

    @functools.wraps(original)
    def alias_event_name(self: Any, event_name: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        cache = getattr(self, "_alias_name_cache", None)
        if type(cache) is not dict or type(event_name) is not str:
            return original(self, event_name)
        if event_name in cache:
            return cache[event_name]
        if recorder_here() is None or not _is_quiet(_EVENTS) or not _has_table(self):
            return original(self, event_name)
        name = _NAMES.get(event_name)
        if name is not None:
            cache[event_name] = name
            return name
        name = original(self, event_name)
        if len(_NAMES) < _MOST_NAMES:
            _NAMES[event_name] = name
        return name

    return alias_event_name


def _has_table(aliaser: Any) -> bool:  # noqa: ANN401
    """Say whether names are translated by the table by which the known ones were."""
    table = getattr(aliaser, "_event_aliases", None)
    if not _TABLE and type(table) is dict:
        _TABLE.update(table)
    return bool(table == _TABLE)


POINTS: Final = (
    HookPoint(_MODULE, "JSONFileLoader", "load_file", _load_file),
    HookPoint(_MODULE, "Loader", "list_available_services", _list_available_services),
    HookPoint(_EVENTS, "EventAliaser", "_alias_event_name", _alias_event_name),
)
