"""What function code can reach by name and port: the sandbox's host names, and the server behind the APIs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_lambda_lifecycle.sandbox.lambda_sandbox_names import stand_ins
from pytest_lambda_lifecycle.undoing import Undo, replace_attributes

__all__ = ["Reach"]


class Reach:
    """Resolves ``sandbox`` and ``sandbox.localdomain``, and watches connects to our address.  A part of the process.

    ``connected`` is called with the socket before each connect to the port of ``address()``, on the connecting thread:
    it starts the server's thread.  (A connect to the same port elsewhere calls it too, which does no harm.)  Code that
    connects without Python's `socket` (pycurl, grpc, uvloop) is not seen.
    """

    def __init__(
        self,
        address: Callable[[], tuple[str, int] | None],
        connected: Callable[[Any], None],
        bound: Callable[[Any], None] = lambda listener: None,
    ) -> None:
        """``bound`` is called with each socket that has been bound."""
        self._address = address
        self._connected = connected
        self._bound = bound

    def enter(self) -> Undo:
        """Replace the functions and methods of `socket` that take a host."""
        entered = True

        def connecting(connection: Any, port: int) -> None:  # noqa: ANN401  # a socket, or a tool's own
            if entered:  # a tool that captured our function calls it also later
                ours = self._address()
                if ours is not None and port == ours[1]:
                    self._connected(connection)

        def bound(listener: Any) -> None:  # noqa: ANN401
            if entered:
                self._bound(listener)

        undo = replace_attributes(*stand_ins(connecting, bound))

        def leave() -> None:
            nonlocal entered
            entered = False
            undo()

        return leave

    def discard(self) -> None:
        """There is nothing of its own."""
