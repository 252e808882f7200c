"""Keys of Powertools' Logger that an earlier request has set, and that a later one still logs.

With ``inject_lambda_context(clear_state=True)`` the decorated function begins without the keys of
the request before, and sets its own, which are there when the invoke ends.  So the end of an invoke
tells nothing by itself.  To clear its keys, the formatter makes another dict of them: where the
dict is still the one of the invoke before, its keys were there when the decorated function began.
No function has to be changed for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.state.changes import path_of
from pytest_lambda_lifecycle.state.opaque import module_of, mro_of
from pytest_lambda_lifecycle.state.photograph import Node, Photograph

__all__ = ["KeptKey", "LogKeys"]

_MODULE: Final = "aws_lambda_powertools.logging.formatter"
_OF_REQUEST: Final = frozenset(
    "cold_start correlation_id function_arn function_memory_size function_name "
    "function_request_id tenant_id xray_trace_id".split()
)
"""Keys that `inject_lambda_context` sets anew for each request."""


class KeptKey(NamedTuple):
    """A key of an earlier request that was there when the decorated function began."""

    path: str
    name: str
    value: Any


class LogKeys:
    """Compares the keys of all formatters that function code can reach, over the invokes."""

    def __init__(self) -> None:
        self._first: dict[str, frozenset[str]] = {}
        """The keys that each formatter had when it was seen first, by its path."""

    def kept(self, before: Photograph, after: Photograph) -> Iterator[KeptKey]:
        """Yield the keys of earlier requests that an invoke has found and not cleared."""
        if held_module(_MODULE) is None:
            return
        for node in before.nodes.values():
            keys = _keys_of(node, before)
            if keys is None:
                continue
            path = path_of(node)
            names = {name for name in keys.labels or () if type(name) is str}
            first = self._first.setdefault(path, frozenset(names))
            still = after.node(keys.object)
            if still is None:
                continue
            left = {name for name in still.labels or () if type(name) is str}
            for name, value in zip(keys.labels or (), keys.values, strict=False):
                if type(name) is str and name in left and name not in first | _OF_REQUEST:
                    yield KeptKey(f"{path}.log_format[{name!r}]", name, value)


def _keys_of(node: Node, photograph: Photograph) -> Node | None:
    """Return the node of a formatter's keys; None for any other object."""
    if node.kind.style != "attribute" or node.labels is None:
        return None
    if not any(module_of(base) == _MODULE for base in mro_of(type(node.object))):
        return None
    for label, value in zip(node.labels, node.values, strict=False):
        if type(label) is str and label == "log_format":
            return photograph.node(value)
    return None
