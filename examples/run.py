"""Run every example as its own project: in its own folder, with its own pytest configuration.

`python examples/run.py [names of examples] [pytest options]`
"""

from __future__ import annotations

import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def main(arguments: list[str]) -> int:
    known = {path.parent.name: path.parent for path in sorted(HERE.glob("*/pyproject.toml"))}
    names = [name.rstrip("/") for name in takewhile(lambda one: one[0] != "-", arguments)]
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no example is called {', '.join(unknown)}: there are {', '.join(known)}")
        return 2
    chosen = [known[name] for name in names] or list(known.values())
    options = arguments[len(names) :]
    failed = [project.name for project in chosen if not passes(project, options)]
    print(
        f"\n{len(chosen) - len(failed)} of {len(chosen)} examples passed",
        *(f"(not {name})" for name in failed),
    )
    return int(bool(failed))


def passes(project: Path, options: list[str]) -> bool:
    print(f"\n--- examples/{project.name} ---", flush=True)
    return run(project, options) == 0


def run(project: Path, options: list[str], **settings: Any) -> int:
    """Run the tests of one project; ``settings`` are those of `subprocess.run`."""
    # `-m pytest` would put the folder on sys.path; each project does that by its configuration.
    pytest = [
        sys.executable,
        "-c",
        "import sys, pytest; sys.path.remove(''); sys.exit(pytest.main())",
        *options,
    ]
    return subprocess.run(pytest, cwd=project, check=False, **settings).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
