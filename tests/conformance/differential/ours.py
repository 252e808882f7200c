"""Our side: an environment in this process."""

from __future__ import annotations

import contextlib
import copyreg
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, FunctionLog, InitError
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, Loaded, Outcome, Raised, Returned

from .notes import Note, normal
from .programs import Program
from .real import TIMEOUT

__all__ = ["observe", "outcome_of", "read", "serve"]

_CHANGED = (
    "builtins",
    "collections:OrderedDict",
    "json",
    "json:JSONEncoder",
    "linecache",
    "simplejson",
    "simplejson:JSONEncoder",
    "time",
)
"""Modules and classes of the standard library that building blocks change."""
_MISSING = object()


def observe(
    program: Program,
    task_root: Path,
    make: Callable[..., Any] | None = None,
) -> list[Note]:
    """Run *program*, whose files are in *task_root*; return a note for each phase."""
    with _repaired():
        return _observe(program, task_root, make)


def _observe(program: Program, task_root: Path, make: Callable[..., Any] | None) -> list[Note]:
    settings = {"timeout": TIMEOUT, "filesystem": "open", **program.settings}
    if make is None:
        config = FunctionConfig("app.handler", code_dir=task_root, **settings)
        with ExecutionEnvironment(config) as env:
            return _notes(env, program, task_root)
    return _notes(make("app.handler", code_dir=task_root, **settings), program, task_root)


@contextlib.contextmanager
def _repaired() -> Iterator[None]:
    """Undo changes of shared modules, which stay after an environment.

    "Changes that handlers make in shared modules end with the process" and the row on registrations
    say so (docs/fidelity/modules.md, process.md).  They would meet the programs that come later.
    """
    owners = [
        getattr(module, attribute) if attribute else module
        for name, _, attribute in (one.partition(":") for one in _CHANGED)
        for module in (importlib.import_module(name),)
    ]
    before = [dict(vars(owner)) for owner in owners]
    registered = dict(copyreg.dispatch_table)
    stdin = sys.stdin
    sys.stdin = open(os.devnull)  # noqa: SIM115  # a program may close it
    try:
        yield
    finally:
        sys.stdin.close()
        sys.stdin = stdin
        for owner, values in zip(owners, before, strict=True):
            _restore(owner, values)
        copyreg.dispatch_table.clear()
        copyreg.dispatch_table.update(registered)
        os.unsetenv("PUT")
        sys.modules.pop("colorsys", None)


def _restore(owner: Any, values: dict[str, Any]) -> None:
    for name in vars(owner).keys() - values.keys():
        delattr(owner, name)
    for name, value in values.items():
        if vars(owner).get(name, _MISSING) is not value:
            setattr(owner, name, value)


def _notes(env: ExecutionEnvironment, program: Program, task_root: Path) -> list[Note]:
    notes: list[Note] = []
    seen = 0
    for number in range(-1, len(program.turns)):
        note = Note("init" if number < 0 else f"turn {number}")
        notes.append(note)
        try:
            outcome = outcome_of(env, program, number)
            seen = read(env, note, outcome, seen)
        except BaseException as error:
            note.broken = f"{type(error).__name__}: {error}"
            if isinstance(error, KeyboardInterrupt):
                raise
            break
        for name in ("body", "stdout", "stderr"):
            setattr(note, name, normal(getattr(note, name), str(task_root)))
        if number < 0 and not isinstance(outcome, Loaded):
            break
        if number >= 0 and note.posted == "init/error":
            break
    return notes


def outcome_of(env: ExecutionEnvironment, program: Program, number: int) -> Outcome:
    """Run Init (-1) or a turn, and return how it ended."""
    if number < 0:
        with contextlib.suppress(InitError):
            env.initialize()
        return env.phases[-1].outcome
    turn = program.turns[number]
    return env.invoke(turn.event.encode(), check=False, headers=program.headers(number)).outcome


def read(env: ExecutionEnvironment, note: Note, outcome: Outcome, seen: int) -> int:
    """Fill in the note; return the number of events that were seen."""
    events = env.timeline[seen:]
    for stream in ("stdout", "stderr"):
        texts = (e.text for e in events if isinstance(e, FunctionLog) and e.stream == stream)
        setattr(note, stream, "".join(texts).encode("utf-8", "backslashreplace").decode())
    if isinstance(outcome, Exited):
        note.exit_code = outcome.exit_code
    elif isinstance(outcome, (Returned, Raised)):
        note.body = outcome.body.decode("utf-8", "backslashreplace")
        if isinstance(outcome, Returned):
            note.posted, note.content_type = "response", outcome.content_type
        else:
            note.posted = "init/error" if outcome.fault_type else "error"
            note.error_type, note.exit_code = outcome.fault_type, outcome.exit_code
    elif not isinstance(outcome, Loaded):
        note.broken = repr(outcome)
    return seen + len(events)


def serve(programs: Path, folder: Path, results: Path) -> None:
    """Run the programs of a file, a line each, one after the other in this process."""
    with results.open("a", encoding="utf-8") as out:
        for line in programs.read_text(encoding="utf-8").splitlines():
            program = Program.from_json(line)
            notes = observe(program, folder / f"{program.seed}" / "ours")
            record = {"seed": program.seed, "notes": [note.as_json() for note in notes]}
            out.write(json.dumps(record) + "\n")
            out.flush()


if __name__ == "__main__":
    serve(*map(Path, sys.argv[1:]))
