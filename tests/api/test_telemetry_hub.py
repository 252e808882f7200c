"""Subscriptions to telemetry and their delivery, with real listeners on loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import freezegun
import pytest

from pytest_lambda_lifecycle import FunctionConfig, LifecycleError
from pytest_lambda_lifecycle.api.replies import ApiError
from pytest_lambda_lifecycle.api.telemetry import delivery
from pytest_lambda_lifecycle.api.telemetry.hub import TelemetryHub
from pytest_lambda_lifecycle.api.telemetry.records import records
from pytest_lambda_lifecycle.lifecycle.events import (
    Event,
    FunctionLog,
    InitStart,
    InvokeReport,
    InvokeStart,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionLog,
    LogsDropped,
    TelemetrySubscription,
)
from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline

_sleep, _perf_counter = time.sleep, time.perf_counter
AT = 1_800_000_000_000_000
CONFIG = FunctionConfig("app.handler")


def eventually(condition: Callable[[], Any]) -> Any:
    end = _perf_counter() + 10
    while not (found := condition()):
        assert _perf_counter() < end, "it never came true"
        _sleep(0.002)
    return found


def project(events, schema):
    return records(events, CONFIG, schema=schema)


class Listener:
    """An extension's HTTP listener: it keeps requests, and answers with `statuses`, then 200."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, str, list[Any]]] = []
        self.statuses: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.at_once = self.most_at_once = 0
        lock, listener = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                with lock:
                    listener.at_once += 1
                    listener.most_at_once = max(listener.most_at_once, listener.at_once)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                listener.gate.wait(10)
                with lock:
                    listener.requests.append((self.command, self.path, body))
                    status = listener.statuses.pop(0) if listener.statuses else 200
                    listener.at_once -= 1
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.end_headers()

            do_PUT = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = False

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.005,))
        self._thread.start()

    @property
    def records(self) -> list[Any]:
        return [record for _, _, body in self.requests for record in body]

    @property
    def texts(self) -> list[Any]:
        return [
            record["record"] for record in self.records if not record["type"].startswith("platform")
        ]

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def listen(port: int = 0) -> Listener:
        made.append(Listener(port))
        return made[-1]

    yield listen
    for one in made:
        one.close()


@pytest.fixture
def listener(listen) -> Listener:
    return listen()


@pytest.fixture
def timeline() -> WritableTimeline:
    return WritableTimeline()


@pytest.fixture
def notes() -> list[Event]:
    return []


@pytest.fixture
def hub(timeline, notes) -> Iterator[TelemetryHub]:
    hub = TelemetryHub(timeline=timeline, project=project, note=notes.append, now_us=lambda: AT)
    hub.begin(0)
    yield hub
    hub.end()
    assert own_threads() == []


def own_threads() -> list[str]:
    return [
        thread.name for thread in threading.enumerate() if thread.name.startswith("telemetry for ")
    ]


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(delivery, "_RETRY_AFTER_S", (0.001, 0.001))


def wish(port: int, **changes: Any) -> bytes:
    asked: dict[str, Any] = {
        "schemaVersion": "2022-12-13",
        "types": ["platform", "function", "extension"],
        "buffering": {"timeoutMs": 25},
        "destination": {
            "protocol": "HTTP",
            "URI": f"http://sandbox.localdomain:{port}/telemetry?a=1",
        },
    }
    return json.dumps(
        {name: value for name, value in {**asked, **changes}.items() if value is not ...}
    ).encode()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def write(timeline: WritableTimeline, *lines: str) -> None:
    for line in lines:
        timeline.append(FunctionLog(AT, "stdout", f"{line}\n"))


PATIENT = {"timeoutMs": 30_000, "maxItems": 1000}


