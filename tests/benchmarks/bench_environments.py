"""A thousand environments in one process: what stays behind after the first hundred."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig

from .conftest import FUNCTIONS

if TYPE_CHECKING:
    from .conftest import Report

FIRST, ALL = 100, 1000
MEGABYTE = 2**20


def _resident() -> float:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs /proc")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def _process_state() -> dict[str, set[object]]:
    """What an environment could leave behind, by kind."""
    return {
        "files": {
            (entry.name, os.readlink(entry))
            for entry in Path("/proc/self/fd").iterdir()
            if entry.is_symlink()
        },
        "threads": set(threading.enumerate()),
        "modules": set(sys.modules),
        "variables": set(os.environ.items()),
        "sys.path": set(sys.path),
    }


def _use_environments(count: int) -> tuple[float, dict[str, set[object]]]:
    for _ in range(count):
        with ExecutionEnvironment(FunctionConfig("shop.app.handler", code_dir=FUNCTIONS)) as env:
            assert env.invoke({}).cold_start
            assert not env.invoke({}).cold_start
    gc.collect()
    return _resident(), _process_state()


def test_a_thousand_environments(report: Report) -> None:
    early, before = _use_environments(FIRST)
    late, after = _use_environments(ALL - FIRST)
    growth = f"{late - early:+.2f} MB"
    report.text(
        "1,000 environments: memory", f"{late:.1f} MB", f"{early:.1f} MB", growth, "<= 5 MB more"
    )
    for kind, old in before.items():
        new = after[kind]
        more = f"{len(new) - len(old):+}"
        report.text(f"1,000 environments: {kind}", str(len(new)), str(len(old)), more, "none more")
        assert new == old
    assert late - early <= 5
