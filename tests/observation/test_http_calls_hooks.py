"""Hooks of HTTP clients beside mocks, instrumenting libraries, other copies and threads."""

import functools
import shutil
import subprocess
import sys
import textwrap
import time
from http.client import HTTPConnection
from pathlib import Path
from unittest import mock

import httpx
import pytest
import requests
import responses
import wrapt

from pytest_lambda_lifecycle import FunctionError
from pytest_lambda_lifecycle.isolation import patching

pytestmark = pytest.mark.usefixtures("same_objects_as_before")

URL = "https://config.example/v1"
REQUESTS = """
    import requests
    def handler(event, context):
        return requests.get(event["url"]).status_code
"""


def answer(status):
    response = requests.Response()
    response.status_code = status
    return response


def mocked(status=204):
    return mock.patch("requests.Session.send", return_value=answer(status))


def statuses(env):
    return [call.status for call in env.http_calls]


@pytest.mark.parametrize("begins", ["before", "between"])
@pytest.mark.parametrize("ends", ["between", "before the end", "after the end"])
def test_a_mock_of_a_hooked_method_may_begin_and_end_when_it_likes(environment, begins, ends):
    original = requests.Session.send
    patcher = mocked()
    if begins == "before":
        fake = patcher.start()
    env = environment(REQUESTS)
    env.initialize()
    if begins == "between":
        fake = patcher.start()
    env.invoke({"url": URL})
    assert requests.Session.send is fake
    assert fake.call_count == 1
    env.invoke({"url": URL})
    assert fake.call_count == 2
    if ends == "between":
        patcher.stop()
        with responses.RequestsMock() as others:
            others.get(URL)
            env.invoke({"url": URL})
    elif ends == "before the end":
        patcher.stop()
    env.close()
    if ends == "after the end":
        patcher.stop()
    patching.sweep()
    assert requests.Session.send is original
    assert statuses(env) == ([204, 204, 200] if ends == "between" else [204, 204])
    assert all(call.matched for call in env.http_calls)


@pytest.mark.parametrize("closes", ["first", "between", "last"])
def test_two_mocks_of_a_hooked_method_leave_the_original(environment, closes):
    original = requests.Session.send
    env = environment(REQUESTS)
    with mocked(201):
        env.invoke({"url": URL})
        with mocked(202):
            env.invoke({"url": URL})
            if closes == "first":
                env.close()
        if closes == "between":
            env.invoke({"url": URL})
            env.close()
    env.close()
    assert statuses(env) == [201, 202, 201][: len(env.http_calls)]
    assert len(env.http_calls) == (3 if closes == "between" else 2)
    patching.sweep()
    assert requests.Session.send is original


def test_a_fixture_and_a_decorator_may_mock_requests(environment):
    env = environment(REQUESTS)

    @responses.activate
    def invoke():
        responses.get(URL, status=201)
        return env.invoke({"url": URL})

    assert invoke().http_calls[0].status == 201
    with responses.RequestsMock() as others:
        others.get(URL, status=202)
        assert env.invoke({"url": URL}).http_calls[0].status == 202
    assert invoke().http_calls[0].status == 201


def test_a_mock_of_http_client_is_called(environment):
    env = environment(
        """
        import http.client
        def handler(event, context):
            connection = http.client.HTTPConnection("config.example")
            connection.request("GET", "/a")
            return connection.getresponse().status
        """
    )
    response = mock.Mock(status=203)
    with (
        mock.patch.object(HTTPConnection, "send") as send,
        mock.patch.object(HTTPConnection, "getresponse", return_value=response) as getresponse,
    ):
        assert env.invoke().payload == 203
        assert (HTTPConnection.send, HTTPConnection.getresponse) == (send, getresponse)
    getresponse.assert_called_once_with()
    [call] = env.http_calls
    assert (call.url, call.status) == ("http://config.example/a", 203)


