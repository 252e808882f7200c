import time

import pytest
from flusher import flush

from pytest_lambda_lifecycle import Extension, ExtensionError, FunctionTimeout


class Flusher(Extension):
    """Runs the logic of the extension in this process, with a slow backend that keeps its input."""

    def __init__(self, takes_ms=50):
        super().__init__("flusher")
        self.takes_ms = takes_ms
        self.received = []

    def send(self, sums):
        time.sleep(self.takes_ms / 1000)  # virtual
        self.received.append(sums)

    def on_invoke(self, event):
        flush(self.send)  # the counters of earlier invokes

    def on_shutdown(self, event):
        flush(self.send)


@pytest.fixture
def start(lambda_lifecycle, lambda_clock):
    def start(flusher):
        return lambda_lifecycle("checkout.app.handler", timeout=3, extensions=[flusher])

    return start


def test_metrics_are_sent_with_the_next_invoke_and_at_the_end(start):
    flusher = Flusher()
    env = start(flusher)

    env.invoke({"orders": 1})
    assert flusher.received == []
    env.invoke({"orders": 2})
    assert flusher.received == [{"orders": 1}]

    end = env.shutdown()
    assert flusher.received == [{"orders": 1}, {"orders": 2}]
    assert end.durations_ms["flusher"] == 50


def test_sending_runs_beside_the_handler_and_the_rest_of_it_is_billed(start):
    env = start(Flusher(takes_ms=50))

    assert env.invoke({"orders": 1}).duration_ms == 20
    second = env.invoke({"orders": 1})

    assert second.duration_ms == 50
    assert second.extension_overhead_ms == 30
    assert second.billed_duration_ms == 50


def test_a_slow_backend_makes_the_invoke_time_out_although_the_caller_has_the_answer(start):
    flusher = Flusher(takes_ms=5000)
    env = start(flusher)
    env.invoke({"orders": 1})

    with pytest.raises(FunctionTimeout, match=r"timed out after 3\.00 seconds") as caught:
        env.invoke({"orders": 1})

    assert caught.value.phase.payload == "thank you"
    assert env.phases == ["init", "invoke", "invoke", "shutdown"]
    assert env.phases[-1].reason == "timeout"

    flusher.takes_ms = 50
    assert env.invoke({"orders": 1}).cold_start


def test_a_crash_of_the_function_loses_nothing(start):
    flusher = Flusher()
    env = start(flusher)

    failed = env.invoke({"orders": 3, "crash": True}, check=False)

    assert failed.error_type == "Runtime.ExitError"
    assert flusher.received == [{"orders": 3}]
    assert flusher.events[-1]["shutdownReason"] == "failure"


def test_a_backend_that_takes_longer_than_the_shutdown_may_last(start):
    flusher = Flusher(takes_ms=2500)
    env = start(flusher)
    env.invoke({"orders": 1})

    end = env.shutdown()

    assert end.killed == ("flusher",)
    assert end.duration_ms == end.budget_ms == 2000
    assert flusher.received == []


def test_a_backend_that_refuses_crashes_the_extension_and_fails_the_invoke(start):
    class Refused(Flusher):
        def send(self, sums):
            raise ConnectionRefusedError("metrics.example")

    env = start(Refused())
    env.invoke({"orders": 1})

    with pytest.raises(ExtensionError, match=r"Extension\.Crash") as caught:
        env.invoke({"orders": 1})

    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
