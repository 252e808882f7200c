"""External extensions that are executables: from a layer or by path, in any language."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import freezegun
import pytest
from processes.open_files import left_open, open_files

from pytest_lambda_lifecycle import (
    ConfigError,
    ExecutionEnvironment,
    ExtensionError,
    FunctionConfig,
    FunctionError,
    FunctionTimeout,
)
from pytest_lambda_lifecycle.lifecycle import rules

from .threads import remaining

pytestmark = pytest.mark.skipif(os.name != "posix", reason="extension processes need POSIX")

AGENT = f"""\
#!{sys.executable} -S
import http.client, json, os, sys, time
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
name = os.path.basename(sys.argv[0])


def say(*words):
    print(*words, flush=True)


def call(method, path, body=None, **headers):
    headers = {{name.replace("_", "-"): value for name, value in headers.items()}}
    connection.request(method, "/2020-01-01/extension" + path, json.dumps(body), headers)
    answer = connection.getresponse()
    return answer, json.loads(answer.read())


def register(*events):
    answer, _ = call("POST", "/register", {{"events": events}}, Lambda_Extension_Name=name)
    assert answer.status == 200, answer.status
    return answer.headers["Lambda-Extension-Identifier"]


def next_event():
    return call("GET", "/event/next", Lambda_Extension_Identifier=identifier)[1]


def fail(kind, error_type):
    fields = dict(Lambda_Extension_Identifier=identifier)
    fields["Lambda_Extension_Function_Error_Type"] = error_type
    return call("POST", "/" + kind + "/error", {{}}, **fields)[0].status


"""
REGISTERED = 'identifier = register("INVOKE", "SHUTDOWN")\n'
LOOP = """
while True:
    event = next_event()
    say("got", event["eventType"])
    if event["eventType"] == "SHUTDOWN":
        sys.exit()