def test_a_wrapper_that_copies_the_attributes_of_a_hook_is_restored(environment):
    env = environment(REQUESTS)
    env.initialize()
    seen = []
    send = requests.Session.send

    @functools.wraps(send)
    def noting(self, request, **options):
        seen.append(request.url)
        return send(self, request, **options)

    with responses.RequestsMock() as others, pytest.MonkeyPatch.context() as patch:
        others.get(URL)
        patch.setattr(requests.Session, "send", noting)
        env.invoke({"url": URL})
        env.close()
        assert requests.Session.send is noting
        assert requests.get(URL).status_code == 200
    assert seen == [URL, URL]
    assert len(env.http_calls) == 1
    patching.sweep()


INSTRUMENTED = {
    "functools": """
        import functools, requests
        send = requests.Session.send
        @functools.wraps(send)
        def traced(self, request, **options):
            seen.append(request.url)
            return send(self, request, **options)
        requests.Session.send = traced
    """,
    "wrapt": """
        import requests, wrapt
        def traced(wrapped, instance, args, kwargs):
            seen.append(args[0].url)
            return wrapped(*args, **kwargs)
        wrapt.wrap_function_wrapper("requests", "Session.send", traced)
    """,
}


@pytest.mark.parametrize("tool", INSTRUMENTED)
def test_an_instrumenting_library_acts_inside_and_is_gone_outside(environment, write, tool):
    original = requests.Session.send
    write("tracing.py", f"{INSTRUMENTED[tool]}\n        seen = []")
    env = environment("    import tracing\n" + REQUESTS)
    write("other.py", REQUESTS)
    other = environment(handler="other.handler")
    with responses.RequestsMock() as others:
        others.get(URL)
        for _ in range(3):
            env.invoke({"url": URL})
            env.invoke({"url": URL})
            other.invoke({"url": URL})
            requests.get(URL)
    assert len(env.http_calls) == 6
    assert len(other.http_calls) == 3
    assert env.module.tracing.seen == [URL] * 6
    env.close()
    assert requests.Session.send is original


def test_an_instrumenting_library_for_httpx_is_gone_outside(environment):
    original = httpx.Client.send, httpx.HTTPTransport.handle_request
    env = environment(
        """
        import httpx
        seen = []
        def wrap(function):
            def traced(*args, **kwargs):
                seen.append(function.__name__)
                return function(*args, **kwargs)
            return traced
        httpx.Client.send = wrap(httpx.Client.send)
        httpx.HTTPTransport.handle_request = wrap(httpx.HTTPTransport.handle_request)
        def handler(event, context):
            with httpx.Client() as client:
                try: client.get(event["url"])
                except httpx.ConnectError: pass
            return seen
        """
    )
    env.invoke({"url": "http://127.0.0.1:1/"})
    environment(REQUESTS.replace("requests.get", "str"))
    env.invoke({"url": "http://127.0.0.1:1/"})
    assert env.module.seen == ["send", "handle_request"] * 2
    assert [call.matched for call in env.http_calls] == [False, False]
    env.close()
    assert (httpx.Client.send, httpx.HTTPTransport.handle_request) == original


def test_two_environments_that_alternate_record_their_own_calls(environment, write):
    one = environment(REQUESTS)
    write("other.py", REQUESTS)
    two = environment(handler="other.handler")
    with responses.RequestsMock() as others:
        others.get(URL)
        for _ in range(3):
            one.invoke({"url": f"{URL}?one"})
            two.invoke({"url": f"{URL}?two"})
    assert [call.url for call in one.http_calls] == [f"{URL}?one"] * 3
    assert [call.url for call in two.http_calls] == [f"{URL}?two"] * 3


def test_requests_of_the_test_are_not_recorded(environment):
    env = environment(REQUESTS)
    with responses.RequestsMock() as others:
        others.get(URL)
        requests.get(URL)
        env.initialize()
        requests.get(URL)
        env.invoke({"url": URL})
        requests.get(URL)
    assert len(env.http_calls) == 1


