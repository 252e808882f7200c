"""Code that waits sees in virtual time what it sees in real time, on a machine of any speed."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, LambdaClock

from . import waiting_code
from .waiting_code import OUTCOMES

CODE_DIR = Path(waiting_code.__file__).parent
START = datetime(2030, 5, 17, 12, 0, tzinfo=timezone.utc)
UNITS = (0.02, 0.05, 0.1, 0.2)
"""Seconds.  On a busy machine, a wait of the shortest ones ends too late."""
_stopwatch = [time.perf_counter]


@pytest.fixture
def config():
    return FunctionConfig("waiting_code.handler", code_dir=CODE_DIR, timeout=60)


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_outcome_in_virtual_time(config, name):
    with LambdaClock(START), ExecutionEnvironment(config) as env:
        env.initialize()
        began = _stopwatch[0]()
        assert env.invoke({"name": name, "unit": 1.0}).payload == OUTCOMES[name]
        assert _stopwatch[0]() - began < 5  # and not the seconds that it takes in real time


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_outcome_in_real_time(config, name):
    for unit in UNITS:
        with ExecutionEnvironment(config) as env:
            seen = env.invoke({"name": name, "unit": unit}).payload
        if seen == OUTCOMES[name]:
            return
    assert seen == OUTCOMES[name]
