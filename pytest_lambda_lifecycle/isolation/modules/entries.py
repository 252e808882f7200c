"""Questions about the entries of `sys.modules`, answered without a look at each of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import compress, islice
from operator import is_not
from types import ModuleType
from typing import Any

from pytest_lambda_lifecycle.isolation.dict_versions import Versions
from pytest_lambda_lifecycle.isolation.modules.replaced import are_same

__all__ = ["SeenModules", "differing", "newest"]


def newest(base: int, marker: str) -> dict[str, ModuleType | None] | None:
    """Return the modules that have come after the first ``base`` ones, the last being ``marker``.

    None if their order in `sys.modules` does not tell: then some of the others are gone.
    """
    count = len(sys.modules) - base
    try:
        found = list(islice(reversed(sys.modules.items()), count + 1))
    except (RuntimeError, ValueError):  # another thread imports something; or some are gone
        return None
    if not found or found[-1][0] != marker:
        return None
    return dict(found[-2::-1])


def differing(
    found: Mapping[str, ModuleType | None], known: dict[str, ModuleType]
) -> list[tuple[str, ModuleType | None]]:
    """Return the entries of ``found`` that are other objects than those of ``known``."""
    return list(compress(found.items(), map(is_not, found.values(), map(known.get, found))))


class SeenModules:
    """The modules of outside that one kind of world has seen, and has found none of its own among.

    The next world of that kind need not look at each of a thousand entries again.
    """

    def __init__(self, foreign: dict[str, ModuleType]) -> None:
        """``foreign`` is the dict into which a world puts them."""
        self._versions = Versions([foreign])
        self._kind: object = None
        self._names: list[str] = []
        self._values: list[Any] = []
        self._version: list[int] | None = None

    def note(self, kind: object) -> None:
        """Note the present modules of outside, all of which are in ``foreign``."""
        self._kind = kind
        self._names, self._values = list(sys.modules), list(sys.modules.values())
        self._version = self._versions.now()

    def are_present(self, kind: object) -> bool:
        """Say whether `sys.modules` is as it was then, and ``foreign``, too."""
        return (
            kind == self._kind
            and self._version is not None
            and self._version == self._versions.now()
            and are_same(list(sys.modules.values()), self._values)
            and list(sys.modules) == self._names
        )
