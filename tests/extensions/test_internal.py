"""Internal extensions: threads of the function that register over HTTP."""

import importlib.util
import signal
import socket
import sys
import textwrap
import threading
import time
from datetime import datetime, timezone

import pytest
import responses  # its first import adds filters of warnings for good

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    Extension,
    ExtensionError,
    ExtensionRegistered,
    FunctionConfig,
    FunctionInit,
    FunctionTimeout,
    LambdaClock,
    LifecycleError,
    RuntimeDone,
)
from pytest_lambda_lifecycle.lifecycle import rules

from .threads import remaining

CLIENT = """\
import http.client, json, os, threading, time


class Client:
    def __init__(self, once=False):
        self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        self.identifier = ""
        self.once = once

    def call(self, method, path, body=None, **headers):
        if self.identifier:
            headers["Lambda-Extension-Identifier"] = self.identifier
        if self.once:
            headers["Connection"] = "close"
        encoded = None if body is None else json.dumps(body)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, encoded, headers)
        answer = self.connection.getresponse()
        return answer, answer.read()

    def register(self, name, *events):
        answer, body = self.call(
            "POST", "/2020-01-01/extension/register", {"events": events}, Lambda_Extension_Name=name
        )
        self.identifier = answer.headers["Lambda-Extension-Identifier"] or ""
        return answer.status, json.loads(body)

    def next(self):
        answer, body = self.call("GET", "/2020-01-01/extension/event/next")
        return json.loads(body)


def start(name, on_event=lambda event: None, events=("INVOKE",)):
    client = Client()
    status, body = client.register(name, *events)
    assert status == 200, body

    def serve():
        while True:
            on_event(client.next())

    threading.Thread(target=serve, name=name).start()
    return client


"""


@pytest.fixture
def make(tmp_path):
    """Make environments of functions that can import `CLIENT`; nothing may be left of them."""
    threads, made = set(threading.enumerate()), []

    def make(source, **settings):
        root = tmp_path / f"task{len(made)}"
        root.mkdir()
        (root / "client.py").write_text(CLIENT)
        (root / "app.py").write_text("from client import *\n" + textwrap.dedent(source))
        observer = settings.pop("observer", None)
        config = FunctionConfig("app.handler", code_dir=root, **settings)
        made.append(ExecutionEnvironment._of_plugin(config, observer=observer))
        return made[-1]

    yield make
    addresses = [address_of(env) for env in made]
    for env in made:
        env.close()
    assert remaining(threads) == set()
    assert not any(map(answers, addresses))


def address_of(env):
    return env._parts.extensions._endpoint.address


def answers(address):
    host, _, port = address.partition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def lines(env, kind):
    return [line for line in env.log.splitlines() if line.startswith(kind)]


# -- a package from PyPI

SIGTERM = """\
import signal, sys

import lambda_sigterm

lambda_sigterm.register()


def bye(number, frame):
    print("bye", int(number))
    sys.exit(0)


signal.signal(signal.SIGTERM, bye)


def handler(event, context):
    return event
"""
lambda_sigterm = pytest.mark.skipif(
    importlib.util.find_spec("lambda_sigterm") is None,
    reason="lambda-sigterm is not installed; it comes with the extra `test`",
)


@lambda_sigterm
@pytest.mark.parametrize(("runtime", "heard"), [("python3.12", True), ("python3.11", False)])
def test_lambda_sigterm_brings_the_signal_to_the_function(make, runtime, heard):
    env = make(SIGTERM, runtime=runtime)
    assert [env.invoke(number).payload for number in range(2)] == [0, 1]
    assert env.init_count == 1
    end = env.shutdown()
    assert end.budget_ms == 500
    assert end.signals == ["SIGTERM"]
    assert end.killed == (() if heard else ("runtime",))
    assert ("bye 15" in end.log) is heard
    assert lines(env, "EXTENSION") == ["EXTENSION\tName: lambda-sigterm\tState: Ready\tEvents: []"]


@lambda_sigterm
def test_lambda_sigterm_under_the_clock(make, lambda_clock):
    env = make(SIGTERM, runtime="python3.13")
    env.invoke()
    env.idle(hours=1)
    assert env.invoke().duration_ms == 0
    assert "bye 15" in env.shutdown().log


# -- taking part in invokes


