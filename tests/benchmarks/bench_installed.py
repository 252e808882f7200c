"""What the plugin costs a suite that does not use it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from importlib.metadata import entry_points
from statistics import median
from typing import TYPE_CHECKING

from .conftest import Timing

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Report

SAMPLES = 25
OWN = "lambda_lifecycle"
# Of the plugins that happen to be installed here, ours alone: the others have loaded asyncio and
# more already.
ARGUMENTS = [
    "--collect-only",
    "-q",
    *(f"-pno:{p.name}" for p in entry_points(group="pytest11") if p.name != OWN),
]
MODULES = (
    "import json, sys, pytest; pytest.main(sys.argv[1:]); print(); "
    "print(json.dumps(sorted(sys.modules)))"
)


def _pytest(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command, *ARGUMENTS],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def _cpu_seconds() -> float:
    """Return what the children of this process have used: far steadier than the clock on the
    wall.
    """
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_installed_but_unused(tmp_path: Path, report: Report) -> None:
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    commands = {"without": ["-m", "pytest", f"-pno:{OWN}"], "with": ["-m", "pytest"]}
    seconds: dict[str, list[float]] = {side: [] for side in commands}
    for _ in range(SAMPLES):
        for side, command in commands.items():
            start = _cpu_seconds()
            _pytest(tmp_path, *command)
            seconds[side].append(_cpu_seconds() - start)
    ours, bare = (Timing(median(seconds[side]), min(seconds[side])) for side in ("with", "without"))
    what, than = "installed, unused (CPU time)", "-p no:lambda_lifecycle"
    report.difference(what, ours, bare=bare, than=than, budget="best <= 3 ms more")


def test_modules_loaded_when_unused(tmp_path: Path, report: Report) -> None:
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    without = set(json.loads(_pytest(tmp_path, "-c", MODULES, f"-pno:{OWN}").splitlines()[-1]))
    loaded = set(json.loads(_pytest(tmp_path, "-c", MODULES).splitlines()[-1])) - without
    top = {name.partition(".")[0] for name in loaded}
    foreign = sorted(top - {"pytest_lambda_lifecycle"} - sys.stdlib_module_names)
    kinds = f"third-party: {', '.join(foreign) or 'none'}"
    report.text(
        "installed, unused: modules",
        f"+{len(loaded)}",
        "-p no:lambda_lifecycle",
        kinds,
        "no third-party",
    )
    assert not foreign
