"""Telemetry and logs from the environment to its subscribers: programs, and threads."""

import json
import os
import socket
import sys
import textwrap
import threading

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
from pytest_lambda_lifecycle.lifecycle.extension_events import LogsDropped

from .threads import remaining

LISTENER = """\
import http.client, http.server, json, os, queue, socketserver, sys, threading, time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        batch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.take(self.command, self.path, self.headers, batch)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST

    def log_message(self, *arguments):
        pass


class Listener(http.server.ThreadingHTTPServer):
    status = 200

    def handle_error(self, request, address):
        pass


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.server.take("TCP", "", {}, [json.loads(line)])


def listen(take, kind="HTTP", port=0):
    if kind == "HTTP":
        server = Listener(("sandbox.localdomain", port), Handler)
    else:
        server = socketserver.ThreadingTCPServer(("sandbox", port), Lines)
    server.daemon_threads = True
    server.take = take
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server, server.server_address[1]


class Client:
    def __init__(self, name, *events):
        self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        self.headers = {"Lambda-Extension-Name": name}
        answer, _ = self.call("POST", "/2020-01-01/extension/register", {"events": events})
        identifier = answer.headers["Lambda-Extension-Identifier"]
        self.headers = {"Lambda-Extension-Identifier": identifier}

    def call(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        return answer, json.loads(answer.read())

    def next(self):
        return self.call("GET", "/2020-01-01/extension/event/next")[1]

    def subscribe(self, destination, types=("platform", "function"), logs=False, **more):
        path, body = "/2022-07-01/telemetry", {"schemaVersion": "2022-12-13"}
        if logs:
            path, body = "/2020-08-15/logs", {}
        body |= {"types": types, "destination": destination, "buffering": {"timeoutMs": 25}, **more}
        answer, reply = self.call("PUT", path, body)
        return answer.status, reply


"""
PROGRAM = """
name = os.path.basename(sys.argv[0])
file = open({received!r}, "a", buffering=1)


def take(method, path, headers, batch):
    file.write(json.dumps([method, path, batch]) + "\\n")


client = Client(name, "INVOKE", "SHUTDOWN")
server, port = listen(take, {kind!r})
destination = {destination}
status = client.subscribe(destination, **{options!r})
print("subscribed", *status, flush=True)
while client.next()["eventType"] == "INVOKE":
    pass
# TCP has no acknowledgement.
while {kind!r} == "TCP" and open({received!r}).read().count("platform.report") < 2:
    time.sleep(0.002)
"""
HANDLER = """
print("in init")

def handler(event, context):
    print("working on", event)
    return event
"""


@pytest.fixture
def make(tmp_path):
    before, made = set(threading.enumerate()), []

    def make(source=HANDLER, **settings):
        root = tmp_path / f"task{len(made)}"
        root.mkdir()
        (root / "listener.py").write_text(LISTENER)
        (root / "app.py").write_text(textwrap.dedent(source))
        made.append(ExecutionEnvironment(FunctionConfig("app.handler", code_dir=root, **settings)))
        return made[-1]

    yield make
    for env in made:
        env.close()
    assert remaining(before) == set()


@pytest.fixture
def subscriber(tmp_path):
    """Write a program that subscribes; return its path, and a function that reads its batches."""

    def subscriber(kind="HTTP", destination=None, name="probe", **options):
        received = tmp_path / f"{name}.received"
        received.touch()
        if destination is None:
            destination = (
                '{"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}/path?query"}'
            )
            destination = destination if kind == "HTTP" else '{"protocol": "TCP", "port": port}'
        path = tmp_path / name
        source = PROGRAM.format(
            received=str(received), kind=kind, destination=destination, options=options
        )
        path.write_text(f"#!{sys.executable}\n" + LISTENER + source)
        path.chmod(0o755)

        def read():
            return [json.loads(line) for line in received.read_text().splitlines()]

        return path, read

    return subscriber