def test_the_invoke_lasts_until_the_extension_asks_for_the_next_event(make):
    env = make("""
        seen, answered = [], threading.Event()

        def after_the_response(event):
            answered.wait()
            time.sleep(0.03)
            seen.append(event)

        start("worker", after_the_response)

        def handler(event, context):
            threading.Timer(0.001, answered.set).start()
            return len(seen)
    """)
    first, second = env.invoke(), env.invoke()
    assert (first.payload, second.payload) == (0, 1)
    assert first.extension_overhead_ms >= 25
    assert first.duration_ms >= first.extension_overhead_ms
    assert first.billed_duration_ms >= first.duration_ms + first.init_duration_ms
    seen = env.module.seen
    assert [event["requestId"] for event in seen] == [first.request_id, second.request_id]
    assert list(seen[0]) == [
        "eventType",
        "deadlineMs",
        "requestId",
        "invokedFunctionArn",
        "tracing",
    ]
    assert seen[0]["eventType"] == "INVOKE"
    assert seen[0]["tracing"]["type"] == "X-Amzn-Trace-Id"
    assert lines(env, "EXTENSION") == ["EXTENSION\tName: worker\tState: Ready\tEvents: [INVOKE]"]
    assert not any(extension.name == "worker" for extension in env.extensions)


def test_output_after_the_response_belongs_to_the_invoke(make):
    env = make("""
        start("worker", lambda event: (time.sleep(0.01), print("worked on", event["requestId"])))

        def handler(event, context):
            return "answer"
    """)
    invocation = env.invoke()
    assert f"worked on {invocation.request_id}\n" in invocation.log


def test_several_extensions_on_threads(make):
    env = make("""
        seen = {"a": [], "b": [], "c": []}
        for name in seen:
            start(name, seen[name].append)
        idler = start("d", events=())

        def handler(event, context):
            return {name: len(events) for name, events in seen.items()}
    """)
    env.invoke()
    assert env.invoke().payload == {"a": 1, "b": 1, "c": 1} or env.module.seen["a"]
    assert {name: len(events) for name, events in env.module.seen.items()} == {
        "a": 2,
        "b": 2,
        "c": 2,
    }
    env.reset()
    env.invoke()
    assert {name: len(events) for name, events in env.module.seen.items()} == {
        "a": 1,
        "b": 1,
        "c": 1,
    }


def test_sleep_of_the_thread_is_virtual_under_the_clock(make, lambda_clock):
    env = make("""
        start("worker", lambda event: time.sleep(2))

        def handler(event, context):
            return "answer"
    """)
    invocation = env.invoke()
    assert invocation.payload == "answer"
    assert invocation.duration_ms == 2000
    assert env.invoke().duration_ms == 2000


def test_a_late_extension_is_a_timeout_that_keeps_the_payload(make, lambda_clock):
    env = make("""
        worked = []
        start("worker", lambda event: (time.sleep(5), worked.append(event)))

        def handler(event, context):
            return "answer"
    """)
    with pytest.raises(FunctionTimeout, match="Task timed out after 3.00 seconds"):
        env.invoke()
    timed_out = env.invocations[-1]
    assert timed_out.payload == "answer"
    assert timed_out.status == "timeout"
    assert timed_out.duration_ms == 3000
    assert env.phases[-1].reason == "timeout"


def test_an_extension_that_never_asks_for_its_next_event(make):
    env = make("""
        done = threading.Event()
        start("blocked", lambda event: done.wait())

        def handler(event, context):
            return "answer"
    """)
    env.initialize()
    done = env.module.done
    try:
        with pytest.raises(FunctionTimeout):
            env.invoke(remaining_ms=60)
        assert env.invocations[-1].payload == "answer"
    finally:
        done.set()  # a lock cannot be interrupted


def test_the_timeout_of_a_thread_that_has_ended(make):
    env = make("""
        client = start("worker", lambda event: exit())

        def handler(event, context):
            return "answer"
    """)
    with pytest.raises(FunctionTimeout):
        env.invoke(remaining_ms=60)
    assert env.invocations[-1].payload == "answer"


def test_the_timeout_of_init_with_an_extension_that_is_never_ready(make, monkeypatch):
    monkeypatch.setattr(rules, "init_limit_us", lambda *_: 300_000)
    env = make("""
        client = Client()
        client.register("worker")

        def handler(event, context):
            return "answer"
    """)
    with pytest.raises(FunctionTimeout):
        env.invoke(remaining_ms=350)
    assert [init.status for init in env.inits] == ["timeout", "timeout"]
    assert lines(env, "EXTENSION")[0] == "EXTENSION\tName: worker\tState: Registered\tEvents: []"