"""
HANDLER = "def handler(event, context):\n    return 'answer'\n"
_sleep, _clock = time.sleep, time.perf_counter


@pytest.fixture
def program(tmp_path):
    """Write an extension; a source without a shebang gets `AGENT` before it."""

    def program(*sources, name="agent", folder="bin"):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        source = "".join(map(textwrap.dedent, sources))
        path.write_text(source if source.startswith("#!") else AGENT + source)
        path.chmod(0o755)
        return path

    return program


@pytest.fixture
def make(tmp_path):
    """Make environments with extensions; no process, thread or file may be left of them."""
    made, before, files = [], set(threading.enumerate()), open_files()

    def make(*extensions, source=HANDLER, **settings):
        root = tmp_path / f"task{len(made)}"
        root.mkdir()
        (root / "app.py").write_text(textwrap.dedent(source))
        config = FunctionConfig(
            "app.handler", code_dir=root, extensions=list(extensions), **settings
        )
        made.append(ExecutionEnvironment(config))
        return made[-1]

    yield make
    addresses = [env._parts.extensions._endpoint.address for env in made]
    for env in made:
        env.close()
    assert remaining(before) == set()
    assert left_open(files) == {}
    assert not any(map(processes_of, addresses))


def processes_of(address):
    """Return the numbers of the extension processes with this address in their environment.

    Zombies do not count.  Processes of function code do not count either: `multiprocessing` keeps
    a helper, which another test may have started with the same address.
    """
    if not Path("/proc/self/environ").exists():
        return []
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                variables = (folder / "environ").read_bytes()
                if f"AWS_LAMBDA_RUNTIME_API={address}".encode() in variables.split(b"\0"):
                    found += [] if b"_HANDLER=" in variables else [int(folder.name)]
            except OSError:  # it has ended, or belongs to another user
                pass
    return found


def until(condition, seconds=20.0):
    end = _clock() + seconds
    while not condition():
        assert _clock() < end, "it did not happen"
        _sleep(0.005)


@pytest.fixture
def short_init(monkeypatch):
    monkeypatch.setattr(rules, "init_limit_us", lambda *_: 250_000)


@pytest.fixture
def short_end(monkeypatch):
    monkeypatch.setattr(rules, "shutdown_budget_ms", lambda **_: 200)


def extension_lines(env):
    return [line for line in env.log.splitlines() if line.startswith("EXTENSION\t")]


# -- languages


def test_a_python_script(make, program):
    env = make(
        program(
            REGISTERED,
            """
            names = '''
                COLOUR _HANDLER LAMBDA_TASK_ROOT AWS_EXECUTION_ENV AWS_LAMBDA_LOG_GROUP_NAME
                AWS_LAMBDA_LOG_STREAM_NAME AWS_XRAY_DAEMON_ADDRESS AWS_LAMBDA_FUNCTION_NAME
                AWS_REGION AWS_ACCESS_KEY_ID AWS_LAMBDA_INITIALIZATION_TYPE
            '''
            say("seen", sorted(set(os.environ) & set(names.split())))
            while True:
                event = next_event()
                say(json.dumps(event))
                if event["eventType"] == "SHUTDOWN":
                    sys.exit()
            """,
        ),
        environment={"COLOUR": "green"},
    )
    first, second = env.invoke(trace_id="Root=1;Parent=2;Sampled=0"), env.invoke()
    assert (first.payload, second.payload) == ("answer", "answer")
    assert extension_lines(env) == [
        "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"
    ]
    assert (
        "seen ['AWS_ACCESS_KEY_ID', 'AWS_LAMBDA_FUNCTION_NAME', "
        "'AWS_LAMBDA_INITIALIZATION_TYPE', 'AWS_REGION', 'COLOUR']\n"
    ) in env.log
    assert (
        f'"eventType": "INVOKE", "deadlineMs": {deadline_of(first)}, '
        f'"requestId": "{first.request_id}"'
    ) in env.log
    assert '"tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1;Parent=2;Sampled=0"}' in env.log
    end = env.shutdown()
    assert (end.budget_ms, end.killed, end.signals) == (2000, (), ["SIGTERM"])
    assert '"eventType": "SHUTDOWN"' in end.log
    assert '"shutdownReason": "spindown"' in end.log
    records = [record["record"] for record in env.telemetry if record["type"] == "extension"]
    # Without the warnings of its Python about open sockets.
    records = [one for one in records if one.startswith(("seen", "{"))]
    assert len(records) == 4
    assert env.init_count == 1


def deadline_of(invocation):
    return invocation._start.deadline_ms


SHELL = """#!/bin/sh
name=$(basename "$0")
base="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
events='{"events": ["INVOKE", "SHUTDOWN"]}'
identifier=$(curl -s -D - -o /dev/null -H "Lambda-Extension-Name: $name" -d "$events" \\
    "$base/register" | tr -d '\\r' | sed -n 's/^Lambda-Extension-Identifier: //p')
while :; do
    event=$(curl -s -H "Lambda-Extension-Identifier: $identifier" "$base/event/next")
    echo "got $event"
    case $event in *SHUTDOWN*) exit 0 ;; esac
done
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="the shell extension takes curl")
def test_a_shell_script(make, program):
    env = make(program(SHELL, name="agent.sh"))
    assert env.invoke().payload == "answer"
    end = env.shutdown()
    assert end.killed == ()
    assert "got {" in end.log
    assert extension_lines(env) == [
        "EXTENSION\tName: agent.sh\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"
    ]


COMPILED = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char answer[8192];

static void ask(const char *request) {
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons(atoi(strchr(api, ':') + 1));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    int connection = socket(AF_INET, SOCK_STREAM, 0), length = 0, got;
    if (connect(connection, (struct sockaddr *)&address, sizeof address)) exit(3);
    write(connection, request, strlen(request));
    while ((got = read(connection, answer + length, sizeof answer - 1 - length)) > 0) length += got;
    answer[length] = 0;
    close(connection);
}

