"""The listener and its connections: odd requests, odd clients, and closing."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from pytest_lambda_lifecycle.api import request_reader
from pytest_lambda_lifecycle.api.connection import Connection
from pytest_lambda_lifecycle.api.replies import Gone, Reply
from pytest_lambda_lifecycle.api.server import ApiServer

PING = b"GET /2018-06-01/ping HTTP/1.1\r\nHost: x\r\n\r\n"
REGISTER = b"POST /2020-01-01/extension/register HTTP/1.1\r\nLambda-Extension-Name: agent\r\n"


@contextlib.contextmanager
def connected(apis):
    with socket.create_connection(("127.0.0.1", apis.port), timeout=20) as client:
        yield client


def received(client) -> bytes:
    """Return everything up to the end of the connection."""
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def raw(apis, sent: bytes) -> bytes:
    """Send bytes, say that no more follow, and return what comes back."""
    with connected(apis) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return received(client)


# -- paths and methods


@pytest.mark.parametrize("path", ["/", "/2018-06-01", "/2018-06-01/ping/", "/2018-06-01/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
def test_unknown_paths(apis, method, path):
    answer = apis(method, path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/2018-06-01/runtime/invocation/next", "GET"),
        ("GET", "/2018-06-01/runtime/invocation/r-1/response", "POST"),
        ("GET", "/2018-06-01/runtime/invocation/r-1/error", "POST"),
        ("GET", "/2018-06-01/runtime/init/error", "POST"),
        ("GET", "/2020-01-01/extension/register", "POST"),
        ("DELETE", "/2020-01-01/extension/event/next", "GET"),
        ("HEAD", "/2020-01-01/extension/event/next", "GET"),
        ("POST", "/2022-07-01/telemetry", "PUT"),
        ("POST", "/2020-08-15/logs", "PUT"),
    ],
)
def test_wrong_methods(apis, method, path, allowed):
    answer = apis(method, path)
    assert (answer.status, answer.body, answer.headers["Allow"]) == (405, b"", allowed)


@pytest.mark.parametrize(
    "target", ["/2018-06-01/ping?a=b", "http://127.0.0.1:9001/2018-06-01/ping"]
)
def test_targets_with_more_than_a_path(apis, target):
    assert apis("GET", target).body == b"pong"


# -- malformed requests


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /2018-06-01/ping HTTP/x\r\n\r\n", 400),
        (b"GET /2018-06-01/ping HTTP/2.0\r\n\r\n", 505),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET /2018-06-01/ping\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n: no name\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n", 400),
        (REGISTER + b"Content-Length: x\r\n\r\n", 400),
        (REGISTER + b"Content-Length: -1\r\n\r\n", 400),
        (REGISTER + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        (REGISTER + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
        (REGISTER + b"Transfer-Encoding: gzip\r\n\r\n{}", 501),
        (REGISTER + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (REGISTER + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", 400),
        (REGISTER + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", 400),
        (REGISTER + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}}}\r\n0\r\n\r\n", 400),
        (REGISTER + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 70_000, 400),
    ],
)
def test_malformed_requests(apis, capfd, sent, status):
    answer = raw(apis, sent)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in answer
    assert capfd.readouterr() == ("", "")
    assert apis.registry.agents[0].state == "Started"
    assert apis("GET", "/2018-06-01/ping").body == b"pong"


@pytest.mark.parametrize(
    "sent",
    [
        REGISTER + b"Content-Length: 20\r\n\r\n{}",
        REGISTER + b"Transfer-Encoding: chunked\r\n\r\n20\r\n{}",
    ],
)
def test_a_client_that_closes_its_half_within_a_body(apis, sent):
    answer = raw(apis, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"TruncatedHTTPRequest" in answer
    assert apis.registry.agents[0].state == "Started"


@pytest.mark.parametrize("sent", [b"", b"GET /2018", PING[:-2]])
def test_a_client_that_closes_its_half_before_a_request_is_complete(apis, sent):
    answer = raw(apis, sent)
    assert answer.startswith(b"HTTP/1.1 400 ") == (sent != b"")
    assert (b"TruncatedHTTPRequest" in answer) == (sent != b"")


def test_a_client_that_closes_its_half_after_the_request(apis):
    assert raw(apis, PING).endswith(b"pong")


def test_stray_line_ends_before_a_request(apis):
    assert raw(apis, b"\r\n\n" + PING).endswith(b"pong")


def test_several_requests_at_once(apis):
    assert raw(apis, PING * 3).count(b"pong") == 3


def test_http_1_0(apis):
    with connected(apis) as client:
        client.sendall(b"GET /2018-06-01/ping HTTP/1.0\r\n\r\n")
        assert received(client).endswith(b"pong")


@pytest.mark.parametrize(
    ("version", "wish", "answers"),
    [
        ("1.0", "", 1),
        ("1.0", "Connection: Keep-Alive\r\n", 2),
        ("1.0", "Connection: keep-alive, close\r\n", 1),
        ("1.1", "", 2),
        ("1.1", "Connection: Close\r\n", 1),
        ("1.1", "Connection: TE, close\r\n", 1),
    ],
)
def test_a_connection_is_kept_as_the_client_wishes(apis, version, wish, answers):
    first = f"GET /2018-06-01/ping HTTP/{version}\r\n{wish}\r\n".encode()
    answer = raw(apis, first + PING)
    assert answer.count(b"pong") == answers
    assert (b"Connection: close" in answer) == (answers == 1)


def test_a_client_that_waits_for_100_continue(apis):
    with connected(apis) as client:
        client.sendall(REGISTER + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        assert client.recv(15) == b"HTTP/1.1 200 OK"


def test_head_returns_no_body(apis):
    answer = raw(apis, b"HEAD / HTTP/1.1\r\n\r\n" + PING)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: 19" in head
    assert rest.startswith(b"HTTP/1.1 200 OK")


def test_a_long_body_that_is_not_read(apis, monkeypatch):
    monkeypatch.setattr(request_reader, "_READ", 1000)
    # The server does not read that much; the client gets its response all the same.
    sent = b" " * (request_reader._KEPT + 3_000_000)
    answer = raw(apis, REGISTER + b"Content-Length: 99999999999\r\n\r\n" + sent)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"Connection: close" in answer


def test_a_long_body_is_kept_up_to_the_limit_of_memory(server):
    server._handle = lambda call: Reply(200, b"%d" % len(call.body))
    server.bind()
    server.serve()
    client = http.client.HTTPConnection(server.address, timeout=20)
    for _ in range(2):
        client.request("POST", "/", bytes(request_reader._KEPT + 100_000))
        assert int(client.getresponse().read()) == request_reader._KEPT
    client.close()


def test_an_exception_of_the_library(apis, capfd):
    identifier = apis.register("agent")
    answer = apis("PUT", "/2022-07-01/telemetry", b"fail", Lambda_Extension_Identifier=identifier)
    assert (
        answer.body
        == b'{"errorMessage":"Internal Server Error","errorType":"InternalServerError"}\n'
    )
    assert answer.status == 500
    assert [str(problem) for problem in apis.server.problems] == ["a mistake of ours"]
    assert capfd.readouterr() == ("", "")


# -- slow clients


@pytest.mark.parametrize("sent", [b"GET /", PING[:-2], REGISTER + b"Content-Length: 20\r\n\r\n{}"])
def test_a_request_that_stays_incomplete(apis, monkeypatch, sent):
    monkeypatch.setattr(request_reader, "HEAD_SECONDS", 0.05)
    monkeypatch.setattr(request_reader, "PAUSE_SECONDS", 0.05)
    with connected(apis) as client:
        client.sendall(sent)
        assert received(client).startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_has_no_limit(apis, monkeypatch):
    monkeypatch.setattr(request_reader, "HEAD_SECONDS", 0.01)
    client = http.client.HTTPConnection("127.0.0.1", apis.port)
    for _ in range(2):
        client.request("GET", "/2018-06-01/ping")
        assert client.getresponse().read() == b"pong"
        time.sleep(0.03)
    client.close()


def test_a_client_that_resets_its_connection(apis, capfd):
    for sent in (b"GET /", PING, REGISTER + b"Content-Length: 20\r\n\r\n"):
        with connected(apis) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(sent)
    assert apis("GET", "/2018-06-01/ping").body == b"pong"
    assert not apis.server.problems
    assert capfd.readouterr() == ("", "")


# -- many of them


def test_a_thousand_clients_at_once(apis):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2500:
        pytest.skip(f"{hard} descriptors are too few for both ends of 1,000 connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2500), hard))
    try:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connected(apis)) for _ in range(1000)]
            for client in clients:
                client.sendall(PING)
            assert all(client.recv(1000).endswith(b"pong") for client in clients)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- the listener


@pytest.fixture
def server():
    server = ApiServer(lambda call: Reply(200, call.path.encode()))
    yield server
    server.close()


def ask(server, path="/x"):
    client = http.client.HTTPConnection(server.address, timeout=20)
    try:
        client.request("GET", path)
        return client.getresponse().read()
    finally:
        client.close()


def test_binding_starts_no_thread_and_loads_no_library(server):
    threads = threading.active_count()
    assert server.bind() == server.bind() == server.address
    assert server.address.startswith("127.0.0.1:")
    assert server._listener.getsockname()[0] == "127.0.0.1"
    assert threading.active_count() == threads


def test_a_client_that_connects_before_serve_is_served(server):
    server.bind()
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(b"GET /early HTTP/1.1\r\n\r\n")
        server.serve()
        assert client.recv(1000).endswith(b"/early")


def test_a_second_call_of_serve_does_nothing(server):
    server.bind()
    threads = threading.active_count()
    for _ in range(3):
        server.serve()
    assert threading.active_count() == threads + 1
    assert ask(server) == b"/x"


def test_closing_frees_the_port(server):
    server.bind()
    server.serve()
    host, port = server.address.split(":")
    threads = threading.active_count() - 1
    server.close()
    server.close()
    assert threading.active_count() == threads
    with socket.socket() as again:
        again.bind((host, int(port)))
    server.serve()  # nothing to serve
    assert threading.active_count() == threads


def test_closing_ends_every_kind_of_connection(apis):
    with contextlib.ExitStack() as stack:
        idle, begun, half = (stack.enter_context(connected(apis)) for _ in range(3))
        begun.sendall(b"GET /")
        half.sendall(REGISTER + b"Content-Length: 20\r\n\r\n{}")
        waiting = apis.next_later(apis.register("agent"))
        apis.registry.end()
        apis.server.close()
        for client in (idle, begun, half):
            with contextlib.suppress(ConnectionError):
                assert b"200" not in received(client)
    with pytest.raises(ConnectionError):
        waiting.result()
    assert not [
        thread for thread in threading.enumerate() if thread.name.startswith("lambda-lifecycle-api")
    ]


def test_closing_ends_a_client_that_does_not_read(server):
    big = b"x" * 50_000_000  # more than the buffers of both ends
    server._handle = lambda call: Reply(200, big)
    server.bind()
    server.serve()
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(4) == b"HTTP"
        server.close()
    assert not server._connections


def test_dropped_connections(apis):
    with connected(apis) as client:
        client.sendall(PING)
        assert client.recv(1000).endswith(b"pong")
        apis.server.drop_connections()
        assert received(client) == b""
    assert apis("GET", "/2018-06-01/ping").body == b"pong"


def test_a_call_that_raises_gone_gets_no_response(server):
    def gone(call):
        raise Gone

    server._handle = gone
    server.bind()
    server.serve()
    with pytest.raises(http.client.RemoteDisconnected):
        ask(server)
    assert not server.problems


class Refusing(socket.socket):
    """Replaces the class as pytest-socket does."""

    def __new__(cls, *args, **kwargs):
        raise RuntimeError("no sockets in this test")


class Unrelated:
    """Replaces the class as HTTPretty and gevent do."""

    def __init__(self, *args, **kwargs):
        raise RuntimeError("no sockets in this test")


@pytest.mark.parametrize("replacement", [Refusing, Unrelated])
def test_a_test_that_blocks_sockets(server, monkeypatch, replacement):
    real = socket.socket
    monkeypatch.setattr(socket, "socket", replacement)
    server.bind()
    server.serve()
    host, port = server.address.split(":")
    with real() as client:
        client.connect((host, int(port)))
        client.sendall(b"GET /works HTTP/1.1\r\n\r\n")
        assert client.recv(1000).endswith(b"/works")


def test_the_server_ignores_a_default_timeout_of_function_code(server):
    socket.setdefaulttimeout(0.001)
    try:
        server.bind()
        server.serve()
        time.sleep(0.02)
        assert ask(server) == b"/x"
    finally:
        socket.setdefaulttimeout(None)


def test_threads_of_the_server_do_not_count_as_threads_of_the_function(server, monkeypatch):
    started = []
    original = threading.Thread.start

    def start(thread):
        started.append(thread)
        original(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    server.bind()
    server.serve()
    assert ask(server) == b"/x"
    assert started == []
    assert all(
        thread.daemon
        for thread in threading.enumerate()
        if thread.name.startswith("lambda-lifecycle")
    )


def test_a_thread_that_cannot_start(server, monkeypatch):
    from pytest_lambda_lifecycle.api import server as module

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    server.bind()
    server.serve()
    with monkeypatch.context() as patch:
        patch.setattr(module, "start_unwatched", refuse)
        with pytest.raises(ConnectionError):
            ask(server)
    assert ask(server) == b"/x"


def test_a_response_is_sent_in_one_write(server, monkeypatch):
    """Two writes, or Nagle's algorithm, add 40 ms to each round trip."""
    sent, options = [], []

    class Spied(socket.socket):
        def sendall(self, data, *flags):
            sent.append(bytes(data))
            super().sendall(data, *flags)

        def setsockopt(self, *arguments):
            options.append(arguments)
            super().setsockopt(*arguments)

    server.bind()
    server._class = Spied
    server.serve()
    assert ask(server) == b"/x"
    assert len(sent) == 1
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, True) in options


