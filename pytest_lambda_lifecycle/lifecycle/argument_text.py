"""The arguments of a call as short text, for the timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from reprlib import Repr
from typing import Final

from pytest_lambda_lifecycle.lifecycle.redaction import redacted_text, redacted_value

__all__ = ["call_text", "value_text"]

_LONGEST: Final = 120
_repr: Final = Repr()
_repr.maxstring = _repr.maxother = 50


def call_text(
    args: Sequence[object], kwargs: Mapping[str, object], parameters: Sequence[str] = ()
) -> str:
    """Return arguments as they would stand in a call, shortened.

    ``parameters`` are the names of the positional ones: the value of a secret name is left out.
    """
    names = parameters[: len(args)]
    positional = [value_text(value, name) for name, value in zip_longest(names, args, fillvalue="")]
    named = [f"{name}={value_text(value, name)}" for name, value in kwargs.items()]
    text = ", ".join([*positional, *named])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def value_text(value: object, name: str = "") -> str:
    """Return the repr of a value, shortened; ``name`` is that of a parameter, or ``""``."""
    try:
        return redacted_text(_repr.repr(redacted_value(name, value))).replace("\n", " ")
    except Exception as problem:  # the object of function code has a repr of its own
        return f"<{type(value).__name__}, whose repr raises {type(problem).__name__}>"