int main(void) {
    char identifier[40] = "", request[512];
    const char *body = "{\"events\":[\"INVOKE\",\"SHUTDOWN\"]}";
    snprintf(request, sizeof request, "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: x\r\n"
             "Connection: close\r\nLambda-Extension-Name: compiled\r\n"
             "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    ask(request);
    const char *header = strstr(answer, "Lambda-Extension-Identifier: ");
    sscanf(header, "Lambda-Extension-Identifier: %36s", identifier);
    snprintf(request, sizeof request, "GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: x\r\n"
             "Connection: close\r\nLambda-Extension-Identifier: %s\r\n\r\n", identifier);
    do {
        ask(request);
        printf("compiled got %s\n", strstr(answer, "\r\n\r\n") + 4);
        fflush(stdout);
    } while (!strstr(answer, "SHUTDOWN"));
    return 0;
}
"""


@pytest.mark.skipif(
    shutil.which("cc") is None, reason="the compiled extension takes a C compiler, `cc`"
)
def test_a_compiled_program_in_a_layer(make, tmp_path):
    folder = tmp_path / "layer" / "extensions"
    folder.mkdir(parents=True)
    (tmp_path / "agent.c").write_text(COMPILED)
    subprocess.run(
        ["cc", "-o", str(folder / "compiled"), str(tmp_path / "agent.c")],
        check=True,
        capture_output=True,
    )
    env = make(layers=[tmp_path / "layer"])
    assert env.invoke().payload == "answer"
    assert env.shutdown().killed == ()
    assert env.log.count("compiled got {") == 2


# -- invokes


def test_the_invoke_lasts_until_the_extension_has_finished(make, program):
    env = make(program(REGISTERED + LOOP.replace('say("got"', 'time.sleep(0.04), say("got"')))
    invocation = env.invoke()
    assert invocation.payload == "answer"
    assert invocation.extension_overhead_ms >= 30
    assert invocation.duration_ms >= 38
    [report] = [record["record"] for record in env.telemetry if record["type"] == "platform.report"]
    [span] = report["spans"]
    assert span["name"] == "extensionOverhead"
    assert span["durationMs"] == invocation.extension_overhead_ms


def test_an_extension_that_takes_too_long(make, program, short_end):
    env = make(program(REGISTERED + "next_event()\ntime.sleep(60)\n"))
    env.initialize()
    with pytest.raises(FunctionTimeout):
        env.invoke(remaining_ms=50)
    assert env.invocations[-1].payload == "answer"
    assert env.phases[-1].reason == "timeout"
    assert env.phases[-1].killed == ("agent",)


def test_an_extension_is_frozen_between_invokes(make, program, tmp_path):
    beats = tmp_path / "beats"
    env = make(
        program(
            REGISTERED,
            f"""
            import threading

            def beat():
                while True:
                    with open({str(beats)!r}, "ab", 0) as file:
                        file.write(b".")
                    time.sleep(0.001)

            threading.Thread(target=beat, daemon=True).start()
            """,
            LOOP,
        )
    )
    env.invoke()
    _sleep(0.02)  # for a write that has begun
    before = beats.stat().st_size
    _sleep(0.03)
    assert beats.stat().st_size == before
    # One invoke may be over before the thread has run.
    until(lambda: env.invoke() and beats.stat().st_size > before)


# -- faults


def faults(env):
    return [
        (event.error_type, event.detail)
        for event in env.timeline
        if type(event).__name__ == "ExtensionFault"
    ]


def init_fault(env, error_type):
    with pytest.raises(FunctionError) as caught:
        env.initialize()
    assert caught.value.error_type == error_type
    return str(caught.value)


def test_a_file_that_is_not_executable(make, program):
    path = program(LOOP)
    path.chmod(0o644)
    text = init_fault(make(path), "Extension.LaunchError")
    assert "permission denied" in text
    assert "chmod +x" in text


def test_a_file_without_a_shebang(make, tmp_path):
    path = tmp_path / "agent"
    path.write_text("echo hello\n")
    path.chmod(0o755)
    assert "exec format error" in init_fault(make(path), "Extension.LaunchError")


def test_one_of_three_that_cannot_be_started(make, program):
    sources = {"a": REGISTERED + LOOP, "b": "#!/no/such/interpreter\n", "c": REGISTERED + LOOP}
    env = make(*[program(source, name=name) for name, source in sources.items()])
    assert "no such file" in init_fault(env, "Extension.LaunchError")
    states = {
        event.extension: event.state
        for event in env.timeline
        if type(event).__name__ == "ExtensionState"
    }
    assert states["b"] == "LaunchError"
    assert states["c"] == "Started"
    assert not [event for event in env.timeline if type(event).__name__ == "RuntimeInit"]


@pytest.mark.parametrize(("code", "text"), [(0, "exit code 0"), (1, "exit status 1")])
def test_an_extension_that_exits_before_it_registers(make, program, code, text):
    env = make(program(f"#!/bin/sh\necho leaving\nexit {code}\n"))
    assert text in init_fault(env, "Extension.Crash")
    assert "leaving\n" in env.log
    invocation = env.invoke(check=False)  # a suppressed init, which fails too
    assert invocation.error_type == "Extension.Crash"
    assert invocation.error["errorMessage"] == f"RequestId: {invocation.request_id} Error: {text}"


def test_an_extension_that_registers_under_another_name(make, program, short_init):
    env = make(program('name = "other"\nidentifier = register("INVOKE")\n' + LOOP))
    init_fault(env, "Sandbox.Timedout")
    assert "EXTENSION\tName: agent\tState: Started\tEvents: []" in extension_lines(env)


def test_an_extension_that_never_registers(make, program, short_init):
    env = make(program("#!/bin/sh\nexec sleep 60\n"))
    init_fault(env, "Sandbox.Timedout")
    assert not [event for event in env.timeline if type(event).__name__ == "RuntimeInit"]
    assert env.inits[0].status == "timeout"


def test_an_extension_that_never_asks_for_its_first_event(make, program, short_init, short_end):
    env = make(program(REGISTERED + "time.sleep(60)\n"))
    init_fault(env, "Sandbox.Timedout")
    assert extension_lines(env) == [
        "EXTENSION\tName: agent\tState: Registered\tEvents: [INVOKE, SHUTDOWN]"
    ]


def test_an_extension_that_reports_an_error_in_init(make, program):
    env = make(
        program(REGISTERED + 'assert fail("init", "Extension.ConfigInvalid") == 202\nsys.exit(3)\n')
    )
    assert "exit status 3" in init_fault(env, "Extension.InitError")
    assert extension_lines(env) == [
        "EXTENSION\tName: agent\tState: InitError\tEvents: [INVOKE, SHUTDOWN]"
        "\tError Type: Extension.ConfigInvalid"
    ]


def test_a_crash_before_the_response(make, program):
    env = make(
        program(REGISTERED + "next_event()\nsys.exit(5)\n"),
        source="import time\n"
        "def handler(event, context):\n    time.sleep(0.3)\n    return 'answer'\n",
    )
    with pytest.raises(ExtensionError) as caught:
        env.invoke()
    assert caught.value.error_type == "Extension.Crash"
    assert caught.value.error_message.endswith("Error: exit status 5")
    invocation = env.invocations[-1]
    assert invocation.payload["errorType"] == "Extension.Crash"
    assert env.phases[-1].reason == "failure"


def test_a_crash_after_the_response(make, program):
    env = make(program(REGISTERED + "next_event()\ntime.sleep(0.4)\nsys.exit(5)\n"))
    with pytest.raises(ExtensionError):
        env.invoke()
    assert env.invocations[-1].payload == "answer"
    assert env.invocations[-1].error_type == "Extension.Crash"
    assert ("Extension.Crash", "exit status 5") in faults(env)


def test_an_extension_that_reports_an_error_and_exits(make, program):
    env = make(
        program(
            REGISTERED
            + 'next_event()\nfail("exit", "Extension.Full")\ntime.sleep(0.05)\nsys.exit(1)\n'
        )
    )
    with pytest.raises(ExtensionError) as caught:
        env.invoke()
    assert caught.value.error_type == "Extension.ExitError"
    assert ("Extension.ExitError", "Extension.Full") in faults(env)


def test_an_extension_that_is_killed_while_frozen(make, program):
    env = make(program(REGISTERED + LOOP))
    env.invoke()
    env.kill_extension("agent")
    with pytest.raises(ExtensionError) as caught:
        env.invoke()
    assert caught.value.error_type == "Extension.Crash"
    assert caught.value.error_message.endswith("Error: signal: killed")
    again = env.invoke()
    assert again.cold_start
    assert again.payload == "answer"


# -- the end


def test_an_extension_that_ignores_sigterm_and_the_event(make, program, short_end):
    env = make(
        program(
            "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
            REGISTERED + "next_event()\ntime.sleep(60)\n",
        )
    )
    env.initialize()
    end = env.shutdown()
    assert end.killed[-1] == "agent"  # on a busy machine the runtime too: it has 60 ms here
    assert 190 <= end.duration_ms < 1500


def test_an_extension_without_shutdown_events_is_killed_at_once(make, program):
    env = make(program('identifier = register("INVOKE")\nnext_event()\n' + LOOP))
    env.invoke()
    end = env.shutdown()
    assert "agent" in end.killed
    assert end.duration_ms < 1500


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="takes /proc")
def test_an_extension_that_forks_and_detaches(make, program):
    env = make(
        program(
            """
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(60)
                os._exit(0)
            """,
            REGISTERED + LOOP,
        )
    )
    env.invoke()
    address = env._parts.extensions._endpoint.address
    assert len(processes_of(address)) >= 2
    env.shutdown()
    assert processes_of(address) == []


def test_a_flood_of_output(make, program):
    env = make(program(REGISTERED + 'for _ in range(30_000):\n    print("x" * 100)\n' + LOOP))
    assert env.invoke().payload == "answer"
    kept = env.log.count("x" * 100)
    assert 5_000 < kept < 20_000
    [dropped] = [
        record["record"] for record in env.telemetry if record["type"] == "platform.logsDropped"
    ][:1]
    assert dropped["droppedRecords"] > 1_000


# -- number


def test_the_limit_of_ten_extensions(make, program):
    programs = [program(REGISTERED + LOOP, name=f"agent{number:02}") for number in range(11)]
    env = make(*programs)
    assert "10" in init_fault(env, "Extension.LaunchError")
    states = [event for event in env.timeline if type(event).__name__ == "ExtensionState"]
    assert [event.extension for event in states if event.state == "LaunchError"] == ["agent10"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the shell extension takes curl")
def test_extensions_start_in_the_order_of_their_names(make, program):
    """Shell scripts, since ten of them start faster."""
    env = make(*[program(SHELL, name=f"agent{number}") for number in reversed(range(10))])
    assert env.invoke().payload == "answer"
    assert len(extension_lines(env)) == 10
    assert env._parts.extensions.names == tuple(f"agent{number}" for number in range(10))
    assert env.shutdown().killed == ()


def test_two_extensions_of_the_same_name(program, tmp_path):
    paths = [program(LOOP, folder=folder) for folder in ("one", "two")]
    with pytest.raises(ConfigError, match="agent"):
        ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path, extensions=paths))


def test_programs_are_refused_under_lambda_clock(program, tmp_path, lambda_clock):
    with pytest.raises(ConfigError, match="lambda_clock"):
        ExecutionEnvironment(
            FunctionConfig("app.handler", code_dir=tmp_path, extensions=[program(LOOP)])
        )


# -- nothing outlives the session

SESSION = """
import os, pathlib, signal, threading, time

def test_one(lambda_lifecycle):
    env = lambda_lifecycle("app.handler", extensions=[{agent!r}])
    env.invoke()
    pathlib.Path("address").write_text(env._parts.extensions._endpoint.address)
    {then}
"""


@pytest.fixture
def session(pytester, program):
    """Run pytest in a new process on one test with an extension.

    Return the address of the environment's API, the exit code and the output.
    """

    def session(then, *arguments):
        agent = str(program(REGISTERED + LOOP))
        pytester.makepyfile(app=HANDLER, test_it=SESSION.format(agent=agent, then=then))
        result = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=pytester.path,
            start_new_session=True,
        )
        out = result.communicate(timeout=60)[0].decode()
        address = (pytester.path / "address").read_text()
        return address, result.returncode, out

    return session


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="takes /proc")
@pytest.mark.parametrize(
    ("then", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.killpg(0, signal.SIGINT); time.sleep(5)", 2),
        ("os._exit(7)", 7),
        ("assert False", 1),
        ("pass", 0),
    ],
    ids=["SIGKILL", "Ctrl-C", "_exit", "failure", "success"],
)
def test_no_process_outlives_pytest(session, then, code):
    address, ended, out = session(then)
    assert ended == code, out
    until(lambda: processes_of(address) == [])


def test_programs_on_workers_of_xdist(pytester, program):
    pytest.importorskip(
        "xdist", reason="pytest-xdist is not installed; it comes with the extra `test`"
    )
    agent = program(REGISTERED + LOOP)
    pytester.makepyfile(app=HANDLER)
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_one(session_lambda_lifecycle, number):
            env = session_lambda_lifecycle("app.handler", extensions=[{str(agent)!r}])
            assert env.invoke().payload == "answer"
    """)
    result = pytester.runpytest_subprocess("-p", "xdist", "-n2", "-p", "no:randomly")
    result.assert_outcomes(passed=4)


