"""`os.environ` by the encoded names and values behind it.

`os.environ` encodes the name and decodes the value at each look-up.  For the five variables that
the context of each invoke reads, that takes 2 us of an invoke of 25 us; kept values take 0.3 us.  A
cold start copies and changes `os.environ` several times, which is 4 % cheaper by its bytes.
(``tests/benchmarks`` measure both beside the plain form.)  The price is the private attribute
``os.environ._data``.  Where that is missing, or where a test has put another mapping in the place
of `os.environ`, the mapping itself is used.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from functools import lru_cache
from itertools import compress, repeat
from operator import ne
from typing import Any, Final

__all__ = [
    "DATA",
    "KEY",
    "VariableReader",
    "VariableWriter",
    "change_variables",
    "changed",
    "changes_since",
    "decoded",
    "note_other",
    "variables_of",
]

_ENVIRON: Final = os.environ
_ENCODING: Final = sys.getfilesystemencoding()
_AS_BYTES: Final = os.name == "posix" and hasattr(os.environ, "_data")
DATA: Final[Any] = getattr(os.environ, "_data", os.environ)
"""Encoded names and values, or `os.environ` itself where that is made in another way."""
KEY: Final = bytes if _AS_BYTES else str
"""The class of the encoded names."""
_encode_name: Final = getattr(os.environ, "encodekey", str)
_encode_value: Final = getattr(os.environ, "encodevalue", str)

_LATEST: Final[list[Any]] = []
"""The latest names and values that were decoded, and the texts."""

_NO_VALUE: Final[Any] = object()

# Caches: each environment has the same names and values, and strings that are kept are hashed once.


@lru_cache(maxsize=1024)
def _decode(raw: bytes) -> str:
    return raw.decode(_ENCODING, "surrogateescape")


@lru_cache(maxsize=1024)
def _encode(text: str) -> bytes:
    return text.encode(_ENCODING, "surrogateescape")


def decoded(data: Mapping[Any, Any]) -> dict[str, str]:
    """Return encoded names and values as text, in their order."""
    if not _AS_BYTES:
        return dict(data)
    return dict(zip(map(_decode, list(data)), map(_decode, list(data.values())), strict=True))


def variables_of(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Return the variables of `os.environ`, or of the mapping in its place, in their order."""
    if environ is not _ENVIRON:
        return dict(environ)
    names, values = list(DATA), list(DATA.values())
    if not _LATEST or _LATEST[0] != names or _LATEST[1] != values:
        _LATEST[:] = names, values, decoded(DATA)
    latest: dict[str, str] = _LATEST[2]
    return latest.copy()


def changed(new: Mapping[Any, Any], old: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the entries that are new or have another value; sets of pairs take twice as long."""
    return dict(compress(new.items(), map(ne, new.values(), map(old.get, new))))


def changes_since(
    environ: MutableMapping[str, str], data: Mapping[Any, Any], variables: dict[str, str]
) -> dict[str, str | None]:
    """Return the variables that differ from those before, None for one that was removed.

    Those before are given twice: ``data`` is a copy of `DATA`, ``variables`` is text.
    """
    if environ is not _ENVIRON:
        now = dict(environ)
        return {**changed(now, variables), **dict.fromkeys(variables.keys() - now.keys())}
    new = changed(DATA, data)
    changes: dict[str, str | None] = {**decoded(new)}
    if len(data) + len(new.keys() - data.keys()) != len(DATA):
        changes |= dict.fromkeys(decoded(dict.fromkeys(data.keys() - DATA.keys(), b"")))
    return changes


def note_other(data: dict[Any, Any], name: str) -> None:
    """Let `changes_since` find a variable changed, whatever value it has then."""
    data[_encode_name(name)] = _NO_VALUE


def change_variables(
    environ: MutableMapping[str, str], remove: Iterable[str], add: Mapping[str, str]
) -> None:
    """Remove variables that are there, and set others."""
    if environ is not _ENVIRON or not _AS_BYTES:
        for name in remove:
            environ.pop(name, None)
        environ.update(add)
        return
    removed = list(map(_encode, remove))
    names, values = list(map(_encode, add)), list(map(_encode, add.values()))
    # Each of them in one call: `deque` runs a `map` to its end.
    deque(map(os.unsetenv, removed), maxlen=0)
    deque(map(DATA.pop, removed, repeat(None)), maxlen=0)
    DATA.update(zip(names, values, strict=True))
    deque(map(os.putenv, names, values), maxlen=0)


class VariableReader:
    """Reads the same variables again and again, and decodes them only after a change."""

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
            self._values = tuple(_decode(one) if type(one) is bytes else one for one in encoded)
            self._seen = encoded
        return self._values


class VariableWriter:
    """Sets one variable again and again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._key = _encode_name(name)

    def write(self, value: str) -> None:
        """Set it as ``os.environ[name] = value`` does, with the same exceptions."""
        if os.environ is not _ENVIRON:
            os.environ[self._name] = value
            return
        # `os.environ` encodes in the same way, by a function in Python.
        plain = type(value) is str and _AS_BYTES
        encoded: Any = value.encode(_ENCODING, "surrogateescape") if plain else _encode_value(value)
        os.putenv(self._key, encoded)  # looked up at the call: it may be watched
        DATA[self._key] = encoded
