"""One library on both sides, in its virtual environment: ``python sides.py FOLDER``.

The folder has the function in ``task`` and what to do with it in ``library.json``.  Each process of
either side begins with Init and three invokes; the first one goes on with idle time and a fourth.
The real runtime has two processes, one for each environment.  Here, four cold starts follow one
another in one process: of the first environment, after its reset, of a second one in the same test,
and in a second test.  All of them write their notes into ``notes.json``.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from conformance.differential import ours, real  # noqa: E402
from conformance.differential.notes import Note, normal  # noqa: E402
from conformance.differential.programs import REQUEST_ID, Turn  # noqa: E402

_LIBRARIES = re.compile(
    r"[^\s\"'\\]*/site-packages/(?!awslambdaric|pytest_lambda_lifecycle|_pytest|pluggy)"
)
INVOKES = 3
"""The invokes of each process, before idle time."""
HANGS_AFTER = 240
AFTER_RESET = "after a reset"

TEST_FILE = """\
import sys

sys.path.append({tests!r})
from libraries import sides


def test_first(lambda_lifecycle):
    sides.first_test({folder!r}, lambda_lifecycle)


def test_second(lambda_lifecycle):
    sides.second_test({folder!r}, lambda_lifecycle)
"""


@dataclass
class Requests:
    """What `real` and `ours` ask of a program: the events of a function, and its settings."""

    handler: str
    events: list[Any]
    settings: dict[str, Any]
    idle: float
    pytest: list[str]

    @classmethod
    def of(cls, folder: str | Path) -> Requests:
        """Return the requests of a folder."""
        return cls(**json.loads(Path(folder, "library.json").read_text(encoding="utf-8")))

    @property
    def turns(self) -> list[Turn]:
        """The events in their order; the last one comes after idle time."""
        return [Turn((), json.dumps(event)) for event in self.events]

    def headers(self, number: int) -> dict[str, str]:
        """Return the headers of a turn, without the deadline."""
        return {
            "Lambda-Runtime-Aws-Request-Id": f"{REQUEST_ID}{number:02}",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
            "Lambda-Runtime-Invoked-Function-Arn": (
                "arn:aws:lambda:us-east-1:123456789012:function:function"
            ),
        }


class _Frozen(real.Process):
    """A process that is frozen before its last event."""

    def _next(self, connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
        if len(self.notes) - 1 == INVOKES:
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(self.program.idle)  # type: ignore[attr-defined]
            os.kill(process.pid, signal.SIGCONT)
        super()._next(connection, process)


def real_process(requests: Requests, task: Path) -> list[Note]:
    """Run the function in a process of the real runtime."""
    process = _Frozen(requests, task, 0, requests.handler)  # type: ignore[arg-type]
    process.conduct()
    return [_normal(note, task) for note in process.notes]


def first_test(folder: str, lambda_lifecycle: Any) -> None:
    """Run the first environment, its reset, and a second environment."""
    requests, task = Requests.of(folder), Path(folder, "task")
    first = _make(requests, task, lambda_lifecycle)
    seen = _Seen(requests, task, first)
    notes = seen.cold_start()
    if len(notes) > INVOKES:
        first.idle(requests.idle)
        notes += seen.invokes(range(INVOKES, len(requests.events)))
    _write(folder, "first", notes)
    first.reset()
    # Init is part of the first invoke now.
    _write(folder, AFTER_RESET, seen.invokes(range(INVOKES)))
    second = _make(requests, task, lambda_lifecycle)
    _write(folder, "second environment", _Seen(requests, task, second).cold_start())


def second_test(folder: str, lambda_lifecycle: Any) -> None:
    """Run an environment in a second test of the same session."""
    requests, task = Requests.of(folder), Path(folder, "task")
    env = _make(requests, task, lambda_lifecycle)
    _write(folder, "second test", _Seen(requests, task, env).cold_start())


def _make(requests: Requests, task: Path, lambda_lifecycle: Any) -> Any:
    settings = {"timeout": real.TIMEOUT, "filesystem": "open", **requests.settings}
    return lambda_lifecycle(requests.handler, code_dir=task, network="allow", **settings)


class _Seen:
    """The notes of one environment."""

    def __init__(self, requests: Requests, task: Path, env: Any) -> None:
        self._requests, self._task, self._env = requests, task, env
        self._read = 0

    def cold_start(self) -> list[Note]:
        notes = self.invokes(range(-1, 0))
        if notes[0].posted or notes[0].broken:
            return notes
        return notes + self.invokes(range(INVOKES))

    def invokes(self, numbers: range) -> list[Note]:
        return [_normal(self._note(number), self._task) for number in numbers]

    def _note(self, number: int) -> Note:
        note = Note("init" if number < 0 else f"turn {number}")
        try:
            outcome = ours.outcome_of(self._env, self._requests, number)
            self._read = ours.read(self._env, note, outcome, self._read)
        except Exception as error:
            note.broken = f"{type(error).__name__}: {error}"
        return note


def _normal(note: Note, task: Path) -> Note:
    """Return a note without facts of the run; frames of the library are kept."""
    for name in ("body", "stdout", "stderr"):
        text = _LIBRARIES.sub(f"{task}/site-packages/", getattr(note, name))
        setattr(note, name, normal(text, str(task)))
    return note


def _write(folder: str, process: str, notes: list[Note]) -> None:
    with Path(folder, "ours.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps([process, [note.as_json() for note in notes]]) + "\n")


def _run_ours(folder: Path) -> tuple[dict[str, list[dict[str, Any]]], str]:
    here = folder / "session"
    here.mkdir()
    (here / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    text = TEST_FILE.format(tests=sys.path[0], folder=str(folder))
    (here / "test_library.py").write_text(text, encoding="utf-8")
    arguments = ["-q", "--no-header", "-p", "no:cacheprovider", "-rf", "--color=no"]
    arguments += Requests.of(folder).pytest
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=here,
        env=real.plain_variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=HANGS_AFTER,
        check=False,
    )
    file = folder / "ours.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    output = done.stdout.decode("utf-8", "replace")
    return dict(map(json.loads, lines)), "" if done.returncode == 0 else output


def main(folder: Path) -> None:
    """Run both sides, and write their notes."""
    requests = Requests.of(folder)
    theirs = [real_process(requests, folder / "task") for _ in range(2)]
    mine, failure = _run_ours(folder)
    notes = {
        "real": [[note.as_json() for note in one] for one in theirs],
        "ours": mine,
        "failure": failure,
    }
    (folder / "notes.json").write_text(json.dumps(notes), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
