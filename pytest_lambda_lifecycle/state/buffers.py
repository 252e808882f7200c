"""Values without objects in them: the bytes of arrays, the position of a counter."""

from __future__ import annotations

import gc
import zlib
from typing import Any, Final

__all__ = ["Summary", "Verbatim", "is_buffer", "read_buffer", "read_count"]


class Summary(str):
    """A text in the place of a value that is too large to keep."""

    __slots__ = ()


_WHOLE: Final = 16 * 1024 * 1024
"""The bytes up to which every one is looked at: 3 ms."""
_BLOCK: Final = 64 * 1024
_BUFFERS: Final = frozenset({("array", "array"), ("numpy", "ndarray")})


class Verbatim(str):
    """A label that is a piece of a path already."""

    __slots__ = ()


_ITSELF: Final[list[Any]] = [Verbatim()]
"""The label of the only value, whose path is that of the object."""


def is_buffer(module: str, name: str) -> bool:
    """Say whether a class, by its names, is one of arrays."""
    return (module, name) in _BUFFERS


def read_buffer(one: Any) -> tuple[list[Any], list[Any]]:  # noqa: ANN401
    """Return the length and a checksum of the bytes, for which nothing is copied.

    Of more than 16 MB, blocks of 64 KB at equal distances are looked at.
    """
    try:
        with memoryview(one) as view:
            if not view.c_contiguous or view.nbytes == 0:
                return [], []
            size = view.nbytes
            with view.cast("B") as octets:
                text = f"<{size} bytes, checksum {_checksum(octets, size):08x}>"
                return _ITSELF, [Summary(text)]
    except (TypeError, ValueError, BufferError, NotImplementedError):  # no plain numbers
        return [], []


def _checksum(octets: memoryview, size: int) -> int:
    if size <= _WHOLE:
        return zlib.crc32(octets)
    found = 0
    for start in range(0, size, size // (_WHOLE // _BLOCK)):
        found = zlib.crc32(octets[start : start + _BLOCK], found)
    return found


def read_count(one: Any) -> tuple[list[Any], list[Any]]:  # noqa: ANN401
    """Return the present number of `itertools.count`, unless objects of a class count for it."""
    if all(type(held) in (int, float, type) for held in gc.get_referents(one)):
        return _ITSELF, [Summary(f"<{one!r}>")]
    return [], []