def test_an_error_that_the_extension_reports(make):
    env = make("""
        def fail(event):
            path, error_type = "/2020-01-01/extension/exit/error", "Extension.X"
            client.call("POST", path, {}, Lambda_Extension_Function_Error_Type=error_type)

        client = start("worker", fail)

        def handler(event, context):
            return "answer"
    """)
    with pytest.raises((FunctionTimeout, ExtensionError)):
        env.invoke(remaining_ms=60)
    assert env.invocations[-1].payload == "answer"


# -- other ways to speak HTTP


def test_an_extension_that_uses_asyncio(make):
    env = make("""
        import asyncio
        seen = []

        async def ask(request):
            host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(request.encode())
                head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode()
                fields = dict(line.split(": ", 1) for line in head.split("\\r\\n")[1:] if line)
                return fields, json.loads(await reader.readexactly(int(fields["Content-Length"])))
            finally:
                writer.close()

        async def serve():
            fields, _ = await ask(
                "POST /2020-01-01/extension/register HTTP/1.1\\r\\n"
                "Lambda-Extension-Name: worker\\r\\n"
                'Content-Length: 21\\r\\n\\r\\n{"events":["INVOKE"]}'
            )
            registered.set()
            identifier = fields["Lambda-Extension-Identifier"]
            while True:
                _, event = await ask(
                    "GET /2020-01-01/extension/event/next HTTP/1.1\\r\\n"
                    f"Lambda-Extension-Identifier: {identifier}\\r\\n\\r\\n"
                )
                await asyncio.sleep(0.001)
                seen.append(event)

        registered = threading.Event()
        threading.Thread(target=lambda: asyncio.run(serve())).start()
        registered.wait(5)

        def handler(event, context):
            return len(seen)
    """)
    env.invoke()
    assert env.invoke().payload == 1
    assert len(env.module.seen) == 2


REQUESTS = """
    import requests
    API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension"
    seen = []
    session = requests.Session()
    named = {"Lambda-Extension-Name": "worker"}
    answer = session.post(API + "/register", json={"events": ["INVOKE"]}, headers=named)
    headers = {"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}

    def serve():
        while True:
            seen.append(session.get(API + "/event/next", headers=headers).json())

    threading.Thread(target=serve).start()

    def handler(event, context):
        return len(seen)
"""


def test_an_extension_that_uses_requests(make):
    env = make(REQUESTS)
    env.invoke()
    env.invoke()
    assert len(env.module.seen) == 2


def test_requests_while_moto_is_active(make):
    moto = pytest.importorskip(
        "moto", reason="moto is not installed; it comes with the extra `examples`"
    )
    with moto.mock_aws():
        env = make(REQUESTS)
        env.invoke()
        env.invoke()
        assert len(env.module.seen) == 2
        env.close()


def test_requests_while_responses_is_active(make):
    with responses.RequestsMock() as mock:
        mock.add_passthru("http://127.0.0.1")
        env = make(REQUESTS)
        env.invoke()
        env.invoke()
        assert len(env.module.seen) == 2
        env.close()


def test_a_test_that_disables_sockets(make, monkeypatch):
    """As pytest-socket does with --disable-socket, or with --allow-hosts=127.0.0.1."""
    real = socket.socket

    class Guarded(real):
        def __new__(cls, family=-1, *arguments, **keywords):
            if sys._getframe(1).f_globals["__name__"].startswith("pytest_lambda_lifecycle"):
                raise RuntimeError("a test disabled sockets")
            return super().__new__(cls, family, *arguments, **keywords)

    monkeypatch.setattr(socket, "socket", Guarded)
    env = make("""
        seen = []
        start("worker", seen.append)

        def handler(event, context):
            return len(seen)
    """)
    env.invoke()
    env.invoke()
    assert len(env.module.seen) == 2
    workers = [thread for thread in threading.enumerate() if thread.name == "worker"]
    env.close()
    for worker in workers:  # at a socket of that class, the thread ends by itself
        worker.join(5)
    assert socket.socket is Guarded


# -- refusals


