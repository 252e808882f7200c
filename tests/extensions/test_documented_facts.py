"""Facts that ``docs/fidelity.md`` states of extensions, shutdown, APIs and telemetry."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_lambda_lifecycle import (
    ConfigError,
    ExecutionEnvironment,
    Extension,
    ExtensionError,
    ExtensionFault,
    ExtensionLog,
    ExtensionNotified,
    ExtensionRegistered,
    FunctionConfig,
    FunctionInit,
    FunctionTimeout,
    LambdaClock,
    LogsDropped,
    RuntimeInit,
    Signal,
)

needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="needs POSIX signals and timers"
)
needs_processes = pytest.mark.skipif(os.name != "posix", reason="extension processes need POSIX")

NOTHING = "def handler(event, context): return 1"
LISTENS = """
    import signal, sys, time
    def on_sigterm(number, frame):
        print("heard")
        time.sleep(0.1)
        {}
    signal.signal(signal.SIGTERM, on_sigterm)
    def handler(event, context): time.sleep(event.get("sleep", 0)); return 1
"""
CALLS = """
    import contextlib, http.client, json, os
    def call(method, path, body=None, **headers):
        connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"], timeout=20)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        with contextlib.closing(connection):
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
    def register(name, **body):
        return call("POST", "/2020-01-01/extension/register", body, Lambda_Extension_Name=name)
