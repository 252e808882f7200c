"""`LambdaHttp`: HTTP responses for function code, in force in every phase."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path
from unittest import mock

import pytest
import requests
import responses
from moto import mock_aws
from requests.adapters import HTTPAdapter
from responses import RequestsMock, matchers
from responses.registries import OrderedRegistry
from urllib3.util import Timeout

from pytest_lambda_lifecycle import (
    Extension,
    FunctionError,
    FunctionTimeout,
    LambdaClock,
    LambdaHttp,
    LifecycleError,
)
from pytest_lambda_lifecycle.isolation import sweep
from pytest_lambda_lifecycle.isolation.modules import membership
from pytest_lambda_lifecycle.isolation.stage import stage

# Version 0.24 leaves an unclosed socket with each response.
OLD = int(metadata.version("responses").split(".")[1]) < 25
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
] * OLD

URL = "https://config.example/v1"
APP = """
    import requests
    session = requests.Session()
    loaded = session.get("https://config.example/v1").text
    def handler(event, context):
        if "url" not in event:
            return loaded
        method, timeout = event.get("method", "GET"), event.get("timeout")
        return session.request(method, event["url"], timeout=timeout).text
"""
WARM = """
    import requests
    session = requests.Session()
    def handler(event, context):
        method, timeout = event.get("method", "GET"), event.get("timeout")
        return session.request(method, event["url"], timeout=timeout).text
