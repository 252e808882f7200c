"""The fake credentials that a function finds in its variables."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Credentials"]


class Credentials(NamedTuple):
    """The keys with which an SDK signs requests.

    The defaults are recognisably fake, and accepted by moto and LocalStack.
    """

    access_key_id: str = "ASIAIOSFODNN7EXAMPLE"
    secret_access_key: str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    session_token: str = "fake-session-token"
    expiration: str | None = None
    """ISO 8601; None outside virtual time.

    A test that freezes time far ahead would otherwise find them expired.
    """