"""
"""Function code, and the beginning of extensions: HTTP with the standard library alone."""

PROGRAM = (
    f"#!{sys.executable}"
    + textwrap.dedent(CALLS)
    + textwrap.dedent("""
        import pathlib, tempfile, time
        name = pathlib.Path(__file__).name
        _, headers, _ = register(name, events=["INVOKE", "SHUTDOWN"])
        identity = {"Lambda_Extension_Identifier": headers["Lambda-Extension-Identifier"]}
        def next_event():
            print(call("GET", "/2020-01-01/extension/event/next", **identity)[2], flush=True)
    """)
)
"""The beginning of a program: it registers."""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Callable[..., ExecutionEnvironment]]:
    """Make an environment from the source of ``app.py``, with settings as keywords."""
    made: list[ExecutionEnvironment] = []
    root = tmp_path / "task"
    root.mkdir()

    def make(source: str = NOTHING, **settings: object) -> ExecutionEnvironment:
        (root / "app.py").write_text(textwrap.dedent(source), encoding="utf-8")
        settings.setdefault("runtime", "python3.13")
        made.append(ExecutionEnvironment(FunctionConfig("app.handler", code_dir=root, **settings)))
        return made[-1]

    yield make
    for env in made:
        env.close()


@pytest.fixture
def clock() -> Iterator[LambdaClock]:
    with LambdaClock() as clock:
        yield clock


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Path]:
    """Write an extension that is a program; return its path."""

    def write(source: str, name: str = "agent", begin: str = PROGRAM, mode: int = 0o755) -> Path:
        path = tmp_path / "layer" / "extensions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(begin + textwrap.dedent(source))
        path.chmod(mode)
        return path

    return write


def kinds(env: ExecutionEnvironment, *wanted: type) -> list[str]:
    return [event.name for event in env.timeline if type(event) in wanted]


def logged(env: ExecutionEnvironment) -> str:
    return "".join(event.text for event in env.timeline.of(ExtensionLog))


# -- shutdown


@pytest.mark.parametrize(
    ("internal", "budget_ms", "share_ms"), [(True, 500, 500), (False, 2000, 600)]
)
def test_budgets_and_the_share_of_the_runtime(environment, clock, internal, budget_ms, share_ms):
    env = environment(LISTENS.format("time.sleep(10)"))
    env.extension("watcher", events=["INVOKE"], internal=internal)
    env.invoke()
    end = env.shutdown()
    assert (end.budget_ms, end.durations_ms["runtime"]) == (budget_ms, share_ms)
    assert "runtime" in end.killed
    assert "heard" in end.log


def test_extensions_get_the_event_after_the_end_of_the_runtime(environment, clock):
    env = environment(LISTENS.format("sys.exit(0)"))
    told = env.extension("watcher", delay_ms=50)
    env.invoke()
    end = env.shutdown()
    assert list(end.durations_ms.items()) == [("runtime", 100), ("watcher", 50)]
    assert (end.signals, end.killed, end.duration_ms) == (["SIGTERM"], (), 150)
    assert told.events[-1]["shutdownReason"] == "spindown"


@pytest.mark.parametrize(
    ("runtime", "killed"),
    [("python3.10", ("runtime",)), ("python3.11", ("runtime",)), ("python3.12", ())],
)
def test_an_idle_runtime_handles_the_signal_from_python_3_12_on(
    environment, clock, runtime, killed
):
    env = environment(LISTENS.format("sys.exit(0)"), runtime=runtime)
    env.extension("watcher")
    env.invoke()
    end = env.shutdown()
    assert end.killed == killed
    assert ("heard" in end.log) is not killed


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        ("sys.exit(3)", "exit status 3"),
        ("raise ValueError('no')", "ValueError: no"),
        ("return", "returned"),
    ],
)
def test_ends_of_a_handler_of_the_signal(environment, clock, end, outcome):
    env = environment(LISTENS.format(end))
    env.extension("watcher")
    env.invoke()
    shutdown = env.shutdown()
    assert env.timeline.of(Signal)[0].outcome == outcome
    # A handler that returns leaves the process running.
    assert shutdown.killed == (("runtime",) if end == "return" else ())


def test_finally_blocks_run_in_a_handler_that_is_cut(environment, clock):
    env = environment(
        LISTENS.format("""
        try: time.sleep(10)
        finally: print("on Lambda this is never printed")
    """)
    )
    env.extension("watcher")
    env.invoke()
    assert "never printed" in env.shutdown().log


@needs_signals
def test_signal_handlers_of_an_event_loop_do_not_run(environment, clock):
    env = environment("""
        import asyncio, signal
        loop = asyncio.new_event_loop()
        loop.add_signal_handler(signal.SIGTERM, print, "heard")
        def handler(event, context): loop.run_until_complete(asyncio.sleep(0))
        def close(): loop.remove_signal_handler(signal.SIGTERM); loop.close()
    """)
    env.extension("watcher")
    env.invoke()
    close = env.module.close
    assert "heard" not in env.shutdown().log
    close()


@pytest.mark.parametrize(
    ("source", "reason"),
    [("time.sleep(10)", "timeout"), ("os._exit(1)", "failure")],
)
def test_a_reset_is_a_shutdown_for_extensions(environment, clock, source, reason):
    env = environment(f"import os, time\ndef handler(event, context): {source}")
    told = env.extension("watcher")
    env.invoke(check=False)
    assert env.phases == ["init", "invoke", "shutdown"]
    assert env.phases[-1].reason == told.events[-1]["shutdownReason"] == reason


# -- in init


def test_order_of_registrations_in_init(environment, clock):
    env = environment()
    env.extension("outside")
    env.extension("inside", internal=True)
    env.initialize()
    order = kinds(env, ExtensionRegistered, RuntimeInit, FunctionInit)
    assert order == [
        "extension_registered",
        "runtime_init",
        "function_init",
        "extension_registered",
    ]


def test_an_extension_that_never_registers(environment, clock):
    env = environment()
    env.extension("watcher", registers=False)
    failed = env.invoke(check=False)
    assert env.init_count == 2
    assert env.inits[0].status == "timeout"
    assert env.inits[0].duration_ms == 10_000
    assert failed.status == "timeout"


def test_on_init_runs_beside_the_init_of_the_function(environment, clock):
    class Slow(Extension):
        def on_init(self) -> None:
            time.sleep(0.3)

    env = environment("import time; time.sleep(0.2)\n" + NOTHING, extensions=[Slow])
    assert env.initialize().duration_ms == 300


def test_the_limit_of_ten_extensions(environment, clock):
    env = environment(extensions=[Extension(f"e{number}") for number in range(11)])
    with pytest.raises(ExtensionError, match=r"Extension\.LaunchError.*TooManyExtensions"):
        env.initialize()


# -- in invokes


def test_the_event_of_an_extension_has_no_payload(environment, clock):
    env = environment()
    told = env.extension("watcher")
    env.invoke({"secret": 1}, request_id="8-4-4", trace_id="Root=1")
    [event] = told.events
    deadline = event.pop("deadlineMs")
    assert event == {
        "eventType": "INVOKE",
        "requestId": "8-4-4",
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:function",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1"},
    }
    assert deadline == int(clock.now.timestamp() * 1000) + 3000


def test_an_object_runs_before_the_handler_at_the_same_virtual_time(environment, clock):
    class Slow(Extension):
        def on_invoke(self, event: dict[str, object]) -> None:
            print("extension at", time.time())
            time.sleep(0.25)

    env = environment(
        """
        import time
        def handler(event, context): print("function at", time.time()); time.sleep(0.1)
    """,
        extensions=[Slow],
    )
    invocation = env.invoke()
    lines = [line for line in invocation.log.splitlines() if " at " in line]
    assert [line.partition(" at ")[0] for line in lines] == ["extension", "function"]
    moments = [line.partition(" at ")[2] for line in lines]
    assert moments[0] == moments[1]  # the clock was moved back
    assert (invocation.duration_ms, invocation.extension_overhead_ms) == (250, 150)


def test_a_late_extension_is_a_timeout_that_keeps_the_payload(environment, clock):
    env = environment()
    env.extension("watcher", delay_ms=5000)
    with pytest.raises(FunctionTimeout) as caught:
        env.invoke()
    assert caught.value.phase.payload == 1
    assert env.phases.names == ["init", "invoke", "shutdown"]


@pytest.mark.parametrize(
    ("method", "error_type"),
    [
        ("raise_", "Extension.Crash"),
        ("init_error", "Extension.InitError"),
        ("exit_error", "Extension.ExitError"),
    ],
)
@pytest.mark.parametrize("phase", ["on_init", "on_invoke"])
def test_error_types_of_faults(environment, clock, method, error_type, phase):
    class Faulty(Extension):
        def raise_(self, kind: str) -> None:
            raise RuntimeError(kind)

    setattr(Faulty, phase, lambda self, *event: getattr(self, method)("Extension.Own"))
    env = environment(extensions=[Faulty])
    with pytest.raises(ExtensionError) as caught:
        env.invoke()
    # After Init, the API refuses init/error, and the process ends all the same.
    late = phase == "on_invoke" and method == "init_error"
    error_type = "Extension.Crash" if late else error_type
    assert caught.value.error_type == error_type
    assert env.state == "reset"
    assert env.timeline.of(ExtensionFault)[0].error_type == error_type


def test_objects_are_kept_and_classes_are_instantiated_again(environment, clock):
    kept = Extension("kept")
    env = environment(extensions=[kept, Extension])
    env.invoke()
    first = env.extensions
    env.reset()
    env.invoke()
    assert env.extensions[0] is first[0] is kept
    assert env.extensions[1] is not first[1]


def test_faults_on_demand_show_in_the_next_invoke(environment, clock):
    env = environment()
    env.extension("watcher")
    for cause, error_type in (
        (env.crash, "Runtime.ExitError"),
        (lambda: env.crash("watcher"), "Extension.Crash"),
        (lambda: env.kill_extension("watcher"), "Extension.Crash"),
    ):
        assert env.invoke().status == "success"
        cause()
        assert env.invoke(check=False).error_type == error_type


# -- programs


@needs_processes
def test_a_program_of_a_layer(environment, program):
    path = program("""
        for _ in range(2): next_event()
        in_tmp = os.getcwd() == os.path.realpath(tempfile.gettempdir())
        print(in_tmp, os.environ["AWS_LAMBDA_FUNCTION_NAME"])
        hidden = {"_HANDLER", "LAMBDA_TASK_ROOT", "AWS_EXECUTION_ENV"}
        print(sorted(hidden & set(os.environ)), flush=True)
    """)
    env = environment(layers=[path.parent.parent], timeout=60)
    env.invoke()
    end = env.shutdown()
    assert [event.event["eventType"] for event in env.timeline.of(ExtensionNotified)] == [
        "INVOKE",
        "SHUTDOWN",
    ]
    assert '"eventType":"INVOKE"' in logged(env)
    assert "True function\n[]\n" in logged(env)
    assert end.killed == ()
    assert kinds(env, ExtensionRegistered, RuntimeInit) == ["extension_registered", "runtime_init"]
    assert "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in env.log


@needs_processes
def test_a_program_shares_tmp_with_the_function(environment, program):
    path = program(
        'pathlib.Path(tempfile.gettempdir(), "note").write_text("from the agent"); '
        "next_event(); next_event()"
    )
    env = environment(
        """
        import pathlib, tempfile
        def handler(event, context): return pathlib.Path(tempfile.gettempdir(), "note").read_text()
        """,
        extensions=[path],
        timeout=60,
    )
    env.initialize()
    assert env.invoke().payload == "from the agent"
    assert env.tmp.joinpath("note").exists()


@needs_processes
def test_a_program_that_does_not_end_is_killed_with_its_children(environment, program):
    path = program("""
        import signal, subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "60"])
        print(child.pid, flush=True)
        for _ in range(2): next_event()
        time.sleep(60)
    """)
    env = environment(extensions=[path], timeout=60)
    env.invoke()
    env.shutdown()
    end = env.phases[-1]
    assert end.killed == ("agent",)
    assert end.duration_ms >= 2000
    child = int(logged(env).split()[0])
    assert _gone(child)


@needs_processes
@pytest.mark.parametrize(
    ("source", "begin", "mode", "error"),
    [
        (
            "sys.exit(4)",
            f"#!{sys.executable}\nimport sys\n",
            0o755,
            r"Extension\.Crash: .*exit status 4",
        ),
        ("", "#!/bin/sh\n", 0o755, r"Extension\.Crash: .*exit code 0"),
        ("", "#!/bin/sh\n", 0o644, r"Extension\.LaunchError: .*PermissionDenied"),
        ("", "no shebang", 0o755, r"Extension\.LaunchError: .*exec format error"),
    ],
)
def test_programs_that_do_not_start(environment, program, source, begin, mode, error):
    env = environment(extensions=[program(source, begin=begin, mode=mode)], timeout=60)
    with pytest.raises(ExtensionError, match=error):
        env.initialize()


@needs_processes
def test_programs_stop_between_invokes(environment, program):
    path = program("""
        import threading
        ticks = [0]
        def tick():
            while True: time.sleep(0.001); ticks[0] += 1
        threading.Thread(target=tick, daemon=True).start()
        for _ in range(3): next_event(); print("ticks", ticks[0], flush=True)
    """)
    env = environment(extensions=[path], timeout=60)
    env.invoke()
    time.sleep(0.2)
    env.invoke()
    ticks = [int(line.split()[1]) for line in logged(env).splitlines() if line.startswith("ticks")]
    assert ticks[1] - ticks[0] < 100


@needs_processes
def test_programs_are_refused_under_lambda_clock(environment, program, clock):
    with pytest.raises(
        ConfigError, match=r"cannot run the extension 'agent' .* under lambda_clock"
    ):
        environment(extensions=[program("")])


# -- over HTTP


def test_an_internal_extension_registers_from_function_code(environment):
    env = environment(
        CALLS
        + """
    import threading
    status, headers, content = register("inside", events=["INVOKE"])
    identity = {"Lambda_Extension_Identifier": headers["Lambda-Extension-Identifier"]}
    events = []
    def loop():
        while True:
            answer = call("GET", "/2020-01-01/extension/event/next", **identity)
            events.append(json.loads(answer[2]))
    threading.Thread(target=loop, daemon=True).start()
    def handler(event, context): return [status, json.loads(content)]
    """
    )
    assert env.invoke().payload == [
        200,
        {"functionName": "function", "functionVersion": "$LATEST", "handler": "app.handler"},
    ]
    assert env.timeline.of(ExtensionRegistered)[0].internal
    env.invoke()
    assert [event["eventType"] for event in env.module.events] == ["INVOKE", "INVOKE"]
    assert env.shutdown().budget_ms == 500


def test_calls_of_function_code_that_are_refused(environment):
    env = environment(
        CALLS
        + """
    shutdown = register("inside", events=["SHUTDOWN"])
    def handler(event, context):
        second = call("GET", "/2018-06-01/runtime/invocation/next")
        late = register("late", events=[])
        identity = {"Lambda_Extension_Identifier": "none"}
        unknown = call("GET", "/2020-01-01/extension/event/next", **identity)
        answers = shutdown, second, late, unknown
        return [[status, json.loads(body)["errorType"]] for status, _, body in answers]
    """
    )
    assert env.invoke().payload == [
        [403, "Extension.InvalidEventType"],
        [403, "InvalidStateTransition"],
        [403, "Extension.RegistrationClosed"],
        [403, "Extension.InvalidExtensionIdentifier"],
    ]


def test_the_metadata_endpoint(environment):
    env = environment(
        CALLS
        + """
    def handler(event, context):
        token = "Bearer " + os.environ["AWS_LAMBDA_METADATA_TOKEN"]
        path = "/2026-01-15/metadata/execution-environment"
        refused = call("GET", path, Authorization="Bearer x")
        return [call("GET", path, Authorization=token)[2], refused[0]]
    """
    )
    body, refused = env.invoke().payload
    assert json.loads(body) == {"AvailabilityZoneID": "use1-az1"}
    assert refused in (401, 403)


def test_the_apis_listen_on_loopback_only(environment):
    env = environment(
        CALLS
        + """
    def handler(event, context): return os.environ["AWS_LAMBDA_RUNTIME_API"]
    """
    )
    assert env.invoke().payload.startswith("127.0.0.1:")


# -- telemetry

LISTENER = """
    import http.server, threading
    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            for record in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
                print("got", record["type"], flush=True)
            self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
        def log_message(self, *arguments): pass
    server = http.server.HTTPServer(("sandbox.localdomain", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    def subscribe(path="/2022-07-01/telemetry"):
        return call("PUT", path, {
            "schemaVersion": "2022-12-13" if "telemetry" in path else "2021-03-18",
            "types": ["platform", "function"],
            "buffering": {"timeoutMs": 25},
            "destination": {"protocol": "HTTP", "URI": f"http://sandbox:{server.server_port}"},
        }, **identity)
"""


@needs_processes
def test_a_subscriber_gets_all_records_since_the_start_of_init(environment, program):
    path = program(
        LISTENER
        + """
    print(subscribe()[2], subscribe("/2020-08-15/logs")[0], flush=True)
    next_event()
    print(subscribe()[0], flush=True)  # the same again
    next_event()
    """
    )
    env = environment(
        "def handler(event, context): print('working')", extensions=[path], timeout=60
    )
    env.invoke()
    env.shutdown()
    found = logged(env)
    assert '"OK" 400\n' in found
    got = [line.split()[1] for line in found.splitlines() if line.startswith("got ")]
    assert got[0] == "platform.initStart"
    assert {"platform.telemetrySubscription", "function", "platform.report"} <= set(got)
    expected = [one["type"] for one in env.telemetry if one["type"] in got]
    assert sorted(set(got)) == sorted(set(expected))
    assert "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function]" in env.log


@needs_processes
def test_a_destination_that_is_dropped(environment, program):
    env = environment(
        extensions=[program(LISTENER + "    subscribe()\n    while True: next_event()")], timeout=60
    )
    env.invoke()
    env.drop_telemetry("agent")
    env.invoke()
    env.shutdown()
    [dropped] = {event.extension for event in env.timeline.of(LogsDropped)}
    assert dropped == "agent"


def _gone(pid: int) -> bool:
    """Wait for the end of a process, which may be an orphan that is not reaped."""
    for _ in range(500):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except ProcessLookupError:
            return True
        except FileNotFoundError:  # no /proc, or the process has just ended
            pass
        time.sleep(0.01)
    return False
