"""A thread of a module that registers as an internal extension, in time or too late."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle import ExtensionRegistered, LambdaClock, RegistrationRefused

SOURCE = """
    import json, os, threading, time, urllib.request
    refused = []
    def agent():
        {delay}
        url = f"http://{{os.environ['AWS_LAMBDA_RUNTIME_API']}}/2020-01-01/extension"
        body = json.dumps({{"events": ["INVOKE"]}}).encode()
        ask = urllib.request.Request(url + "/register", body, {{"Lambda-Extension-Name": "inner"}})
        try:
            with urllib.request.urlopen(ask) as answer:
                name = "Lambda-Extension-Identifier"
                known = {{name: answer.headers[name]}}
        except Exception as error:
            refused.append(error)
            return
        while True:
            ask = urllib.request.Request(url + "/event/next", headers=known)
            urllib.request.urlopen(ask).read()
    thread = threading.Thread(target=agent, daemon=True)
    thread.start()
    {wait}
    def handler(event, context):
        if event: thread.join()
        return len(refused)
"""


@pytest.fixture(params=["real time", "virtual time"])
def time_of_test(request):
    if request.param == "real time":
        yield
    else:
        with LambdaClock():
            yield


def test_a_module_that_sleeps_lets_the_thread_go_first(time_of_test, environment):
    env = environment(SOURCE.format(delay="", wait="time.sleep(1)"), timeout=10)
    assert env.invoke().payload == 0
    assert [event.extension for event in env.timeline.of(ExtensionRegistered)] == ["inner"]


def test_a_registration_after_init_is_on_timeline_and_log(time_of_test, environment):
    env = environment(SOURCE.format(delay="time.sleep(0.3)", wait=""), timeout=10)
    assert env.invoke(1).payload == 1
    (refusal,) = env.timeline.of(RegistrationRefused)
    assert (refusal.extension, refusal.error_type) == ("inner", "Extension.RegistrationClosed")
    assert "let the module wait until the thread has registered" in env.invocations[0].log
    assert "internal extension inner: registered too late" in str(env.timeline)
