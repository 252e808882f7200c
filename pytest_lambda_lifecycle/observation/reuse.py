"""Which objects of the function's modules are still the ones that init made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import compress, repeat
from types import ModuleType
from typing import Any

__all__ = ["InitPhotograph"]

_MISSING = object()


def _classes(namespace: dict[str, Any]) -> Iterator[Any]:
    """Find them by their types: `isinstance` would wake lazy proxies."""
    return compress(
        namespace.values(), map(issubclass, map(type, namespace.values()), repeat(type))
    )


class InitPhotograph:
    """The names of the function's modules as they were at the end of init.

    It holds the objects, so that identity cannot be feigned by a new object at an old address.
    """

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = [
            (name, vars(module), vars(module).copy()) for name, module in modules.items()
        ]
        self._bound = [
            (namespace, list(map(id, list(namespace.values()))))
            for _, namespace, _ in self._modules
        ]
        """By module, as last seen: the identity of what each name is bound to."""
        self._classes = {
            one: vars(one).copy()
            for name, _, before in self._modules
            for one in _classes(before)
            if one.__module__ == name
        }
        self._reported: set[str] = set()

    def compare(self, report: Callable[[str, object, object], None]) -> None:
        """Report each module global that is bound to another object now, once: target, object of
        init, object now.
        """
        for index, (namespace, seen) in enumerate(self._bound):
            bound = list(map(id, list(namespace.values())))
            if bound != seen:
                seen[:] = bound
                self._report_module(index, report)

    def _report_module(self, index: int, report: Callable[[str, object, object], None]) -> None:
        name, namespace, before = self._modules[index]
        for key, old in before.items():
            now = namespace.get(key, _MISSING)
            target = f"{name}.{key}"
            if now is not old and target not in self._reported and not key.startswith("__"):
                self._reported.add(target)
                report(target, old, "<deleted>" if now is _MISSING else now)

    def at_init(self, module: ModuleType, path: list[str]) -> object:
        """Return what ``path`` named at the end of init; raises `KeyError` if it named nothing or
        cannot be known.
        """
        before = next(before for _, namespace, before in self._modules if namespace is vars(module))
        value: Any = before[path[0]]
        for name in path[1:]:
            value = self._classes[value][name]
        return value
