"""A virtual environment for each library, since their requirements do not fit together."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

__all__ = ["VenvError", "make_venv"]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("LAMBDA_LIFECYCLE_LIBRARIES") or ROOT / ".tox" / "libraries-venvs")
"""Where virtual environments are kept from run to run."""
COMMON = ("pytest", "responses", "simplejson", "freezegun", "boto3", "awslambdaric==4.2.2")
"""What each has beside the library: boto3 comes with the runtime."""


class VenvError(Exception):
    """The library does not install, with the reason."""


def make_venv(name: str, requirements: tuple[str, ...], version: str) -> Path:
    """Return the interpreter of a virtual environment with these requirements and this package."""
    wanted = [*COMMON, *requirements]
    key = hashlib.sha256("\n".join([version, *wanted]).encode()).hexdigest()[:8]
    folder = FOLDER / f"{name}-{key}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _uv("venv", "--python", _interpreter(version), str(folder))
        _uv("pip", "install", "--python", str(python), *wanted)
        (folder / "complete").touch()
    _uv("pip", "install", "--no-deps", "--reinstall", "--python", str(python), _wheel())
    return python


@cache
def _wheel() -> str:
    """Return the wheel that tox has built, or one of this checkout."""
    built = os.environ.get("TOX_PACKAGE", "")
    if built.endswith(".whl"):
        return built
    folder = FOLDER / f"wheel-{os.getpid()}"
    _uv("build", "--wheel", "--out-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return str(wheel)


@cache
def _interpreter(version: str) -> str:
    """Return an interpreter of this version."""
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    found = [shutil.which(f"python{version}")]
    found += map(str, (Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for one in filter(None, found):
        done = subprocess.run([one, "-c", ""], capture_output=True, check=False)
        if done.returncode == 0:
            return one
    raise VenvError(f"needs Python {version}, which this machine does not have")


def _uv(*arguments: str) -> None:
    program = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    done = subprocess.run(
        [program or "uv", *arguments, "--quiet", "--no-python-downloads"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise VenvError(f"uv {arguments[0]} fails: {done.stderr.strip()[-1500:]}")
