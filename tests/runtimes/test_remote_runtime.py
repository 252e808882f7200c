"""A runtime outside this process, which the conductor runs through the Runtime API alone."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pytest_lambda_lifecycle.clock.real import RealClock
from pytest_lambda_lifecycle.conductor.conductor import Conductor
from pytest_lambda_lifecycle.conductor.dependencies import Dependencies
from pytest_lambda_lifecycle.conductor.turns import TurnRunner
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.lifecycle.outcome import (
    Exited,
    Loaded,
    Raised,
    Request,
    Returned,
    TimedOut,
)
from pytest_lambda_lifecycle.lifecycle.rules import State
from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline
from pytest_lambda_lifecycle.runtimes.remote import RemoteRuntime

RUNTIME = "/2018-06-01/runtime/"

BARE_RUNTIME = """
import http.client, json, os, sys

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    given = json.loads(event.read())
    if given == "exit":
        sys.exit(3)
    answer = json.dumps({"got": given, "pid": os.getpid()}).encode()
    request_id = event.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", answer)
    assert api.getresponse().read() == b'{"status":"OK"}\\n'
"""


class Client:
    """The connection of a runtime."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(address, timeout=20)
        self.request_id = ""

    def __call__(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> http.client.HTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, RUNTIME + path, body, named)
        response = self.connection.getresponse()
        response.content = response.read()
        return response

    def next(self) -> Any:
        response = self("GET", "invocation/next")
        self.request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        return json.loads(response.content)

    def answer(self, body: bytes, kind: str = "response") -> int:
        return self("POST", f"invocation/{self.request_id}/{kind}", body).status


class Process:
    """A process as the conductor and `RemoteRuntime` see one; it runs a runtime on a thread."""

    exit_code: int | None = None

    def __init__(self, apis: Any, life: Callable[[Client], int | None]) -> None:
        self.apis, self.life = apis, life
        self.until = 0.0
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        self.threads.append(threading.Thread(target=self.live))
        self.threads[-1].start()

    def live(self) -> None:
        client = Client(self.apis.server.address)
        try:
            self.apis.runtime.exited(self.life(client) or 0)
        except (http.client.HTTPException, ConnectionError):  # it is being killed
            pass
        finally:
            client.connection.close()

    def deadline(self) -> float:
        return self.until

    def terminate(self) -> None:
        """Do nothing: without extensions this is not called."""

    def run(self, turn: Callable[[], Any], /, limit: float | None = None) -> Any:
        assert limit is not None
        self.until = RealTime.perf_counter() + limit
        return turn()

    def hold_streams(self) -> Callable[[], None]:
        return lambda: None

    def discard(self) -> None:
        self.apis.runtime.end()
        for thread in self.threads:
            thread.join(20)
        self.threads.clear()

    close = discard


class NoExtensions:
    """The group of extensions of an environment without extensions."""

    present = False
    names = ()
    budget_ms = 0

    def start(self, limit: object) -> Loaded:
        return Loaded()

    settle = start

    def report(self) -> None:
        pass

    end = close = collect = report


class Platform:
    """The conductor of one remote runtime."""

    def __init__(self, apis: Any, process: Any) -> None:
        runtime = RemoteRuntime(
            apis.runtime,
            start=process.start,
            deadline=process.deadline,
            terminate=process.terminate,
        )
        self.apis = apis
        clock = RealClock()
        self.process = process
        self.conductor = Conductor(
            Dependencies(
                apis.config,
                runtime=runtime,
                extensions=NoExtensions(),
                process=process,
                turns=TurnRunner(process, clock),
                timeline=WritableTimeline(),
                clock=clock,
                renew=lambda: "",
                audit=None,
            )
        )
        self.count = 0

    def invoke(self, event: object = None, remaining_us: int | None = None) -> Any:
        self.count += 1
        request_id = f"r-{self.count}"
        headers: dict[str, str | None] = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Content-Type": "application/json",
        }
        request = Request(json.dumps(event).encode(), headers, request_id)
        return self.conductor.invoke(request, remaining_us).outcome


@pytest.fixture
def platform(make_apis):
    made = []

    def platform(
        life: Callable[[Client], int | None], make_process: Any = Process, **settings: Any
    ) -> Platform:
        apis = make_apis(remote=True, **settings)
        made.append(make_process(apis, life))
        return Platform(apis, made[-1])

    yield platform
    for process in made:
        process.close()


# -- phases


def test_a_bare_runtime_in_its_own_process(platform):
    class Spawned(Process):
        def live(self) -> None:
            path = f"import sys; sys.path[:] = {sys.path!r}\n"
            variables = {"AWS_LAMBDA_RUNTIME_API": self.apis.server.address}
            self.child = subprocess.Popen(
                [sys.executable, "-c", path + BARE_RUNTIME],
                env=variables,
                stderr=subprocess.DEVNULL,
            )
            self.apis.runtime.exited(self.child.wait(20))

        def discard(self) -> None:
            self.child.kill()
            super().discard()

        close = discard

    here = platform(lambda client: None, Spawned)
    pids = set()
    for number in range(3):
        outcome = here.invoke({"number": number})
        assert isinstance(outcome, Returned)
        answer = json.loads(outcome.body)
        assert answer["got"] == {"number": number}
        pids.add(answer["pid"])
    assert len(pids) == 1
    assert here.invoke("exit") == Exited(3)
    assert here.conductor.state is State.RESET
    assert json.loads(here.invoke().body)["pid"] not in pids


