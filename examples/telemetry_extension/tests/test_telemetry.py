import json
import os
import pathlib
import socket

import pytest

from pytest_lambda_lifecycle import ConfigError, ExtensionError, FunctionError

LAYER = pathlib.Path(__file__).parent.parent / "layer"
NAME = "telemetry-summary"

pytestmark = pytest.mark.lambda_lifecycle("greetings.app.handler", layers=[LAYER], timeout=30)


@pytest.fixture
def env(lambda_lifecycle):
    with socket.create_server(("127.0.0.1", 0)) as probe:  # so that tests may run side by side
        port = probe.getsockname()[1]
    return lambda_lifecycle(environment={"TELEMETRY_SUMMARY_PORT": str(port)})


def summary(env):
    return json.loads((env.tmp / f"{NAME}.json").read_text())


def test_the_summary_has_every_invoke(env):
    cold = env.invoke({"name": "Ada"})
    warm = env.invoke({"name": "Grace"})

    end = env.shutdown()

    assert summary(env) == {
        "invokes": 2,
        "statuses": ["success"],
        "cold_starts": 1,
        "billed_ms": cold.billed_duration_ms + warm.billed_duration_ms,
        "lines": ["greeting Ada", "greeting Grace"],
        "ended_by": "spindown",
    }
    assert end.killed == ()


def test_it_receives_what_env_telemetry_shows(env):
    env.invoke({"name": "Ada"})
    env.shutdown()

    [report] = [one["record"] for one in env.telemetry if one["type"] == "platform.report"]
    assert report["metrics"]["billedDurationMs"] == summary(env)["billed_ms"]


def test_the_log_shows_the_extension_and_its_subscription(env):
    env.invoke({"name": "Ada"})
    end = env.shutdown()

    assert f"EXTENSION\tName: {NAME}\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in env.log
    assert f"TELEMETRY\tName: {NAME}\tState: Subscribed\tTypes: [Platform, Function]" in env.log
    assert f"{NAME}: " in end.log  # what it printed


def test_the_program_gets_each_invoke(env):
    env.invoke({"name": "Ada"})
    env.flush_telemetry()  # what waits for the next batch
    [program] = env.extensions
    assert program.name == "telemetry-summary"
    assert [event["eventType"] for event in program.events] == ["INVOKE"]


def test_an_error_of_the_handler_is_in_the_summary(env):
    with pytest.raises(FunctionError, match="nobody to greet"):
        env.invoke({})
    env.shutdown()

    assert "[ERROR] ValueError: nobody to greet" in "\n".join(summary(env)["lines"])


def test_a_crash_of_the_function_ends_it_with_a_summary(env):
    env.invoke({"name": "Ada"})
    env.crash()
    env.invoke({"name": "Grace"}, check=False)

    assert summary(env)["ended_by"] == "failure"
    assert summary(env)["lines"] == ["greeting Ada"]


def test_a_crash_of_the_extension_fails_the_next_request(env):
    env.invoke({"name": "Ada"})
    env.kill_extension(NAME)

    with pytest.raises(ExtensionError, match=r"Extension\.Crash"):
        env.invoke({"name": "Grace"})

    assert env.invoke({"name": "Grace"}).cold_start  # extensions start again as well


def test_telemetry_that_is_not_delivered_is_dropped_and_delays_nothing(env):
    env.invoke({"name": "Ada"})
    env.drop_telemetry(NAME)
    env.invoke({"name": "Grace"})
    env.shutdown()

    assert "greeting Grace" not in summary(env)["lines"]
    assert "platform.logsDropped" in [record["type"] for record in env.telemetry]


def test_a_file_that_is_not_executable_fails_in_init(lambda_lifecycle, tmp_path):
    copy = tmp_path / NAME
    copy.write_text((LAYER / "extensions" / NAME).read_text())
    env = lambda_lifecycle(layers=[], extensions=[copy])

    with pytest.raises(ExtensionError, match="PermissionDenied"):
        env.invoke({"name": "Ada"})

    assert not os.access(copy, os.X_OK)


def test_a_process_has_no_virtual_time(lambda_lifecycle, lambda_clock):
    with pytest.raises(ConfigError, match=f"cannot run the extension '{NAME}'.*under lambda_clock"):
        lambda_lifecycle()
