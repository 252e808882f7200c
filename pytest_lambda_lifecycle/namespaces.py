"""What function code replaces in modules that it shares with the outside."""

from __future__ import annotations

import sys
from collections.abc import Callable

__all__ = ["SharedNamespaces"]

Undo = Callable[[], None]


class SharedNamespaces:
    """What function code replaces in shared modules while it is being imported (``builtins.print = …``).

    Photographs are taken around Init, since that is where libraries patch, and since a test's own patches of the same
    modules must not be mistaken for the function's.
    """

    _NAMES = ("builtins", "os", "json", "socket", "ssl", "http.client", "logging", "random", "subprocess", "time")
    _CLASSES = (
        ("awslambdaric.lambda_runtime_client", "LambdaRuntimeClient"),
        ("botocore.client", "BaseClient"),
        ("http.client", "HTTPConnection"),
        ("requests.sessions", "Session"),
        ("urllib3.connectionpool", "HTTPConnectionPool"),
    )
    _ABSENT = object()

    def __init__(self) -> None:
        self._before: list[tuple[object, dict[str, object]]] = []
        self._changes: list[tuple[object, str, object, object]] = []

    def photograph(self) -> None:
        """Remember the namespaces as they are now."""
        owners: list[object] = [sys.modules[name] for name in self._NAMES if name in sys.modules]
        for module, name in self._CLASSES:
            owner = getattr(sys.modules.get(module), name, None)
            if owner is not None:
                owners.append(owner)
        self._before = [(owner, dict(vars(owner))) for owner in owners]

    def compare(self) -> None:
        """Take what has changed since `photograph` as the environment's own."""
        absent = self._ABSENT
        for owner, before in self._before:
            now = vars(owner)
            if now == before:
                continue
            names = [name for name, value in list(now.items()) if before.get(name, absent) is not value]
            names += [name for name in before if name not in now]
            self._changes += [
                (owner, name, before.get(name, absent), now.get(name, absent))
                for name in names
                if not name.startswith("__")
            ]
        self._before = []

    def enter(self) -> Undo:
        for owner, name, _, new in self._changes:
            self._set(owner, name, new)

        def leave() -> None:
            for owner, name, old, _ in reversed(self._changes):
                self._set(owner, name, old)

        return leave

    def discard(self) -> None:
        self._before = []
        self._changes = []

    def _set(self, owner: object, name: str, value: object) -> None:
        if value is not self._ABSENT:
            setattr(owner, name, value)
        elif name in vars(owner):
            delattr(owner, name)
