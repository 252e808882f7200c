"""Values as short texts, without a call of their own code, and without secrets."""

from __future__ import annotations

import datetime
import types
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any, Final

from pytest_lambda_lifecycle.lifecycle.redaction import REDACTED, is_secret_name, redacted_text
from pytest_lambda_lifecycle.state.buffers import Summary
from pytest_lambda_lifecycle.state.differences import MISSING
from pytest_lambda_lifecycle.state.opaque import IDENTITY, identities, module_of, name_of

__all__ = ["is_plain_value", "text_of"]

_LIMIT: Final = 60
"""Characters of a text, or of a piece of it."""
_ENTRIES: Final = 6
_DEPTH: Final = 3
_BITS: Final = 1024
_PLAIN: Final = identities(
    *(type(None), bool, int, float, complex, str, bytes, range, Summary),
    *(Decimal, Fraction, uuid.UUID, datetime.timedelta, datetime.date),
)
_MOMENTS: Final = identities(datetime.datetime, datetime.time)
_TEXTS: Final = identities(str, bytes, int)
_BRACKETS: Final[dict[int, tuple[str, str, Callable[[Any], Iterator[Any]]]]] = {
    IDENTITY(list): ("[", "]", list.__iter__),
    IDENTITY(tuple): ("(", ")", tuple.__iter__),
    IDENTITY(set): ("{", "}", set.__iter__),
    IDENTITY(frozenset): ("frozenset({", "})", frozenset.__iter__),
    IDENTITY(deque): ("deque([", "])", deque.__iter__),
}


def is_plain_value(value: object) -> bool:
    """Say whether a value can be compared by ``==``: no code of any other class runs."""
    cls = type(value)
    if IDENTITY(cls) in _MOMENTS:
        zone = value.tzinfo  # type: ignore[attr-defined]
        return zone is None or type(zone) is datetime.timezone
    return IDENTITY(cls) in _PLAIN


def text_of(value: object, name: str = "", depth: int = _DEPTH) -> str:
    """Return a short text; the value of a name that stands for a secret is left out."""
    if value is MISSING:
        return "nothing"
    cls = type(value)
    if cls is Summary:
        return str(value)
    if name and IDENTITY(cls) in _TEXTS and is_secret_name(name):
        return REDACTED
    if cls is str:
        return _text_of_string(str(value))
    if cls is bytes:
        held: Any = value
        return _shortened(repr(held[:_LIMIT]), len(held) > _LIMIT)
    if cls is int and int(value).bit_length() > _BITS:  # type: ignore[call-overload]
        return f"<int of {int(value).bit_length()} bits>"  # type: ignore[call-overload]
    if is_plain_value(value):
        return _shortened(repr(value))
    if cls is dict:
        return _text_of_dict(value, depth)
    if IDENTITY(cls) in _BRACKETS:
        return _text_of_container(value, depth)
    if issubclass(cls, tuple) and tuple.__len__(value) <= _ENTRIES:  # type: ignore[arg-type]
        # The keys of a cache are often of such a class.
        return text_of(tuple(tuple.__iter__(value)), name, depth)  # type: ignore[arg-type]
    return _text_of_object(value)


def _text_of_string(value: str) -> str:
    shown = redacted_text(value[: 4 * _LIMIT])
    return _shortened(repr(shown[:_LIMIT]), len(value) > _LIMIT)


def _shortened(text: str, is_cut: bool = False) -> str:
    if len(text) > 2 * _LIMIT:
        text, is_cut = text[:_LIMIT], True
    return f"{text}..." if is_cut else text


def _text_of_dict(value: Any, depth: int) -> str:  # noqa: ANN401
    if depth == 0:
        return "{...}" if value else "{}"
    entries = (
        f"{text_of(key, depth=0)}: {text_of(one, key if type(key) is str else '', depth - 1)}"
        for key, one in list(islice(dict.items(value), _ENTRIES))
    )
    return "{" + _joined(entries, len(value)) + "}"


def _text_of_container(value: Any, depth: int) -> str:  # noqa: ANN401
    before, after, iterate = _BRACKETS[IDENTITY(type(value))]
    if depth == 0:
        return f"{before}...{after}" if value else f"{before}{after}"
    shown = list(islice(iterate(value), _ENTRIES))
    return before + _joined((text_of(one, depth=depth - 1) for one in shown), len(value)) + after


def _joined(texts: Iterable[str], length: int) -> str:
    more = f", ... {length} in all" if length > _ENTRIES else ""
    return ", ".join(texts) + more


def _text_of_object(value: Any) -> str:  # noqa: ANN401
    cls = type(value)
    if issubclass(cls, type):
        return f"<class {_name_of_class(value)}>"
    if cls is types.FunctionType:
        return f"<function {value.__code__.co_name}>"
    if cls is types.ModuleType:
        return f"<module {value.__dict__.get('__name__')!r}>"
    if issubclass(cls, weakref.ref):
        held = weakref.ref.__call__(value)
        return f"<weak reference to {_name_of_class(type(held))}>"
    return f"<{_name_of_class(cls)}>"


def _name_of_class(cls: type) -> str:
    module, name = module_of(cls), name_of(cls)
    return f"{name}" if module == "builtins" else f"{module}.{name}"
