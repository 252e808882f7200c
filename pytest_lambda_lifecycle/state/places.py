"""The line of function code that makes a change: where the source has one place for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.state.buffers import Verbatim
from pytest_lambda_lifecycle.state.changes import Change
from pytest_lambda_lifecycle.state.kinds import lru_function
from pytest_lambda_lifecycle.state.photograph import Node
from pytest_lambda_lifecycle.state.writes import CALL, DECORATED, OPEN, REMOVALS, Write, writes_in

__all__ = ["Places", "Target", "target_of"]

_MOST: Final = 3
"""Lines that are named; of more, none is."""
_OF_PROCESS: Final[Mapping[str, tuple[str, ...]]] = {
    "os.environ": ("environ",),
    "sys.path": ("sys", "path"),
    "warnings.filters": ("simplefilter", "filterwarnings"),
    "os.getcwd": ("chdir",),
    "locale.setlocale": ("setlocale",),
    "decimal.getcontext": ("getcontext", "setcontext", "prec"),
    "asyncio event loop": ("set_event_loop",),
    "signal.getsignal": ("signal",),
}
"""Names of which one is in the statement, by the beginning of the path."""


class Target(NamedTuple):
    """What a statement has to change to be the place of a change."""

    module: str
    names: tuple[str, ...]
    """The identifiers on the path, from the global name on."""
    key: object
    """The last key; None if there is none, or if it is no constant."""
    kind: str
    is_variable: bool
    """The last name is a local variable or a parameter."""
    is_entry: bool = False
    """An entry of a container has changed, and not a name or an attribute."""
    line: str = ""
    """The file and line, where the change tells them by itself."""


def target_of(change: Change) -> Target:
    """Return what to look for.  It keeps no object of function code."""
    node = change.container
    is_member = node.kind.style == "member"
    steps: list[tuple[str, Any]] = []
    if node.kind.style != "member":
        steps.append((node.kind.style, change.label))
    line = _line_of_cache(node) if node.kind.style == "call" else ""
    place = node.place
    while place.parent is not None:
        steps.append((place.parent.kind.style, place.label))
        place = place.parent
    steps.reverse()
    names: list[str] = []
    is_variable = False
    key: object = None
    for style, label in steps:
        if type(label) is Verbatim:
            name = str(label).strip(".()=").removeprefix("<closure>.")
            if name:
                names.append(name)
                is_variable = "<closure>" in label or label.endswith("=)")
        elif style == "attribute" and type(label) is str:
            names.append(label)
            is_variable, key = False, None
        else:
            key = label if style == "item" and (type(label) is str or type(label) is int) else None
    last = steps[-1:]
    is_entry = is_member or (
        bool(last) and last[0][0] == "item" and type(last[0][1]) is not Verbatim
    )
    module = str(place.label)
    return Target(module, tuple(names), key, change.kind, is_variable, is_entry, line)


def _line_of_cache(node: Node) -> str:
    function = lru_function(node.object)
    code = getattr(function, "__code__", None) if callable(function) else None
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


class Places:
    """Finds the places of changes in the source of function code."""

    def __init__(self, files: Callable[[], Mapping[str, str]], folders: Iterable[str]) -> None:
        """``files`` returns the source files of the function's modules by name."""
        self._files = files
        self._folders = [folder + os.sep for folder in folders]
        self._known: dict[str, list[Write]] = {}
        self._sources: dict[str, str] = {}

    def find(self, target: Target, *, strict: bool = False) -> str:
        """Return the place, or up to three with ``or`` between them; ``""`` if none can be told.

        With ``strict``, the statement has to name the path from its global name on.
        """
        if target.line:
            return self.shown(target.line)
        found = self._candidates(target, strict)
        wanted = [one for one in found if one[1].verb in (CALL, OPEN) or _fits(target, one[1].verb)]
        lines = {f"{file}:{write.line}": None for file, write in wanted or found}
        return " or ".join(map(self.shown, lines)) if len(lines) <= _MOST else ""

    def find_keyword(self, target: Target) -> str:
        """Return the place that sets a key of a logger, by the name of a keyword."""
        lines = {
            f"{file}:{write.line}": None
            for file in self._files().values()
            for write in self._writes(file)
            if write.verb == "append_keys" and write.key == target.key
        }
        return " or ".join(map(self.shown, lines)) if len(lines) <= _MOST else ""

    def _candidates(self, target: Target, strict: bool) -> list[tuple[str, Write]]:
        writes = [
            (name, file, write)
            for name, file in self._files().items()
            for write in self._writes(file)
            if write.verb != "append_keys"
        ]
        if target.module == "open file descriptors":
            return [(file, one) for _, file, one in writes if one.verb == OPEN]
        changing = [one for one in writes if one[2].verb not in (CALL, DECORATED, OPEN)]
        for matches in (_leads_there,) if strict else (_matches, _leads_there, _has_key):
            found = [(file, one) for name, file, one in changing if matches(target, name, one)]
            if found:
                exact = [one for one in found if one[1].key and one[1].key == target.key]
                return exact or found
        if strict:
            return []
        decorated = [(file, one) for name, file, one in writes if _is_decorated(target, name, one)]
        return decorated or [
            (file, one) for name, file, one in writes if _calls_a_method(target, name, one)
        ]

    def source(self, file: str) -> str:
        """Return the text of a source file; ``""`` if it cannot be read."""
        if file not in self._sources:
            try:
                with open(file, encoding="utf-8", errors="replace") as source:
                    self._sources[file] = source.read()
            except OSError:
                self._sources[file] = ""
        return self._sources[file]

    def _writes(self, file: str) -> list[Write]:
        if file not in self._known:
            self._known[file] = writes_in(self.source(file))
        return self._known[file]

    def shown(self, place: str) -> str:
        """Return a file and line as tests see it: below the folder of the code."""
        for folder in self._folders:
            if place.startswith(folder):
                return place.removeprefix(folder)
        return place


