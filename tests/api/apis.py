"""The APIs of an environment without the environment: registry, routes and server."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from pytest_lambda_lifecycle import FunctionConfig
from pytest_lambda_lifecycle.api.registry import Registry
from pytest_lambda_lifecycle.api.remote_api import RemoteRuntimeApi
from pytest_lambda_lifecycle.api.replies import ApiError, Reply
from pytest_lambda_lifecycle.api.routes import Routes
from pytest_lambda_lifecycle.api.runtime_api import LocalRuntimeApi
from pytest_lambda_lifecycle.api.server import ApiServer
from pytest_lambda_lifecycle.isolation.real import RealTime


@dataclass
class Answer:
    """The response that a client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str, str]:
        return self.status, self.json["errorType"], self.json["errorMessage"]


@dataclass
class View:
    """The state of a runtime in this process, as the test sets it."""

    now: str = "Running"
    current: str = "r-1"

    def state(self) -> str:
        return self.now

    def request_id(self) -> str:
        return self.current


@dataclass
class Hub:
    """A hub that records subscriptions."""

    asked: list[tuple[str, str, bytes]] = field(default_factory=list)

    def subscribe(self, api: str, extension: str, body: bytes) -> Reply:
        self.asked.append((api, extension, body))
        if body == b"refuse":
            raise ApiError(400, "ValidationError", "no")
        if body == b"fail":
            raise RuntimeError("a mistake of ours")
        return Reply(200, b'"OK"')


class Apis:
    """The APIs on a port, and a client for them."""

    def __init__(self, config: FunctionConfig, runtime: Any, registry: Registry) -> None:
        self.config, self.runtime, self.registry = config, runtime, registry
        self.hub = Hub()
        self.server = ApiServer(Routes(registry, runtime, self.hub, token="secret"))
        self.server.bind()
        self.server.serve()
        self.pool = ThreadPoolExecutor(8)

    @property
    def port(self) -> int:
        return int(self.server.address.rpartition(":")[2])

    def __call__(
        self, method: str, path: str, body: bytes | None = None, /, **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def later(
        self, method: str, path: str, body: bytes | None = None, /, **headers: str
    ) -> Future[Answer]:
        return self.pool.submit(self, method, path, body, **headers)

    # -- the calls that most tests begin with

    def register(self, name: str, *events: str) -> str:
        body = json.dumps({"events": events}).encode()
        answer = self("POST", "/2020-01-01/extension/register", body, Lambda_Extension_Name=name)
        assert answer.status == 200, answer
        return answer.headers["Lambda-Extension-Identifier"]

    def extension(self, call: str, identifier: str = "", /, **headers: str) -> Answer:
        if identifier:
            headers["Lambda_Extension_Identifier"] = identifier
        return self(
            "GET" if call == "event/next" else "POST", f"/2020-01-01/extension/{call}", **headers
        )

    def next_later(self, identifier: str) -> Future[Answer]:
        """Call event/next on another thread, and return once the call has arrived."""
        agent = next(agent for agent in self.registry.agents if agent.identifier == identifier)
        future = self.later(
            "GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=identifier
        )
        assert self.registry.wait(lambda: agent.arrived, self.soon())
        return future

    @staticmethod
    def soon() -> float:
        return RealTime.perf_counter() + 20

    def close(self) -> None:
        self.registry.end()
        if isinstance(self.runtime, RemoteRuntimeApi):
            self.runtime.end()
        self.server.close()
        self.pool.shutdown()
        left = [
            thread.name
            for thread in threading.enumerate()
            if thread.name.startswith("lambda-lifecycle-api")
        ]
        assert not left
        assert not self.server._connections


def make(
    config: FunctionConfig,
    note: Callable[[Any], None],
    *,
    remote: bool = False,
    view: View | None = None,
) -> Apis:
    """Serve the APIs: the first generation has begun, without an external extension."""
    ticks = iter(range(1, 10**9))
    runtime = (
        RemoteRuntimeApi(config, now_us=lambda: next(ticks))
        if remote
        else LocalRuntimeApi(config, view or View())
    )
    registry = Registry(config, note=note, now_us=lambda: next(ticks))
    registry.begin([])
    return Apis(config, runtime, registry)
