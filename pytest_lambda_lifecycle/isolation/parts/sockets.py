"""What function code can reach by name and port: the sandbox's host names, and the server behind
the APIs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.sandbox.lambda_sandbox_names import stand_ins

__all__ = ["Reach"]


class Reach(Part):
    """Resolves ``sandbox`` and ``sandbox.localdomain``, and watches connects to our address.  A
    part of the process.

    ``connected`` is called with the socket before each connect to the port of ``address()``, on the
    connecting thread: it starts the server's thread.  (A connect to the same port elsewhere calls
    it too, which does no harm.)  ``used`` is called before each connect elsewhere.  Code that
    connects without Python's `socket` (pycurl, grpc, uvloop) is not seen.
    """

    entered: ClassVar[Reach | None] = None

    def __init__(
        self,
        address: Callable[[], tuple[str, int] | None],
        connected: Callable[[Any], None],
        bound: Callable[[Any], None] = lambda listener: None,
        used: Callable[[Any], object] = lambda connection: None,
    ) -> None:
        """``bound`` is called with each socket that has been bound."""
        self.address = address
        self.connected = connected
        self.bound = bound
        self.used = used

    def enter(self) -> Undo:
        """Replace the functions and methods of `socket` that take a host."""
        undo = patch_attributes(*stand_ins(_connecting, _on_bound))
        Reach.entered = self

        def leave() -> None:
            Reach.entered = None
            undo()

        return leave


# A tool that captured one of our functions calls it also later: it asks who is entered then.


def _connecting(connection: Any, port: int) -> None:  # noqa: ANN401  # a socket, or a tool's own
    entered = Reach.entered
    if entered is not None:
        ours = entered.address()
        if ours is not None and port == ours[1]:
            entered.connected(connection)
        else:
            entered.used(connection)


def _on_bound(listener: Any) -> None:  # noqa: ANN401
    if Reach.entered is not None:
        Reach.entered.bound(listener)
