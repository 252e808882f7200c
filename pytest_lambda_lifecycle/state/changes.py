"""Changes between two photographs: by dotted path, with the old and the new value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.state.buffers import Verbatim
from pytest_lambda_lifecycle.state.differences import MISSING, Difference, differences
from pytest_lambda_lifecycle.state.kinds import Kind
from pytest_lambda_lifecycle.state.opaque import IDENTITY
from pytest_lambda_lifecycle.state.photograph import Node, Photograph, Place
from pytest_lambda_lifecycle.state.texts import is_plain_value, text_of

__all__ = ["Change", "compare", "path_of", "piece_of_path"]

_MOST_COMPARED: Final = 10_000
"""Values that are compared with each other before two objects count as different."""
_DEEPEST: Final = 60


class Change(NamedTuple):
    """An entry that one container has, lost, or got in the place of another."""

    path: str
    before: Any
    """The old value, or `MISSING`."""
    after: Any
    """The new value, or `MISSING`."""
    is_library: bool
    """It lies in an object of a library, which function code holds."""
    label: Any
    """The key, index or name in the container."""
    container: Node

    @property
    def kind(self) -> str:
        """``"added"``, ``"removed"`` or ``"changed"``."""
        if self.before is MISSING:
            return "added"
        return "removed" if self.after is MISSING else "changed"

    @property
    def texts(self) -> tuple[str, str]:
        """The old and the new value as short texts; ``""`` for one that there is not."""
        name = self.label if type(self.label) is str else ""
        return (
            "" if self.before is MISSING else text_of(self.before, name),
            "" if self.after is MISSING else text_of(self.after, name),
        )


def compare(before: Photograph, after: Photograph) -> list[Change]:
    """Return what differs, by value: a new object that equals the old one is no change.

    Of an object that is reached for the first time, the entry that holds it is the one change.
    """
    return list(_compare(before, after))


def _compare(before: Photograph, after: Photograph) -> Iterator[Change]:
    for new, entries in after.differences_from(before):
        path = ""
        for found in entries:
            if _Equality(before, after).holds(found.before, found.after):
                continue
            path = path or path_of(new)
            yield Change(
                path + _piece_of_difference(new.kind, found),
                found.before,
                found.after,
                _is_of_library(new, found.label),
                found.label,
                new,
            )


def _is_of_library(node: Node, label: object) -> bool:
    if node.kind.is_of_library(label):
        return True
    return node.place.is_library and not node.kind.judges(label)


def _piece_of_difference(kind: Kind, found: Difference) -> str:
    return "" if kind.style == "member" else piece_of_path(kind, found.label)


def path_of(container: Node | Place) -> str:
    """Return the dotted path of a container: ``shop.app.CACHE['c']``."""
    place = container.place if isinstance(container, Node) else container
    pieces: list[str] = []
    depth = 0
    while place.parent is not None:
        depth += 1
        if depth < _DEEPEST:
            pieces.append(piece_of_path(place.parent.kind, place.label))
        elif depth == _DEEPEST:
            pieces.append("[...]")
        place = place.parent
    return str(place.label) + "".join(reversed(pieces))


def piece_of_path(kind: Kind, label: object) -> str:
    """Return the part of a path that leads from a container to one of its entries."""
    if type(label) is Verbatim:
        return str(label)
    if kind.style == "attribute":
        is_name = type(label) is str and label.isidentifier()
        return f".{label}" if is_name else f".__dict__[{text_of(label)}]"
    if kind.style == "call":
        return f"({', '.join(map(text_of, _arguments(label)))})"
    return "{" + text_of(label) + "}" if kind.style == "member" else f"[{text_of(label)}]"


def _arguments(key: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """Return the arguments behind a key of `functools.lru_cache`."""
    if issubclass(type(key), list):
        return tuple(list.__iter__(key))
    return key if type(key) is tuple else (key,)


class _Equality:
    """Whether two objects are equal, by their contents at the moments of two photographs."""

    def __init__(self, before: Photograph, after: Photograph) -> None:
        self._before = before
        self._after = after
        self._left = _MOST_COMPARED
        self._assumed: set[tuple[int, int]] = set()

    def holds(self, old: Any, new: Any) -> bool:  # noqa: ANN401
        """Say whether an object was equal to the one that is now in its place."""
        if old is new:
            # The object itself has changes of its own, if any, at its own path.
            return True
        if old is MISSING or new is MISSING or type(old) is not type(new):
            return False
        if is_plain_value(old):
            return _are_equal(old, new)
        pair = IDENTITY(old), IDENTITY(new)
        if pair in self._assumed:  # a cycle
            return True
        was, now = self._before.node(old), self._after.node(new)
        if was is None or now is None or len(was.values) != len(now.values):
            return False
        self._left -= len(was.values)
        if self._left < 0 or was.kind.is_library or len(self._assumed) > _DEEPEST:
            return False
        self._assumed.add(pair)
        return all(
            (found.before is not MISSING and found.after is not MISSING)
            and self.holds(found.before, found.after)
            for found in differences(was, now)
        )


def _are_equal(old: Any, new: Any) -> bool:  # noqa: ANN401
    try:
        return bool(old == new) or (old != old and new != new)
    except ArithmeticError:  # a signalling NaN of `decimal`
        return False