def _fits(target: Target, verb: str) -> bool:
    """Say whether a statement of this kind makes a change of that kind."""
    if (verb in REMOVALS) != (target.kind == "removed"):
        return False
    is_of_name = verb in ("=", "del", "setattr")
    return is_of_name != target.is_entry or verb == "+="


def _matches(target: Target, module: str, write: Write) -> bool:
    chain, names = write.chain, target.names
    if not _may_have_key(target, write):
        return False
    if not names:
        return _changes_process(target, write)
    if target.is_variable:
        return chain == names[-1:] and module == target.module
    if chain[-1] != names[-1]:
        return _changes_process(target, write)
    if len(names) > 1:
        return len(chain) > 1
    return write.is_global


_OF_LOGGERS: Final = {"handlers": "addHandler", "filters": "addFilter", "level": "setLevel"}


def _changes_process(target: Target, write: Write) -> bool:
    """Say whether a statement changes the kind of process state at which the path begins."""
    if target.module == "ContextVar":
        return write.verb == "set"
    if target.module.startswith("logging.getLogger") and target.names:
        return write.verb == _OF_LOGGERS.get(target.names[-1])
    path = target.module or next(iter(target.names), "")
    for beginning, names in _OF_PROCESS.items():
        if path.startswith(beginning):
            return not set(names).isdisjoint((*write.chain, write.verb))
    return False


def _leads_there(target: Target, module: str, write: Write) -> bool:
    """Say whether a statement changes the object on the path, from its global name on.

    The path may go on inside an object of a library, where the names are those of the library.
    """
    chain = write.chain
    return (
        module == target.module
        and write.is_global
        and chain == target.names[: len(chain)]
        and (len(chain) > 1 or write.verb.startswith("[]"))
        and _may_have_key(target, write)
    )


def _is_decorated(target: Target, module: str, write: Write) -> bool:
    """Say whether a statement defines the function whose decorator keeps the state."""
    is_definition = write.verb == DECORATED and module == target.module
    return is_definition and len(target.names) > 1 and write.chain == target.names[:1]


def _calls_a_method(target: Target, module: str, write: Write) -> bool:
    """Say whether a statement calls a method of an object on the path."""
    chain = write.chain
    is_on_path = chain == target.names[: len(chain)] and write.verb == CALL
    return module == target.module and write.is_global and is_on_path


def _may_have_key(target: Target, write: Write) -> bool:
    """Say whether the keys may be the same: a mapping of headers ignores their case."""
    one, other = write.key, target.key
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    return one is None or (type(one) is type(other) and bool(one == other))


def _has_key(target: Target, module: str, write: Write) -> bool:
    """Say whether a statement sets the same constant key in some object."""
    return target.key is not None and write.key is not None and bool(write.key == target.key)
