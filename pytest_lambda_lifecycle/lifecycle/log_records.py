"""Structured lines of the function's log: JSON objects, and the metrics embedded in them.

The embedded metric format (EMF) is that of the CloudWatch User Guide, "Specification: Embedded
metric format".  CloudWatch drops what does not follow it without a word, and so do these functions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_lambda_lifecycle.lifecycle.events import Event, FunctionLog

__all__ = ["Metric", "metrics_in", "records_in"]

_decode: Final = json.JSONDecoder().decode  # a test may have replaced json.loads


@dataclass(frozen=True)
class Metric:
    """A metric of CloudWatch that function code logged, in one set of dimensions."""

    namespace: str
    name: str
    values: tuple[float, ...]
    """The numbers of one line: Powertools writes a list, and other libraries a single number."""
    unit: str = "None"
    """``"Count"``, ``"Milliseconds"`` and so on; ``"None"`` without one."""
    dimensions: dict[str, str] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The only value; an `AssertionError` if there are several."""
        if len(self.values) != 1:
            raise AssertionError(f"{self.name} has {len(self.values)} values: {self.values}")
        return self.values[0]


def records_in(events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """Yield the lines of function output that are JSON objects, decoded."""
    text = "".join(event.text for event in events if type(event) is FunctionLog)
    for line in text.split("\n"):
        if line.lstrip()[:1] == "{":
            try:
                record = _decode(line)
            except ValueError:
                continue
            yield record


def metrics_in(records: Iterable[dict[str, Any]]) -> Iterator[Metric]:
    """Yield the metrics of records in the embedded metric format."""
    for record in records:
        for directive in _items(record.get("_aws"), "CloudWatchMetrics"):
            namespace = directive.get("Namespace") if isinstance(directive, dict) else None
            if not isinstance(namespace, str):
                continue
            sets = [one for one in _items(directive, "Dimensions") if isinstance(one, list)]
            for definition in _items(directive, "Metrics"):
                if isinstance(definition, dict):
                    for names in sets or [[]]:
                        metric = _metric(namespace, definition, names, record)
                        if metric is not None:
                            yield metric


def _items(mapping: Any, key: str) -> list[Any]:  # noqa: ANN401  # decoded JSON
    found = mapping.get(key) if isinstance(mapping, dict) else None
    return found if isinstance(found, list) else []


def _metric(
    namespace: str, definition: dict[str, Any], dimensions: Iterable[Any], record: dict[str, Any]
) -> Metric | None:
    name = definition.get("Name")
    if not isinstance(name, str) or name not in record:
        return None
    value = record[name]
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
        return None
    return Metric(
        namespace,
        name,
        tuple(values),
        str(definition.get("Unit", "None")),
        {str(key): str(record[key]) for key in dimensions if key in record},
    )
