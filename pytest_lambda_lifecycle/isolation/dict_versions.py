"""The versions of dicts: whether one has changed, in a tenth of a microsecond.

To see that nothing has replaced a name of `socket`, each of its values can be compared with the one
before.  For all modules that are watched these are 2,300 objects, and the processor has to fetch
each of them: 20 us for one look, and a cold start takes several.

CPython 3.10 to 3.13 give a dict another version at each change (PEP 509, the field
``ma_version_tag``), and have no function in Python that returns it.  So `ctypes` reads it out of
the dict.  It is only read, and the dict is kept alive as long as somebody may read.  Where the
field is not found by a test of its behaviour (Python 3.14, free-threaded builds, other
implementations, a Python without `ctypes`), there are no versions, and the values are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, Final

__all__ = ["Versions"]

_value: Final = attrgetter("value")


def _find_reader() -> Callable[[dict[Any, Any]], Any] | None:
    """Return a function that makes a view of a dict's version; None if there are no versions."""
    try:
        import ctypes
    except ImportError:
        return None
    offset = object.__basicsize__ + ctypes.sizeof(ctypes.c_ssize_t)  # behind the number of entries
    if dict.__basicsize__ < offset + ctypes.sizeof(ctypes.c_uint64):
        return None
    from_address = ctypes.c_uint64.from_address

    def view(one: dict[Any, Any]) -> Any:  # noqa: ANN401  # a number of `ctypes`
        return from_address(id(one) + offset)

    return view if _is_version(view) else None


def _is_version(view: Callable[[dict[Any, Any]], Any]) -> bool:
    """Say whether a field of dicts changes whenever one changes, and at no other time."""
    value = object()
    one: dict[str, object] = {"a": 1, "b": 2}
    field = view(one)
    changes: tuple[Callable[[], object], ...] = (
        lambda: one.__setitem__("a", value),  # which changes no other field of a dict
        lambda: one.__setitem__("c", 3),
        lambda: one.pop("b"),
        lambda: one.update(a=4),
        lambda: one.setdefault("d", 5),
        lambda: one.popitem(),
        lambda: one.clear(),
    )
    for change in changes:
        before = field.value
        _ = one.copy(), one.get("a"), list(one.items())
        if field.value != before:
            return False
        change()
        if field.value == before:
            return False
    return True


_view: Final = _find_reader()


class Versions:
    """The versions of some dicts, which it keeps alive."""

    __slots__ = ("_dicts", "_views")

    def __init__(self, dicts: Iterable[dict[Any, Any]]) -> None:
        self._dicts = tuple(dicts)
        self._views = list(map(_view, self._dicts)) if _view is not None else []

    @property
    def are_known(self) -> bool:
        """Whether `now` tells them."""
        return _view is not None

    def now(self) -> list[int] | None:
        """Return the present versions; None if they cannot be told."""
        return list(map(_value, self._views)) if _view is not None else None
