"""Objects of libraries that are closed but for what function code may put on them.

A client of boto3 reaches ten thousand objects, which change by themselves.  Of the client itself,
the attributes are read, and each value that is not plain stands for itself: nothing below is
followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.state.buffers import Summary, Verbatim
from pytest_lambda_lifecycle.state.kinds import Contents, Kind
from pytest_lambda_lifecycle.state.opaque import judged_of, module_of, mro_of, name_of
from pytest_lambda_lifecycle.state.opaque import namespace_of_class as namespace
from pytest_lambda_lifecycle.state.texts import is_plain_value, text_of

__all__ = ["kind_of_client"]

_CLIENTS: Final = frozenset(
    {
        ("boto3.resources.base", "ServiceResource"),
        ("boto3.session", "Session"),
        ("botocore.client", "BaseClient"),
        ("botocore.session", "Session"),
        ("jinja2.environment", "Environment"),
        ("sqlalchemy.engine.base", "Engine"),
    }
)


def kind_of_client(cls: type, attributes: Callable[[Any], Any] | None) -> Kind | None:
    """Return how objects of a closed library are read; None if they are not."""
    for base in mro_of(cls):
        names = module_of(base), name_of(base)
        if names in _CLIENTS and attributes is not None:
            return _kind_of_outside(attributes, judged_of(cls))
        if names == ("sqlite3", "Connection"):
            return Kind(_reader_of_transactions(base), always=True)
        if names in (("_io", "StringIO"), ("_io", "BytesIO")):
            return Kind(_reader_of_positions(base), always=True)
    return None


def _kind_of_outside(attributes: Callable[[Any], Any], judged: frozenset[str]) -> Kind:
    def read(one: Any) -> Contents:  # noqa: ANN401
        return _read_outside(attributes(one), judged)

    return Kind(read, "attribute", mapping=attributes, is_library=True, judged=judged)


def _read_outside(found: Any, judged: frozenset[str]) -> Contents:  # noqa: ANN401
    if type(found) is not dict:
        return [], []
    items = list(dict.items(found))
    return [name for name, _ in items], [
        value if name in judged or is_plain_value(value) else Summary(text_of(value, depth=1))
        for name, value in items
    ]


def _reader_of_transactions(cls: type) -> Callable[[Any], Contents]:
    is_open, changes = (
        namespace(cls)[name].__get__ for name in ("in_transaction", "total_changes")
    )
    labels = [Verbatim(".in_transaction")]

    def read(one: Any) -> Contents:  # noqa: ANN401
        try:
            text = f"<True, with {changes(one)} changed rows>" if is_open(one) else "<False>"
        except Exception:  # it is closed
            return [], []
        return labels, [Summary(text)]

    return read


def _reader_of_positions(cls: type) -> Callable[[Any], Contents]:
    """Read where a buffer stands: each write moves it, and its text would have to be copied."""
    tell = namespace(cls)["tell"]
    labels = [Verbatim()]

    def read(one: Any) -> Contents:  # noqa: ANN401
        try:
            return labels, [Summary(f"<position {tell(one)}>")]
        except ValueError:  # it is closed
            return [], []

    return read