"""


@pytest.fixture(autouse=True)
def _requests_is_left_as_it_was():
    before = HTTPAdapter.send, RequestsMock.unbound_on_send
    yield
    stage.leave()
    sweep.after_test(None, any_open=False)  # as the plugin does after each test
    assert (HTTPAdapter.send, RequestsMock.unbound_on_send) == before


@pytest.fixture
def http():
    with LambdaHttp() as http:
        yield http


@pytest.fixture
def clock():
    with LambdaClock() as clock:
        yield clock


def urls(calls):
    return [call.request.url for call in calls]


# -- phases ----------------------------------------------------------------------------------------


def test_requests_of_init_and_of_invokes_are_answered(environment, http):
    http.get(URL, body="config")
    http.get("https://shop.example/items", body="items")
    env = environment(APP)
    assert env.invoke({}).payload == "config"
    assert env.invoke({"url": "https://shop.example/items"}).payload == "items"
    assert [call.url for call in env.init.http_calls] == [URL]
    assert [call.matched for call in env.http_calls] == [True, True]
    assert urls(http.calls) == [URL, "https://shop.example/items"]
    assert http.assert_call_count(URL, 1)


@pytest.mark.parametrize("between", ["reset", "recycle"])
def test_each_new_process_is_answered(environment, http, between):
    http.get(URL, body="config")
    env = environment(APP)
    env.invoke({})
    getattr(env, between)()
    env.invoke({})
    http.assert_call_count(URL, 2)


def test_it_goes_on_after_an_idle_time(environment, clock, http):
    http.get(URL, body="config")
    env = environment(APP)
    env.invoke({})
    env.idle(minutes=3)
    assert env.invoke({"url": URL}).payload == "config"


class Flushing(Extension):
    name = "flushing"

    def on_invoke(self, event):
        requests.post("https://metrics.example/flush", data="invoke")

    def on_shutdown(self, event):
        requests.post("https://metrics.example/flush", data="shutdown")


def test_requests_of_extensions_are_answered_in_invoke_and_shutdown(environment, http):
    http.post("https://metrics.example/flush")
    env = environment("def handler(event, context): pass")
    env.add_extension(Flushing())
    env.invoke()
    env.shutdown()
    assert [call.request.body for call in http.calls] == ["invoke", "shutdown"]


def test_requests_of_the_test_are_answered_between_phases(environment, http):
    http.get(URL, body="config")
    environment(APP).invoke({})
    assert requests.get(URL).text == "config"


def test_requests_of_threads_of_the_function_are_answered_once_each(environment, http):
    for number in range(40):
        http.get(URL, body=str(number))
    env = environment(
        """
        import requests
        from concurrent.futures import ThreadPoolExecutor
        def handler(event, context):
            with ThreadPoolExecutor(8) as pool:
                texts = pool.map(lambda _: requests.get(event["url"]).text, range(39))
            return sorted(map(int, texts))
        """
    )
    assert env.invoke({"url": URL}).payload == list(range(39))


def test_an_environment_that_ends_after_the_mock_is_answered_no_longer(environment):
    with LambdaHttp() as http:
        http.get(URL, body="config")
        env = environment(APP)
        env.invoke({})
    with RequestsMock() as after:
        after.get(URL, body="after")
        assert env.invoke({"url": URL}).payload == "after"


def test_it_serves_environments_one_inside_the_other(environment, http, write):
    http.get(URL, body="config")
    http.get("https://inner.example/", body="inner")
    write(
        "inner.py",
        "import requests\ndef handler(e, c): return requests.get('https://inner.example/').text",
    )
    inner = environment(handler="inner.handler")
    env = environment(
        """
        import requests
        from tools import invoke
        def handler(event, context):
            before = requests.get("https://config.example/v1").text
            return [before, invoke(), requests.get("https://config.example/v1").text]
        """
    )
    write("tools.py", "def invoke(): pass")
    env.patch("tools.invoke", lambda: inner.invoke().payload)
    assert env.invoke().payload == ["config", "inner", "config"]


def test_it_works_without_pytest_before_the_environment(tmp_path):
    (tmp_path / "app.py").write_text(textwrap.dedent(APP))
    code = """
        import sys
        from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, LambdaHttp
        with LambdaHttp() as http:
            http.get("https://config.example/v1", body="config")
            with ExecutionEnvironment(FunctionConfig("app.handler")) as env:
                assert env.invoke({}).payload == "config"
            assert http.assert_call_count("https://config.example/v1", 1)
        from requests.adapters import HTTPAdapter
        assert HTTPAdapter.send.__module__ == "requests.adapters"
        assert not {"pytest", "_pytest", "pluggy"} & set(sys.modules)
    """
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", path + textwrap.dedent(code)],
        check=True,
        cwd=tmp_path,
    )


# -- other mocks -----------------------------------------------------------------------------------


@contextmanager
def default_mock():
    responses.start()
    try:
        yield responses.mock
    finally:
        responses.stop()
        responses.reset()


@contextmanager
def moto_and_default_mock():
    with mock_aws():
        yield responses.mock
    responses.reset()


@contextmanager
def plain_function():
    """Put a function of the test in place, as `monkeypatch.setattr` does."""
    with RequestsMock(assert_all_requests_are_fired=False) as registered:
        answer = registered.unbound_on_send()

    def send(adapter, request, **kwargs):
        return answer(adapter, request, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", send)
        yield registered


OTHERS = [
    functools.partial(RequestsMock, assert_all_requests_are_fired=False),
    default_mock,
    moto_and_default_mock,
    plain_function,
]
NAMES = ["RequestsMock", "activate", "moto", "function"]


@pytest.mark.parametrize("other", OTHERS, ids=NAMES)
@pytest.mark.parametrize("order", ["other first", "other second", "other between phases"])
def test_both_answer_wherever_the_other_mock_begins(environment, other, order):
    with ExitStack() as stack:
        if order == "other first":
            beneath = stack.enter_context(other())
        http = stack.enter_context(LambdaHttp())
        if order == "other second":
            beneath = stack.enter_context(other())
        http.get(URL, body="config")
        env = environment(APP)
        env.initialize()
        if order == "other between phases":
            beneath = stack.enter_context(other())
        beneath.get("https://other.example/", body="other")
        assert env.invoke({"url": URL}).payload == "config"
        assert env.invoke({"url": "https://other.example/"}).payload == "other"
        assert env.invoke({"url": URL}).payload == "config"
        with pytest.raises(FunctionError, match="ConnectionError: Connection refused by Responses"):
            env.invoke({"url": "https://none.example/"})
        assert urls(http.calls)[:3] == [URL, URL, URL]


@pytest.mark.parametrize("other", OTHERS, ids=NAMES)
@pytest.mark.parametrize("first", ["http", "other"])
def test_they_may_end_in_the_order_in_which_they_began(environment, other, first):
    """`mock.patch` restores what it has found, although that has ended before."""
    http, beneath = LambdaHttp(), other()
    contexts = [http, beneath] if first == "http" else [beneath, http]
    for context in contexts:
        context.__enter__()
    http.get(URL, body="config")
    env = environment(APP)
    env.invoke({})
    for context in contexts:
        context.__exit__(None, None, None)


def test_a_spy_of_the_test_beneath_is_no_mock_that_could_answer(environment):
    spy = mock.patch.object(HTTPAdapter, "send", autospec=True, side_effect=HTTPAdapter.send)
    with spy, LambdaHttp(), pytest.raises(FunctionError, match="Connection refused by Responses"):
        environment(WARM).invoke({"url": "http://localhost.localdomain/"})


def test_a_spy_of_the_test_sees_requests_that_pass(environment, server):
    spy = mock.patch.object(HTTPAdapter, "send", autospec=True, side_effect=HTTPAdapter.send)
    with spy as seen, LambdaHttp() as http:
        http.add_passthru(server)
        assert environment(WARM).invoke({"url": server}).payload == "real"
        assert seen.call_count == 1


def test_an_unmatched_request_goes_down_once(environment, http):
    """A function of the test may call the mock on which it was put."""
    http.get(URL, body="config")
    outer = mock.patch.object(HTTPAdapter, "send", autospec=True, side_effect=HTTPAdapter.send)
    with outer as seen:
        env = environment(WARM)
        with pytest.raises(FunctionError, match="Connection refused by Responses"):
            env.invoke({"url": "http://none.example/"})
        assert env.invoke({"url": URL}).payload == "config"
    assert [type(call.response) for call in http.calls] == [
        requests.ConnectionError,
        requests.Response,
    ]
    assert seen.call_count == 0


@mock_aws
def test_moto_answers_aws_and_lets_nothing_else_pass(environment, http):
    http.get(URL, body="config")
    env = environment(APP)
    env.invoke({})
    assert "NoSuchBucket" in env.invoke({"url": "https://s3.amazonaws.com/no-bucket/key"}).payload
    with pytest.raises(FunctionError, match="Connection refused by Responses"):
        env.invoke({"url": "http://none.example/"})


def test_a_mock_that_another_one_sends_with_is_asked_too(environment, http):
    with RequestsMock(assert_all_requests_are_fired=False) as innermost:
        chained = RequestsMock(real_adapter_send=innermost.unbound_on_send())
    innermost.get("https://other.example/", body="innermost")
    with chained:
        env = environment(WARM)
        assert env.invoke({"url": "https://other.example/"}).payload == "innermost"


def test_a_registry_is_asked_once_for_a_request(environment):
    """A second look would take the next response of an ordered registry."""
    with LambdaHttp(registry=OrderedRegistry) as http, RequestsMock() as other:
        other.get("https://other.example/", body="other")
        http.get(URL, body="one")
        http.get(URL, body="two")
        env = environment(WARM)
        assert env.invoke({"url": URL}).payload == "one"
        assert env.invoke({"url": "https://other.example/"}).payload == "other"
        assert env.invoke({"url": URL}).payload == "two"


def test_an_inner_mock_is_asked_first_and_leaves_the_rest_to_the_outer_one(environment, http):
    http.get(URL, body="outer")
    http.get("https://shop.example/", body="outer shop")
    env = environment(WARM)
    with LambdaHttp() as inner:
        inner.get(URL, body="inner")
        assert env.invoke({"url": URL}).payload == "inner"
        assert env.invoke({"url": "https://shop.example/"}).payload == "outer shop"
        with pytest.raises(FunctionError) as refused:
            env.invoke({"url": "https://none.example/"})
        assert "shop.example" in str(refused.value.__cause__)
    assert env.invoke({"url": URL}).payload == "outer"
    assert len(inner.calls) == 0, "a context that ends resets it"


# -- unmatched requests ----------------------------------------------------------------------------


def test_an_unmatched_request_fails_with_phase_and_line(environment, http):
    http.get(URL, body="config")
    env = environment(APP)
    env.invoke({})
    with pytest.raises(FunctionError) as refused:
        env.invoke({"url": "https://shop.example/items"})
    error = refused.value.__cause__
    assert type(error) is requests.ConnectionError
    assert str(error).splitlines() == [
        "Connection refused by Responses - the call doesn't match any registered mock.",
        "",
        "Request: ",
        "- GET https://shop.example/items",
        "",
        "Available matches:",
        f"- GET {URL} URL does not match",
        "",
        "Phase: invoke, env.invocations[1]",
        "Function code: app.py:9",
    ]
    assert http.calls[-1].response is error
    assert error.request is http.calls[-1].request


def test_an_unmatched_request_of_init_names_its_phase(environment, http):
    with pytest.raises(FunctionError) as refused:
        environment(APP).invoke({})
    assert "Phase: init\nFunction code: app.py:4" in str(refused.value.__cause__)


def test_an_unmatched_request_of_the_test_has_the_words_of_responses(http):
    with pytest.raises(requests.ConnectionError) as refused:
        requests.get(URL)
    with RequestsMock(), pytest.raises(requests.ConnectionError) as plain:
        requests.get(URL)
    assert str(refused.value) == str(plain.value)


def test_secrets_are_in_no_error(environment, http):
    secret = "s3cr3t"
    http.get(f"https://shop.example/?api_key={secret}", body="items")
    http.get(re.compile(rf"https://stock\.example/\?token={secret}"))
    http.get(URL, match=[matchers.header_matcher({"Authorization": f"Basic {secret}"})])
    http.get(URL, match=[matchers.query_param_matcher({"access_token": secret, "page": 7})])
    http.add_passthru(f"https://user:{secret}@files.example/")
    env = environment(
        """
        import requests
        def handler(event, context):
            requests.get(event["url"], headers={"Authorization": "Bearer " + event["key"]})
        """
    )
    with pytest.raises(FunctionError) as refused:
        env.invoke({"url": f"{URL}?signature={secret}", "key": secret})
    text = str(refused.value.__cause__)
    assert text.count("\n- ") == 6, text
    assert re.search("'?page'?: '?7", text)
    assert secret not in text
    assert secret not in repr(env.timeline)


# -- requests that pass ----------------------------------------------------------------------------


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"real")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "other", [ExitStack, RequestsMock, mock_aws], ids=["alone", "RequestsMock", "moto"]
)
def test_a_request_with_a_prefix_that_passes_is_sent(environment, http, server, other):
    http.add_passthru(server)
    with other():
        env = environment(WARM)
        assert env.invoke({"url": server}).payload == "real"
        assert [call.matched for call in env.http_calls] == [False]


def test_loopback_does_not_pass_by_itself(environment, http, server):
    with pytest.raises(FunctionError, match="Connection refused by Responses"):
        environment(WARM).invoke({"url": server})


@pytest.mark.parametrize("other", [ExitStack, mock_aws], ids=["alone", "moto"])
def test_requests_to_the_apis_of_lambda_pass(environment, http, other):
    env = environment(
        """
        import os, requests
        def handler(event, context):
            url = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2022-07-01/telemetry"
            with requests.Session() as session:
                return session.put(url, json={}).status_code
        """
    )
    with other():
        assert env.invoke().payload == 403
    assert not http.calls


def test_an_extension_reaches_the_apis_of_lambda(environment, http):
    statuses = []

    class Asking(Extension):
        name = "asking"

        def on_invoke(self, event):
            with requests.Session() as session:
                url = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2022-07-01/telemetry"
                statuses.append(session.put(url, json={}).status_code)

    env = environment("def handler(event, context): pass")
    env.add_extension(Asking())
    env.invoke()
    assert statuses == [403]


# -- latency ---------------------------------------------------------------------------------------


VERBS = ["delete", "get", "head", "options", "patch", "post", "put"]


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_takes_a_latency_in_virtual_time(environment, clock, http, verb):
    getattr(http, verb)(URL, latency_ms=120.5)
    env = environment(WARM)
    invocation = env.invoke({"url": URL, "method": verb.upper()})
    assert invocation.duration_ms == 120.5
    assert invocation.http_calls[0].duration_ms == 120.5


REGISTRATIONS = {
    "add": lambda http: http.add("GET", URL, body="x", latency_ms=50),
    "a response": lambda http: http.add(responses.Response("GET", URL, body="x"), latency_ms=50),
    "callback": lambda http: http.add_callback("GET", URL, lambda _: (200, {}, "x"), latency_ms=50),
    "replace": lambda http: (http.get(URL), http.replace("GET", URL, body="x", latency_ms=50)),
    "upsert": lambda http: http.upsert("GET", URL, body="x", latency_ms=50),
}


@pytest.mark.parametrize("register", REGISTRATIONS.values(), ids=REGISTRATIONS)
def test_each_way_to_register_takes_a_latency(environment, clock, http, register):
    register(http)
    invocation = environment(WARM).invoke({"url": URL})
    assert (invocation.payload, invocation.duration_ms) == ("x", 50)


def test_a_response_that_is_replaced_takes_its_latency_along(environment, clock, http):
    http.get(URL, body="slow", latency_ms=50)
    http.replace("GET", URL, body="fast")
    assert environment(WARM).invoke({"url": URL}).duration_ms == 0


def test_one_response_that_is_added_twice_has_a_latency_each_time(environment, clock, http):
    response = responses.Response("GET", URL)
    http.add(response, latency_ms=10)
    http.add(response, latency_ms=20)
    env = environment(WARM)
    assert [env.invoke({"url": URL}).duration_ms for _ in range(2)] == [10, 20]


TIMEOUTS = {
    "number": "0.1",
    "pair": "(5, 0.1)",
    "read": "Timeout(connect=5, read=0.1)",
    "total": "Timeout(total=0.1)",
}


@pytest.mark.parametrize("timeout", TIMEOUTS.values(), ids=TIMEOUTS)
def test_a_client_with_a_shorter_timeout_waits_that_long(environment, clock, http, timeout):
    http.get(URL, latency_ms=120)
    env = environment(
        f"""
        import requests
        from urllib3.util import Timeout
        def handler(event, context):
            try:
                requests.get(event["url"], timeout={timeout})
            except requests.exceptions.ReadTimeout as error:
                return str(error)
        """
    )
    invocation = env.invoke({"url": URL})
    assert invocation.payload == (
        "HTTPSConnectionPool(host='config.example', port=443): Read timed out. (read timeout=0.1)"
    )
    assert invocation.duration_ms == 100
    assert isinstance(http.calls[0].response, requests.ReadTimeout)
    assert http.registered()[0].call_count == 1


@pytest.mark.parametrize(
    "timeout", [None, 0.12, 1, (None, None), Timeout(None), Timeout(1)], ids=str
)
def test_a_client_with_a_longer_timeout_gets_the_response(clock, http, timeout):
    http.get(URL, body="x", latency_ms=120)
    began = clock.now
    assert requests.get(URL, timeout=timeout).text == "x"
    assert (clock.now - began).total_seconds() == 0.12


def test_the_timeout_of_an_adapter_counts(environment, clock, http):
    http.get(URL, latency_ms=120)
    env = environment(
        """
        import requests
        class Impatient(requests.adapters.HTTPAdapter):
            def send(self, request, stream=False, timeout=None, *others, **options):
                return super().send(request, stream, 0.05, *others, **options)
        session = requests.Session()
        session.mount("https://", Impatient())
        def handler(event, context):
            return session.get(event["url"]).text
        """
    )
    with pytest.raises(FunctionError, match="ReadTimeout"):
        env.invoke({"url": URL})
    assert env.invocations[0].duration_ms == 50


def test_a_timeout_is_retried_as_the_adapter_says(environment, clock, http):
    http.get(URL, body="slow", latency_ms=120)
    http.get(URL, body="fast")
    env = environment(
        """
        import requests
        from urllib3.util import Retry
        session = requests.Session()
        session.mount("https://", requests.adapters.HTTPAdapter(max_retries=Retry(2, read=2)))
        def handler(event, context):
            return session.get(event["url"], timeout=0.1).text
        """
    )
    invocation = env.invoke({"url": URL})
    assert (invocation.payload, invocation.duration_ms) == ("fast", 100)
    http.reset()
    http.get(URL, body="slow", latency_ms=120)
    with pytest.raises(FunctionError, match="ConnectionError.*Max retries exceeded"):
        env.invoke({"url": URL})
    assert env.invocations[-1].duration_ms >= 300
    assert len(http.calls) == 3


def test_a_latency_beyond_the_deadline_is_cut_there(environment, clock, http):
    http.get(URL, latency_ms=10_000)
    env = environment(WARM, timeout=3)
    with pytest.raises(FunctionTimeout):
        env.invoke({"url": URL})
    assert env.invocations[0].duration_ms == 3000
    assert env.invocations[0].http_calls[0].duration_ms == 3000


def test_a_latency_takes_real_time_without_a_clock(environment, http):
    http.get(URL, body="x", latency_ms=60)
    env = environment(WARM)
    env.initialize()
    began = time.perf_counter()
    assert env.invoke({"url": URL}).payload == "x"
    with pytest.raises(FunctionError, match="ReadTimeout"):
        env.invoke({"url": URL, "timeout": 0.01})
    assert time.perf_counter() - began >= 0.07


def test_a_latency_in_real_time_ends_at_the_deadline(environment, http):
    http.get(URL, latency_ms=20_000)
    env = environment(WARM)
    env.initialize()
    began = time.perf_counter()
    with pytest.raises(FunctionTimeout):
        env.invoke({"url": URL}, remaining_ms=50)
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize(
    "latency_ms", [-1, float("nan"), float("inf"), "120", True, None, 1e12, [1]], ids=repr
)
@pytest.mark.parametrize("register", ["add", "replace", "add_callback"])
def test_a_latency_that_is_no_length_of_time_is_refused(http, latency_ms, register):
    http.get(URL)
    arguments = (
        ("GET", URL) if register != "add_callback" else ("GET", URL, lambda _: (200, {}, ""))
    )
    with pytest.raises(LifecycleError, match=r"(?s)latency_ms=.*LLC811") as refused:
        getattr(http, register)(*arguments, latency_ms=latency_ms)
    assert refused.value.code == "LLC811"
    assert len(http.registered()) == 1


def test_a_response_that_passes_has_no_latency(http):
    with pytest.raises(LifecycleError, match="its request is sent"):
        http.add(responses.PassthroughResponse("GET", URL), latency_ms=5)
    assert not http.registered()


# -- all of responses ------------------------------------------------------------------------------


def test_matchers_callbacks_and_files_work_as_in_responses(environment, http, tmp_path):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as plain:
        plain.get("https://file.example/", body="from a file")
        file = tmp_path / "responses.yaml"
        file.write_text(
            "responses:\n- response:\n    auto_calculate_content_length: false\n"
            "    body: from a file\n    content_type: text/plain\n    method: GET\n"
            "    status: 200\n    url: https://file.example/\n"
        )
    http._add_from_file(file)
    http.get(URL, body="page 2", match=[matchers.query_param_matcher({"page": "2"})])
    http.add_callback("GET", "https://call.example/", lambda request: (201, {}, request.url))
    http.response_callback = lambda response: setattr(response, "encoding", "utf-8") or response
    env = environment(WARM)
    assert env.invoke({"url": f"{URL}?page=2"}).payload == "page 2"
    assert env.invoke({"url": "https://file.example/"}).payload == "from a file"
    assert env.invoke({"url": "https://call.example/"}).payload == "https://call.example/"
    assert http.calls[-1].response.encoding == "utf-8"
    with pytest.raises(FunctionError, match="Connection refused"):
        env.invoke({"url": f"{URL}?page=3"})


def test_registries_can_be_chosen(environment):
    with LambdaHttp(registry=OrderedRegistry) as http:
        http.get("https://a.example/")
        http.get("https://b.example/")
        env = environment(WARM)
        with pytest.raises(FunctionError) as refused:
            env.invoke({"url": "https://b.example/"})
        assert "Next 'Response' in the order doesn't match" in str(refused.value.__cause__)


def test_a_status_is_retried_as_responses_does(environment, http):
    http.get(URL, status=503)
    http.get(URL, body="up again")
    env = environment(
        """
        import requests
        from urllib3.util import Retry
        retry = Retry(2, status_forcelist=[503])
        def handler(event, context):
            with requests.Session() as session:
                session.mount("https://", requests.adapters.HTTPAdapter(max_retries=retry))
                return session.get(event["url"]).text
        """
    )
    assert env.invoke({"url": URL}).payload == "up again"
    assert env.http_calls[0].status == 200
    assert len(http.calls) == 2


def test_missing_requests_are_listed_without_secrets():
    with pytest.raises(AssertionError) as missing, LambdaHttp(True) as http:
        http.get("https://shop.example/?api_key=s3cr3t")
        http.post(URL)
        http.get("https://made.example/")
        requests.get("https://made.example/")
    assert str(missing.value).splitlines() == [
        "Not all requests have been executed:",
        "- GET https://shop.example/?api_key=***",
        f"- POST {URL}",
    ]


def test_an_error_inside_the_block_is_not_replaced_by_missing_requests():
    with pytest.raises(KeyError), LambdaHttp(assert_all_requests_are_fired=True) as http:
        http.get(URL)
        raise KeyError


def test_missing_requests_are_none_of_its_business_by_default(http):
    http.get(URL)


def test_a_function_can_be_decorated_with_it():
    http = LambdaHttp()

    @http.activate
    def ask():
        http.get(URL, body="x")
        return requests.get(URL).text

    assert ask() == "x"


def test_it_may_be_started_twice_and_stopped_twice(http):
    http.start()
    http.get(URL, body="x")
    assert requests.get(URL).text == "x"
    http.stop()
    http.stop()
    http.start()


# -- bad input -------------------------------------------------------------------------------------


def test_a_mock_that_raises_raises_in_function_code(environment, http):
    http.get(URL, body=requests.ConnectTimeout("no route"))
    env = environment(WARM)
    with pytest.raises(FunctionError, match="ConnectTimeout: no route"):
        env.invoke({"url": URL})
    assert isinstance(env.http_calls[0].exception, requests.ConnectTimeout)
    http.replace("GET", URL, body="up")
    assert env.invoke({"url": URL}).payload == "up"


def test_a_callback_that_raises_raises_in_function_code(environment, http):
    def fail(request):
        raise RuntimeError("callback")

    http.add_callback("GET", URL, fail)
    with pytest.raises(FunctionError, match="RuntimeError: callback"):
        environment(WARM).invoke({"url": URL})
    assert isinstance(http.calls[0].response, RuntimeError)


def test_a_callback_that_invokes_the_environment_again_is_refused(environment, http):
    env = environment(WARM)
    http.add_callback("GET", URL, lambda _: (200, {}, env.invoke({"url": URL}).payload))
    with pytest.raises(LifecycleError, match="one environment handles one event at a time"):
        env.invoke({"url": URL})
    http.replace("GET", URL, body="x")
    assert env.invoke({"url": URL}).payload == "x"


def test_a_callback_may_end_the_mock_and_start_another(environment):
    http, other = LambdaHttp(), LambdaHttp()

    def swap(request):
        http.stop()
        other.start()
        return 200, {}, "first"

    with http:
        http.add_callback("GET", URL, swap)
        other.get(URL, body="second")
        env = environment(WARM)
        assert env.invoke({"url": URL}).payload == "first"
        assert env.invoke({"url": URL}).payload == "second"
        other.stop()


def test_a_callback_may_make_requests_of_its_own(environment, http):
    http.get(URL, body="inner")
    http.add_callback("GET", "https://outer.example/", lambda _: (200, {}, requests.get(URL).text))
    assert environment(WARM).invoke({"url": "https://outer.example/"}).payload == "inner"


def test_a_body_can_be_read_after_the_invoke_has_ended(environment, http):
    http.get(URL, body=b"0123456789")
    env = environment(
        """
        import requests
        def handler(event, context):
            global response
            response = requests.get(event["url"], stream=True)
            return next(response.iter_content(4)).decode()
        """
    )
    assert env.invoke({"url": URL}).payload == "0123"
    assert b"".join(env.module.response.iter_content(4)) == b"456789"


def test_a_session_that_function_code_closes_can_go_on(environment, http):
    http.get(URL, body="x")
    env = environment(WARM + "\n    def last(event, context): session.close()")
    env.invoke({"url": URL})
    env.module.session.close()
    assert env.invoke({"url": URL}).payload == "x"


INSTRUMENTED = """
    import functools, requests
    from requests.adapters import HTTPAdapter
    seen = []
    def instrument(original):
        @functools.wraps(original)
        def send(self, request, **kwargs):
            seen.append(request.url)
            return original(self, request, **kwargs)
        return send
    HTTPAdapter.send = instrument(HTTPAdapter.send)
    loaded = requests.get("https://config.example/v1").text
    def handler(event, context):
        return requests.get("https://config.example/v1").text, len(seen)