def test_registrations_that_are_refused(make):
    env = make("""
        refused = {}

        def note(reason, answer):
            status, body = answer
            refused[reason] = status, body["errorType"]

        note("SHUTDOWN", Client(once=True).register("one", "INVOKE", "SHUTDOWN"))
        start("one")  # the name is still free
        note("taken", Client(once=True).register("one"))
        note("unknown event", Client(once=True).register("two", "invoke"))
        note("no name", Client(once=True).register(""))
        agents = [start(f"agent {number}", events=()) for number in range(9)]
        note("eleventh", Client(once=True).register("eleven"))

        def handler(event, context):
            note("late", Client(once=True).register("late", "INVOKE"))
            return refused
    """)
    assert env.invoke().payload == {
        "SHUTDOWN": [403, "Extension.InvalidEventType"],
        "taken": [403, "Extension.InvalidExtensionState"],
        "unknown event": [403, "Extension.InvalidEventType"],
        "no name": [403, "Extension.InvalidExtensionName"],
        "eleventh": [403, "Extension.TooManyExtensions"],
        "late": [403, "Extension.RegistrationClosed"],
    }


def test_function_code_cannot_act_as_the_runtime(make):
    env = make("""
        def ask(path, method="GET", body=None):
            answer, body = Client(once=True).call(method, "/2018-06-01/runtime" + path, body)
            return answer.status, json.loads(body)["errorType"]

        in_init = ask("/invocation/next")

        def handler(event, context):
            answers = [ask("/invocation/next")]
            identifier = context.aws_request_id
            for path in (f"{identifier}/response", "other/response", f"{identifier}/error"):
                answers.append(ask(f"/invocation/{path}", "POST", {}))
            answers.append(ask("/init/error", "POST", {}))
            return [in_init, *answers]
    """)
    state, identifier = [403, "InvalidStateTransition"], [400, "InvalidRequestID"]
    assert env.invoke().payload == [state, state, state, identifier, state, state]
    assert env.invoke().status == "success"
    assert lines(env, "EXTENSION") == []


def test_the_metadata_endpoint_takes_the_token_of_the_environment(make):
    env = make("""
        def handler(event, context):
            client, path = Client(once=True), "/2026-01-15/metadata/execution-environment"
            token = os.environ["AWS_LAMBDA_METADATA_TOKEN"]
            good, zone = client.call("GET", path, Authorization="Bearer " + token)
            bad, _ = client.call("GET", path, Authorization="Bearer other")
            assert os.environ["AWS_LAMBDA_METADATA_API"] == os.environ["AWS_LAMBDA_RUNTIME_API"]
            return good.status, json.loads(zone), bad.status
    """)
    assert env.invoke().payload == [200, {"AvailabilityZoneID": "use1-az1"}, 401]


# -- nothing is left

WORKER = """
    connections = []
    start("worker", lambda event: None)

    def handler(event, context):
        if event == "crash":
            raise SystemExit(1)
        return [thread.name for thread in threading.enumerate()].count("worker")
"""


def workers():
    return [thread for thread in threading.enumerate() if thread.name == "worker"]


@pytest.mark.parametrize("ending", ["reset", "crash", "recycle"])
def test_the_thread_ends_with_the_process(make, ending):
    env = make(WORKER)
    assert env.invoke().payload == 1
    before = workers()
    if ending == "crash":
        assert env.invoke("crash", check=False).error_type == "Runtime.ExitError"
    else:
        getattr(env, ending)()
    assert before
    assert not workers()
    again = env.invoke()
    assert again.cold_start
    assert again.payload == 1
    assert len(workers()) == 1
    env.shutdown()
    assert not workers()


def test_the_port_is_free_after_the_environment(make):
    env = make(WORKER)
    env.invoke()
    address = address_of(env)
    assert answers(address)
    env.shutdown()
    assert not answers(address)


def test_two_environments_have_their_own_extensions(make):
    one, two = make(WORKER), make(WORKER)
    assert one.invoke().payload == 1
    assert two.invoke().payload == 2
    one.shutdown()
    assert two.invoke().payload == 1
    assert one.config is not two.config


@pytest.mark.parametrize("scope", ["", "class_", "module_", "session_"])
def test_no_thread_stays_after_the_tests(pytester, tmp_path, scope):
    pytester.makepyfile(client=CLIENT, app="from client import *\n" + textwrap.dedent(WORKER))
    pytester.makepyfile(f"""
        import threading

        def test_passes({scope}lambda_lifecycle):
            assert {scope}lambda_lifecycle("app.handler").invoke().payload == 1

        def test_fails({scope}lambda_lifecycle):
            env = {scope}lambda_lifecycle("app.handler")
            env.invoke()
            assert False
    """)
    before = set(threading.enumerate())
    result = pytester.runpytest_inprocess("-p", "no:randomly")
    result.assert_outcomes(passed=1, failed=1)
    assert set(threading.enumerate()) <= before


