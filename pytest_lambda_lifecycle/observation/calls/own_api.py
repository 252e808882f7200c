"""The URLs of the environment's own APIs: a request to one of them is no call."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

__all__ = ["is_own_api"]

_THIS_MACHINE: Final = frozenset(
    {"127.0.0.1", "localhost", "::1", "sandbox", "sandbox.localdomain"}
)
"""The names under which function code reaches the APIs."""


def is_own_api(url: str, address: str) -> bool:
    """Say whether a URL leads to the APIs at ``address``, which is ``"host:port"``.

    A runtime, an extension or a metrics library asks those about the function itself.
    """
    host, _, port = address.rpartition(":")
    if port not in url:  # as a rule
        return False
    try:
        parts = urlsplit(url)
        return str(parts.port) == port and parts.hostname in {*_THIS_MACHINE, host}
    except ValueError:  # function code may ask for anything
        return False
