"""Each test makes the error whose code it is named for.

`test_errors.py` runs them as a project, as ``tests/test_orders.py``."""

import http.client
import os
import threading
from pathlib import Path
from unittest import mock

import boto3
import pytest
import responses
import sealed
from botocore.stub import Stubber
from hypothesis import strategies as st
from shop import app

from pytest_lambda_lifecycle import ExecutionEnvironment, LambdaClock, lifecycle_machine

HANDLER = "shop.app.handler"


@pytest.fixture
def env(lambda_lifecycle):
    return lambda_lifecycle(HANDLER)


def test_LLC101(env):
    env.shutdown()
    env.invoke({"id": "1"})


def test_LLC102(env):
    env.patch("shop.tables.find", lambda key: env.invoke({"id": "2"}))
    env.invoke({"id": "1"})


def test_LLC103(env):
    env.invoke({"id": "1"})
    env.initialize()


def test_LLC104(env):
    env.restore()


def test_LLC105(env):
    env.snapshot()


def test_LLC106(env):
    env.crash()


def test_LLC107():
    from pytest_lambda_lifecycle.conductor.state import EnvironmentState
    from pytest_lambda_lifecycle.lifecycle.rules import State

    EnvironmentState(now_us=0).move(State.INVOKE)


def test_LLC108(env):
    env.shutdown("maintenance")


def test_LLC109(env, lambda_lifecycle):
    refused = []

    def invoke_another():
        try:
            lambda_lifecycle(HANDLER).invoke({"id": "2"})
        except Exception as error:
            refused.append(error)

    def find(key):
        thread = threading.Thread(target=invoke_another, name="worker")
        thread.start()
        thread.join()

    env.patch("shop.tables.find", find)
    env.invoke({"id": "1"})
    raise refused[0]


def test_LLC110(env):
    env.import_module("shop.tables")


def test_LLC111(env):
    assert env.init.status == "success"


def test_LLC112(env):
    env.patch("sealed.Settings.url", "postgres://test")
    env.patch("shop.tables.find", lambda key: sealed.Settings.seal())
    env.invoke({"id": "1"})
    env.shutdown()


def test_LLC113():
    ExecutionEnvironment(HANDLER)


def test_LLC114(lambda_lifecycle, monkeypatch, tmp_path):
    program = tmp_path / "watcher"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    bind = mock.Mock(side_effect=OSError(24, "Too many open files"))
    monkeypatch.setattr("pytest_lambda_lifecycle.api.server.ApiServer.bind", bind)
    lambda_lifecycle(HANDLER, extensions=[program]).initialize()


def test_LLC201(lambda_lifecycle):
    lambda_lifecycle(HANDLER, timeuot=3)


def test_LLC202(lambda_lifecycle):
    lambda_lifecycle(HANDLER, memory_size=64)


def test_LLC203(lambda_lifecycle):
    lambda_lifecycle(timeout=3)


def test_LLC204(lambda_lifecycle):
    lambda_lifecycle("shop.orders.handler")


def test_LLC205(lambda_lifecycle):
    lambda_lifecycle(HANDLER, environment={"AWS_REGION": "eu-west-1"})


def test_LLC206(lambda_lifecycle):
    lambda_lifecycle(HANDLER, layers=["layers/common"])


def test_LLC207(env):
    env.extension("monitor", events=["INIT"])


def test_LLC208(lambda_lifecycle):
    lambda_lifecycle(HANDLER, initialization_type="snap-start", function_version="$LATEST")


@pytest.mark.lambda_lifecycle(HANDLER, 10)
def test_LLC209(lambda_lifecycle):
    lambda_lifecycle()


def test_LLC301(env):
    env.spy("shop.database.conect")
    env.invoke({"id": "1"})


def test_LLC302(env):
    env.spy("shop.database.URL")
    env.invoke({"id": "1"})


def test_LLC303(env):
    env.initialize()
    env.patch("shop.database.connect", None)


def test_LLC304(env):
    env.initialize()
    env.assert_reused("shop.app.table")


@mock.patch("shop.app.table")
def test_LLC305(table, lambda_lifecycle):
    env = lambda_lifecycle(HANDLER)
    env.invoke({"id": "1"})


def test_LLC306(env):
    env.initialize()
    with mock.patch.object(app, "table"):
        env.invoke({"id": "1"})


class Proxy:
    def __getattribute__(self, name):
        raise RuntimeError("outside of a request")


def test_LLC307(env, monkeypatch):
    monkeypatch.setattr(app, "table", None)
    app.table = Proxy()  # `monkeypatch` of pytest 8.2 looks at its class
    env.invoke({"id": "1"})


@pytest.mark.lambda_clock(start="2030-01-31T12:00:00Z")
class TestTime:
    def test_LLC401(self, lambda_clock):
        lambda_clock.advance(minutes=-5)

    def test_LLC402(self, lambda_clock):
        with LambdaClock():
            pass

    def test_LLC403(self, lambda_clock):
        lambda_clock.move_to(lambda_clock.now.replace(year=2029))

    def test_LLC404(self, env, request):
        env.invoke({"id": "1"})
        request.getfixturevalue("lambda_clock")
        env.invoke({"id": "1"})

    def test_LLC405(self):
        time_machine = pytest.importorskip("time_machine")
        with time_machine.travel("2030-01-31"), LambdaClock():
            pass

    def test_LLC406(self, lambda_clock, lambda_lifecycle):
        lambda_lifecycle(HANDLER).invoke({"spin": True})


def test_LLC501(env):
    env.invoke({"ids": {1, 2}})


def test_LLC502(env):
    env.invoke({"id": "1"}, remaining_ms=60_000)


