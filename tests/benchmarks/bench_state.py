"""The state audit: what it costs, beside the same invoke without it and beside `copy.deepcopy`."""

from __future__ import annotations

import copy
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig

from .conftest import Report, Timing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 20
ITEMS = """
class Item:
    def __init__(self, number):
        self.number = number
        self.tags = [str(number), number]
        self.options = {"a": number}

ITEMS = [Item(number) for number in range(68)]
"""
APP = """
CACHE = {}
BIG = None

def handler(event, context):
    global BIG
    if event.get("fill") == "list":
        BIG = list(range(10**6))
    if event.get("fill") == "dict":
        BIG = dict.fromkeys(range(10**6))
    if event.get("change"):
        CACHE[len(CACHE) % 9] = {"rows": [event]}
        CACHE.pop(3, None)
    if event.get("add"):
        BIG.append(1) if type(BIG) is list else BIG.update({object(): 1})
"""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A function of 50 modules with 10,000 containers and instances."""
    folder = tmp_path / "stock"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for number in range(48):
        (folder / f"part{number}.py").write_text(ITEMS)
    imports = "".join(f"import stock.part{number}\n" for number in range(48))
    (folder / "app.py").write_text(imports + APP)
    return tmp_path


def _environment(task: Path, *, audit: bool) -> ExecutionEnvironment:
    return ExecutionEnvironment(
        FunctionConfig("stock.app.handler", code_dir=task, audit=audit, timeout=60)
    )


def _timing(env: ExecutionEnvironment, event: object) -> Timing:
    spent: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        env.invoke(event)
        spent.append(time.perf_counter() - start)
    return Timing(median(spent), min(spent))


@pytest.mark.parametrize("event", [{}, {"change": 1}], ids=["unchanged", "changed"])
def test_an_audited_invoke(task: Path, report: Report, event: dict[str, Any]) -> None:
    with _environment(task, audit=False) as env:
        env.invoke(event)
        bare = _timing(env, event)
    with _environment(task, audit=True) as env:
        env.invoke(event)
        ours = _timing(env, event)
        state = [env.import_module(f"stock.part{number}").ITEMS for number in range(48)]
        start = time.perf_counter()
        copy.deepcopy(state)
        copied = time.perf_counter() - start
    what = f"an audited invoke, 10,000 objects, {'changed' if event else 'unchanged'}"
    report.difference(what, ours, bare=bare, than="no audit", budget="<= 6 ms")
    report.ratio(
        what, ours, bare=Timing(copied, copied), than="deepcopy of that state", budget="<= 0.5 x"
    )


@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("event", [{}, {"add": 1}], ids=["unchanged", "added"])
def test_a_million_plain_values(
    task: Path, report: Report, kind: str, event: dict[str, Any]
) -> None:
    def measured(*, audit: bool) -> Iterator[Timing]:
        with _environment(task, audit=audit) as env:
            env.invoke({"fill": kind})
            env.invoke(event)
            yield _timing(env, event)

    (bare,), (ours,) = measured(audit=False), measured(audit=True)
    what = f"an audited invoke, a {kind} of 10^6 values, {'one added' if event else 'unchanged'}"
    report.difference(what, ours, bare=bare, than="no audit", budget="<= 30 ms")
