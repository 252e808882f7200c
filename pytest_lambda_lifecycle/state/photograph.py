"""Photographs of all objects that can be reached from some roots, and what differs between two.

A photograph holds the containers and their contents of that moment, by identity.  The next one
reads again what has changed since, and nothing else: to walk through everything takes 1 us per
object, twice for each invoke.  `copy.deepcopy` takes several times that, and calls function code.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.state.buffers import Summary
from pytest_lambda_lifecycle.state.differences import MISSING, Difference, differences
from pytest_lambda_lifecycle.state.kind_table import KindTable
from pytest_lambda_lifecycle.state.kinds import (
    ATTRIBUTES,
    BESIDE,
    FUNCTION_ATTRIBUTES,
    Contents,
    Kind,
)
from pytest_lambda_lifecycle.state.opaque import IDENTITY
from pytest_lambda_lifecycle.state.watch import Watch

__all__ = ["MOST_DEPTH", "Camera", "Node", "Photograph", "Place", "Root", "photograph"]

_enable_gc, _disable_gc = gc.enable, gc.disable  # function code is watched when it calls them
_SMALL: Final = 64
_LARGE: Final = 1000
_UNKNOWN: Final = object()


MOST_DEPTH: Final = 500
"""Containers below so many others are left out where a path is made for each container."""


class Root(NamedTuple):
    """An object from which others are reached."""

    path: str
    value: object
    kind: Kind | None = None
    """How it is read, where its class does not tell."""


class Place:
    """Where a container is reached: the same in all photographs, until it is moved."""

    __slots__ = ("depth", "is_library", "key", "kind", "label", "parent")

    def __init__(self, key: int, kind: Kind, parent: Place | None, label: object) -> None:
        self.key = key
        self.kind = kind
        self.hang(parent, label)

    def hang(self, parent: Place | None, label: object) -> None:
        """Set the container on the shortest path, and the name in it; a root has its path."""
        self.parent = parent
        self.label = label
        self.depth: int = 0 if parent is None else parent.depth + 1
        kind = self.kind
        is_library = not kind.is_own and (
            kind.is_library
            or (parent is not None and (parent.is_library or parent.kind.is_of_library(label)))
        )
        if is_library and parent is not None and parent.kind.judged:
            is_library = not parent.kind.judges(label)
        self.is_library: bool = is_library
        """The contents belong to a library: they lie in an object of one of its classes."""


class Node:
    """One container, or instance, and its contents at the moment of a photograph.

    Nodes do not refer to each other: an old one would keep alive what has been taken out since.
    """

    __slots__ = ("differences", "inside", "kind", "labels", "object", "place", "values")

    def __init__(self, value: Any, place: Place, contents: Contents) -> None:  # noqa: ANN401
        self.object = value
        self.place = place
        self.kind = place.kind
        self.labels, self.values = contents
        self.inside: list[tuple[int, object]] = []
        """Identity and label of each value that has contents itself."""
        self.differences: list[Difference] = []
        """What differs from the node of the photograph before."""


class Photograph:
    """The objects that could be reached at one moment."""

    def __init__(self, nodes: dict[int, Node]) -> None:
        self.nodes = nodes
        """By `IDENTITY` of the object."""
        self.earlier: Photograph | None = None
        """The photograph to which `changed` refers."""
        self.changed: list[Node] = []

    def node(self, value: object) -> Node | None:
        """Return the node of an object; None if it was not reached."""
        found = self.nodes.get(IDENTITY(value))
        return found if found is not None and found.object is value else None

    def forget_earlier(self) -> None:
        """Keep nothing alive that was out of reach at this moment."""
        for node in self.changed:
            node.differences = []
        self.earlier, self.changed = None, []

    def differences_from(self, earlier: Photograph) -> Iterator[tuple[Node, list[Difference]]]:
        """Yield the containers that are in both photographs and have changed, with the entries."""
        if earlier is self:
            return
        if self.earlier is earlier:
            yield from ((node, node.differences) for node in self.changed)
            return
        for key, node in self.nodes.items():
            old = earlier.nodes.get(key)
            if old is not None and old is not node and old.object is node.object:
                found = differences(old, node)
                if found:
                    yield node, found


class Camera:
    """Takes photographs, each of which costs little more than what has changed."""

    def __init__(self, is_own: Callable[[str], bool]) -> None:
        """``is_own`` says whether a module, by its name, is function code."""
        self.table = KindTable(is_own)
        self._latest: Photograph | None = None
        self._roots: list[Root] = []
        self._watch = Watch()
        self._holders: dict[int, int] = {}
        """How often each container lies in others."""

    def take(self, roots: Iterable[Root]) -> Photograph:
        """Return a photograph of what can be reached from the roots; the latest if it is that."""
        was_enabled = gc.isenabled()
        _disable_gc()  # or each ten thousand nodes would cost several looks at all objects
        try:
            return self._take(list(roots), self._latest)
        finally:
            if was_enabled:
                _enable_gc()

    def _take(self, roots: list[Root], latest: Photograph | None) -> Photograph:
        if latest is not None:
            latest.forget_earlier()
        known = {IDENTITY(root.value) for root in self._roots}
        if latest is None or not known <= {IDENTITY(root.value) for root in roots}:
            latest, known = Photograph({}), set()
            self._watch, self._holders = Watch(), {}
        new_roots = [root for root in roots if IDENTITY(root.value) not in known]
        self._roots = roots
        pairs = list(self._read_changed(latest))
        if not pairs and not new_roots:
            return latest
        nodes = latest.nodes.copy()
        fresh = self._add_roots(nodes, new_roots)
        for _, new in pairs:
            nodes[new.place.key] = new
        for old, new in pairs:
            if len(new.values) > _LARGE and not old.inside:
                self._follow_differences(nodes, new, fresh)
            else:
                self._follow(nodes, new, fresh)
        for node in fresh:  # the list grows: the nearest objects come first
            self._follow(nodes, node, fresh)
        self._watch.extend((node.object, node.kind) for node in fresh)
        made = self._latest = Photograph(self._without_lost(nodes, pairs))
        made.earlier, made.changed = latest, [new for _, new in pairs]
        return made

    def _add_roots(self, nodes: dict[int, Node], roots: Iterable[Root]) -> list[Node]:
        fresh: list[Node] = []
        for root in roots:
            kind = root.kind or self.table.kind(root.value)
            key = IDENTITY(root.value)
            self._holders[key] = self._holders.get(key, 0) + 1
            if kind is not None and key not in nodes:
                self._add(nodes, root.value, Place(key, kind, None, root.path), fresh)
        return fresh

    def _read_changed(self, latest: Photograph) -> Iterator[tuple[Node, Node]]:
        for one in self._watch.changed():
            old = latest.node(one)
            if old is not None:
                entries = self._watch.entries(one) if old.labels is None else None
                contents = old.kind.read(one) if entries is None else (None, entries)
                new = Node(one, old.place, contents)
                new.differences = _without_summaries(differences(old, new))
                if new.differences:
                    yield old, new

    # -- walking ----------------------------------------------------------------------------------

    def _follow(self, nodes: dict[int, Node], node: Node, fresh: list[Node]) -> None:
        """Make nodes for the objects in a container that have none yet."""
        kinds = self.table.by_class
        labels, values = node.labels, node.values
        if node.kind.attributes is not None:
            beside = node.kind.attributes(node.object)
            if type(beside) is dict:
                self._hold(nodes, node, beside, ATTRIBUTES, BESIDE, fresh)
        if len(values) > _SMALL:
            classes = set(map(IDENTITY, map(type, values)))
            if all(kinds.get(one, _UNKNOWN) is None for one in classes):
                return
        for index, value in enumerate(values):
            if kinds.get(IDENTITY(type(value)), _UNKNOWN) is None:
                continue
            label = index if labels is None else labels[index]
            kind = FUNCTION_ATTRIBUTES if label is BESIDE else self.table.kind(value)
            if kind is not None:
                self._hold(nodes, node, value, kind, label, fresh)

    def _follow_differences(self, nodes: dict[int, Node], node: Node, fresh: list[Node]) -> None:
        """Follow the new entries of a large container, which held plain values alone so far."""
        for found in node.differences:
            kind = None if found.after is MISSING else self.table.kind(found.after)
            if kind is not None:
                self._hold(nodes, node, found.after, kind, found.label, fresh)

    def _hold(
        self,
        nodes: dict[int, Node],
        node: Node,
        value: Any,  # noqa: ANN401
        kind: Kind,
        label: object,
        fresh: list[Node],
    ) -> None:
        """Note that a container holds an object, and make a node for that if there is none."""
        key = IDENTITY(value)
        node.inside.append((key, label))
        self._holders[key] = self._holders.get(key, 0) + 1
        if key not in nodes:
            self._add(nodes, value, Place(key, kind, node.place, label), fresh)

    def _add(
        self,
        nodes: dict[int, Node],
        value: Any,  # noqa: ANN401
        place: Place,
        fresh: list[Node],
    ) -> None:
        node = nodes[place.key] = Node(value, place, place.kind.read(value))
        fresh.append(node)

    # -- objects out of reach ---------------------------------------------------------------------

    def _without_lost(
        self, nodes: dict[int, Node], pairs: list[tuple[Node, Node]]
    ) -> dict[int, Node]:
        """Take the nodes out that are no longer reached, and return those that are.

        What nobody holds any more is lost at once.  Where an object is still held, but not by the
        container on its path, everything is reached anew: it may be one of a circle.
        """
        lost: set[int] = set()
        is_cut = False
        for old, new in pairs:
            is_cut |= self._release(nodes, old, lost, {key for key, _ in new.inside})
        todo = list(lost)
        for key in todo:
            node = nodes.pop(key, None)
            if node is not None:
                found: set[int] = set()
                is_cut |= self._release(nodes, node, found, set())
                lost |= found
                todo.extend(found)
        if is_cut:
            reached = self._reach_again(nodes)
            for key in nodes.keys() - reached.keys():
                lost.add(key)
                self._release(nodes, nodes[key], lost, set())
            nodes = reached
        if lost:
            for key in lost:
                self._holders.pop(key, None)
            self._watch.forget(lost)
        return nodes

    def _release(
        self, nodes: dict[int, Node], holder: Node, lost: set[int], kept: set[int]
    ) -> bool:
        """Count the objects out that a container held; say whether the path of one is broken."""
        holders, is_broken = self._holders, False
        for key, _ in holder.inside:
            left = holders[key] = holders.get(key, 1) - 1
            if left <= 0:
                lost.add(key)
            elif key not in kept:
                node = nodes.get(key)
                is_broken |= node is not None and node.place.parent is holder.place
        return is_broken

    def _reach_again(self, known: dict[int, Node]) -> dict[int, Node]:
        """Return the nodes that are still reached, and give each its present path.

        Nothing is read: the contents of all of them are known.
        """
        nodes: dict[int, Node] = {}
        for root in self._roots:
            node = known.get(IDENTITY(root.value))
            if node is not None:
                nodes[node.place.key] = node
        todo = list(nodes.values())
        for node in todo:
            place = node.place
            for key, label in node.inside:
                if key not in nodes:
                    found = nodes[key] = known[key]
                    if found.place.parent is not place or found.place.label is not label:
                        found.place.hang(place, label)
                    todo.append(found)
        return nodes


def _without_summaries(found: list[Difference]) -> list[Difference]:
    """Leave out texts that stand for a value, where they are the same: each read makes them."""
    if len(found) == 1 and type(found[0].after) is type(found[0].before) is Summary:
        return [] if found[0].after == found[0].before else found
    return found


def photograph(roots: Iterable[Root], is_own: Callable[[str], bool]) -> Photograph:
    """Return one photograph; for a series, `Camera` is faster."""
    return Camera(is_own).take(roots)
