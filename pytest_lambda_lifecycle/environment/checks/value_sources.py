"""The sources of values that no two processes share: which one a value came from, and where."""

from __future__ import annotations

import base64
import datetime
import re
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.events import SpyCall

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment

__all__ = ["source_of", "watch_sources"]

SOURCES: Final = (
    "uuid.uuid1",
    "uuid.uuid4",
    "secrets.token_hex",
    "secrets.token_urlsafe",
    "secrets.token_bytes",
    "secrets.randbelow",
    "secrets.randbits",
    "tempfile.mkdtemp",
    "tempfile.mkstemp",
    "tempfile.mktemp",
    "tempfile.NamedTemporaryFile",
    "tempfile.TemporaryDirectory",
    "random.random",
    "random.randint",
    "random.randrange",
    "random.getrandbits",
    "random.uniform",
    "random.randbytes",
    "os.urandom",
)
"""The functions that are watched.  One that calls another comes before it."""
_UUID: Final = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE
)
_UNITS: Final = (1, 1e3, 1e6, 1e9)
_YEARS_S: Final = 40 * 365 * 86_400
_SHORTEST: Final = 6
"""Characters of a piece of text by which a value is known again."""


def watch_sources(env: ExecutionEnvironment) -> None:
    """Record the calls of the sources; one that cannot be spied on is left out."""
    for target in SOURCES:
        with suppress(LifecycleError):
            env.spy(target)


def source_of(value: object, calls: Iterable[SpyCall]) -> str:
    """Return where a value came from, in words; ``""`` if it cannot be told."""
    ordered = sorted(calls, key=lambda call: SOURCES.index(call.target))
    for call in ordered:
        if call.exception is None and _comes_from(value, call.result):
            return f"{call.target}()" + (f" at {call.where}" if call.where else "")
    if isinstance(value, uuid.UUID) or (isinstance(value, str) and _UUID.search(value)):
        return "a UUID"
    return "a moment of Init" if _is_moment(value) else ""


def _comes_from(value: Any, result: Any) -> bool:  # noqa: ANN401
    if isinstance(result, tuple):  # of mkstemp
        result = result[-1]
    name = getattr(result, "name", None)
    if not isinstance(result, (str, bytes, int, float, uuid.UUID)) and isinstance(name, str):
        result = name
    for form in _forms(result):
        if type(form) is type(value) and form == value:
            return True
        is_text = isinstance(value, str) and isinstance(form, str)
        if is_text and len(form) >= _SHORTEST and form in value:
            return True
    return False


def _forms(result: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yield a result in the forms in which code keeps it."""
    yield result
    if isinstance(result, uuid.UUID):
        yield from (str(result), result.hex, result.int, result.bytes)
    elif isinstance(result, bytes):
        yield from (result.hex(), int.from_bytes(result, "big"), int.from_bytes(result, "little"))
        yield base64.b64encode(result).decode()
        yield base64.urlsafe_b64encode(result).decode().rstrip("=")
    elif isinstance(result, (int, float)):
        yield str(result)


def _is_moment(value: object) -> bool:
    """Say whether a value is a time near the present, in s, ms, us or ns, or as ISO 8601 text."""
    if isinstance(value, datetime.date):
        return True
    if isinstance(value, str):
        try:
            datetime.datetime.fromisoformat(value.removesuffix("Z"))
        except ValueError:
            return False
        return True
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return any(abs(value / unit - time.time()) < _YEARS_S for unit in _UNITS)
    return False
