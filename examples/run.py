"""Run every example as its own project: in its own folder, with its own pytest configuration.

`python examples/run.py [pytest arguments]`; the names of examples may come first.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(arguments: list[str]) -> int:
    projects = sorted(path.parent for path in HERE.glob("*/pyproject.toml"))
    chosen = [project for project in projects if project.name in arguments] or projects
    options = [argument for argument in arguments if not (HERE / argument).is_dir()]
    failed = [project.name for project in chosen if not passes(project, options)]
    print(
        f"\n{len(chosen) - len(failed)} of {len(chosen)} examples passed",
        *(f"(not {name})" for name in failed),
    )
    return len(failed)


def passes(project: Path, options: list[str]) -> bool:
    print(f"\n--- examples/{project.name} ---", flush=True)
    # `-m pytest` would put the folder on sys.path; each project does that by its configuration.
    pytest = [
        sys.executable,
        "-c",
        "import sys, pytest; sys.path.remove(''); sys.exit(pytest.main())",
        *options,
    ]
    return subprocess.run(pytest, cwd=project, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
