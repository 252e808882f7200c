"""Tests as users write them, with every value annotated: mypy --strict and pyright check them too.

`typing_checks.py` has the exact types of single expressions; here whole tests are checked, with the
narrowing that they need.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypeAlias

import pytest
from responses import BaseResponse

from pytest_lambda_lifecycle import (
    AwsCall,
    AwsClient,
    ConfigError,
    Event,
    ExecutionEnvironment,
    Extension,
    ExtensionDone,
    ExtensionError,
    ExtensionFault,
    ExtensionLog,
    ExtensionNotified,
    ExtensionProgram,
    ExtensionRegistered,
    ExtensionState,
    Fault,
    FunctionConfig,
    FunctionError,
    FunctionLog,
    FunctionTimeout,
    HttpCall,
    Init,
    InitError,
    InitReport,
    InitStart,
    InvalidTransition,
    Invocation,
    InvokeReport,
    InvokeStart,
    LambdaClock,
    LambdaHttp,
    LambdaLifecycle,
    Leftover,
    LifecycleError,
    LifecycleWarning,
    NetworkRefused,
    PayloadTooLarge,
    Phase,
    RecordingExtension,
    Replaced,
    Reset,
    RuntimeExit,
    Settings,
    Shutdown,
    Spy,
    SpyCall,
    Timeline,
)

HANDLER = "shop.app.handler"
FUNCTIONS = Path(__file__).parent / "functions"
START = datetime(2030, 1, 31, 12, tzinfo=timezone.utc)

MakeShop: TypeAlias = Callable[[], ExecutionEnvironment]


@pytest.fixture
def lambda_lifecycle_config() -> Settings:
    return {"handler": HANDLER, "code_dir": FUNCTIONS, "environment": {"TABLE": "orders"}}


@pytest.fixture
def shop(lambda_lifecycle: LambdaLifecycle) -> ExecutionEnvironment:
    return lambda_lifecycle()


@pytest.fixture
def warm_shop(shop: ExecutionEnvironment) -> Iterator[ExecutionEnvironment]:
    shop.initialize()
    yield shop
    assert shop.state == "ready"


class Flusher(Extension):
    """Keeps what it is told, until the end."""

    name = "flusher"
    sent: list[str]

    def on_init(self) -> None:
        self.sent = []

    def on_invoke(self, event: dict[str, object]) -> None:
        self.sent.append(str(event["requestId"]))

    def on_shutdown(self, event: dict[str, object]) -> None:
        self.sent.append(str(event["shutdownReason"]))


class Broken(Extension):
    def on_invoke(self, event: dict[str, object]) -> None:
        self.exit_error("Extension.NoDisk")


# --- the lifecycle -------------------------------------------------------------------------------


def test_a_cold_and_a_warm_invoke(shop: ExecutionEnvironment) -> None:
    cold: Invocation = shop.invoke({"item": "tea"})
    warm: Invocation = shop.invoke()
    assert (cold.cold_start, warm.cold_start) == (True, False)
    assert cold.request_id != warm.request_id
    assert shop.init_count == 1


def test_a_payload(shop: ExecutionEnvironment) -> None:
    expected: dict[str, object] = {
        "count": 1,
        "price": 4,
        "table": "orders",
        "function": "function",
        "remaining": True,
    }
    assert shop.invoke({}).payload == expected


def test_the_bytes_of_a_response(shop: ExecutionEnvironment) -> None:
    invocation = shop.invoke({})
    raw: bytes = invocation.raw
    assert raw.startswith(b'{"count": 1')
    assert invocation.content_type == "application/json"


def test_init_ahead_of_the_first_invoke(shop: ExecutionEnvironment) -> None:
    init: Init = shop.initialize()
    assert (init.status, init.type, init.phase) == ("success", "on-demand", "init")
    duration: float = init.duration_ms
    assert duration > 0
    assert shop.init is not None


def test_the_output_of_a_phase(warm_shop: ExecutionEnvironment) -> None:
    log: str = warm_shop.invoke({}).log
    assert "count 1\n" in log
    assert "in init" in warm_shop.init.log
    assert "REPORT RequestId" in warm_shop.log


def test_durations(shop: ExecutionEnvironment) -> None:
    cold = shop.invoke({})
    init_ms: float | None = cold.init_duration_ms
    billed: int = cold.billed_duration_ms
    overhead: float = cold.extension_overhead_ms
    assert init_ms is not None
    assert billed >= init_ms
    assert overhead == 0.0
    assert shop.invoke({}).init_duration_ms is None
    began: datetime = cold.started_at
    assert began.tzinfo is not None


def test_the_report_line(shop: ExecutionEnvironment) -> None:
    line: str = shop.invoke({}).report
    assert "Memory Size: 128 MB" in line


def test_a_reset_makes_the_next_invoke_cold(shop: ExecutionEnvironment) -> None:
    shop.invoke({})
    shop.reset()
    assert shop.invoke({}).cold_start
    inits: list[Init] = shop.inits
    assert len(inits) == 2


def test_a_recycle_is_a_shutdown(shop: ExecutionEnvironment) -> None:
    shop.invoke({})
    end: Shutdown = shop.recycle()
    reason: str = end.reason
    assert reason == "spindown"
    assert shop.state != "closed"


def test_the_files_of_tmp(shop: ExecutionEnvironment) -> None:
    shop.invoke({"do": "write"})
    folder: Path = shop.tmp
    names: list[str] = [path.name for path in folder.iterdir()]
    assert names == ["orders.json"]


def test_all_phases(shop: ExecutionEnvironment) -> None:
    shop.invoke({})
    shop.shutdown()
    assert shop.phases == ["init", "invoke", "shutdown"]
    names: list[str] = shop.phases.names
    last: Phase = shop.phases[-1]
    assert isinstance(last, Shutdown)
    assert names[-1] == last.name
    durations: dict[str, float] = {phase.name: phase.duration_ms for phase in shop.phases}
    assert set(durations) == {"init", "invoke", "shutdown"}
    assert "restore" not in shop.phases


def test_a_context_manager() -> None:
    config = FunctionConfig(HANDLER, code_dir=FUNCTIONS)
    with ExecutionEnvironment(config) as env:
        invocations: list[Invocation] = [env.invoke({}) for _ in range(3)]
    assert [one.cold_start for one in invocations] == [True, False, False]
    assert env.state == "closed"


def test_arguments_of_an_invoke(shop: ExecutionEnvironment) -> None:
    headers: Mapping[str, str | None] = {"Lambda-Runtime-Trace-Id": None}
    invocation = shop.invoke(
        {"item": "tea"},
        request_id="9c5b94b1-35ad-49bb-b118-8e8fc24abf80",
        client_context={"custom": {"version": "1"}},
        identity={"cognitoIdentityId": "me", "cognitoIdentityPoolId": "pool"},
        headers=headers,
        remaining_ms=2000,
    )
    assert invocation.request_id == "9c5b94b1-35ad-49bb-b118-8e8fc24abf80"


def test_the_module_of_the_handler(warm_shop: ExecutionEnvironment) -> None:
    state: object = warm_shop.module.state
    assert state == {"count": 0}
    assert warm_shop.import_module("shop.prices").RATE == 2


# --- failures ------------------------------------------------------------------------------------


def test_an_exception_of_the_handler(shop: ExecutionEnvironment) -> None:
    with pytest.raises(FunctionError) as caught:
        shop.invoke({"do": "fail"})
    error: FunctionError = caught.value
    assert (error.error_type, error.error_message) == ("ValueError", "no such order")
    assert isinstance(error.__cause__, ValueError)
    phase: Phase | None = error.phase
    assert isinstance(phase, Invocation)
    trace: tuple[str, ...] = error.stack_trace
    assert "no such order" in trace[-1]


def test_a_failed_invocation(shop: ExecutionEnvironment) -> None:
    failed = shop.invoke({"do": "fail"}, check=False)
    error: dict[str, object] | None = failed.error
    assert error is not None
    assert error["errorType"] == failed.error_type == "ValueError"
    exception: BaseException | None = failed.exception
    assert isinstance(exception, ValueError)
    assert failed.status == "error"


def test_an_exit_of_the_process(shop: ExecutionEnvironment) -> None:
    with pytest.raises(RuntimeExit, match="exit status 3") as caught:
        shop.invoke({"do": "exit"})
    assert caught.value.error_type == "Runtime.ExitError"
    resets: list[Reset] = shop.timeline.of(Reset)
    assert [reset.reason for reset in resets] == ["failure"]


def test_a_timeout(lambda_clock: LambdaClock, lambda_lifecycle: LambdaLifecycle) -> None:
    env = lambda_lifecycle(timeout=3)
    with pytest.raises(FunctionTimeout) as caught:
        env.invoke({"do": "sleep", "seconds": 4})
    assert caught.value.error_type == "Sandbox.Timedout"
    assert lambda_clock.now >= env.init.started_at + timedelta(seconds=3)


def test_an_init_that_fails(lambda_lifecycle: LambdaLifecycle, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise LookupError('no settings')\n")
    env = lambda_lifecycle("broken.handler", code_dir=tmp_path)
    with pytest.raises(InitError) as caught:
        env.initialize()
    assert caught.value.error_type == "LookupError"
    outcome: dict[str, object] | None = env.init.error
    assert outcome is not None
    assert outcome["errorMessage"] == "no settings"


def test_an_event_over_the_limit(shop: ExecutionEnvironment) -> None:
    with pytest.raises(PayloadTooLarge):
        shop.invoke({"text": "x" * 7_000_000})


def test_a_state_that_does_not_allow_a_call(shop: ExecutionEnvironment) -> None:
    shop.close()
    with pytest.raises(InvalidTransition) as caught:
        shop.invoke({})
    code: str = caught.value.code
    assert code == "LLC101"
    base: LifecycleError = caught.value
    assert "cannot invoke" in str(base)


def test_a_crash_on_demand(warm_shop: ExecutionEnvironment) -> None:
    warm_shop.crash()
    failed: Invocation = warm_shop.invoke({}, check=False)
    assert failed.error_type == "Runtime.ExitError"
    assert warm_shop.invoke({}).cold_start


# --- settings ------------------------------------------------------------------------------------


def test_settings_of_a_call(lambda_lifecycle: LambdaLifecycle) -> None:
    env = lambda_lifecycle(
        HANDLER,
        memory_size=512,
        timeout=10,
        function_name="orders",
        region="eu-central-1",
        log_format="JSON",
    )
    config: FunctionConfig = env.config
    assert (config.memory_size, config.timeout, config.region) == (512, 10, "eu-central-1")
    assert config.source_of("timeout").startswith("the call at")
    environment: Mapping[str, str] = config.environment
    assert environment["TABLE"] == "orders"


@pytest.mark.lambda_lifecycle(timeout=7)
def test_settings_of_a_marker(lambda_lifecycle: LambdaLifecycle) -> None:
    assert lambda_lifecycle().config.timeout == 7


def test_several_environments(lambda_lifecycle: LambdaLifecycle) -> None:
    make: MakeShop = lambda_lifecycle
    environments: list[ExecutionEnvironment] = [make(), make()]
    assert [env.invoke({}).cold_start for env in environments] == [True, True]
    assert lambda_lifecycle.environments == tuple(environments)


def test_a_value_that_lambda_refuses(lambda_lifecycle: LambdaLifecycle) -> None:
    with pytest.raises(ConfigError, match="memory_size") as caught:
        lambda_lifecycle(memory_size=64)
    as_value_error: ValueError = caught.value
    assert "128..10240" in str(as_value_error)


def test_a_configuration_is_a_value() -> None:
    config = FunctionConfig(HANDLER, code_dir=FUNCTIONS, layers=[FUNCTIONS], timeout=5)
    other: FunctionConfig = config.replace(timeout=6, environment={"STAGE": "test"})
    assert (config.timeout, other.timeout) == (5, 6)
    layers: tuple[Path, ...] = other.layers
    assert layers == (FUNCTIONS,)


def test_a_warning_for_the_author(lambda_lifecycle: LambdaLifecycle) -> None:
    with pytest.warns(LifecycleWarning, match="AWS_LAMBDA_EXEC_WRAPPER") as told:
        lambda_lifecycle(environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/trace"})
    category: type[Warning] = told[0].category
    assert category is LifecycleWarning


def test_the_seed_of_an_environment(lambda_lifecycle: LambdaLifecycle) -> None:
    seed: int = lambda_lifecycle(seed=7).seed
    assert seed == 7


# --- observation ---------------------------------------------------------------------------------


def test_calls_of_a_spy(shop: ExecutionEnvironment) -> None:
    spy: Spy = shop.spy("shop.prices.price")
    invocation = shop.invoke({"item": "tea"})
    [call] = spy.calls
    assert (call.phase, call.invocation, call.target) == ("invoke", 0, "shop.prices.price")
    assert call.args == ("tea",)
    assert call.kwargs == {"count": 2}
    assert call.result == 4
    in_invoke: list[SpyCall] = invocation.spy_calls
    assert in_invoke == [call]
    assert "app.py" in call.where


def test_a_call_that_raises(shop: ExecutionEnvironment) -> None:
    spy = shop.spy("shop.prices.price")
    shop.invoke({"item": "unknown"}, check=False)
    raised: BaseException | None = spy.calls[0].exception
    assert isinstance(raised, LookupError)
    count: int = spy.count(phase="invoke")
    assert count == len(spy.phases) == 1
    assert spy.one is spy.last


def test_a_patch(shop: ExecutionEnvironment) -> None:
    def free(item: str, *, count: int) -> int:
        return 0 * count

    shop.patch("shop.prices.price", free)
    payload: object = shop.invoke({}).payload
    assert isinstance(payload, dict)
    assert payload["price"] == 0


def test_an_object_is_kept(shop: ExecutionEnvironment) -> None:
    shop.invoke({})
    shop.assert_reused("shop.app.client")
    shop.invoke({"do": "replace"})
    with pytest.raises(AssertionError, match="client"):
        shop.assert_reused("shop.app.client")
    replaced: list[Replaced] = shop.timeline.of(Replaced)
    assert [one.target for one in replaced] == ["shop.app.client"]


def test_a_thread_that_is_left(shop: ExecutionEnvironment) -> None:
    leftovers: list[Leftover] = shop.invoke({"do": "thread"}).leftovers
    [leftover] = leftovers
    assert (leftover.kind, leftover.label) == ("thread", "flusher")
    assert "app.py" in leftover.where


def test_events_of_the_timeline(shop: ExecutionEnvironment) -> None:
    shop.invoke({})
    timeline: Timeline = shop.timeline
    first: Event = timeline[0]
    assert isinstance(first, InitStart)
    assert first.initialization_type == "on-demand"
    [start] = timeline.of(InvokeStart)
    assert start.cold_start
    output: str = "".join(event.text for event in timeline.of(FunctionLog))
    assert output.startswith("in init")
    both: list[InitReport] | list[InvokeReport] = timeline.of(InitReport)
    assert [event.status for event in both] == ["success"]
    assert InvokeReport in timeline
    assert "reset" not in timeline
    names: list[str] = timeline.names
    assert names[-1] == "invoke_report"


def test_no_network(shop: ExecutionEnvironment) -> None:
    shop.invoke({})
    shop.assert_no_network()
    shop.assert_no_network("init")
    shop.assert_no_network(shop.invocations[0])
    shop.assert_calls(None)


def test_a_refused_connection(shop: ExecutionEnvironment) -> None:
    with pytest.raises(NetworkRefused) as caught:
        shop.invoke({"do": "http"})
    target: str = caught.value.target
    assert target.startswith("config.example")


def test_log_records(shop: ExecutionEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        shop.invoke({})
    assert caplog.messages == ["a warning"]


# --- calls ---------------------------------------------------------------------------------------


def test_an_http_request(shop: ExecutionEnvironment, lambda_http: LambdaHttp) -> None:
    response: BaseResponse = lambda_http.get("https://config.example/v1", json={"rate": 2})
    assert shop.invoke({"do": "http"}).payload == {"rate": 2}
    [call] = shop.http_calls
    assert (call.method, call.url, call.status) == ("GET", "https://config.example/v1", 200)
    where: str = call.where
    assert "app.py" in where
    assert response.call_count == 1


def test_requests_of_a_phase(shop: ExecutionEnvironment, lambda_http: LambdaHttp) -> None:
    lambda_http.add("GET", "https://config.example/v1", json={})
    invocation = shop.invoke({"do": "http"})
    calls: list[HttpCall] = invocation.http_calls
    assert [str(call) for call in calls] == ["GET https://config.example/v1"]
    shop.assert_calls(invocation, "GET https://config.example/v1")
    mixed: list[HttpCall | AwsCall] = shop.calls
    assert mixed == calls
    aws: list[AwsCall] = shop.aws_calls
    clients: list[AwsClient] = shop.aws_clients
    assert (aws, clients) == ([], [])


def test_a_slow_response(
    lambda_clock: LambdaClock, lambda_lifecycle: LambdaLifecycle, lambda_http: LambdaHttp
) -> None:
    lambda_http.get("https://config.example/v1", json={}, latency_ms=500)
    invocation = lambda_lifecycle().invoke({"do": "http"})
    assert invocation.duration_ms == 500.0
    [call] = invocation.http_calls
    assert call.duration_ms == 500.0


def test_a_fault_of_a_service(lambda_clock: LambdaClock, lambda_lifecycle: LambdaLifecycle) -> None:
    pytest.importorskip("boto3")
    env = lambda_lifecycle(timeout=60)
    fault: Fault = env.fault("dynamodb.ListTables", "ThrottlingException", phase="invoke")
    failed = env.invoke({"do": "aws"}, check=False)
    assert failed.error_type == "ThrottlingException"
    assert lambda_clock.now > env.init.started_at
    count: int = fault.count
    assert count > 1
    [call] = failed.aws_calls
    assert (call.service, call.operation) == ("dynamodb", "ListTables")
    assert call.error_code == "ThrottlingException"
    fault.remove()


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.lambda_clock(START)
def test_virtual_time(lambda_clock: LambdaClock, lambda_lifecycle: LambdaLifecycle) -> None:
    env = lambda_lifecycle(timeout=60)
    invocation = env.invoke({"do": "sleep", "seconds": 30})
    assert invocation.duration_ms == 30_000
    now: datetime = lambda_clock.now
    assert now == START + timedelta(seconds=30)


@pytest.mark.lambda_clock(START)
def test_time_between_invokes(lambda_clock: LambdaClock, lambda_lifecycle: LambdaLifecycle) -> None:
    env = lambda_lifecycle(idle_timeout=600)
    env.invoke({})
    env.idle(minutes=11)
    assert env.invoke({}).cold_start
    lambda_clock.advance(hours=1)
    lambda_clock.move_to(START + timedelta(days=1))
    assert lambda_clock.now.day == 1


def test_a_latency(lambda_clock: LambdaClock, lambda_lifecycle: LambdaLifecycle) -> None:
    env = lambda_lifecycle()
    env.latency("shop.prices.price", ms=250)
    assert env.invoke({}).duration_ms == 250


# --- extensions ----------------------------------------------------------------------------------


def test_a_recording_extension(shop: ExecutionEnvironment) -> None:
    monitor: RecordingExtension = shop.extension("monitor", events=["INVOKE"])
    shop.invoke({})
    events: list[dict[str, object]] = monitor.events
    assert [event["eventType"] for event in events] == ["INVOKE"]
    [registered] = shop.timeline.of(ExtensionRegistered)
    assert registered.events == ("INVOKE",)
    assert [event.state for event in shop.timeline.of(ExtensionState)] == ["Ready"]


def test_an_extension_of_ones_own(lambda_lifecycle: LambdaLifecycle) -> None:
    env = lambda_lifecycle(runtime="python3.13")
    flusher: Flusher = env.add_extension(Flusher())
    invocation = env.invoke({})
    end = env.shutdown()
    assert flusher.sent == [invocation.request_id, "spindown"]
    signals: list[str] = end.signals
    killed: tuple[str, ...] = end.killed
    durations: dict[str, float] = end.durations_ms
    assert (signals, killed) == (["SIGTERM"], ())
    assert set(durations) == {"runtime", "flusher"}


def test_extensions_as_a_setting(lambda_lifecycle: LambdaLifecycle) -> None:
    env = lambda_lifecycle(extensions=[Flusher, Extension("other")])
    env.invoke({})
    names: list[str] = [one.name for one in env.extensions]
    assert names == ["flusher", "other"]
    flusher = env.extensions[0]
    assert isinstance(flusher, Flusher)
    assert len(flusher.sent) == 1


def test_an_extension_that_fails(shop: ExecutionEnvironment) -> None:
    shop.add_extension(Broken)
    with pytest.raises(ExtensionError) as caught:
        shop.invoke({})
    name: str = caught.value.extension
    assert name == "Broken"
    faults: list[ExtensionFault] = shop.timeline.of(ExtensionFault)
    assert {fault.error_type for fault in faults} == {"Extension.ExitError"}


def test_a_program(lambda_lifecycle: LambdaLifecycle, tmp_path: Path) -> None:
    agent = tmp_path / "agent"
    agent.write_text("#!/bin/sh\necho starting\nexit 3\n")
    agent.chmod(0o755)
    env = lambda_lifecycle(extensions=[agent])
    with pytest.raises(ExtensionError, match="exit status 3"):
        env.initialize()
    [program] = env.extensions
    assert isinstance(program, ExtensionProgram)
    path: Path = program.path
    log: str = program.log
    assert (path, log) == (agent, "starting\n")
    assert [event.text for event in env.timeline.of(ExtensionLog)] == ["starting\n"]
    assert ExtensionNotified not in env.timeline
    assert env.timeline.count(ExtensionDone) == 0


# --- telemetry -----------------------------------------------------------------------------------


def test_the_types_of_telemetry_records(shop: ExecutionEnvironment) -> None:
    shop.invoke({})
    kinds: list[str] = [str(record["type"]) for record in shop.telemetry]
    assert kinds[0] == "platform.initStart"
    assert "function" in kinds
    assert kinds[-1] == "platform.report"


def test_telemetry_without_a_subscriber(shop: ExecutionEnvironment) -> None:
    shop.invoke({})
    with pytest.raises(LifecycleError, match="no extension has subscribed") as caught:
        shop.flush_telemetry()
    assert caught.value.code == "LLC603"
