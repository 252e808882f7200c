"""The namespace of a module while it is executed, with a call back when a name is bound.

A module uses its own names while it runs: a constant has made a pool, a decorator has taken a
function, before anybody outside sees the module.  To replace a name when the module has run comes
too late for these.  Python stores the names of a module's code into its *locals*, which may be any
mapping, and not into its globals.  So the code runs with this mapping as its locals, which writes
through to the module's own dict.  Functions of the module read that dict, as always.
"""

from __future__ import annotations

import importlib.machinery
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from types import CodeType, ModuleType
from typing import Any, Final

__all__ = ["WatchedNamespace", "code_of"]

_ORDINARY: Final[Any] = importlib.machinery.SourceFileLoader.exec_module


class WatchedNamespace(MutableMapping[str, Any]):
    """The namespace of a module that calls back when one of certain names has been bound."""

    def __init__(
        self, module: ModuleType, names: Sequence[tuple[str, Callable[[ModuleType], None]]]
    ) -> None:
        self._module = module
        self._namespace = vars(module)
        self._names = names

    def __setitem__(self, name: str, value: Any) -> None:  # noqa: ANN401
        self._namespace[name] = value
        for watched, callback in self._names:
            if watched == name:
                callback(self._module)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        return self._namespace[name]

    def __delitem__(self, name: str) -> None:
        del self._namespace[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._namespace)

    def __len__(self) -> int:
        return len(self._namespace)


def code_of(module: ModuleType, loader: Any) -> CodeType | None:  # noqa: ANN401
    """Return the code of a module; None if its loader executes it in a way of its own."""
    if getattr(type(loader), "exec_module", None) is not _ORDINARY:
        return None
    code = loader.get_code(module.__name__)
    return code if isinstance(code, CodeType) else None
