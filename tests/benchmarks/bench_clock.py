"""Virtual time: what starting it costs, and what passes in it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, LambdaClock

from .conftest import FUNCTIONS, Report, Timing

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400

# In a process of its own: pytest has loaded more than 300 modules.  Copies of what is loaded bring
# the number up (but not of this package, whose names are imported when they are looked at).
START_AND_STOP = """
import json, sys, time
from itertools import cycle
from statistics import median
from types import ModuleType
import freezegun
from pytest_lambda_lifecycle import LambdaClock

class Real: time = staticmethod(time.perf_counter)

loaded = list(sys.modules.items())
originals = cycle([one for name, one in loaded if not name.startswith("pytest_lambda")])
for number in range(int(sys.argv[1]) - len(sys.modules)):
    copy = sys.modules[f"copy{number}"] = ModuleType(f"copy{number}")
    vars(copy).update({k: v for k, v in vars(next(originals)).items() if k != "__name__"})

def measure(make):
    seconds = []
    for _ in range(52):
        before = Real.time()
        with make(): pass
        seconds.append(Real.time() - before)
    return median(seconds[2:]), min(seconds[2:])

def freeze():
    return freezegun.freeze_time("2030-01-01", ignore=["_pytest.timing"], real_asyncio=True)

bare = measure(freeze)
print(json.dumps({"modules": len(sys.modules), "bare": bare, "ours": measure(LambdaClock)}))
"""


@pytest.fixture
def clock() -> Iterator[LambdaClock]:
    with LambdaClock() as clock:
        yield clock


@pytest.fixture(scope="module")
def timings(report: Report) -> Iterator[dict[str, Timing]]:
    """By side; the report needs them all."""
    found: dict[str, Timing] = {}
    yield found
    for what, ours, bare, budget in (
        ("idle(hours=24)", "idle", "freezegun's tick()", "<= 50 µs"),
        (
            "a timeout, reset and init",
            "timeout",
            "reset and init",
            "<= 1 ms: a thousand in a second",
        ),
        ("warm invoke under the clock", "invoke under the clock", "invoke in real time", ""),
    ):
        if ours in found and bare in found:
            report.ratio(what, found[ours], bare=found[bare], than=bare, budget=budget)


@pytest.mark.benchmark(group="idle")
def test_tick(benchmark, timings):
    with freeze_time("2030-01-01") as frozen:
        benchmark.pedantic(frozen.tick, [DAY], rounds=2000, warmup_rounds=10)
    timings["freezegun's tick()"] = Timing.of(benchmark)


@pytest.mark.benchmark(group="idle")
def test_idle(benchmark, timings, clock):
    with ExecutionEnvironment(
        FunctionConfig("trivial.handler", code_dir=FUNCTIONS, idle_timeout=1e12)
    ) as env:
        env.initialize()
        before = clock.now
        benchmark.pedantic(env.idle, kwargs={"hours": 24}, rounds=2000, warmup_rounds=10)
        assert (clock.now - before).days == 2010
    timings["idle"] = Timing.of(benchmark)


@pytest.mark.benchmark(group="timeout")
@pytest.mark.parametrize("what", ["reset and init", "timeout"])
def test_timeouts(benchmark, timings, clock, what):
    with ExecutionEnvironment(FunctionConfig("sleeper.handler", code_dir=FUNCTIONS)) as env:
        env.initialize()

        def end() -> str:
            if what == "timeout":
                return env.invoke(10, check=False).status
            env.reset()
            return env.invoke(0).status

        assert benchmark.pedantic(end, rounds=1000, warmup_rounds=10) == (
            "timeout" if what == "timeout" else "success"
        )
        assert env.init_count in (1010, 1011)
    timings[what] = Timing.of(benchmark)


@pytest.mark.benchmark(group="warm invoke and time")
@pytest.mark.parametrize("what", ["invoke in real time", "invoke under the clock"])
def test_warm_invoke(benchmark, timings, request, what):
    if "clock" in what:
        request.getfixturevalue("clock")
    with ExecutionEnvironment(FunctionConfig("trivial.handler", code_dir=FUNCTIONS)) as env:
        env.initialize()
        assert benchmark(env.invoke, {"id": 1}).payload == {"ok": True}
    timings[what] = Timing.of(benchmark)


@pytest.mark.parametrize("modules", [300, 1300])
def test_start_and_stop(modules: int, report: Report) -> None:
    command = [sys.executable, "-c", START_AND_STOP, str(modules)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    what = f"clock started and stopped, {found['modules']:,} modules loaded"
    ours, bare = Timing(*found["ours"]), Timing(*found["bare"])
    report.ratio(
        what, ours, bare=bare, than="freezegun alone", budget="paid once by each test with a clock"
    )