def test_a_crash_while_the_handler_runs_ends_the_invoke(make, program):
    agent = program(REGISTERED, 'next_event()\ntime.sleep(0.1)\nsay("going down")\nsys.exit(5)\n')
    env = make(
        agent, source="import time\ndef handler(event, context):\n    time.sleep(20)", timeout=30
    )
    invocation = env.invoke(check=False)
    assert (invocation.error_type, invocation.status) == ("Extension.Crash", "error")
    assert 100 < invocation.duration_ms < 5000
    assert isinstance(invocation.error, dict)
    assert env.state == "reset"


def test_a_crash_while_the_function_is_imported_ends_init(make, program, monkeypatch):
    # Python opens a file of bytecode in two steps; interrupted between them, it stays open.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    agent = program(REGISTERED, "sys.exit(6)\n")
    env = make(
        agent, source="import time\ntime.sleep(20)\ndef handler(event, context): pass", timeout=30
    )
    with pytest.raises(ExtensionError, match=r"exit status 6 \(extension 'agent'\)"):
        env.initialize()


def test_durations_and_order_of_the_ends(make, program):
    slow = program(
        REGISTERED, LOOP.replace("sys.exit()", "time.sleep(0.3); sys.exit()"), name="a-slow"
    )
    quick = program(REGISTERED, LOOP, name="b-quick")
    env = make(slow, quick, timeout=30)
    env.invoke()
    end = env.shutdown()
    assert list(end.durations_ms) == ["runtime", "b-quick", "a-slow"]
    assert end.durations_ms["a-slow"] >= 300 > end.durations_ms["b-quick"]
    assert [event.at for event in end.events] == sorted(event.at for event in end.events)