def test_the_deadline_reaches_the_runtime(platform):
    def life(client: Client) -> int:
        response = client("GET", "invocation/next")
        client.request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
        client.answer(response.headers["Lambda-Runtime-Deadline-Ms"].encode())
        return client.next()

    before = RealClock().function_time_ms()
    outcome = platform(life, timeout=30).invoke()
    assert 30_000 <= int(outcome.body) - before < 60_000


def test_a_response_counts_once_the_runtime_calls_next(platform):
    answered, go_on = threading.Event(), threading.Event()

    def life(client: Client) -> int:
        client.next()
        client.answer(b"1")
        answered.set()
        go_on.wait(20)
        return client.next()

    here = platform(life)
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(here.invoke()))
    thread.start()
    assert answered.wait(20)
    assert here.apis.runtime.answer == Returned(b"1", "")  # the API has the response
    assert outcomes == []
    go_on.set()
    thread.join(20)
    assert outcomes == [Returned(b"1", "")]


def test_an_error_does_not_end_the_runtime(platform):
    lives = []

    def life(client: Client) -> int:
        lives.append(client)
        while True:
            client.next()
            client.answer(b'{"errorType":"ValueError","errorMessage":"boom"}', "error")

    here = platform(life)
    for _ in range(2):
        outcome = here.invoke()
        assert isinstance(outcome, Raised)
        assert outcome.error["errorType"] == "ValueError"
    assert len(lives) == 1


# -- failures


def test_a_runtime_that_ends_during_an_invoke(platform):
    here = platform(lambda client: client.next() and None)
    assert here.invoke() == Exited(0)
    assert here.conductor.state is State.RESET


def test_a_runtime_that_ends_after_its_response(platform):
    def life(client: Client) -> int:
        client.next()
        client.answer(b"1")
        return 7

    here = platform(life)
    assert here.invoke() == Exited(7)
    assert here.apis.runtime.answer == Returned(b"1", "")


def test_a_runtime_that_ends_between_invokes(platform):
    leave = threading.Event()

    def life(client: Client) -> int:
        client.next()
        client.answer(b"1")
        # The runtime is frozen before it reads the answer.
        client.connection.request("GET", f"{RUNTIME}invocation/next")
        leave.wait(20)
        return 5

    here = platform(life)
    assert isinstance(here.invoke(), Returned)
    leave.set()
    assert here.apis.runtime.wait(lambda: here.apis.runtime.exit_code is not None, here.apis.soon())
    assert here.invoke() == Exited(5)
    assert here.conductor.state is State.RESET
    leave.clear()
    assert isinstance(here.invoke(), Returned)
    leave.set()


@pytest.mark.parametrize("until", ["event", "answer"])
def test_a_runtime_that_takes_too_long(platform, until):
    killed = threading.Event()

    def life(client: Client) -> int:
        client.next()
        if until == "answer":
            client.answer(b"1")
        killed.wait(20)
        return -9

    here = platform(life)
    here.conductor.initialize()
    outcomes: list[Any] = []
    process_discard = here.process.discard

    def discard() -> None:
        killed.set()
        process_discard()

    here.process.discard = discard
    outcomes.append(here.invoke(remaining_us=50_000))
    assert outcomes == [TimedOut(3)]
    assert (here.apis.runtime.answer is not None) == (until == "answer")
    assert here.conductor.state is State.RESET


def test_init_reports_an_error_and_exits(platform):
    def life(client: Client) -> int:
        kind = {"Lambda_Runtime_Function_Error_Type": "Runtime.ImportModuleError"}
        assert (
            client(
                "POST", "init/error", b'{"errorType":"Runtime.ImportModuleError"}', **kind
            ).status
            == 202
        )
        return 1

    here = platform(life)
    init = here.conductor.initialize()
    assert init.outcome == Raised(
        b'{"errorType":"Runtime.ImportModuleError"}',
        {"errorType": "Runtime.ImportModuleError"},
        None,
        "Runtime.ImportModuleError",
        1,
    )
    assert here.conductor.state is State.RESET


def test_init_exits_without_a_report(platform):
    assert platform(lambda client: 3).conductor.initialize().outcome == Exited(3)


# -- SnapStart


def serve(client: Client) -> int:
    while True:
        client.next()
        client.answer(b"1")


def test_a_restore(platform):
    steps = []

    def life(client: Client) -> int:
        steps.append("before")
        assert client("GET", "restore/next").status == 200
        steps.append("after")
        return serve(client)

    here = platform(life, initialization_type="snap-start")
    here.conductor.initialize()
    assert (steps, here.conductor.state) == (["before"], State.SNAPSHOT)
    assert here.invoke() == Returned(b"1", "")
    assert steps == ["before", "after"]


def test_a_runtime_that_does_not_call_restore(platform):
    here = platform(serve, initialization_type="snap-start")
    here.conductor.initialize()
    assert here.conductor.restore().status == "success"
    assert here.invoke() == Returned(b"1", "")


def test_a_hook_that_fails(platform):
    def life(client: Client) -> int:
        client("GET", "restore/next")
        kind = {"Lambda_Runtime_Function_Error_Type": "Runtime.AfterRestoreError"}
        client("POST", "restore/error", b'{"errorType":"ValueError"}', **kind)
        return 65

    here = platform(life, initialization_type="snap-start")
    here.conductor.initialize()
    outcome = here.conductor.restore().outcome
    assert isinstance(outcome, Raised)
    assert (outcome.fault_type, outcome.error) == (
        "Runtime.AfterRestoreError",
        {"errorType": "ValueError"},
    )
    assert here.conductor.state is State.RESET
