"""The APIs on loopback: what an event and its response cost over HTTP, beside a server that only
echoes.
"""

from __future__ import annotations

import http.client
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_lambda_lifecycle import FunctionConfig
from pytest_lambda_lifecycle.api.registry import Registry
from pytest_lambda_lifecycle.api.remote_api import RemoteRuntimeApi
from pytest_lambda_lifecycle.api.replies import Reply
from pytest_lambda_lifecycle.api.routes import Routes
from pytest_lambda_lifecycle.api.server import ApiServer
from pytest_lambda_lifecycle.lifecycle.outcome import Request

from .conftest import Report, Timing

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENT = b'{"id": 1, "items": ["tea", "milk"]}'
ECHO = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(EVENT),
    EVENT,
)
NEXT = "/2018-06-01/runtime/invocation/next"


class Refusing:
    """Nobody subscribes here."""

    def subscribe(self, api: str, extension: str, body: bytes) -> Reply:
        raise NotImplementedError


@pytest.fixture(scope="module")
def timings(report: Report) -> Iterator[dict[str, Timing]]:
    """By side; the report needs both."""
    found: dict[str, Timing] = {}
    yield found
    if len(found) == 2:
        than, budget = "two requests to an echo", "median <= 0.3 ms"
        report.ratio(
            "next and response over HTTP",
            found["ours"],
            bare=found["echo"],
            than=than,
            budget=budget,
        )


def _echo(listener: socket.socket) -> None:
    with listener.accept()[0] as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv(65536):
            connection.sendall(ECHO)


@pytest.mark.benchmark(group="HTTP APIs")
def test_echo(benchmark, timings):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_echo, args=(listener,))
        thread.start()
        client = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1])

        def round_trip() -> None:
            client.request("GET", NEXT)
            client.getresponse().read()
            client.putrequest(
                "POST", NEXT
            )  # in one piece, as an echo of what it receives first has to
            client.putheader("Content-Length", "0")
            client.endheaders()
            assert client.getresponse().read() == EVENT

        benchmark(round_trip)
        client.close()
        thread.join()
    timings["echo"] = Timing.of(benchmark)


@pytest.mark.benchmark(group="HTTP APIs")
def test_next_and_response(benchmark, timings):
    config = FunctionConfig("app.handler")
    runtime = RemoteRuntimeApi(config, now_us=lambda: 0)
    registry = Registry(config, note=lambda event: None, now_us=lambda: 0)
    server = ApiServer(Routes(registry, runtime, Refusing(), token=""))
    server.bind()
    server.serve()
    runtime.begin()
    client = http.client.HTTPConnection(server.address)
    request = Request(
        EVENT, {"Lambda-Runtime-Aws-Request-Id": "r", "Content-Type": "application/json"}
    )

    def round_trip() -> None:
        runtime.publish(request)
        client.request("GET", NEXT)
        body = client.getresponse().read()
        client.request("POST", "/2018-06-01/runtime/invocation/r/response", body)
        assert client.getresponse().read() == b'{"status":"OK"}\n'

    benchmark(round_trip)
    assert runtime.answer is not None
    client.close()
    runtime.end()
    server.close()
    timings["ours"] = Timing.of(benchmark)
