"""Parsed JSON that many hold, each of whom may change it: copies are made where somebody looks.

botocore changes what it has parsed.  A client completes the endpoint of its region, one of S3 makes
`Expires` a timestamp and takes the bucket out of paths, and the first retries resolve references.
So sessions cannot share the objects.  To copy a model for each takes about as long as to parse it.

Here an object is a shallow copy of a kept one.  A container in it is copied, in the same way, when
somebody asks for it, and is the holder's own from then on.  Most of a model is never asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import ItemsView, ValuesView
from typing import Any, Final

__all__ = ["keep", "lend"]


class _Kept(dict[str, Any]):
    """A kept object, never handed out."""

    __slots__ = ()


class _KeptList(tuple[Any, ...]):
    """A kept array, never handed out; a list would be larger."""

    __slots__ = ()


_CONTAINERS: Final = frozenset({_Kept, _KeptList})
_get: Final = OrderedDict.__getitem__
_set: Final = OrderedDict.__setitem__
_ABSENT: Final = object()


def keep(value: Any) -> Any:  # noqa: ANN401
    """Return parsed JSON in the form in which it is kept."""
    if isinstance(value, dict):
        return _Kept({name: keep(one) for name, one in value.items()})
    if isinstance(value, list):
        return _KeptList(map(keep, value))
    return value


def lend(value: Any) -> Any:  # noqa: ANN401
    """Return a kept value as a new object, whose parts are still to be copied."""
    kind = type(value)
    if kind is _Kept:
        lent = _Lent(value.items())
        lent.copied = {}
        return lent
    if kind is _KeptList:
        return [lend(one) if type(one) in _CONTAINERS else one for one in value]
    return value


class _Lent(OrderedDict[str, Any]):
    """An object of somebody's own; all ways to its parts lead to copies of these.

    C code finds the parts of a subclass of `OrderedDict` by these methods, too.
    """

    __slots__ = ("copied",)

    copied: dict[str, Any]
    """The copies that have been made, so that two threads get the same one."""

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401
        value = _get(self, key)
        if type(value) in _CONTAINERS:
            value = self.copied.setdefault(key, lend(value))
            _set(self, key, value)
        return value

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
        return self[key] if key in self else default  # noqa: SIM401  # that is this method

    def setdefault(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
        return self[key] if key in self else super().setdefault(key, default)

    def pop(self, key: str, default: Any = _ABSENT) -> Any:  # noqa: ANN401
        if key in self:
            value = self[key]
            del self[key]
            return value
        if default is _ABSENT:
            raise KeyError(key)
        return default

    def popitem(self, last: bool = True) -> tuple[str, Any]:
        self._copy_all()
        return super().popitem(last)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        self._copy_all()
        return super().items()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        self._copy_all()
        return super().values()

    def __eq__(self, other: object) -> bool:
        self._copy_all()
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        self._copy_all()
        return super().__ne__(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        self._copy_all()
        return super().__repr__()

    def __reduce__(self) -> tuple[Any, ...]:
        return OrderedDict, (), None, None, iter(self.items())

    def _copy_all(self) -> None:
        for name in self:
            self[name]


_Lent.__name__ = _Lent.__qualname__ = "OrderedDict"  # for its repr, in which others see it
