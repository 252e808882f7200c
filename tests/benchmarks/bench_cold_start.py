"""A cold start of a function of six modules, and the bare import of the same modules."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
from pytest_lambda_lifecycle.isolation.parts import environ

from .conftest import FUNCTIONS, Report, Timing

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 200
PAIRS = {
    "bare import": "cold start: made and initialized",
    "bare import and call": "cold start: made and invoked",
}


@pytest.fixture(scope="module")
def timings(report: Report) -> Iterator[dict[str, Timing]]:
    found: dict[str, Timing] = {}
    yield found
    for bare, ours in PAIRS.items():
        if bare in found and ours in found:
            report.difference(ours, found[ours], bare=found[bare], than=bare, budget="<= 1 ms more")
    ours, plain = "cold start: made and initialized", "variables by os.environ"
    if plain in found and ours in found:
        report.ratio(ours, found[ours], bare=found[plain], than=plain, budget="best < 1 x")


@pytest.fixture(autouse=True)
def no_shop() -> Iterator[None]:
    """Nobody inherits the modules."""
    yield
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


@pytest.mark.benchmark(group="cold start")
@pytest.mark.parametrize("what", PAIRS)
def test_bare_import(benchmark, timings, monkeypatch, what):
    monkeypatch.syspath_prepend(FUNCTIONS)

    def start() -> Any:
        module: Any = importlib.import_module("shop.app")
        if "call" in what:
            module.handler({}, None)
        return module

    module = benchmark.pedantic(start, setup=_forget, rounds=ROUNDS, warmup_rounds=5)
    assert len(module.handler({}, None)) == 4
    timings[what] = Timing.of(benchmark)


@pytest.mark.benchmark(group="cold start")
@pytest.mark.parametrize("what", PAIRS.values())
def test_cold_start(benchmark, timings, what):
    config = FunctionConfig("shop.app.handler", code_dir=FUNCTIONS)
    opened: list[ExecutionEnvironment] = []

    def close() -> None:
        while opened:
            opened.pop().close()

    def start() -> ExecutionEnvironment:
        env = ExecutionEnvironment(config)
        opened.append(env)
        env.invoke({}) if "invoked" in what else env.initialize()
        return env

    env = benchmark.pedantic(start, setup=close, rounds=ROUNDS, warmup_rounds=5)
    assert len(env.invoke({}).payload) == 4
    close()
    timings[what] = Timing.of(benchmark)


@pytest.mark.benchmark(group="cold start")
def test_cold_start_with_variables_by_os_environ(benchmark, timings, monkeypatch):
    """The same with the plain form of `environ_bytes`: the difference is its gain."""

    def change(mapping, remove, add):
        for name in remove:
            mapping.pop(name, None)
        mapping.update(add)

    monkeypatch.setattr(environ, "variables_of", dict)
    monkeypatch.setattr(environ, "change_variables", change)
    test_cold_start(benchmark, timings, "variables by os.environ")
