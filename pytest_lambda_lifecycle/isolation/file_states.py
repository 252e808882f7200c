"""The states of files, by which what was read of them is kept until they change."""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

from pytest_lambda_lifecycle.isolation.real import RealOs, RealTime

__all__ = ["State", "is_settled", "keep_latest", "state_of"]

K = TypeVar("K")
V = TypeVar("V")

State: TypeAlias = tuple[int, ...]

_SETTLED_NS: Final = 100_000_000
"""Kernels note the time of a change by their ticks, up to 10 ms; some file systems by seconds."""
_COARSE_NS: Final = 10_000_000_000
_SECOND_NS: Final = 1_000_000_000

_stat: Final = RealOs.stat


def state_of(path: str) -> State | None:
    """Return what tells one state of a file from another; the last two cannot be set by programs.

    None if there is no such file.
    """
    try:
        found = _stat(path)
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def is_settled(state: State) -> bool:
    """Say whether the next change to a file will have another time than the latest one."""
    changed = state[2]
    least = _SETTLED_NS if changed % _SECOND_NS else _COARSE_NS
    return RealTime.time_ns() - changed > least


def keep_latest(kept: dict[K, V], key: K, value: V, most: int) -> None:
    """Keep a value as the latest one; where there are ``most``, the earliest ones go."""
    kept.pop(key, None)
    while len(kept) >= most:
        kept.pop(next(iter(kept)), None)
    kept[key] = value
