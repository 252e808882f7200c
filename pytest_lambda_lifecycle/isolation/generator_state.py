"""The state of the generator behind the functions of `random`, saved and written in 0.5 us.

`random.getstate` makes a tuple of 625 numbers, and `random.setstate` reads one: a cold start does
that three times, for 17 us.  The same numbers lie one behind the other in the object, so `ctypes`
copies their bytes.  Where a test of two generators does not find them there (another
implementation, a Python without `ctypes`), the functions are called after all.
"""

from __future__ import annotations

import _random
import random
import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

__all__ = ["read_state", "write_state"]

_Functions: TypeAlias = "tuple[Callable[[Any], Any], Callable[[Any, Any], object]]"

_generator: Final[Any] = random._inst
_LAYOUT: Final = "=i624I"  # the index of the next number, and the numbers
_BY_NUMBERS: Final[_Functions] = (_random.Random.getstate, _random.Random.setstate)


def _by_bytes() -> _Functions | None:
    """Return functions that read and write the bytes of a generator's state."""
    try:
        from ctypes import memmove, string_at
    except ImportError:
        return None
    header, size = object.__basicsize__, struct.calcsize(_LAYOUT)
    if _random.Random.__basicsize__ < header + size:
        return None

    def read(generator: object) -> bytes:
        return string_at(id(generator) + header, size)

    def write(generator: object, state: bytes) -> None:
        memmove(id(generator) + header, state, size)

    return (read, write) if _are_states(read, write) else None


def _are_states(read: Callable[[Any], bytes], write: Callable[[Any, bytes], object]) -> bool:
    """Say whether the bytes of a generator are its state, as its own functions tell it."""
    one, other = _random.Random(1), _random.Random(2)
    for draws in (0, 1, 700):
        for _ in range(draws):
            one.random()
        index, *numbers = struct.unpack(_LAYOUT, read(one))
        if one.getstate() != (*numbers, index):
            return False
    write(other, read(one))
    return one.getstate() == other.getstate() and one.random() == other.random()


_READ, _WRITE = _by_bytes() or _BY_NUMBERS


def read_state() -> tuple[Any, ...]:
    """Return the present state, as `write_state` takes it."""
    return _READ(_generator), _generator.gauss_next


def write_state(state: tuple[Any, ...]) -> None:
    """Write an earlier state."""
    _WRITE(_generator, state[0])
    _generator.gauss_next = state[1]
