"""The judgement of a difference: is it declared, and what is the smallest program that has it?"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from . import ours, real
from .declared import declared_steps
from .notes import Note, differences
from .programs import Program, Step
from .sides import run_ours, write_files

__all__ = ["Difference", "Judge"]


@dataclass
class Difference:
    """A program whose notes differ."""

    program: Program
    fields: list[str]
    rows: list[str]
    """The rows of the fidelity pages that declare it; none if nothing does."""
    smallest: Program | None = None
    """The smallest program that still differs; None if it does not differ when it runs alone."""

    def __str__(self) -> str:
        if self.smallest is None:
            note = "# It differs only after other programs in the same process."
            return "\n".join([note, str(self.program), *self.fields])
        return "\n".join([str(self.smallest), *self.fields])


class Judge:
    """Runs single programs again, to find what makes them differ."""

    def __init__(self, folder: Path, mode: str) -> None:
        self._folder = folder
        self._mode = mode
        self._runs = 0

    def differences(self, program: Program) -> list[str]:
        """Return the fields that differ where *program* runs alone."""
        self._runs += 1
        program = replace(program, seed=10**9 + self._runs)
        write_files(program, self._folder)
        theirs = real.observe(program, self._folder / str(program.seed) / "real")
        if self._mode == "without pytest":
            mine = _in_a_fork(program, self._folder / str(program.seed) / "ours")
        else:
            (mine,) = run_ours([program], self._folder, self._mode)
        return differences(theirs, mine)

    def judge(self, program: Program, fields: list[str]) -> Difference:
        """Return the difference of a program, declared or with its smallest form."""
        steps, rows = declared_steps(program)
        if steps and not self.differences(program.without(steps)):
            return Difference(program, fields, rows)
        rest = program.without(steps)
        found = self.differences(rest)
        if not found:
            return Difference(program, fields, [])
        smallest, found = self._smallest(rest, found)
        return Difference(program, found, [], smallest)

    def _smallest(self, program: Program, found: list[str]) -> tuple[Program, list[str]]:
        """Leave out one part after the other, as long as the program differs."""
        changed = True
        while changed:
            changed = False
            for smaller in _smaller(program, found[0]):
                still = self.differences(smaller)
                if still:
                    program, found, changed = smaller, still, True
                    break
        return program, found


def _smaller(program: Program, field: str) -> list[Program]:
    """Return programs with some parts less; the likeliest to have the difference come first.

    *field* is the first field that differs: it begins with its phase.
    """
    turns, numbers = program.turns, range(len(program.steps))
    phase = re.match(r"turn (\d+)", field)
    last = int(phase[1]) if phase else -1
    candidates = [replace(program, turns=turns[: last + 1])]
    at_fault = _positions(program, last)
    candidates += [program.without({*numbers} - {n}) for n in sorted(numbers, key=at_fault)]
    candidates += [replace(program, turns=turns[:n] + turns[n + 1 :]) for n in range(len(turns))]
    candidates += [program.without({n}) for n in numbers]
    plain = {"environment": program.settings.get("environment", {})}
    candidates.append(replace(program, settings=plain))
    bare = tuple(replace(turn, event="{}", headers={}) for turn in turns)
    candidates.append(replace(program, turns=bare))
    candidates += [_unguarded(program, n) for n in numbers]
    size = len(program.to_json())
    return [one for one in candidates if one != program and len(one.to_json()) < size]


def _positions(program: Program, turn: int) -> Callable[[int], bool]:
    """Return a key that sorts the steps of a turn (-1: of Init) before all others."""
    ends = [len(program.init)]
    for one in program.turns:
        ends.append(ends[-1] + len(one.steps))
    own = range(ends[turn], ends[turn + 1]) if turn >= 0 else range(ends[0])
    return lambda number: number not in own


def _unguarded(program: Program, number: int) -> Program:
    step = program.steps[number]

    def bare(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(replace(one, guarded=False) if one is step else one for one in steps)

    turns = tuple(replace(turn, steps=bare(turn.steps)) for turn in program.turns)
    return replace(program, init=bare(program.init), turns=turns, last=bare(program.last))


def _forget_filters() -> None:
    """Begin with the filters of Python for warnings: in this suite, a warning is an error."""
    warnings.resetwarnings()
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")


def _in_a_fork(program: Program, task_root: Path) -> list[Note]:
    """Run our side in a child of this process, which nothing can spoil for the next one."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(null, stream)
        try:
            _forget_filters()
            text = json.dumps([note.as_json() for note in ours.observe(program, task_root)])
            with open(write, "wb") as pipe:
                pipe.write(text.encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    if not data:
        return [Note("init", broken=f"the process of ours ended, status {status}")]
    return [Note(**note) for note in json.loads(data)]
