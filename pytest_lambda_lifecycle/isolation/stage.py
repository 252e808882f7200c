"""Which environment is entered in this process, and on which thread a phase runs."""

from __future__ import annotations

import threading
from typing import Protocol

from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["Part", "Slice", "Stage", "Surrounding", "stage"]


class Part(Protocol):
    """One kind of process state.  It keeps the environment's own values while the environment is
    out of the process.
    """

    def enter(self) -> Undo:
        """Put the environment's values in place; the returned call saves them and puts the
        outside's back.
        """
        ...

    def discard(self) -> None:
        """Forget the environment's values: the next process starts afresh."""
        ...


class Surrounding(Protocol):
    """A part that the test may change as well, between phases."""

    def phase_begins(self) -> None:
        """Tell what the test has changed from what is the function's."""
        ...

    def phase_ends(self) -> None:
        """Remember what function code leaves."""
        ...


class Slice(Protocol):
    """One environment's share of the process (`isolation.ledger.ProcessSlice`)."""

    label: str
    closed: bool
    entry: int

    def take_process(self) -> None:
        """Enter every part."""
        ...

    def give_back(self) -> None:
        """Undo every change."""
        ...


class Stage:
    """Which environment is entered, and on which thread a phase runs.  There is one process, so
    there is one stage.
    """

    def __init__(self) -> None:
        self.current: Slice | None = None
        self.thread: int | None = None
        self.running: list[Slice] = []
        """Environments inside a phase, outermost first: a handler may invoke another
        environment.
        """
        self._entries = 0

    def on_phase_thread(self) -> bool:
        """Say whether the current thread is the one on which a phase runs."""
        return bool(self.running) and self.thread == threading.get_ident()

    def enter(self, slice_: Slice) -> None:
        """Make an environment the process's; another one that is entered leaves first."""
        if self.current is slice_:
            return
        self.leave()
        slice_.take_process()
        self.current = slice_
        self._entries += 1
        slice_.entry = self._entries

    def leave(self) -> Slice | None:
        """Give the process back to the outside; returns who was entered, for `resume`."""
        slice_, self.current = self.current, None
        if slice_ is not None:
            slice_.give_back()
        return slice_

    def resume(self, slice_: Slice | None) -> None:
        """Enter again what `leave` returned, unless it was closed meanwhile."""
        if slice_ is not None and not slice_.closed:
            self.enter(slice_)


stage = Stage()