"""


def test_an_instrumenting_library_of_the_function_sees_its_requests(environment, http):
    http.get(URL, body="config")
    env = environment(INSTRUMENTED)
    assert env.invoke().payload == ["config", 2]
    assert env.invoke().payload == ["config", 3]
    http.assert_call_count(URL, 3)


def test_an_instrumenting_library_of_the_function_leaves_with_its_environment(environment):
    genuine = HTTPAdapter.send
    with LambdaHttp() as http:
        http.get(URL, body="config")
        env = environment(INSTRUMENTED)
        env.invoke()
        env.close()
    assert HTTPAdapter.send is genuine


LEFT = {
    "init": "mock.start()\n    def handler(event, context): pass",
    "invoke": "def handler(event, context): mock.start()",
}


@pytest.mark.parametrize("phase", LEFT)
def test_a_mock_that_function_code_leaves_in_place_is_an_error(environment, http, phase):
    env = environment(f"""
    import responses
    mock = responses.RequestsMock(assert_all_requests_are_fired=False)
    {LEFT[phase]}
    """)
    with pytest.raises(LifecycleError, match=r"responses\.RequestsMock") as left:
        env.invoke()
    assert left.value.code == "LLC812"
    assert f" in {phase}, at app.py:4, and" in str(left.value)
    http.get(URL, body="x")
    assert requests.get(URL).text == "x"


def test_a_mock_that_function_code_starts_between_phases_is_an_error_of_the_next(environment, http):
    env = environment(
        """
        import threading, responses
        mock = responses.RequestsMock(assert_all_requests_are_fired=False)
        go, done = threading.Event(), threading.Event()
        def work():
            go.wait(10)
            mock.start()
            done.set()
        def handler(event, context):
            if event.get("start"):
                threading.Thread(target=work).start()
        """
    )
    env.invoke({"start": True})
    module = env.module
    module.go.set()
    assert module.done.wait(10)
    with pytest.raises(LifecycleError) as left:
        env.invoke({})
    assert left.value.code == "LLC812"
    assert " between two phases, at app.py:7, and" in str(left.value)


def test_a_mock_inside_a_phase_answers_while_it_is_in_force(environment, http):
    http.get(URL, body="lambda_http")
    env = environment(
        """
        import requests, responses
        def handler(event, context):
            with responses.RequestsMock() as mock:
                mock.get(event["url"], body="function")
                inside = requests.get(event["url"]).text
            return inside, requests.get(event["url"]).text
        """
    )
    for fresh in ((), ("responses",)):
        env = environment(handler="app.handler", fresh_packages=fresh)
        assert env.invoke({"url": URL}).payload == ["function", "lambda_http"]


def test_spies_on_the_adapter_see_requests_that_are_answered(environment, clock, http):
    http.get(URL, body="config")
    env = environment(APP)
    spy = env.spy("requests.adapters.HTTPAdapter.send")
    env.latency("requests.adapters.HTTPAdapter.send", 30)
    env.invoke({})
    with pytest.raises(FunctionError):
        env.invoke({"url": "https://none.example/"})
    assert spy.phases == ["init", "invoke"]
    assert spy.calls[0].args[0].url == URL
    assert spy.calls[0].result.text == "config"
    assert isinstance(spy.last.exception, requests.ConnectionError)
    assert env.init.duration_ms == 30
    env.close()


def test_a_function_that_is_called_after_its_mock_has_ended_passes_requests_on(server):
    with LambdaHttp() as http:
        late = vars(HTTPAdapter)["send"]
        http.get(server, body="mocked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", late)
        assert requests.get(server).text == "real"


# -- copies of requests ----------------------------------------------------------------------------

COPY = """
    import requests
    def handler(event, context):
        try:
            return requests.get(event["url"], timeout=event.get("timeout")).text, requests.__file__
        except requests.exceptions.ReadTimeout as error:
            return "timed out"
        except requests.ConnectionError as error:
            return str(error)
