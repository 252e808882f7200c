"""Run pytest with the arguments of this script, and a few failed tests once more by themselves.

Hundreds of tests are about real signals, timers and the ends of processes.  On a machine that is
busy with other work, a moment may come in which the system holds a process back for longer than one
of them allows.  A test that such a moment has met passes by itself; a test that has found a fault
fails again.  The summary names the tests that have run twice, with the first failure above it.

Nothing runs twice where more than three tests have failed, or pytest has not come to its end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

AT_MOST = 3
FAILED = "LAMBDA_LIFECYCLE_TEST_FAILED"
"""The file to which `conftest.py` writes the ids of the failed tests."""
ONLY = "LAMBDA_LIFECYCLE_TEST_ONLY"
"""The file with the ids of the only tests to run."""

# As a script it leaves the current folder, and with it this checkout, off sys.path.
PYTEST = Path(sys.executable).with_name("pytest")


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        failed = Path(folder, "failed")
        status = _pytest(arguments, {FAILED: str(failed)})
        if status != 1 or not failed.exists():
            return status
        tests = failed.read_text("utf-8").splitlines()
        if not 0 < len(tests) <= AT_MOST:
            return status
        # One worker or several: the last one of two options `-n` counts.
        status = _pytest([*arguments, "-n", "0"], {ONLY: str(failed)})
    outcome = "passed by themselves" if status == 0 else "failed again"
    print(f"\nFailed at first and {outcome}:", *tests, sep="\n  ", flush=True)
    return status


def _pytest(arguments: list[str], variables: dict[str, str]) -> int:
    return subprocess.run([PYTEST, *arguments], env={**os.environ, **variables}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
