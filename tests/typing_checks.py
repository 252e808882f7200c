"""The public API as type checkers see it; mypy and pyright check this file, nothing runs it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from responses import BaseResponse, Call
from responses.registries import OrderedRegistry
from typing_extensions import assert_type

import pytest_lambda_lifecycle
from pytest_lambda_lifecycle import (
    ConfigError,
    Event,
    ExecutionEnvironment,
    FunctionConfig,
    FunctionError,
    Init,
    Invocation,
    InvokeStart,
    LambdaClock,
    LambdaHttp,
    LambdaLifecycle,
    LifecycleWarning,
    Metric,
    Phase,
    Settings,
    Shutdown,
    Snapshot,
    Spy,
    StateChange,
    SuiteMode,
    Timeline,
    lifecycle_machine,
)


def the_fixture(lambda_lifecycle: LambdaLifecycle) -> None:
    env = lambda_lifecycle(
        "orders.app.handler",
        code_dir="src",
        layers=[Path("layer"), "other"],
        environment={"TABLE": "orders"},
        timeout=3,
        memory_size=256,
        ephemeral_storage=512,
        function_name="orders",
        function_version="1",
        region="eu-west-1",
        account_id="123456789012",
        runtime="python3.13",
        initialization_type="snap-start",
        log_format="JSON",
        application_log_level="DEBUG",
        idle_timeout=600,
        max_lifetime=None,
        fresh_packages=["mylib"],
        init_only=("shop.config.load", "boto3.client"),
        max_init_ms=500,
        max_duration_ms=None,
        max_http_calls=0,
        max_aws_calls=1,
        seed=7,
    )
    assert_type(env, ExecutionEnvironment)
    assert_type(lambda_lifecycle(), ExecutionEnvironment)
    assert_type(lambda_lifecycle(handler="app.handler"), ExecutionEnvironment)
    assert_type(lambda_lifecycle.environments, tuple[ExecutionEnvironment, ...])
    lambda_lifecycle("app.handler", timeout="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    lambda_lifecycle("app.handler", memory=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    lambda_lifecycle("app.handler", log_format="json")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def the_environment(env: ExecutionEnvironment) -> None:
    assert_type(env.invoke({"id": 1}), Invocation)
    assert_type(env.initialize(), Init)
    assert_type(env.init, Init)
    assert_type(env.init_count, int)
    assert_type(env.seed, int)
    assert_type(env.invocations, list[Invocation])
    assert_type(env.invocations[0].cold_start, bool)
    assert_type(env.shutdown(), Shutdown)
    assert_type(env.spy("orders.db.connect"), Spy)
    assert_type(env.timeline, Timeline)
    assert_type(env.timeline[0], Event)
    assert_type(env.timeline.of(InvokeStart), list[InvokeStart])
    assert_type(env.phases[0], Phase)
    assert_type(env.phases.names, list[str])
    assert_type(env.config, FunctionConfig)
    assert_type(env.tmp, Path)
    assert_type(env.log, str)
    assert env.invocations[0].payload["items"][0]["id"] == "1"
    assert env.telemetry[0]["record"]["metrics"]["billedDurationMs"] < 100
    assert env.spy("orders.db.connect").one.args[0].upper() == "X"
    assert env.spy("orders.db.connect").one.kwargs["retries"] > 1
    assert env.spy("orders.db.connect").one.result.closed
    assert env.aws_calls[0].parameters["TableName"].islower()
    assert (env.init.error or {})["errorMessage"].startswith("x")
    assert (env.invocations[0].error or {})["stackTrace"][0].startswith("  File")
    env.assert_init_only("boto3.client", "shop.config.load")
    env.assert_no_network()
    env.assert_no_network("init")
    env.assert_no_network(phase=env.init)
    env.assert_calls("init", "GET https://config.example/v1")
    env.assert_calls(env.invocations[0])
    env.assert_calls(env.invocations[0], ["dynamodb.GetItem"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with env as entered:
        assert_type(entered, ExecutionEnvironment)


def the_clock(lambda_clock: LambdaClock, env: ExecutionEnvironment) -> None:
    assert_type(lambda_clock.now, datetime)
    lambda_clock.advance(1, minutes=2, hours=0.5)
    lambda_clock.move_to(datetime.now(timezone.utc))
    lambda_clock.advance("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    env.idle(minutes=61)
    env.latency("orders.db.connect", ms=250)
    assert_type(env.invoke(remaining_ms=250), Invocation)
    with LambdaClock(datetime(2030, 1, 1, tzinfo=timezone.utc), watchdog=1) as clock:
        assert_type(clock, LambdaClock)


def the_log(invocation: Invocation, env: ExecutionEnvironment) -> None:
    assert_type(invocation.metrics, list[Metric])
    assert_type(env.init.records, list[dict[str, Any]])
    assert_type(invocation.metrics[0].value, float)
    assert_type([left.idle for left in invocation.leftovers], list[bool])
    invocation["statusCode"]  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
    str(invocation.body)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    env({})  # type: ignore[operator]  # pyright: ignore[reportCallIssue]
    env.invoke({}, None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def the_variables(lambda_lifecycle: LambdaLifecycle) -> None:
    lambda_lifecycle("app.handler", environment={"TABLE": None, "STAGE": "test"})
    lambda_lifecycle("app.handler", environment={"PORT": 80})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    lambda_lifecycle("app.handler", {})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def the_configuration() -> None:
    config = FunctionConfig("app.handler", timeout=3, code_dir=Path("src"))
    assert_type(config.handler, str)
    assert_type(config.code_dir, Path | None)
    assert_type(config.layers, tuple[Path, ...])
    assert_type(config.environment, Mapping[str, str])
    assert_type(config.timeout, int)
    assert_type(config.fresh_packages, tuple[str, ...])
    assert_type(config.replace(timeout=4), FunctionConfig)
    assert_type(config.source_of("timeout"), str)
    config.timeout = 4  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    FunctionConfig("app.handler", timout=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@pytest.fixture(scope="session")
def lambda_lifecycle_config() -> Settings:
    return {"timeout": 5, "environment": {"STAGE": "test"}}


def pytest_lambda_lifecycle_config(
    request: pytest.FixtureRequest, settings: Mapping[str, object]
) -> Settings | None:
    return {"function_name": request.fixturename or "none"} if settings else None


def the_errors(error: FunctionError) -> None:
    assert_type(error.error_type, str)
    assert_type(error.stack_trace, tuple[str, ...])
    failures: list[type[Exception]] = [ConfigError, FunctionError]
    warning: type[Warning] = LifecycleWarning
    assert failures
    assert warning
    assert_type(pytest_lambda_lifecycle.__version__, str)
    pytest_lambda_lifecycle.NoSuchName  # type: ignore[attr-defined]  # noqa: B018  # pyright: ignore


def http(lambda_http: LambdaHttp) -> None:
    url = "https://config.example/v1"
    assert_type(lambda_http.add("GET", url, json={"v": 1}, latency_ms=120), BaseResponse)
    assert_type(lambda_http.get(url, json={"v": 1}, latency_ms=0.5), BaseResponse)
    assert_type(lambda_http.upsert("GET", url, status=503, latency_ms=120), BaseResponse)
    assert_type(lambda_http.add_callback("GET", url, lambda _: (200, {}, "x")), BaseResponse)
    assert_type(lambda_http.calls[0], Call)
    lambda_http.assert_all_requests_are_fired = True
    lambda_http.response_callback = lambda response: response
    with LambdaHttp(registry=OrderedRegistry) as entered:
        assert_type(entered, LambdaHttp)


@pytest.mark.lambda_lifecycle("app.handler", audit=True, allowed_state=["app.CACHE"])
def state(lambda_lifecycle: LambdaLifecycle) -> None:
    env = lambda_lifecycle(audit=True, allowed_state=("app.CACHE",))
    changes = env.invoke({"id": 1}).state_changes
    assert_type(changes, list[StateChange])
    assert_type(changes[0].path, str)
    assert_type(changes[0].where, str)
    env.assert_no_state_leaks()
    env.assert_no_state_leaks(ignore=["app.STATS.*"])
    env.assert_no_growth({"id": 1}, 20, tracemalloc=True, ignore=("app.C",))
    env.assert_no_growth(lambda index: {"id": index})
    env.assert_isolates({"id": "a"}, {"id": "b"}, {"id": "c"}, ignore=["app.CACHE"])
    env.assert_isolates({"id": "a"})  # type: ignore[call-arg]  # pyright: ignore


def cold_against_warm(lambda_lifecycle: LambdaLifecycle) -> None:
    left_out = lambda_lifecycle.assert_warm_equals_cold(
        [{"id": 1}, "text", None],
        handler="orders.app.handler",
        ignore=["headers.date", lambda path, value: path.endswith("id"), str.isupper],
        logs=True,
        calls=True,
        timeout=3,
    )
    assert_type(left_out, tuple[str, ...])
    lambda_lifecycle.assert_warm_equals_cold(({"id": number} for number in range(3)), ignore="id")
    lambda_lifecycle.assert_warm_equals_cold([{}], timeout="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def no_failure(env: ExecutionEnvironment) -> bool:
    return env.invocations[-1].status == "success"


TestLifecycles = lifecycle_machine(
    "orders.app.handler",
    events=st.fixed_dictionaries({"id": st.integers()}),
    actions=["idle", "reset", no_failure],
    invariants=[no_failure],
    memory_size=256,
).TestCase


def snapshots(env: ExecutionEnvironment) -> None:
    snapshot = env.snapshot()
    assert_type(snapshot, Snapshot)
    init: Init = snapshot
    assert_type(init.status, str)
    assert_type(snapshot.restore(), ExecutionEnvironment)
    env.assert_snapshot_safe(ignore=["shop.app.RUN_ID"])


def modes(env: ExecutionEnvironment) -> None:
    assert_type([mode.action for mode in env.timeline.of(SuiteMode)], list[str])
