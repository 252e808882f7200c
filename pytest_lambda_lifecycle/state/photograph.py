"""Photographs of all objects that can be reached from some roots, and what differs between two.

A photograph holds the containers and their contents of that moment, by identity.  The next one
reads again what has changed since, and nothing else: to walk through everything takes 1 us per
object, twice for each invoke.  `copy.deepcopy` takes several times that, and calls function code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.state.buffers import Summary, Verbatim
from pytest_lambda_lifecycle.state.differences import MISSING, Difference, differences
from pytest_lambda_lifecycle.state.kind_table import KindTable
from pytest_lambda_lifecycle.state.kinds import ATTRIBUTES, Contents, Kind
from pytest_lambda_lifecycle.state.opaque import IDENTITY
from pytest_lambda_lifecycle.state.watch import Watch

__all__ = ["Camera", "Node", "Photograph", "Root", "photograph"]

_SMALL: Final = 64
_LARGE: Final = 1000
_UNKNOWN: Final = object()


class Root(NamedTuple):
    """An object from which others are reached."""

    path: str
    value: object
    kind: Kind | None = None
    """How it is read, where its class does not tell."""


class Node:
    """One container, or instance, and its contents at the moment of a photograph."""

    __slots__ = (
        "differences",
        "inside",
        "is_library",
        "kind",
        "label",
        "labels",
        "object",
        "parent",
        "values",
    )

    def __init__(
        self,
        value: Any,  # noqa: ANN401
        kind: Kind,
        parent: Node | None,
        label: object,
        contents: Contents,
    ) -> None:
        self.object = value
        self.kind = kind
        self.labels, self.values = contents
        self.inside: list[tuple[int, object]] = []
        """Identity and label of each value that has contents itself."""
        self.differences: list[Difference] = []
        """What differs from the node of the photograph before."""
        self.hang(parent, label)

    def hang(self, parent: Node | None, label: object) -> None:
        """Set the container on the shortest path, and the name in it; a root has its path."""
        self.parent: Node | None = parent
        self.label = label
        self.is_library: bool = not self.kind.is_own and (
            self.kind.is_library or (parent is not None and parent.is_library)
        )
        """The contents belong to a library: they lie in an object of one of its classes."""
        if self.is_library and parent is not None and parent.kind.judged:
            self.is_library = label not in parent.kind.judged


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

    def take(self, roots: Iterable[Root]) -> Photograph:
        """Return a photograph of what can be reached from the roots; the latest if it is that."""
        roots = list(roots)
        latest = self._latest
        if latest is None or not _are_same(roots, self._roots):
            return self._take_anew(roots)
        return self._take_again(latest)

    def _take_anew(self, roots: list[Root]) -> Photograph:
        self._roots = roots
        nodes: dict[int, Node] = {}
        fresh: list[Node] = []
        for root in roots:
            kind = root.kind or self.table.kind(root.value)
            if kind is not None and IDENTITY(root.value) not in nodes:
                self._add(nodes, root.value, kind, None, root.path, fresh)
        self._close(nodes, fresh)
        self._watch = Watch((node.object, node.kind) for node in fresh)
        self._latest = Photograph(nodes)
        return self._latest

    def _take_again(self, latest: Photograph) -> Photograph:
        latest.forget_earlier()
        pairs = list(self._read_changed(latest))
        if not pairs:
            return latest
        nodes = latest.nodes.copy()
        for old, new in pairs:
            nodes[IDENTITY(old.object)] = new
        fresh: list[Node] = []
        is_cut = False
        for old, new in pairs:
            if len(new.values) > _LARGE and not old.inside:
                self._follow_differences(nodes, new, fresh)
                continue
            self._follow(nodes, new, fresh)
            is_cut = is_cut or not {key for key, _ in old.inside} <= {key for key, _ in new.inside}
        self._close(nodes, fresh)
        self._watch.extend((node.object, node.kind) for node in fresh)
        if is_cut:
            nodes = self._reach_again(nodes)
        made = self._latest = Photograph(nodes)
        made.earlier, made.changed = latest, [new for _, new in pairs]
        return made

    def _read_changed(self, latest: Photograph) -> Iterator[tuple[Node, Node]]:
        for one in self._watch.changed():
            old = latest.node(one)
            if old is not None:
                new = Node(one, old.kind, old.parent, old.label, old.kind.read(one))
                new.differences = _without_summaries(differences(old, new))
                if new.differences:
                    yield old, new

    # -- walking ----------------------------------------------------------------------------------

    def _close(self, nodes: dict[int, Node], fresh: list[Node]) -> None:
        for node in fresh:  # the list grows: the nearest objects come first
            self._follow(nodes, node, fresh)

    def _follow(self, nodes: dict[int, Node], node: Node, fresh: list[Node]) -> None:
        """Make nodes for the objects in a container that have none yet."""
        kinds = self.table.by_class
        labels, values = node.labels, node.values
        if len(values) > _SMALL:
            classes = set(map(IDENTITY, map(type, values)))
            if all(kinds.get(one, _UNKNOWN) is None for one in classes):
                return
        inside = node.inside
        for index, value in enumerate(values):
            if kinds.get(IDENTITY(type(value)), _UNKNOWN) is None:
                continue
            kind = self.table.kind(value)
            if kind is not None:
                label = index if labels is None else labels[index]
                key = IDENTITY(value)
                inside.append((key, label))
                if key not in nodes:
                    self._add(nodes, value, kind, node, label, fresh)

    def _follow_differences(self, nodes: dict[int, Node], node: Node, fresh: list[Node]) -> None:
        """Follow the new entries of a large container, which held plain values alone so far."""
        for found in node.differences:
            kind = None if found.after is MISSING else self.table.kind(found.after)
            if kind is not None:
                key = IDENTITY(found.after)
                node.inside.append((key, found.label))
                if key not in nodes:
                    self._add(nodes, found.after, kind, node, found.label, fresh)

    def _add(
        self,
        nodes: dict[int, Node],
        value: Any,  # noqa: ANN401
        kind: Kind,
        parent: Node | None,
        label: object,
        fresh: list[Node],
    ) -> None:
        node = nodes[IDENTITY(value)] = Node(value, kind, parent, label, kind.read(value))
        fresh.append(node)
        if kind.attributes is not None:
            beside = kind.attributes(value)
            if type(beside) is dict:
                key = IDENTITY(beside)
                node.inside.append((key, Verbatim()))
                if key not in nodes:
                    self._add(nodes, beside, ATTRIBUTES, node, Verbatim(), fresh)

    def _reach_again(self, known: dict[int, Node]) -> dict[int, Node]:
        """Return the nodes that are still reached, and give each its present path.

        A container has lost an object, which may be reached in another way.  Nothing is read.
        """
        nodes: dict[int, Node] = {}
        for root in self._roots:
            node = known.get(IDENTITY(root.value))
            if node is not None:
                nodes[IDENTITY(root.value)] = node
        todo = list(nodes.values())
        for node in todo:
            for key, label in node.inside:
                if key not in nodes:
                    found = nodes[key] = known[key]
                    if found.parent is not node or found.label is not label:
                        found.hang(node, label)
                    todo.append(found)
        if len(nodes) < len(known):
            self._watch.forget(known.keys() - nodes.keys())
        return nodes


def _are_same(roots: list[Root], before: list[Root]) -> bool:
    return len(roots) == len(before) and not any(
        one.value is not other.value for one, other in zip(roots, before, strict=False)
    )


def _without_summaries(found: list[Difference]) -> list[Difference]:
    """Leave out texts that stand for a value, where they are the same: each read makes them."""
    if len(found) == 1 and type(found[0].after) is type(found[0].before) is Summary:
        return [] if found[0].after == found[0].before else found
    return found


def photograph(roots: Iterable[Root], is_own: Callable[[str], bool]) -> Photograph:
    """Return one photograph; for a series, `Camera` is faster."""
    return Camera(is_own).take(roots)