def test_a_library_in_the_folder_of_the_function_is_hooked(
    environment, server, tmp_path, monkeypatch
):
    shutil.copytree(Path(requests.__file__).parent, tmp_path / "task" / "requests")
    for name in [name for name in sys.modules if name.partition(".")[0] == "requests"]:
        monkeypatch.delitem(sys.modules, name)
    env = environment(REQUESTS)
    env.invoke({"url": f"{server.url}/a"})
    env.invoke({"url": f"{server.url}/302?to=/b"})
    assert env.module.requests is not requests
    assert [(str(call), call.status, call.where) for call in env.http_calls] == [
        (f"GET {server.url}/a", 200, "app.py:4"),
        (f"GET {server.url}/302?to=/b", 302, "app.py:4"),
        (f"GET {server.url}/b", 200, "app.py:4"),
    ]


@pytest.mark.parametrize("package", [requests, httpx], ids=["requests", "httpx"])
def test_a_fresh_package_is_hooked(environment, server, package):
    name = package.__name__
    env = environment(REQUESTS.replace("requests", name), fresh_packages=[name])
    env.invoke({"url": f"{server.url}/a"})
    assert getattr(env.module, name) is not package
    assert [(call.status, call.library, call.where) for call in env.http_calls] == [
        (200, name, "app.py:4")
    ]


def test_a_worker_that_runs_a_function_of_a_library_shows_the_line_that_waits(environment, server):
    env = environment(
        """
        import requests, concurrent.futures as futures
        def fetch(url):
            return requests.get(url)
        def handler(event, context):
            with futures.ThreadPoolExecutor() as pool:
                pool.submit(requests.get, event["url"] + "/library").result()
                pool.submit(fetch, event["url"] + "/function").result()
        """
    )
    env.invoke({"url": server.url})
    assert [(call.url.rpartition("/")[2], call.where) for call in env.http_calls] == [
        ("library", "app.py:7"),
        ("function", "app.py:4"),
    ]


def test_a_thread_that_runs_a_function_of_a_library_shows_the_line_that_has_started_it(
    environment, server
):
    env = environment(
        """
        import requests, threading
        def handler(event, context):
            thread = threading.Thread(target=requests.get, args=(event["url"] + "/a",))
            thread.start()
            event.update(x=1)
            thread.join()
        """
    )
    env.invoke({"url": server.url})
    assert [call.where for call in env.http_calls] == ["app.py:5"]


def test_a_thread_that_outlives_its_invoke_is_recorded_with_the_one_in_which_it_calls(
    environment, server
):
    env = environment(
        """
        import requests, threading
        go = threading.Event()
        threads = []
        def work(url):
            requests.get(url + "/first")
            done.set()
            go.wait(10)
            requests.get(url + "/second")
        done = threading.Event()
        def handler(event, context):
            if event.get("url"):
                threads.append(threading.Thread(target=work, args=(event["url"],)))
                threads[0].start()
                done.wait(10)
            else:
                go.set()
                threads[0].join()
        """
    )
    env.invoke({"url": server.url})
    env.invoke()
    env.invoke()
    calls = [[call.url.rpartition("/")[2] for call in one.http_calls] for one in env.invocations]
    assert calls == [["first"], ["second"], []]
    assert [call.where for call in env.http_calls] == ["app.py:6", "app.py:9"]


def test_a_call_that_the_timeout_cuts_is_recorded(environment, server):
    env = environment(REQUESTS, timeout=1)
    slow = mock.patch("requests.adapters.HTTPAdapter.send", side_effect=_sleeps)
    with slow, pytest.raises(FunctionError):
        env.invoke({"url": URL})
    assert [repr(call) for call in env.http_calls] == [
        f"<HttpCall GET {URL}: unanswered (invoke, app.py:4)>"
    ]