def records(batches):
    return [record for _, _, batch in batches for record in batch]


LIFE = [
    "platform.initStart",
    "platform.telemetrySubscription",
    "function",
    "platform.initRuntimeDone",
    "platform.extension",
    "platform.initReport",
    "platform.start",
    "function",
    "platform.runtimeDone",
    "platform.report",
    "platform.start",
    "function",
    "platform.runtimeDone",
    "platform.report",
]

posix = pytest.mark.skipif(os.name != "posix", reason="extension processes need POSIX")


@posix
@pytest.mark.parametrize("kind", ["HTTP", "TCP"])
def test_a_program_gets_all_records_in_order(make, subscriber, kind):
    path, read = subscriber(kind)
    env = make(extensions=[path])
    first = env.invoke("one")
    env.invoke("two")
    assert env.shutdown().killed == ()
    batches = read()
    assert {(method, path) for method, path, _ in batches} == {
        ("POST", "/path?query") if kind == "HTTP" else ("TCP", "")
    }
    got = records(batches)
    types = [record["type"] for record in got]
    assert sorted(types) == sorted(LIFE)
    assert types[-8:] == LIFE[-8:]
    by_type = {record["type"]: record["record"] for record in reversed(got)}
    assert by_type["platform.start"]["requestId"] == first.request_id
    assert by_type["platform.runtimeDone"]["status"] == "success"
    assert by_type["platform.report"]["metrics"]["initDurationMs"] == first.init_duration_ms
    assert by_type["platform.extension"] == {
        "name": "probe",
        "state": "Ready",
        "events": ["INVOKE", "SHUTDOWN"],
    }
    lines = [record["record"] for record in got if record["type"] == "function"]
    assert lines == ["in init\n", "working on one\n", "working on two\n"]
    assert "TELEMETRY\tName: probe\tState: Subscribed\tTypes: [Platform, Function]" in env.log
    assert "subscribed 200 OK" in env.log
    delivered = [record for record in env.telemetry if record["type"] != "extension"]
    assert sorted(map(json.dumps, got)) == sorted(map(json.dumps, delivered[: len(got)]))


@posix
def test_the_logs_api(make, subscriber):
    path, read = subscriber(logs=True)
    env = make(extensions=[path])
    invocation = env.invoke("one")
    env.shutdown()
    got = records(read())
    types = [record["type"] for record in got]
    assert "platform.logsSubscription" in types
    assert types[-4:] == ["platform.start", "function", "platform.end", "platform.report"]
    assert got[-2]["record"] == {"requestId": invocation.request_id}
    assert "LOGS\tName: probe\tState: Subscribed\tTypes: [Platform, Function]" in env.log


@posix
def test_late_records_come_with_the_next_invoke_or_at_the_end(make, subscriber):
    path, read = subscriber(types=["platform"], buffering={"timeoutMs": 30_000})
    env = make(extensions=[path])
    env.invoke("one")
    env.invoke("two")
    assert read() == []  # the environment is frozen, and the buffer is not due
    env.shutdown()
    assert [record["type"] for record in records(read())].count("platform.report") == 2


@posix
def test_output_of_the_extension_is_a_record(make, subscriber):
    path, read = subscriber(types=["extension"])
    env = make(extensions=[path])
    env.invoke()
    env.shutdown()
    assert [(record["type"], record["record"]) for record in records(read())] == [
        ("extension", "subscribed 200 OK\n")
    ]


@posix
@pytest.mark.parametrize(
    ("destination", "problem"),
    [
        ('{"protocol": "HTTP", "URI": "http://example.com:80"}', "sandbox.localdomain"),
        ('{"protocol": "HTTP", "URI": "http://sandbox.localdomain:9001"}', "9001"),
        ('{"protocol": "HTTP", "URI": "http://sandbox.localdomain"}', "port"),
        ("None", "destination"),
    ],
)
def test_a_bad_destination_is_refused(make, subscriber, destination, problem):
    path, read = subscriber(destination=destination)
    env = make(extensions=[path])
    env.invoke()
    env.shutdown()
    [line] = [line for line in env.log.splitlines() if line.startswith("subscribed")]
    assert "400" in line
    assert problem in line
    assert "TELEMETRY" not in env.log
    assert read() == []