class TestBatches:
    def test_a_late_subscriber_gets_all_records_since_the_start_of_init(
        self, hub, timeline, notes, listener
    ):
        write(timeline, "of another generation")
        hub.begin(1)
        timeline.append(InitStart(AT, "on-demand", "init", "python3.13"))
        write(timeline, "a", "b")
        assert hub.subscribe("telemetry", "probe", wish(listener.port)).body == b'"OK"'
        write(timeline, "c")
        eventually(lambda: listener.texts == ["a\n", "b\n", "c\n"])
        assert listener.records[0]["type"] == "platform.initStart"
        assert listener.requests[0][:2] == ("POST", "/telemetry?a=1")
        assert notes == [
            TelemetrySubscription(AT, "probe", "telemetry", ("platform", "function", "extension"))
        ]

    @pytest.mark.parametrize("type_", ["platform", "function", "extension"])
    def test_a_subscriber_gets_the_requested_types_only(self, hub, timeline, listener, type_):
        timeline.append(InitStart(AT, "on-demand", "init", "python3.13"))
        write(timeline, "a")
        timeline.append(ExtensionLog(AT, "probe", "b\n"))
        hub.subscribe("telemetry", "probe", wish(listener.port, types=[type_]))
        assert hub.flush(5)
        assert [record["type"].split(".")[0] for record in listener.records] == [type_]

    def test_a_batch_ends_at_its_limit_of_records(self, hub, timeline, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port, buffering=PATIENT))
        write(timeline, *map(str, range(2300)))
        eventually(lambda: len(listener.requests) == 2)
        assert hub.flush(5)
        assert [len(body) for *_, body in listener.requests] == [1000, 1000, 300]
        assert listener.texts == [f"{number}\n" for number in range(2300)]

    def test_a_batch_ends_at_its_limit_of_bytes(self, hub, timeline, listener):
        hub.subscribe(
            "telemetry",
            "probe",
            wish(listener.port, buffering={"timeoutMs": 30_000, "maxBytes": 262_144}),
        )
        write(timeline, *["x" * 100_000] * 4)
        eventually(lambda: listener.requests)
        assert hub.flush(5)
        assert [len(body) for *_, body in listener.requests] == [3, 1]

    def test_each_line_of_a_write_is_a_record(self, hub, timeline, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port, buffering=PATIENT))
        timeline.append(FunctionLog(AT, "stdout", "x\n" * 1500))
        assert hub.flush(5)
        assert [len(body) for *_, body in listener.requests] == [1000, 500]

    def test_batches_are_sent_one_at_a_time_in_order(self, hub, timeline, listener):
        listener.gate.clear()
        hub.subscribe("telemetry", "probe", wish(listener.port))
        for number in range(4):
            write(timeline, str(number))
            _sleep(0.03)
        assert listener.at_once == 1
        listener.gate.set()
        assert hub.flush(5)
        assert listener.texts == ["0\n", "1\n", "2\n", "3\n"]
        assert listener.most_at_once == 1

    def test_an_unfinished_line_is_sent_once_it_ends(self, hub, timeline, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port))
        write(timeline, "whole")
        timeline.write(AT, "stdout", "half")
        eventually(lambda: listener.texts == ["whole\n"])
        timeline.write(AT, "stdout", " and half\n")
        eventually(lambda: len(listener.texts) == 2)
        assert listener.texts[1] == "half and half\n"

    def test_an_unfinished_line_ends_at_the_next_event(self, hub, timeline, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port))
        timeline.write(AT, "stdout", "half")
        write(timeline, "next")
        eventually(lambda: listener.texts == ["half", "next\n"])

    def test_flush_sends_an_unfinished_line(self, hub, timeline, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port, buffering=PATIENT))
        timeline.write(AT, "stdout", "the last words")
        assert hub.flush(5)
        assert listener.texts == ["the last words"]

    def test_a_report_in_a_later_batch_has_the_trace_of_its_invoke(self, hub, timeline, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port))
        timeline.append(InvokeStart(AT, "r-1", "$LATEST", 0, "Root=1-5", False))
        eventually(lambda: listener.requests)
        timeline.append(InvokeReport(AT, "r-1", "success", "", 1000, 128))
        assert hub.flush(5)
        assert [record["record"]["tracing"]["value"] for record in listener.records] == [
            "Root=1-5"
        ] * 2

    def test_several_subscribers_each_get_everything(self, hub, timeline, listen):
        listeners = [listen() for _ in range(3)]
        for number, one in enumerate(listeners):
            hub.subscribe("telemetry", f"probe-{number}", wish(one.port))
        write(timeline, "a", "b")
        assert hub.flush(5)
        assert [one.texts for one in listeners] == [["a\n", "b\n"]] * 3

    def test_flush_without_subscribers(self, hub, timeline):
        write(timeline, "a")
        assert hub.flush(5)


