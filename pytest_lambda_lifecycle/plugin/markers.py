"""The markers of a node, and their place in the source."""

from __future__ import annotations

import os
from typing import cast

import pytest

__all__ = ["location", "own_marks"]


def own_marks(node: pytest.Item | pytest.Collector, name: str) -> list[pytest.Mark]:
    """Return the markers of a name that stand on the node itself, closest first."""
    marks = [mark for mark in node.own_markers if mark.name == name]
    if len(marks) > 1 and isinstance(node, pytest.Class):
        # pytest lists the markers of base classes first, as if they were closer than those of the
        # class itself.
        own = {id(mark) for mark in _class_marks(node.obj)}
        marks.sort(key=lambda mark: id(mark) not in own)
    return marks


def _class_marks(cls: type) -> list[pytest.Mark]:
    own: object = cls.__dict__.get("pytestmark", [])
    marks = cast("list[object]", own) if isinstance(own, list) else [own]
    return [
        mark.mark if isinstance(mark, pytest.MarkDecorator) else cast("pytest.Mark", mark)
        for mark in marks
    ]


def location(node: pytest.Item | pytest.Collector) -> str:
    """Return the place of a node's markers, for messages."""
    if isinstance(node, pytest.Item):
        path, line, name = node.location
        return f"{path}:{line + 1} ({name})" if line is not None else f"{path} ({name})"
    if isinstance(node, pytest.Class):
        file, begin, _ = node.reportinfo()
        path = os.fspath(file).removeprefix(f"{node.config.rootpath}{os.sep}")
        return f"{path}:{(begin or 0) + 1} (class {node.name})"
    return f"{node.nodeid} (pytestmark)"