@pytest.mark.parametrize("way", ["idle", "freeze_time"])
def test_the_deadline_is_in_the_time_of_the_machine(make, program, way):
    left = 'say("left", int(event["deadlineMs"] - time.time() * 1000))'
    agent = program(REGISTERED, LOOP.replace('say("got", event["eventType"])', left))
    env = make(agent, timeout=30)
    with freezegun.freeze_time("2020-01-01") if way == "freeze_time" else contextlib.nullcontext():
        env.invoke()
        env.idle(hours=3)
        env.invoke()
        env.shutdown()
    *invokes, shutdown = [
        int(line.split()[1]) for line in env.log.splitlines() if line.startswith("left")
    ]
    assert len(invokes) == 2
    assert all(0 < one <= 30_000 for one in invokes)
    assert 0 < shutdown <= 2000


def test_output_of_extension_and_function_is_in_order_of_time(make, program):
    agent = program(REGISTERED, LOOP)
    handler = """
        import time
        def handler(event, context):
            time.sleep(0.3)
            print("later")
    """
    env = make(agent, source=handler, timeout=30)
    invocation = env.invoke()
    assert [line for line in invocation.log.splitlines() if line in ("got INVOKE", "later")] == [
        "got INVOKE",
        "later",
    ]
    times = [record["time"] for record in env.telemetry]
    assert times == sorted(times)
