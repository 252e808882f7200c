"""`os.environ` by the encoded values behind it.

It encodes and decodes at each look-up, which for the few variables of a warm invoke would cost as much as all the rest
of its context.  Where another mapping stands in its place, that one is asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["DATA", "VariableReader", "VariableWriter", "decoded", "set_variables"]

_ENVIRON: Final = os.environ
_ENCODING: Final = sys.getfilesystemencoding()
_AS_BYTES: Final = os.name == "posix" and hasattr(os.environ, "_data")
DATA: Final[Any] = getattr(os.environ, "_data", os.environ)
"""Encoded names and values, or `os.environ` itself where that is made in another way."""
_encode_name: Final = getattr(os.environ, "encodekey", str)
_encode_value: Final = getattr(os.environ, "encodevalue", str)


def decoded(data: Mapping[Any, Any] = DATA) -> dict[str, str]:
    """Return variables as text; by default those of `os.environ`."""
    if not _AS_BYTES:
        return dict(data)
    return {
        name.decode(_ENCODING, "surrogateescape"): value.decode(_ENCODING, "surrogateescape")
        for name, value in data.items()
    }


def set_variables(variables: Mapping[str, str]) -> None:
    """Do what ``os.environ.update(variables)`` does."""
    if not _AS_BYTES:
        os.environ.update(variables)
        return
    for name, value in variables.items():
        key, encoded = name.encode(_ENCODING, "surrogateescape"), value.encode(_ENCODING, "surrogateescape")
        os.putenv(key, encoded)
        DATA[key] = encoded


class VariableReader:
    """Reads the same variables again and again, and decodes them only after one of them has changed."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._keys = list(map(_encode_name, names))
        self._seen: list[Any] = []
        self._values: tuple[str | None, ...] = ()

    def read(self) -> tuple[str | None, ...]:
        """Return the values in the order of the names, None for an unset one."""
        if os.environ is not _ENVIRON:
            return tuple(map(os.environ.get, self._names))
        encoded = list(map(DATA.get, self._keys))
        if encoded != self._seen:
            self._values = tuple(map(os.environ.get, self._names))
            self._seen = encoded
        return self._values


class VariableWriter:
    """Sets one variable again and again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._key = _encode_name(name)

    def write(self, value: str) -> None:
        """Set it, as ``os.environ[name] = value`` does; raises what that raises."""
        if os.environ is not _ENVIRON:
            os.environ[self._name] = value
            return
        encoded = _encode_value(value)
        os.putenv(self._key, encoded)  # looked up at the call: it may be watched
        DATA[self._key] = encoded