def test_output_between_the_turns_is_in_the_log(make, capsys):
    modules = []

    def observer(event):
        if isinstance(event, RuntimeDone):  # no turn is running
            modules[0].go.set()
            assert modules[0].written.wait(10)

    env = make(
        """
        go, written = threading.Event(), threading.Event()

        def on_event(event):
            go.wait(10)
            print("in between")
            written.set()

        start("worker", on_event)
        def handler(event, context): pass
        """,
        observer=observer,
    )
    env.initialize()
    modules.append(env.module)
    env.invoke()
    assert "in between" in env.log.splitlines()
    assert "in between" in capsys.readouterr().out
    print("the test's own")
    assert "own" not in env.log
    assert "own" in capsys.readouterr().out


def test_a_thread_that_cannot_be_ended_does_not_block_the_session(pytester):
    pytester.makepyfile(client=CLIENT)
    pytester.makepyfile(
        app="""
        from client import *

        start("blocked", lambda event: threading.Event().wait())

        def handler(event, context):
            pass
    """
    )
    pytester.makepyfile("""
        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("app.handler")
            assert env.invoke(remaining_ms=50, check=False).status == "timeout"
    """)
    result = pytester.runpytest_subprocess("-W", "error", timeout=30)
    result.assert_outcomes(passed=1)
    assert "Traceback" not in result.stderr.str()


def test_the_thread_of_an_extension_is_not_a_leftover(make):
    env = make("""
        start("worker")
        stop = threading.Event()
        other = threading.Thread(target=stop.wait, args=(10,), name="other")

        def handler(event, context):
            if event:
                other.start()
            else:
                stop.set()
                other.join()
    """)
    assert [one.label for one in env.invoke({"start": 1}).leftovers] == ["other"]
    assert env.invoke().leftovers == []
    assert env.timeline.names.index("extension_registered") < env.timeline.names.index(
        "init_runtime_done"
    )


def test_a_worker_of_an_executor_ends_with_the_process(make):
    env = make("""
        import concurrent.futures
        client = Client()
        client.register("worker")
        executor = concurrent.futures.ThreadPoolExecutor(1)
        executor.submit(client.next)
        def handler(event, context): pass
    """)
    env.initialize()
    env.close()


def test_a_thread_beside_an_object_in_virtual_time(make):
    class Slow(Extension):
        def on_invoke(self, event):
            time.sleep(1)

    with LambdaClock(datetime(2030, 1, 31, tzinfo=timezone.utc)):
        env = make(
            """
            start("worker", lambda event: time.sleep(0.25))
            def handler(event, context): time.sleep(0.5)
            """,
            extensions=[Slow],
        )
        taken = {
            (one.duration_ms, one.extension_overhead_ms)
            for one in (env.invoke() for _ in range(30))
        }
        env.close()
    assert taken == {(1000, 500)}


def test_an_interrupt_while_the_thread_ends_is_not_lost(make):
    env = make("""
        busy = threading.Event()

        def on_event(event):
            threading.Thread(target=later, name="later").start()

        def later():
            busy.set()
            time.sleep(0.7)

        start("worker", on_event)
        def handler(event, context): pass
    """)
    env.invoke()
    assert env.module.busy.wait(10)
    interrupt = threading.Timer(
        0.2, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT]
    )
    before = threading.enumerate()
    interrupt.start()
    try:
        env.shutdown()
    except KeyboardInterrupt:
        assert env.state == "closed"
    else:  # the shutdown was over before the interrupt
        with pytest.raises(KeyboardInterrupt):
            interrupt.join(10)
            time.sleep(1)
    for thread in before:
        if thread.name in ("later", "worker"):
            thread.join(10)


def test_an_environment_works_after_an_observer_has_raised_in_init(make):
    trouble = [ExtensionRegistered, FunctionInit]

    def observer(event):
        if trouble and type(event) is trouble[0]:
            trouble.pop(0)
            raise LifecycleError("from the observer")

    env = make("start('worker')\ndef handler(event, context): return 1", observer=observer)
    for _ in range(2):
        with pytest.raises(LifecycleError, match="from the observer"):
            env.invoke()
    assert env.invoke().payload == 1
