"""Which changes settle by themselves: well-written functions make them as well."""

from __future__ import annotations

import functools
import types
from contextvars import ContextVar
from typing import Final

from pytest_lambda_lifecycle.state.changes import Change
from pytest_lambda_lifecycle.state.differences import MISSING
from pytest_lambda_lifecycle.state.opaque import module_of, mro_of, namespace_of_class
from pytest_lambda_lifecycle.state.photograph import Photograph
from pytest_lambda_lifecycle.state.texts import is_plain_value

__all__ = ["OF_LIBRARY", "reason_to_settle"]

OF_LIBRARY: Final = "it lies in an object of a library"
_MADE_LATE: Final = "it is made when it is first needed"
_CODE: Final = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)


def reason_to_settle(change: Change, after: Photograph) -> str:
    """Return why a change is no leak, whenever it comes; ``""`` if it may be one.

    ``after`` is the photograph that shows it.
    """
    if change.is_library:
        return OF_LIBRARY
    if change.path.startswith("ContextVar[") and not _holds_variable(change, after):
        return "it is a context variable of a library"
    if change.path == "asyncio event loop":
        return _of_loop(change.after)
    if change.container.kind.judges(change.label):  # the transaction of a session, for one
        return ""
    if change.before is MISSING and _is_without_arguments(change):
        return _MADE_LATE
    style = change.container.kind.style
    is_new = change.before is MISSING or change.before is None
    if is_new and style == "attribute" and _is_made_late(change.after, after):
        return _MADE_LATE
    return ""


def _holds_variable(change: Change, after: Photograph) -> bool:
    """Say whether function code holds the context variable at which the path begins.

    Those of libraries are set in each request, by well-written functions too: structlog clears its
    own and binds them again.
    """
    name, place = change.label, change.container.place
    while place.parent is not None:
        name, place = place.label, place.parent
    return any(
        type(value) is ContextVar and value.name is name
        for node in after.nodes.values()
        if node.kind.is_own
        for value in node.values
    )


def _is_without_arguments(change: Change) -> bool:
    """Say whether the entry is the one of a cache that has no arguments."""
    node, label = change.container, change.label
    if node.kind.style == "call":
        return type(label) is tuple and not label
    if node.kind.style != "attribute" or type(label) is not str:
        return False
    found = (namespace_of_class(base).get(label) for base in mro_of(type(node.object)))
    return any(type(one) is functools.cached_property for one in found)


def _is_made_late(value: object, after: Photograph) -> bool:
    """Say whether a name has got a client or an object, in the place of None or of nothing."""
    if issubclass(type(value), _CODE):
        return True
    node = after.node(value)
    if node is not None:
        return node.kind.is_library or node.kind.is_own
    return not is_plain_value(value) and module_of(type(value)) != "builtins"


def _of_loop(loop: object) -> str:
    is_closed = loop is MISSING or loop is None or vars(loop).get("_closed")
    return "the loop is closed" if is_closed else ""