class TestFrozen:
    def test_records_of_a_frozen_time_arrive_with_the_next_invoke(self, hub, timeline, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port))
        hub.pause()
        write(timeline, "late")
        _sleep(0.06)
        assert listener.requests == []
        hub.resume()
        eventually(lambda: listener.texts == ["late\n"])

    def test_records_of_a_frozen_time_arrive_at_shutdown(self, hub, timeline, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port))
        hub.pause()
        write(timeline, "late")
        assert hub.flush(5)
        assert listener.texts == ["late\n"]

    def test_a_failure_while_frozen_does_not_count_as_an_attempt(
        self, hub, timeline, notes, listener, monkeypatch
    ):
        monkeypatch.setattr(delivery, "_RETRY_AFTER_S", ())
        listener.gate.clear()
        listener.statuses = [500]
        hub.subscribe("telemetry", "probe", wish(listener.port))
        write(timeline, "a")
        eventually(lambda: listener.at_once)
        hub.pause()
        listener.gate.set()
        eventually(lambda: listener.requests)
        _sleep(0.03)
        hub.resume()
        eventually(lambda: listener.texts == ["a\n", "a\n"])
        assert not any(isinstance(note, LogsDropped) for note in notes)

    def test_flush_does_not_wait_for_ever(self, hub, timeline, listener):
        listener.gate.clear()
        hub.subscribe("telemetry", "probe", wish(listener.port))
        write(timeline, "a")
        assert not hub.flush(0.03)


class TestFailures:
    def test_a_batch_is_sent_again_after_an_error_status(
        self, hub, timeline, notes, listener, impatient
    ):
        listener.statuses = [500, 404]
        hub.subscribe("telemetry", "probe", wish(listener.port))
        write(timeline, "a")
        assert hub.flush(5)
        assert listener.texts == ["a\n"] * 3
        assert [type(note) for note in notes] == [TelemetrySubscription]

    @pytest.mark.usefixtures("impatient")
    def test_records_that_cannot_be_delivered_are_dropped_and_reported(
        self, hub, timeline, notes, listen
    ):
        port = free_port()
        hub.subscribe("telemetry", "probe", wish(port))
        write(timeline, "a", "b")
        lost = eventually(lambda: [note for note in notes if isinstance(note, LogsDropped)])[0]
        assert (lost.extension, lost.records) == ("probe", 2)
        assert lost.size == sum(
            len(json.dumps(r, separators=(",", ":"))) for r in project(timeline, "2022-12-13")
        )
        assert "refused" in lost.reason

        listener = listen(port)  # the listener has come back
        timeline.append(lost)
        timeline.append(LogsDropped(AT, "another", 9, 9, "not its business"))
        write(timeline, "c")
        eventually(lambda: listener.texts == ["c\n"])
        assert [
            record["record"]
            for record in listener.records
            if record["type"] == "platform.logsDropped"
        ] == [{"reason": lost.reason, "droppedRecords": 2, "droppedBytes": lost.size}]

    @pytest.mark.usefixtures("impatient")
    def test_the_loss_of_a_report_of_a_loss_is_not_reported(self, hub, timeline, notes):
        hub.subscribe("telemetry", "probe", wish(free_port()))
        timeline.append(LogsDropped(AT, "probe", 9, 9, "slow"))
        assert hub.flush(5)
        assert [type(note) for note in notes] == [TelemetrySubscription]

    @pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 2000 OK\r\n\r\n"])
    @pytest.mark.usefixtures("impatient")
    def test_an_answer_that_is_not_http(self, hub, timeline, notes, answer):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)

            def serve() -> None:
                for _ in range(3):
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65_536)
                        connection.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            hub.subscribe("telemetry", "probe", wish(server.getsockname()[1]))
            write(timeline, "a")
            assert hub.flush(5)
            thread.join()
        assert isinstance(notes[-1], LogsDropped)
        assert notes[-1].reason == "the listener's answer is not HTTP"

    def test_a_destination_that_the_test_drops(self, hub, timeline, notes, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port))
        write(timeline, "a")
        assert hub.flush(5)
        hub.drop_destination("probe")
        write(timeline, "b", "c")
        assert hub.flush(5)
        assert listener.texts == ["a\n"]
        assert (notes[-1].records, notes[-1].reason) == (2, "the destination was dropped")

    def test_a_destination_that_the_test_drops_during_a_delivery(
        self, hub, timeline, notes, listener
    ):
        listener.gate.clear()
        hub.subscribe("telemetry", "probe", wish(listener.port))
        write(timeline, "a")
        eventually(lambda: listener.at_once)
        hub.drop_destination("probe")
        assert hub.flush(5)
        assert (notes[-1].records, notes[-1].reason) == (1, "the destination was dropped")

    def test_a_destination_of_an_extension_that_has_not_subscribed(self, hub, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port))
        with pytest.raises(LifecycleError, match="'prob': it has not subscribed") as caught:
            hub.drop_destination("prob")
        assert "Subscribed in this generation of processes: 'probe'." in str(caught.value)
        assert caught.value.code == "LLC603"

    def test_an_exception_of_the_library_is_reported_as_a_loss(
        self, timeline, notes, listener, capfd
    ):
        def broken(events, schema):
            raise RuntimeError("no such record")

        hub = TelemetryHub(timeline=timeline, project=broken, note=notes.append, now_us=lambda: AT)
        hub.begin(0)
        write(timeline, "a")
        hub.subscribe("telemetry", "probe", wish(listener.port))
        assert hub.flush(5)
        hub.end()
        assert notes[-1].reason == "RuntimeError: no such record"
        assert capfd.readouterr() == ("", "")


