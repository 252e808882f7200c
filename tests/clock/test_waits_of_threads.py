"""Code that waits sees in virtual time what it sees in real time, on a machine of any speed."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, LambdaClock

from . import waiting_code
from .waiting_code import OUTCOMES

CODE_DIR = Path(waiting_code.__file__).parent
START = datetime(2030, 5, 17, 12, 0, tzinfo=timezone.utc)
UNIT = 60.0
WATCHDOG = 50
"""Seconds.  A wait that is real takes longer than that, and nothing else does."""


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_outcome_in_virtual_time(name):
    config = FunctionConfig("waiting_code.handler", code_dir=CODE_DIR, timeout=900)
    with LambdaClock(START, watchdog=WATCHDOG), ExecutionEnvironment(config) as env:
        assert env.invoke({"name": name, "unit": UNIT}).payload == OUTCOMES[name]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not list children")
@pytest.mark.parametrize("name", ["poll_of_a_pipe", "pair_of_sockets"])
def test_a_process_of_the_test_has_no_files_of_the_function(name):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        test_the_outcome_in_virtual_time(name)
        assert child.poll() is None
        child.communicate(b"\n")
