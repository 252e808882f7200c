"""The base classes of `parts/` and `modules/`: one kind of process state each."""

from __future__ import annotations

from typing import ClassVar

from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["Part", "PhasePart", "nothing_to_undo"]


def nothing_to_undo() -> None:
    """Do nothing: the `Undo` of a step that has changed nothing."""


class Part:
    """One kind of process state that an environment takes over on entering the process.

    A part keeps the environment's values while the environment is out of the process.
    """

    ending: ClassVar[bool] = False
    """The environment that leaves now ends its process: nobody will need its values again."""

    def enter(self) -> Undo:
        """Put the environment's values in place.

        The returned call saves them and restores the values of the test.
        """
        return nothing_to_undo

    def discard(self) -> None:
        """Forget the environment's values, because its process has ended."""


class PhasePart(Part):
    """A part with a share in each phase.

    Function code alone sees its values (streams, working directory), or the test may change them
    as well, between phases (variables, `sys.path`).  A method that a part leaves out is not called.
    """

    def begin_phase(self) -> None:
        """Attribute changes since the last phase to the test; put the function's values in place.

        A part that raises here has changed nothing.
        """

    def end_phase(self) -> None:
        """Save the state that function code leaves, and restore the values of the test."""
