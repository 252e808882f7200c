"""The stack of mocks of `HTTPAdapter.send`: which lie beneath a function, and how one leaves it.

Mocks of ``responses`` are known by the function that they put in place of `HTTPAdapter.send`: it
refers to its mock, and the patcher of the mock to the value beneath it.  Nothing here imports
``responses``: function code may have a copy of its own.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.isolation.patching import note_later_patch

__all__ = ["BENEATH", "MOCK", "Below", "mark", "marked", "mock_of", "mocks_below", "put_out"]

BENEATH: Final = "_lambda_http_beneath"
"""The mark of a function that is on top for a phase: the value beneath it."""
MOCK: Final = "_lambda_http"
"""The mark of a function that a `LambdaHttp` has put in place: that object."""
NAME: Final = "send"


class Below(NamedTuple):
    """The stack from one function down."""

    mocks: list[Any]
    """The mocks of ``responses``, uppermost first."""
    bottom: Any
    """The function beneath them; None if it is unknown."""

    @property
    def is_real(self) -> bool:
        """Say whether the bottom sends requests: it is that of requests, perhaps wrapped."""
        bottom = self.bottom
        while (inner := _wrapped(bottom)) is not None:
            bottom = inner
        space = getattr(bottom, "__globals__", {})
        return bottom is None or str(space.get("__name__", "")).endswith("requests.adapters")


def mark(send: Any, name: str, value: Any) -> None:  # noqa: ANN401
    """Mark a function.

    `functools.wraps` copies marks, so the identity tells the function from one that wraps it.
    """
    vars(send)[name] = value, id(send)


def marked(send: Any, name: str) -> Any:  # noqa: ANN401
    """Return the value of a mark; None without one."""
    value, owner = (getattr(send, "__dict__", None) or {}).get(name, (None, 0))
    return value if owner == id(send) else None


def mock_of(send: Any) -> Any:  # noqa: ANN401
    """Return the mock of ``responses`` that has made a function; None for any other function."""
    http = marked(send, MOCK)
    if http is not None:
        return http
    if type(send) is not FunctionType or send.__globals__.get("__name__") != "responses":
        return None
    cells = dict(zip(send.__code__.co_freevars, send.__closure__ or (), strict=True))
    mock = cells["self"].cell_contents if "self" in cells else None
    return mock if hasattr(mock, "_on_request") and hasattr(mock, "_patcher") else None


def mocks_below(send: Any) -> Below:  # noqa: ANN401
    """Return the stack from a function down, itself included.

    A mock with a ``real_adapter_send`` of its own has that one beneath it as well.
    """
    mocks: list[Any] = []
    seen: set[int] = set()
    bottom: Any = None
    while send is not None and id(send) not in seen:
        seen.add(id(send))
        mock = mock_of(send)
        if mock is not None:
            bottom = None
            for one in (mock, mock_of(getattr(mock, "_real_send", None))):
                if one is not None and one not in mocks:
                    mocks.append(one)
            send = value_beneath(mock)
        elif (beneath := marked(send, BENEATH)) is not None:
            send = beneath
        else:
            bottom = send if bottom is None else bottom
            send = _wrapped(send)
    return Below(mocks, bottom)


def value_beneath(mock: Any) -> Any:  # noqa: ANN401
    """Return the value that a mock has found; None if the mock has ended."""
    patcher = mock._patcher
    return None if patcher is None else getattr(patcher, "temp_original", None)


def put_out(owner: type, send: Any, original: Any) -> None:  # noqa: ANN401
    """Take a function out of the stack, also from beneath other mocks.

    A mock that has begun later restores ``send`` when it ends.  One of ``responses`` is made to
    restore ``original`` instead.  Any other tool cannot be asked, so the value is looked at after
    each test, and replaced once more.
    """
    now: Any = vars(owner).get(NAME)
    if now is send:
        setattr(owner, NAME, original)
        return
    seen: set[int] = set()
    while now is not None and id(now) not in seen:
        seen.add(id(now))
        mock = mock_of(now)
        beneath = marked(now, BENEATH)
        if beneath is send:
            mark(now, BENEATH, original)
            return
        if beneath is not None:
            now = beneath
        elif mock is None:
            break
        elif value_beneath(mock) is send:
            mock._patcher.temp_original = original
            return
        else:
            now = value_beneath(mock)
    note_later_patch(owner, NAME, send, original)


def _wrapped(send: Any) -> Any:  # noqa: ANN401
    """Return the function that an instrumenting library or a spy calls; None for others."""
    space = getattr(send, "__dict__", None) or {}
    if type(send) is FunctionType:
        if "mock" in space:  # `create_autospec`, of which `mocker.spy` makes use
            effect = getattr(space["mock"], "side_effect", None)
            return effect if type(effect) is FunctionType else None
        return space.get("__wrapped__")
    if type(send).__module__.partition(".")[0] == "wrapt" or hasattr(type(send), "__wrapped__"):
        return getattr(send, "__wrapped__", None)
    return None
