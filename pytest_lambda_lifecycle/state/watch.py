"""Tells which containers have changed since it last looked, without a look into each in Python.

Of a dict, its version tells (`isolation/dict_versions.py`).  Other containers are compared entry by
entry, by identity, a hundred containers in one call of C.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, compress
from operator import is_not, ne
from typing import Any, Final, TypeAlias

from pytest_lambda_lifecycle.isolation.dict_versions import Versions
from pytest_lambda_lifecycle.state.identities import common_length
from pytest_lambda_lifecycle.state.kinds import Kind
from pytest_lambda_lifecycle.state.opaque import IDENTITY

__all__ = ["Watch"]

_CHUNK: Final = 128
_LARGE: Final = 4096
"""Entries from which a container is compared by itself."""

_Read: TypeAlias = "Callable[[Any], Iterator[Any]]"
_Measure: TypeAlias = "Callable[[Any], int]"
_Pair: TypeAlias = "tuple[Any, Any]"
"""An object, and the container in which its contents lie."""

_dict_values: Final[Any] = dict.values


class _Probe:
    value = 0


def _versions_tell_of_attributes() -> bool:
    """Say whether a dict of attributes gets another version when an attribute is set.

    In CPython 3.13 the values lie in the instance, and the dict is a view of them.
    """
    probe = _Probe()
    versions = Versions([probe.__dict__])
    for value in (1, 2, 3):
        before = versions.now()
        probe.value = value
        if before is None or versions.now() == before:
            return False
    return True


_VERSIONS: Final = Versions([]).are_known
_ATTRIBUTE_VERSIONS: Final = _versions_tell_of_attributes()


class Watch:
    """Watches containers for changes."""

    def __init__(self, watched: Iterable[tuple[Any, Kind]] = ()) -> None:
        self._chunks: list[_Dicts | _Sequences | _Referents] = []
        self._large: list[_Sequences] = []
        """Those of the chunks that are one container, whose entries are its contents."""
        self._always: list[Any] = []
        self.extend(watched)

    def extend(self, watched: Iterable[tuple[Any, Kind]]) -> None:
        """Watch further objects, with the kind of each."""
        dicts: list[_Pair] = []
        sequences: dict[tuple[_Read, _Measure], list[_Pair]] = {}
        referents: list[Any] = []
        for one, kind in watched:
            if kind.mapping is not None:
                below = kind.mapping(one)
                if isinstance(below, dict):
                    if _VERSIONS and (_ATTRIBUTE_VERSIONS or below is one):
                        dicts.append((one, below))
                    else:
                        for read in (dict.__iter__, _dict_values):
                            sequences.setdefault((read, dict.__len__), []).append((one, below))
            elif kind.iterate is not None and kind.measure is not None:
                sequences.setdefault((kind.iterate, kind.measure), []).append((one, one))
            elif kind.always:
                self._always.append(one)
            if kind.refers:
                referents.append(one)
        self._chunks += map(_Dicts, _chunks(dicts))
        for calls, pairs in sequences.items():
            for chunk in _by_size(pairs, calls[1]):
                made = _Sequences(*calls, chunk)
                self._chunks.append(made)
                if len(chunk) == 1 and chunk[0][0] is chunk[0][1]:
                    self._large.append(made)
        self._chunks += map(_Referents, _chunks(referents))

    def changed(self) -> list[Any]:
        """Return the objects that may have changed since the latest call."""
        found: list[Any] = []
        for chunk in self._chunks:
            found += chunk.changed()
        found += self._always
        return list({IDENTITY(one): one for one in found}.values())

    def entries(self, one: object) -> list[Any] | None:
        """Return the entries of a large container, if `changed` has just copied them.

        Another copy would take a third of the time of the whole comparison.
        """
        for chunk in self._large:
            if chunk.read is not None and chunk.objects[0] is one:
                found, chunk.read = chunk.read, None
                return found
        return None

    def forget(self, keys: set[int]) -> None:
        """Watch some objects no longer, by `IDENTITY`."""
        kept: list[_Dicts | _Sequences | _Referents] = []
        for chunk in self._chunks:
            if keys.isdisjoint(chunk.keys):
                kept.append(chunk)
                continue
            left = chunk.without(keys)
            if left is not None:
                kept.append(left)
        self._chunks = kept
        self._large = [one for one in self._large if keys.isdisjoint(one.keys)]
        self._always = [one for one in self._always if IDENTITY(one) not in keys]


class _Dicts:
    """Dicts, whose versions tell of a change."""

    def __init__(self, pairs: list[_Pair]) -> None:
        self._pairs = pairs
        self.objects = [one for one, _ in pairs]
        self.keys = frozenset(map(IDENTITY, self.objects))
        self._versions = Versions(below for _, below in pairs)
        self._known = self._versions.now() or []

    def changed(self) -> Iterable[Any]:
        now, known = self._versions.now() or [], self._known
        if now == known:
            return ()
        self._known = now
        return compress(self.objects, map(ne, now, known))

    def without(self, keys: set[int]) -> _Dicts | None:
        left = [pair for pair in self._pairs if IDENTITY(pair[0]) not in keys]
        return _Dicts(left) if left else None


class _Sequences:
    """Containers that one function reads."""

    def __init__(self, read: _Read, measure: _Measure, pairs: list[_Pair]) -> None:
        self._read = read
        self._measure = measure
        self._pairs = pairs
        self.objects = [one for one, _ in pairs]
        self.keys = frozenset(map(IDENTITY, self.objects))
        self._containers = [below for _, below in pairs]
        self.read: list[Any] | None = None
        """The entries of a large container that has changed, until somebody takes them."""
        self._lengths: list[int] = []
        self._entries: list[Any] = []
        self._note()

    def without(self, keys: set[int]) -> _Sequences | None:
        left = [pair for pair in self._pairs if IDENTITY(pair[0]) not in keys]
        return _Sequences(self._read, self._measure, left) if left else None

    def _note(self) -> None:
        self._lengths = list(map(self._measure, self._containers))
        self._entries = list(self._now())

    def _now(self) -> Iterator[Any]:
        return chain.from_iterable(map(self._read, self._containers))

    def changed(self) -> list[Any]:
        try:
            if len(self.objects) == 1 and len(self._entries) >= _LARGE:
                return self._changed_large()
            if self._is_same():
                return []
            found = list(self._find_changed())
            self._note()
        except RuntimeError:  # a thread of the function changes one of them at this moment
            return self.objects
        return found

    def _changed_large(self) -> list[Any]:
        """Compare a large container by itself, from a copy: that takes a third of the time."""
        now, before = list(self._now()), self._entries
        if len(now) == len(before) == common_length(now, before):
            return []
        self._entries, self._lengths = now, [len(now)]
        self.read = now
        return self.objects

    def _is_same(self) -> bool:
        if list(map(self._measure, self._containers)) != self._lengths:
            return False
        return not any(map(is_not, self._now(), self._entries))

    def _find_changed(self) -> Iterator[Any]:
        at = 0
        for one, below, length in zip(self.objects, self._containers, self._lengths, strict=False):
            before = self._entries[at : at + length]
            at += length
            if self._measure(below) != length or any(map(is_not, self._read(below), before)):
                yield one


class _Referents:
    """Objects whose contents the garbage collector alone can tell."""

    def __init__(self, objects: list[Any]) -> None:
        self.objects = objects
        self.keys = frozenset(map(IDENTITY, objects))
        self._known = gc.get_referents(*objects)

    def changed(self) -> list[Any]:
        now = gc.get_referents(*self.objects)
        if len(now) == len(self._known) and not any(map(is_not, now, self._known)):
            return []
        self._known = now
        return self.objects

    def without(self, keys: set[int]) -> _Referents | None:
        left = [one for one in self.objects if IDENTITY(one) not in keys]
        return _Referents(left) if left else None


def _chunks(entries: list[Any]) -> Iterator[list[Any]]:
    return (entries[at : at + _CHUNK] for at in range(0, len(entries), _CHUNK))


def _by_size(pairs: list[_Pair], measure: _Measure) -> Iterator[list[_Pair]]:
    """Yield chunks of pairs, in which each large container is by itself."""
    large = [pair for pair in pairs if measure(pair[1]) >= _LARGE]
    yield from ([pair] for pair in large)
    yield from _chunks([pair for pair in pairs if measure(pair[1]) < _LARGE] if large else pairs)