def test_the_parser_is_loaded_on_the_first_connection():
    code = (
        "import sys\n"
        "from pytest_lambda_lifecycle.api.server import ApiServer\n"
        "server = ApiServer(print); server.bind(); server.close()\n"
        "unwanted = {'http', 'http.server', 'http.client', 'email', 'asyncio'} & set(sys.modules)\n"
        "assert not unwanted, unwanted\n"
    )
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    subprocess.run([sys.executable, "-W", "error", "-c", path + code], check=True)


def test_serving_a_request_loads_no_large_library():
    code = (
        "import socket, sys\n"
        "from pytest_lambda_lifecycle.api.replies import Reply\n"
        "from pytest_lambda_lifecycle.api.server import ApiServer\n"
        "server = ApiServer(lambda call: Reply(200, b'ok')); server.bind(); server.serve()\n"
        "with socket.create_connection(server._listener.getsockname()) as client:\n"
        "    client.sendall(b'GET / HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n')\n"
        "    assert client.recv(1000).endswith(b'ok')\n"
        "server.close()\n"
        "unwanted = {'http.server', 'http.client', 'email', 'asyncio'} & set(sys.modules)\n"
        "assert not unwanted, unwanted\n"
    )
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    subprocess.run([sys.executable, "-W", "error", "-c", path + code], check=True)


def test_an_exception_of_a_new_connection_reaches_the_caller():
    """Unlike in the standard library: the caller that makes a connection gets the exception."""
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(OSError):  # not a TCP connection
        Connection(ours, lambda call: Reply(200), print)