@posix
def test_a_listener_that_is_gone_loses_records(make, subscriber):
    path, read = subscriber()
    env = make(extensions=[path])
    env.invoke("one")
    env.drop_telemetry("probe")
    assert env.invoke("two").payload == "two"
    assert env.shutdown().killed == ()
    lost = list(env.timeline.of(LogsDropped))
    assert lost
    assert lost[0].extension == "probe"
    assert "two" not in str(read())


INTERNAL = """
from listener import *
client, received = Client("worker", "INVOKE"), []
server, port = listen(lambda method, path, headers, batch: received.extend(batch), {kind!r}, {port})
destination = {destination}
subscribed = client.subscribe(destination)


def serve():
    while True:
        client.next()


threading.Thread(target=serve, daemon=True).start()
print("in init")


def handler(event, context):
    print("working on", event)
    for _ in range(500 if event == "two" else 0):
        if any("one" in str(record["record"]) for record in received):
            break
        time.sleep(0.005)
    return subscribed
"""
DESTINATIONS = {
    "HTTP": '{"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}"}',
    "TCP": '{"protocol": "TCP", "port": port}',
}


@pytest.mark.parametrize("kind", ["HTTP", "TCP"])
def test_a_listener_in_the_function(make, kind):
    env = make(INTERNAL.format(kind=kind, destination=DESTINATIONS[kind], port=0))
    env.initialize()
    received = env.module.received
    assert env.invoke("one").payload == [200, "OK"]
    env.invoke("two")
    env.shutdown()
    types = [record["type"] for record in received]
    assert types[0] == "platform.initStart"
    assert types.count("platform.report") >= 1
    lines = [record["record"] for record in received if record["type"] == "function"]
    assert lines[:2] == ["in init\n", "working on one\n"]
    # Without acknowledgements, over TCP, the process may end before it has read the last batch.
    if kind == "HTTP":
        assert lines[2] == "working on two\n"
        assert types[-1] == "platform.report"


def test_subscribing_after_init_is_refused(make):
    env = make("""
        from listener import *
        client = Client("worker")
        threading.Thread(target=client.next, daemon=True).start()

        def handler(event, context):
            late = Client.__new__(Client)
            late.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
            late.headers = client.headers | {"Connection": "close"}
            return late.subscribe({"protocol": "TCP", "port": 4243})
    """)
    status, body = env.invoke().payload
    assert (status, body["errorType"]) == (403, "Telemetry.SubscriptionClosed")


def test_extensions_subscribe_again_after_a_reset(make):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # All processes of the environment listen at the same port.
    env = make(INTERNAL.format(kind="HTTP", destination=DESTINATIONS["HTTP"], port=port))
    for _ in range(2):
        assert env.invoke().payload == [200, "OK"]
        assert env.module.port == port
        env.reset()
    assert env.log.count("TELEMETRY\tName: worker") == 2


QUIET = INTERNAL.replace(
    "client.subscribe(destination)",
    'client.subscribe(destination, buffering={{"timeoutMs": 30000}})',
)


def test_a_listener_in_the_function_gets_what_waits_on_request(make, either_time):
    env = make(QUIET.format(kind="HTTP", destination=DESTINATIONS["HTTP"], port=0))
    env.invoke("one")
    received = env.module.received
    assert received == []
    env.flush_telemetry()
    assert [record["type"] for record in received][-1] == "platform.report"
    env.invoke("three")
    env.flush_telemetry()
    assert [record["type"] for record in received].count("platform.report") == 2
    assert env.state == "ready"
