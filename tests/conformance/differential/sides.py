"""Many programs on either side: two at a time on the real one, one after the other on ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import real
from .notes import Note
from .programs import Program

__all__ = ["MODES", "run_ours", "run_real", "write_files"]

_TESTS = Path(__file__).resolve().parents[2]
_HANGS_AFTER = 60
"""Seconds without a result after which a process of ours counts as hanging."""
_DEATHS = 5
"""Processes of ours that may end one after the other without a single result."""

_TEST_FILE = """\
import json
from pathlib import Path

import pytest

from conformance.differential.ours import observe
from conformance.differential.programs import Program

HERE = Path(__file__).parent
PROGRAMS = HERE.joinpath("programs.jsonl").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_program(number, lambda_lifecycle):
    program = Program.from_json(PROGRAMS[number])
    notes = observe(program, Path({folder!r}, str(program.seed), "ours"), lambda_lifecycle)
    record = {{"seed": program.seed, "notes": [note.as_json() for note in notes]}}
    with HERE.joinpath("results.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(record) + "\\n")
"""

MODES: dict[str, list[str]] = {
    "without pytest": [],
    "pytest": [
        "-m",
        "pytest",
        "-q",
        "--no-header",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
    ],
}
"""The ways to run our side: arguments of the interpreter; none for the loop of `ours.py`."""

Told = Callable[[int], None]


def write_files(program: Program, folder: Path) -> None:
    """Write the files of a program, once for each side."""
    for side in ("real", "ours"):
        for name, text in program.files.items():
            path = folder / str(program.seed) / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="surrogatepass")


def run_real(
    programs: Sequence[Program],
    folder: Path,
    told: Told = lambda number: None,
    kept: Path | None = None,
) -> Iterator[list[Note]]:
    """Return the notes of the real runtime, from two processes at a time.

    *kept* is a folder with notes of earlier runs on the same Python.
    """

    def one(program: Program) -> list[Note]:
        write_files(program, folder)
        known = kept and kept / hashlib.sha256(program.to_json().encode()).hexdigest()
        if known and known.exists():
            return [Note(**note) for note in json.loads(known.read_text(encoding="utf-8"))]
        notes = real.observe(program, folder / str(program.seed) / "real")
        if known:
            text = json.dumps([note.as_json() for note in notes])
            known.write_text(text, encoding="utf-8")
        return notes

    with ThreadPoolExecutor(2) as pool:
        for number, notes in enumerate(pool.map(one, programs), start=1):
            told(number)
            yield notes


def run_ours(
    programs: Sequence[Program], folder: Path, mode: str, told: Told = lambda number: None
) -> list[list[Note]]:
    """Return the notes of environments.  A process that dies or hangs is replaced by another."""
    notes: dict[int, list[Note]] = {}
    deaths = 0
    while len(notes) < len(programs):
        before = len(notes)
        rest = [program for program in programs if program.seed not in notes]
        process = _Process(rest, folder, mode)
        for seed, found in process.results():
            notes[seed] = found
            told(len(notes))
        deaths = deaths + 1 if len(notes) == before else 0
        if deaths == _DEATHS:
            raise RuntimeError(process.end)
        for program in rest:
            if program.seed not in notes:  # it ended the process
                notes[program.seed] = [Note("init", broken=process.end)]
                break
    return [notes[program.seed] for program in programs]


class _Process:
    """A process that runs programs until it is done, dies or hangs."""

    def __init__(self, programs: Sequence[Program], folder: Path, mode: str) -> None:
        self.end = ""
        self._here = folder / f"ours-{time.monotonic_ns()}"
        self._here.mkdir()
        lines = "".join(program.to_json() + "\n" for program in programs)
        (self._here / "programs.jsonl").write_text(lines, encoding="utf-8")
        self._results = self._here / "results.jsonl"
        self._results.touch()
        self._arguments = self._prepare(folder, mode)

    def _prepare(self, folder: Path, mode: str) -> list[str]:
        if not MODES[mode]:
            files = [self._here / "programs.jsonl", folder, self._results]
            return ["-m", "conformance.differential.ours", *map(str, files)]
        (self._here / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        test = self._here / "test_programs.py"
        test.write_text(_TEST_FILE.format(folder=str(folder)), encoding="utf-8")
        return [*MODES[mode], str(test)]

    def results(self) -> Iterator[tuple[int, list[Note]]]:
        """Yield the notes of each program, as soon as they are there."""
        output = self._here / "output"
        paths = [str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        with output.open("wb") as file, self._results.open(encoding="utf-8") as results:
            process = subprocess.Popen(
                [sys.executable, *self._arguments],
                cwd=self._here,
                env={**real.plain_variables(), "PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            last, begun = time.monotonic(), ""
            try:
                while True:
                    done = process.poll() is not None
                    *lines, begun = (begun + results.read()).split("\n")
                    for line in lines:
                        last = time.monotonic()
                        record = json.loads(line)
                        yield record["seed"], [Note(**note) for note in record["notes"]]
                    if done:
                        break
                    if time.monotonic() - last > _HANGS_AFTER:
                        self.end = "the process of ours hangs"
                        return
                    time.sleep(0.01)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)
                process.wait()
        text = output.read_text(encoding="utf-8", errors="replace")[-1500:]
        self.end = f"the process of ours ended with {process.returncode}:\n{text}"
