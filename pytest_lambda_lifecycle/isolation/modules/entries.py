"""Questions about the entries of `sys.modules`, answered without a look at each of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from itertools import compress, islice
from operator import is_not
from types import ModuleType

__all__ = ["differing", "newest"]


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
