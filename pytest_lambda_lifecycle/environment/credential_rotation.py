"""The rotation of the fake credentials under virtual time: they expire, and are renewed before.

In real time they never change, and `function.credentials` has them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Final

from pytest_lambda_lifecycle.function.credentials import Credentials
from pytest_lambda_lifecycle.lifecycle.moments import moment_at

__all__ = ["LIFETIME_US", "Rotation"]

LIFETIME_US: Final = 12 * 3600 * 1_000_000
"""Microseconds for which they are valid, as in a session of a role: Lambda documents no number."""
ROTATE_BEFORE_US: Final = 3600 * 1_000_000
"""Microseconds before their end from which on an invoke gets new ones.

SDKs renew credentials themselves in the last 15 minutes.
"""


class Rotation:
    """The credentials of one environment under virtual time."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._until_us = 0
        self._current = Credentials()

    def current(self) -> Credentials:
        """Return credentials that are valid for at least `ROTATE_BEFORE_US` more."""
        if self._now_us() > self._until_us - ROTATE_BEFORE_US:
            self._until_us = self._now_us() + LIFETIME_US
            self._current = Credentials(
                access_key_id=f"ASIA{secrets.token_hex(8).upper()}",
                session_token=f"fake-session-token-{secrets.token_hex(8)}",
                expiration=moment_at(self._until_us).strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
        return self._current

    def renew(self) -> None:
        """Put new credentials into `os.environ` if the present ones are about to expire."""
        before = self._current
        now = self.current()
        if now is not before:
            os.environ["AWS_ACCESS_KEY_ID"] = now.access_key_id
            os.environ["AWS_CREDENTIAL_EXPIRATION"] = now.expiration or ""
            if "AWS_SESSION_TOKEN" in os.environ:
                os.environ["AWS_SESSION_TOKEN"] = now.session_token