def test_LLC503(env):
    env.invoke({"id": "1"}, content_type="")


def test_LLC601(env):
    env.invoke({"id": "1"})
    env.extension("monitor")


def test_LLC602(env):
    env.extension("monitor")
    env.invoke({"id": "1"})
    env.kill_extension("flusher")


def test_LLC603(env):
    env.extension("monitor")
    env.invoke({"id": "1"})
    env.drop_telemetry("monitor")


def test_LLC604(lambda_clock, lambda_lifecycle):
    Path("flusher").write_text("#!/bin/sh\n")
    lambda_lifecycle(HANDLER, extensions=["flusher"])


def register_monitor():
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    headers = {"Lambda-Extension-Name": "monitor"}
    connection.request("POST", "/2020-01-01/extension/register", '{"events": []}', headers)
    connection.getresponse().read()
    connection.close()


def test_LLC605(env):
    env.extension("monitor", internal=True)
    env.patch("shop.database.connect", register_monitor)
    env.invoke({"id": "1"})


DEAF = """
import http.client, json, os, threading

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
headers = {"Lambda-Extension-Name": "monitor"}


def call(method, path, body=None):
    api.request(method, path, json.dumps(body), headers)
    answer = api.getresponse()
    answer.read()
    return answer.headers["Lambda-Extension-Identifier"]


identifier = call("POST", "/2020-01-01/extension/register", {"events": []})
headers["Lambda-Extension-Identifier"] = identifier
call("PUT", "/2022-07-01/telemetry", {
    "schemaVersion": "2022-12-13",
    "types": ["platform"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:9"},
})
threading.Thread(target=call, args=("GET", "/2020-01-01/extension/event/next"), daemon=True).start()


def handler(event, context):
    return event
"""


def test_LLC606(lambda_lifecycle):
    Path("shop/deaf.py").write_text(DEAF)
    env = lambda_lifecycle("shop.deaf.handler")
    env.initialize()
    env.flush_telemetry()


class Reporter:
    def pytest_lambda_lifecycle_event(self, event):
        raise OSError("disk full")


def test_LLC701(pytestconfig, request, lambda_lifecycle):
    reporter = Reporter()
    pytestconfig.pluginmanager.register(reporter)
    request.addfinalizer(lambda: pytestconfig.pluginmanager.unregister(reporter))
    lambda_lifecycle(HANDLER).invoke({"id": "1"})


def test_LLC801(env):
    env.fault("dynamodb.PutItm", "ThrottlingException")


def test_LLC802(env):
    env.fault("ec2.DescribeInstances", "RequestLimitExeeded")


def test_LLC803(env):
    env.fault("dynamodb.PutItem", "ThrottlingException", phase="handler")


def test_LLC804(env):
    client = boto3.client("ec2", region_name="eu-west-1")
    env.fault("ec2.DescribeInstances", 503)
    env.patch("shop.tables.find", lambda key: client.describe_instances())
    with Stubber(client):
        env.invoke({"id": "1"})


def test_LLC805(env):
    missing = ModuleNotFoundError("No module named 'botocore'")
    with mock.patch("importlib.import_module", side_effect=missing):
        env.fault("dynamodb.PutItem", "ThrottlingException")


def test_LLC811(lambda_http):
    lambda_http.get("https://config.example/v1", json={"v": 1}, latency_ms=-120)


def test_LLC812(env, lambda_http):
    mock = responses.RequestsMock()
    env.patch("shop.database.connect", mock.start)
    env.invoke({"id": "1"})


def test_LLC821(env):
    env.invoke({"host": "api.example.com"})


def test_LLC831(env):
    env.invoke({"id": "1"})
    env.assert_init_only("shop.database.connect")


def test_LLC832(env):
    env.invoke({"id": "1"})
    env.assert_calls("init", ["dynamodb.GetItem", "dynamodb.PutItem"])


EVENTS = [{"id": "1"}, {"id": "2"}]


def test_LLC871(lambda_lifecycle):
    lambda_lifecycle.assert_warm_equals_cold(EVENTS, HANDLER, ignore=["items[?id=='1']"])


def test_LLC872(lambda_lifecycle):
    lambda_lifecycle.assert_warm_equals_cold([{"id": {"n": 1}}], HANDLER, ignore=["n"])


def test_LLC873(lambda_lifecycle):
    lambda_lifecycle.assert_warm_equals_cold({"id": "1"}, HANDLER)


def test_LLC874():
    missing = ModuleNotFoundError("No module named 'hypothesis'")
    with mock.patch("importlib.import_module", side_effect=missing):
        lifecycle_machine(HANDLER, events=None)


def test_LLC875():
    lifecycle_machine(HANDLER, events=st.just({"id": "1"}), actions=["idle", "restart"])


def test_LLC901(env):
    env.invoke({"id": "1"})
    env.assert_no_state_leaks()


def test_LLC902(lambda_lifecycle):
    env = lambda_lifecycle(HANDLER, audit=True)
    for number in range(3):
        env.invoke({"id": str(number)})
    env.assert_no_state_leaks(ignore="shop.app.table")


def test_LLC903(lambda_lifecycle):
    env = lambda_lifecycle(HANDLER, audit=True)
    env.invoke({"id": "1"})
    env.assert_no_state_leaks()


def test_LLC904(lambda_lifecycle):
    env = lambda_lifecycle(HANDLER, audit=True)
    for number in range(3):
        env.invoke({"id": str(number)})
    env.assert_no_state_leaks(ignore=["shop.app.CACHE"])


def test_LLC905(env):
    env.assert_isolates({"id": 1}, {"id": 2})


def test_LLC906(env):
    env.assert_no_growth({"id": "1"}, invokes=3)