class TestTcp:
    def test_a_closed_connection_is_replaced(self, hub, timeline):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(5)
            port = server.getsockname()[1]
            hub.subscribe(
                "telemetry", "probe", wish(port, destination={"protocol": "TCP", "port": port})
            )
            write(timeline, "a")
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                assert json.loads(lines.readline())["record"] == "a\n"
                write(timeline, "b")
                assert json.loads(lines.readline())["record"] == "b\n"
            write(timeline, "c")
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                assert json.loads(lines.readline())["record"] == "c\n"

    @pytest.mark.usefixtures("impatient")
    def test_a_port_without_listener(self, hub, timeline, notes):
        port = free_port()
        hub.subscribe(
            "telemetry", "probe", wish(port, destination={"protocol": "TCP", "port": port})
        )
        write(timeline, "a")
        assert hub.flush(5)
        assert isinstance(notes[-1], LogsDropped)


class TestEnds:
    def test_while_a_listener_does_not_answer(self, hub, timeline, notes, listener):
        listener.gate.clear()
        hub.subscribe("telemetry", "probe", wish(listener.port))
        write(timeline, "a")
        eventually(lambda: listener.at_once)
        hub.end()
        assert own_threads() == []
        assert [type(note) for note in notes] == [TelemetrySubscription]

    def test_while_a_delivery_is_tried_again(self, hub, timeline, notes, monkeypatch):
        monkeypatch.setattr(delivery, "_RETRY_AFTER_S", (60.0,))
        hub.subscribe("telemetry", "probe", wish(free_port()))
        write(timeline, "a")
        _sleep(0.05)
        hub.end()
        assert own_threads() == []

    def test_while_frozen(self, hub, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port))
        hub.pause()
        hub.end()
        assert own_threads() == []

    def test_a_new_generation_begins_without_subscriptions(self, hub, timeline, listen):
        old, new = listen(), listen()
        hub.subscribe("telemetry", "probe", wish(old.port))
        hub.close_subscriptions()
        hub.begin(0)
        hub.subscribe("logs", "probe", wish(new.port, schemaVersion=...))
        write(timeline, "a")
        assert hub.flush(5)
        assert (old.texts, new.texts) == ([], ["a\n"])