def _sleeps(*args, **kwargs):
    time.sleep(5)


def test_a_mock_of_a_method_gets_the_arguments_that_it_gets_without_an_environment(environment):
    env = environment(REQUESTS)
    with mocked() as fake:
        env.invoke({"url": URL})
    [request], options = fake.call_args
    assert (request.url, options["allow_redirects"]) == (URL, True)


def test_a_wrapper_that_the_test_has_made_with_wrapt_gets_the_session(environment):
    seen = []

    def traced(wrapped, instance, args, kwargs):
        seen.append((type(instance), args[0].url))
        return answer(203)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            requests.Session, "send", wrapt.FunctionWrapper(requests.Session.send, traced)
        )
        env = environment(REQUESTS)
        env.invoke({"url": URL})
        env.close()
    assert seen == [(requests.Session, URL)]
    assert statuses(env) == [203]


def test_a_mock_that_wraps_a_hooked_method_sees_one_call(environment, server):
    env = environment(
        """
        import http.client
        def handler(event, context):
            connection = http.client.HTTPConnection("127.0.0.1", event["port"])
            connection.request("GET", "/a")
            connection.getresponse().read()
            connection.close()
        """
    )
    env.initialize()
    wrapped = HTTPConnection.putrequest
    with mock.patch.object(
        HTTPConnection, "putrequest", autospec=True, side_effect=wrapped
    ) as putrequest:
        env.invoke({"port": server.server_port})
        env.invoke({"port": server.server_port})
    assert putrequest.call_count == 2
    assert statuses(env) == [200, 200]


def test_a_spy_on_a_hooked_method_sees_each_request_once(environment):
    env = environment(REQUESTS)
    spy = env.spy("requests.Session.send")
    with responses.RequestsMock() as others:
        others.get(URL)
        for _ in range(3):
            env.invoke({"url": URL})
    assert spy.count() == 3
    assert statuses(env) == [200, 200, 200]


def test_a_patch_of_the_environment_answers_and_the_call_is_matched(environment):
    env = environment(REQUESTS)
    env.patch("requests.Session.send", lambda self, request, **options: answer(206))
    env.invoke({"url": URL})
    assert [(call.status, call.matched) for call in env.http_calls] == [(206, True)]


def test_a_library_that_the_function_is_the_first_to_import_is_hooked(write, server, tmp_path):
    write("app.py", REQUESTS)
    script = f"""
        import sys
        from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
        assert not {{"requests", "urllib3", "http.client"}} & set(sys.modules)
        config = FunctionConfig("app.handler", code_dir={str(tmp_path / "task")!r})
        env = ExecutionEnvironment(config)
        for _ in range(2):
            env.invoke({{"url": "{server.url}/a"}})
        print([(str(call), call.status, call.matched, call.where) for call in env.http_calls])
        env.close()
        import requests, urllib3, http.client
        for function, file in (
            (requests.Session.send, "sessions.py"),
            (urllib3.HTTPConnectionPool.urlopen, "connectionpool.py"),
            (urllib3.Retry.increment, "retry.py"),
            (http.client.HTTPConnection.putrequest, "client.py"),
        ):
            assert function.__code__.co_filename.endswith(file), function
    """
    output = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=True, capture_output=True, text=True
    ).stdout
    call = (f"GET {server.url}/a", 200, False, "app.py:4")
    assert output.splitlines()[-1] == str([call, call])


def test_a_recorder_of_cassettes_that_sends_is_no_mock(environment, server, tmp_path):
    vcr = pytest.importorskip("vcr")
    env = environment(REQUESTS)
    for _ in range(2):
        with vcr.use_cassette(str(tmp_path / "cassette.yaml")):
            env.invoke({"url": f"{server.url}/a"})
    assert [(call.status, call.matched) for call in env.http_calls] == [(200, False), (200, True)]
    assert len(server.seen) == 1
