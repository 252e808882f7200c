"""Run many programs on both sides, and fail if a difference is not declared.

``python tests/conformance/differential/witness.py --programs 10000``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from conformance.differential.generator import alone, generate  # noqa: E402
from conformance.differential.judging import Difference, Judge  # noqa: E402
from conformance.differential.notes import Note, differences  # noqa: E402
from conformance.differential.programs import Program  # noqa: E402
from conformance.differential.sides import MODES, run_ours, run_real  # noqa: E402


def main() -> int:
    """Run as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first program")
    parser.add_argument("--alone", type=int, default=0, help="runs of each building block alone")
    parser.add_argument("--mode", choices=MODES, action="append", help="default: all")
    parser.add_argument("--keep", type=Path, help="a folder for notes of the real runtime")
    parser.add_argument("--smallest", type=int, default=25, help="differences to make small")
    options = parser.parse_args()
    first = options.seed
    programs = [generate(seed) for seed in range(first, first + options.programs)]
    programs += alone(options.alone)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="witness-") as name:
        folder = Path(name)
        said = _Progress("awslambdaric", len(programs))
        theirs = list(run_real(programs, folder, said, options.keep))
        undeclared = [
            _compare(programs, theirs, folder, mode, options.smallest)
            for mode in options.mode or MODES
        ]
    return int(any(undeclared))


def _compare(
    programs: list[Program], theirs: list[list[Note]], folder: Path, mode: str, smallest: int
) -> int:
    """Compare one way to run our side; print what differs, and return how much is undeclared."""
    mine = run_ours(programs, folder, mode, _Progress(mode, len(programs)))
    found = [
        (program, fields)
        for program, real, ours in zip(programs, theirs, mine, strict=True)
        if (fields := differences(real, ours))
    ]
    judge, judged = Judge(folder, mode), 0
    rows: Counter[str] = Counter()
    undeclared: dict[str, list[Difference]] = {}
    said = _Progress(f"{mode}: judging", len(found))
    for number, (program, fields) in enumerate(found, start=1):
        difference = judge.judge(program, fields)
        rows.update(difference.rows)
        if not difference.rows:
            steps = (difference.smallest or program).steps
            undeclared.setdefault(" + ".join(step.block for step in steps), []).append(difference)
        said(number)
        judged = number
        if len(undeclared) >= smallest:
            break
    total = sum(map(len, undeclared.values()))
    for name, group in undeclared.items():
        print(f"\n=== {mode}: {len(group)} x {name}\n{group[0]}")
    agree = len(programs) - len(found)
    print(
        f"\n{mode}, Python {sys.version.split()[0]}: {len(programs):,} programs, {agree:,} agree"
        f" ({agree / max(len(programs), 1):.2%}), {judged - total:,} declared, {total:,} not"
        + (f", {len(found) - judged:,} not judged" if judged < len(found) else "")
    )
    for row, times in rows.most_common():
        print(f"  {times:5} {row}")
    return total


class _Progress:
    """One line on a terminal; a line each ten seconds elsewhere."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._last = what, total, time.monotonic()

    def __call__(self, number: int) -> None:
        now = time.monotonic()
        if number == self._total or now - self._last > (0.1 if sys.stderr.isatty() else 10):
            self._last = now
            end = "\r" if sys.stderr.isatty() and number < self._total else "\n"
            print(f"{self._what}: {number:,} of {self._total:,}", end=end, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