class TestSubscribing:
    def test_the_same_subscription_again(self, hub, timeline, notes, listener):
        for _ in range(2):
            assert hub.subscribe("telemetry", "probe", wish(listener.port)).status == 200
        write(timeline, "a")
        assert hub.flush(5)
        assert listener.texts == ["a\n"]
        assert len(notes) == 1

    def test_another_subscription_replaces_the_first(self, hub, timeline, notes, listen):
        old, new = listen(), listen()
        hub.subscribe("telemetry", "probe", wish(old.port))
        write(timeline, "a")
        assert hub.flush(5)
        hub.subscribe("telemetry", "probe", wish(new.port, types=["function"]))
        write(timeline, "b")
        assert hub.flush(5)
        assert (old.texts, new.texts) == (["a\n"], ["b\n"])
        assert [note.types for note in notes] == [
            ("platform", "function", "extension"),
            ("function",),
        ]

    @pytest.mark.parametrize(
        ("api", "schema", "error_type"),
        [
            ("telemetry", "2025-01-29", "Telemetry.SubscriptionClosed"),
            ("logs", ..., "Logs.SubscriptionClosed"),
        ],
    )
    def test_subscriptions_after_init_are_refused(self, hub, api, schema, error_type):
        hub.close_subscriptions()
        with pytest.raises(ApiError) as refused:
            hub.subscribe(api, "probe", wish(4243, schemaVersion=schema))
        assert (refused.value.status, refused.value.error_type) == (403, error_type)
        assert refused.value.message == f"{api.capitalize()} API subscription is closed"

    def test_an_extension_uses_one_of_the_two_apis(self, hub, listener):
        hub.subscribe("telemetry", "probe", wish(listener.port))
        with pytest.raises(ApiError, match="Telemetry API is in use") as refused:
            hub.subscribe("logs", "other", wish(listener.port, schemaVersion=...))
        assert (refused.value.status, refused.value.error_type) == (400, "Logs.ValidationError")

    def test_the_method_of_the_logs_api(self, hub, timeline, listener):
        where = {"protocol": "HTTP", "URI": f"http://sandbox:{listener.port}", "method": "PUT"}
        hub.subscribe(
            "logs", "probe", wish(listener.port, schemaVersion="2021-03-18", destination=where)
        )
        write(timeline, "a")
        assert hub.flush(5)
        assert listener.requests[0][:2] == ("PUT", "/")

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"schemaVersion": ...}, "schemaVersion is not provided"),
            (
                {"schemaVersion": "2020-08-15"},
                "schemaVersion should be one of 2022-07-01, 2022-12-13, 2025-01-29",
            ),
            (
                {"schemaVersion": ["2022-12-13"]},
                "schemaVersion should be one of 2022-07-01, 2022-12-13, 2025-01-29",
            ),
            ({"types": ...}, "types are not provided"),
            ({"types": []}, "types should not be empty"),
            ({"types": "platform"}, "types should be an array"),
            (
                {"types": ["platform", "logs"]},
                "types should be among platform, function, extension",
            ),
            ({"types": [["platform"]]}, "types should be among platform, function, extension"),
            ({"destination": ...}, "destination is not provided"),
            ({"destination": "http://sandbox:1"}, "destination should be an object"),
            ({"destination": {"protocol": "UDP"}}, "destination.protocol should be HTTP or TCP"),
            ({"destination": {"protocol": "TCP"}}, "destination.port is not provided"),
            (
                {"destination": {"protocol": "TCP", "port": 9001}},
                "destination.port 9001 is reserved",
            ),
            (
                {"destination": {"protocol": "TCP", "port": True}},
                "destination.port should be an integer from 1 to 65535",
            ),
            ({"buffering": 3}, "buffering should be an object"),
            (
                {"buffering": {"maxItems": 999}},
                "buffering.maxItems should be an integer from 1000 to 10000",
            ),
            (
                {"buffering": {"maxBytes": 1}},
                "buffering.maxBytes should be an integer from 262144 to 1048576",
            ),
            (
                {"buffering": {"timeoutMs": 24}},
                "buffering.timeoutMs should be an integer from 25 to 30000",
            ),
            (
                {"buffering": {"timeoutMs": 30.5}},
                "buffering.timeoutMs should be an integer from 25 to 30000",
            ),
        ],
    )
    def test_invalid_subscriptions(self, hub, notes, changes, problem):
        with pytest.raises(ApiError) as refused:
            hub.subscribe("telemetry", "probe", wish(4243, **changes))
        assert (refused.value.status, refused.value.error_type) == (400, "ValidationError")
        assert refused.value.message == problem
        assert notes == []

    @pytest.mark.parametrize(
        ("uri", "problem"),
        [
            (None, "destination.URI is not provided"),
            (7, "destination.URI is not provided"),
            ("http://sandbox.localdomain/path", "URI port is not provided"),
            ("http://sandbox.localdomain:9001", "URI port 9001 is reserved"),
            ("http://sandbox.localdomain:0", "URI port should be an integer from 1 to 65535"),
            ("http://sandbox.localdomain:99999", "destination.URI is not valid"),
            ("http://sandbox.localdomain:x", "destination.URI is not valid"),
            ("http://[sandbox", "destination.URI is not valid"),
            ("https://sandbox.localdomain:4243", "destination.URI should begin with http://"),
            ("http://127.0.0.1:4243", "destination.URI host must be sandbox.localdomain"),
            ("http://example.com:4243", "destination.URI host must be sandbox.localdomain"),
            ("http://sandbox@example.com:4243", "destination.URI host must be sandbox.localdomain"),
        ],
    )
    def test_invalid_destinations(self, hub, uri, problem):
        with pytest.raises(ApiError) as refused:
            hub.subscribe(
                "telemetry", "probe", wish(0, destination={"protocol": "HTTP", "URI": uri})
            )
        assert refused.value.message == problem

    def test_all_problems_are_reported_at_once(self, hub):
        body = {"types": [], "destination": {"protocol": "HTTP", "URI": "http://sandbox"}}
        with pytest.raises(ApiError) as refused:
            hub.subscribe("logs", "probe", json.dumps(body).encode())
        assert refused.value.error_type == "Logs.ValidationError"
        assert refused.value.message == "types should not be empty; URI port is not provided"

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
    def test_a_body_that_is_not_json(self, hub, body):
        with pytest.raises(ApiError, match="the body is not valid JSON"):
            hub.subscribe("telemetry", "probe", body)

    @pytest.mark.parametrize("body", [b"[]", b"null", b'"OK"'])
    def test_a_body_that_is_not_an_object(self, hub, body):
        with pytest.raises(ApiError, match="the body should be a JSON object"):
            hub.subscribe("telemetry", "probe", body)

    def test_a_path_cannot_add_lines_to_the_request(self, hub, timeline, listener):
        uri = f"http://sandbox:{listener.port}/a b HTTP/1.1\r\nX: y\ud800é"
        hub.subscribe("telemetry", "probe", wish(0, destination={"protocol": "HTTP", "URI": uri}))
        write(timeline, "a")
        assert hub.flush(5)
        assert listener.requests[0][1] == "/a%20b%20HTTP/1.1X:%20y?%C3%A9"


