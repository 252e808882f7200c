"""A warm invoke of a trivial handler: through us, called directly, and through AWS's own runtime
interface client.
"""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import simplejson
from pytest_benchmark.fixture import BenchmarkFixture

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
from pytest_lambda_lifecycle.runtimes import codec, context, local

from .conftest import FUNCTIONS, Report, Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVENT = {"id": 1, "items": ["tea", "milk"], "customer": {"name": "Ada", "vip": True}}


@pytest.fixture(scope="module")
def timings(report: Report) -> Iterator[dict[str, Timing]]:
    """By side; the report needs them all."""
    found: dict[str, Timing] = {}
    yield found
    ours = found.pop("invoke", None)
    budgets = {
        "JSON round trip": "<= 4 x",
        "encoders made anew": "best < 0.98 x",
        "variables by os.environ": "best < 0.98 x",
    }
    for side, bare in found.items():
        limit = budgets.get(side, "median <= 30 µs")
        if ours is not None:
            report.ratio("warm invoke", ours, bare=bare, than=side, budget=limit)


@pytest.fixture(scope="module")
def handler() -> Callable[[Any, Any], Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FUNCTIONS)
        import trivial

        yield trivial.handler
        del sys.modules["trivial"]


def _measure(
    benchmark: BenchmarkFixture,
    timings: dict[str, Timing],
    side: str,
    call: Callable[..., Any],
    *args: Any,
):
    result = benchmark(call, *args)
    timings[side] = Timing.of(benchmark)
    return result


@pytest.mark.benchmark(group="warm invoke")
def test_direct_call(benchmark, timings, handler):
    assert _measure(benchmark, timings, "direct call", handler, EVENT, None) == {"ok": True}


@pytest.mark.benchmark(group="warm invoke")
def test_json_round_trip(benchmark, timings, handler):
    """What no faithful invoke can do without: the event there and the result back as bytes."""

    def round_trip() -> Any:
        event = simplejson.loads(simplejson.dumps(EVENT).encode())
        return simplejson.loads(simplejson.dumps(handler(event, None)).encode())

    assert _measure(benchmark, timings, "JSON round trip", round_trip) == {"ok": True}


@pytest.mark.benchmark(group="warm invoke")
def test_awslambdaric(benchmark, timings, handler):
    bootstrap = pytest.importorskip("awslambdaric.bootstrap")
    from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

    posted = []
    client = SimpleNamespace(
        marshaller=LambdaMarshaller(),
        post_invocation_result=lambda _id, body, *_: posted.append(body),
    )
    body, deadline = simplejson.dumps(EVENT).encode(), int(time.time() * 1000) + 3000
    arguments = (
        client,
        handler,
        "id",
        body,
        "application/json",
        None,
        None,
        "arn",
        deadline,
        None,
        None,
    )
    _measure(benchmark, timings, "awslambdaric", bootstrap.handle_event_request, *arguments)
    assert set(posted) == {'{"ok": true}'}


@pytest.mark.benchmark(group="warm invoke")
def test_invoke(benchmark, timings):
    with ExecutionEnvironment(FunctionConfig("trivial.handler", code_dir=FUNCTIONS)) as env:
        env.initialize()
        assert _measure(benchmark, timings, "invoke", env.invoke, EVENT).payload == {"ok": True}
        assert env.init_count == 1


@pytest.mark.benchmark(group="warm invoke")
def test_invoke_without_cached_encoders(benchmark, timings, monkeypatch):
    """The same with `JSONEncoder.encode`: the difference is the gain by `cached_encoder`."""
    monkeypatch.setattr(codec, "_encode_strict", codec.STRICT.encode)
    monkeypatch.setattr(codec, "_encode_ascii", codec.ASCII.encode)
    monkeypatch.setattr(codec, "_encode_unescaped", codec.UNESCAPED.encode)
    with ExecutionEnvironment(FunctionConfig("trivial.handler", code_dir=FUNCTIONS)) as env:
        env.initialize()
        _measure(benchmark, timings, "encoders made anew", env.invoke, EVENT)


@pytest.mark.benchmark(group="warm invoke")
def test_invoke_with_variables_by_os_environ(benchmark, timings, monkeypatch):
    """The same with the plain form of `environ_bytes`: the difference is its gain."""
    names = context._VARIABLES

    def read() -> tuple[str | None, ...]:
        return tuple(map(os.environ.get, names))

    def set_trace(value: str) -> None:
        os.environ[local._TRACE_VARIABLE] = value

    monkeypatch.setattr(context, "_read_environment", read)
    monkeypatch.setattr(local, "_set_trace", set_trace)
    with ExecutionEnvironment(FunctionConfig("trivial.handler", code_dir=FUNCTIONS)) as env:
        env.initialize()
        _measure(benchmark, timings, "variables by os.environ", env.invoke, EVENT)