"""


@pytest.fixture
def with_copy(clock, environment, monkeypatch):
    """An environment with a copy of requests, as where charset_normalizer is not compiled.

    Packages with compiled parts are shared, and requests gives those of charset_normalizer names of
    its own.
    """
    monkeypatch.setattr(membership, "_EXTENSION_SUFFIXES", (".none",))
    return environment(COPY, fresh_packages=("requests",))


def test_a_copy_of_requests_is_answered_too(with_copy, http):
    env = with_copy
    http.get(URL, body="config", latency_ms=50)
    assert env.invoke({"url": URL}).payload[0] == "config"
    own = env.module.requests.adapters.HTTPAdapter
    assert own is not HTTPAdapter
    assert env.invoke({"url": URL}).payload[0] == "config"
    assert env.invoke({"url": URL, "timeout": 0.01}).payload == "timed out"
    assert "Connection refused by Responses" in env.invoke({"url": "https://none.example"}).payload
    env.recycle()
    assert env.invoke({"url": URL}).payload[0] == "config"
    assert vars(own)["send"].__module__ == "requests.adapters"


def test_requests_bundled_in_the_task_root_is_answered(environment, write, http):
    task = write("app.py", COPY).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(requests.__file__).parent, task / "requests", ignore=ignored)
    http.get(URL, body="config")
    assert environment().invoke({"url": URL}).payload[0] == "config"


def test_other_mocks_answer_a_copy_of_requests_through_it(with_copy, http):
    with RequestsMock() as other:
        other.get(URL, body="other")
        assert with_copy.invoke({"url": URL}).payload[0] == "other"