class TestReplacementsOfTheTest:
    def test_time(self, hub, timeline, listener, monkeypatch):
        monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("slept"))
        for name in ("time", "monotonic", "perf_counter"):
            monkeypatch.setattr(time, name, lambda: 0.0)
        hub.subscribe("telemetry", "probe", wish(listener.port))
        write(timeline, "a")
        eventually(lambda: listener.texts == ["a\n"])

    def test_frozen_time(self, hub, timeline, listener):
        with freezegun.freeze_time("2020-01-01"):
            hub.subscribe("telemetry", "probe", wish(listener.port))
            write(timeline, "a")
            eventually(lambda: listener.texts == ["a\n"])
            assert hub.flush(5)
        assert listener.records[0]["time"] == "2027-01-15T08:00:00.000Z"

    def test_sockets_and_names(self, hub, timeline, listener, monkeypatch):
        def refuse(*_: object, **__: object) -> None:
            raise RuntimeError("no network in this test")

        class Refusing(socket.socket):
            connect = refuse  # type: ignore[assignment]

        asked: list[object] = []
        monkeypatch.setattr(socket, "create_connection", refuse)
        monkeypatch.setattr(socket, "socket", Refusing)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *name, **_: asked.append(name))
        monkeypatch.setattr(socket, "gethostbyname", lambda name: asked.append(name))
        hub.subscribe("telemetry", "probe", wish(listener.port))
        write(timeline, "a")
        assert hub.flush(5)
        assert listener.texts == ["a\n"]
        assert asked == []

    def test_starting_threads(self, hub, timeline, listen, monkeypatch):
        listener = listen()
        with monkeypatch.context() as patch:
            patch.setattr(
                threading.Thread,
                "start",
                lambda self: pytest.fail("taken for a thread of the function"),
            )
            hub.subscribe("telemetry", "probe", wish(listener.port))
        write(timeline, "a")
        assert hub.flush(5)
        assert listener.texts == ["a\n"]
