"""HTTP requests of function code: one call through all layers of synchronous clients."""

import pytest
import requests
import responses

from pytest_lambda_lifecycle import Connection, FunctionError

pytestmark = pytest.mark.usefixtures("same_objects_as_before")

URL = "https://config.example/v1"


def summary(calls):
    return [(str(call), call.result, call.matched) for call in calls]


REQUESTS = """
    import requests
    def handler(event, context):
        response = requests.get(event["url"], **event.get("options", {}))
        return response.status_code
"""
URLLIB3 = """
    import urllib3
    http = urllib3.PoolManager()
    def handler(event, context):
        return http.request("GET", event["url"]).status
"""
URLLIB = """
    import urllib.request
    def handler(event, context):
        with urllib.request.urlopen(event["url"], timeout=5) as response:
            return response.status
"""
CLIENTS = pytest.mark.parametrize(
    "source", [REQUESTS, URLLIB3, URLLIB], ids=["requests", "urllib3", "urllib"]
)


@CLIENTS
def test_a_request_that_is_sent_is_one_call(environment, server, source):
    env = environment(source)
    cold = env.invoke({"url": f"{server.url}/a?b=1"})
    warm = env.invoke({"url": f"{server.url}/c"})
    assert summary(cold.http_calls) == [(f"GET {server.url}/a?b=1", "200", False)]
    assert summary(warm.http_calls) == [(f"GET {server.url}/c", "200", False)]
    assert (warm.http_calls[0].phase, warm.http_calls[0].invocation) == ("invoke", 1)
    assert warm.http_calls[0].attempts == 1
    assert env.timeline.of(Connection) == []  # its connection is a part of the call
    assert warm.http_calls[0].where == ("app.py:5" if source is URLLIB3 else "app.py:4")


@CLIENTS
def test_each_hop_of_a_redirect_is_a_call(environment, server, source):
    url = f"{server.url}/302?to=/307%3Fto%3D/end"
    calls = environment(source).invoke({"url": url}).http_calls
    assert summary(calls) == [
        (f"GET {url}", "302", False),
        (f"GET {server.url}/307?to=/end", "307", False),
        (f"GET {server.url}/end", "200", False),
    ]
    assert len(server.seen) == 3


@CLIENTS
def test_a_connection_that_is_refused_is_an_attempt_to_send(environment, closed_port, source):
    env = environment(source)
    with pytest.raises(FunctionError):
        env.invoke({"url": f"http://127.0.0.1:{closed_port}/"})
    [call] = env.invocations[0].http_calls
    assert (call.status, call.matched) == (None, False)
    assert call.exception is not None
    assert call.result == type(call.exception).__name__


@CLIENTS
def test_a_server_that_hangs_up_is_an_exception(environment, server, source):
    env = environment(source)
    with pytest.raises(FunctionError):
        env.invoke({"url": f"{server.url}/drop"})
    [call] = env.invocations[0].http_calls
    assert (call.status, call.matched, call.exception is None) == (None, False, False)
    assert call.attempts == len(server.seen)


@CLIENTS
def test_an_error_status_is_a_status(environment, server, source):
    env = environment(source)
    try:
        env.invoke({"url": f"{server.url}/404"})
    except FunctionError:
        assert source is URLLIB  # which raises what it has received
    assert summary(env.http_calls) == [(f"GET {server.url}/404", "404", False)]


def test_retries_are_attempts_of_one_call(environment, server):
    env = environment(
        """
        import requests, urllib3
        from requests.adapters import HTTPAdapter
        session = requests.Session()
        retry = urllib3.Retry(2, backoff_factor=0, status_forcelist=[503])
        session.mount("http://", HTTPAdapter(max_retries=retry))
        http = urllib3.PoolManager(retries=retry)
        def handler(event, context):
            for get in (session.get, lambda url: http.request("GET", url)):
                try: get(event["url"])
                except (requests.exceptions.RetryError, urllib3.exceptions.MaxRetryError): pass
        """
    )
    env.invoke({"url": f"{server.url}/503"})
    of_requests, of_urllib3 = env.http_calls
    assert (of_requests.attempts, of_requests.result) == (3, "RetryError")
    assert (of_urllib3.attempts, of_urllib3.result) == (3, "MaxRetryError")
    assert len(server.seen) == 6


def test_retries_that_responses_imitates_are_attempts(environment):
    env = environment(
        """
        import requests, urllib3
        from requests.adapters import HTTPAdapter
        session = requests.Session()
        session.mount("https://", HTTPAdapter(max_retries=urllib3.Retry(3, status_forcelist=[503])))
        def handler(event, context):
            return session.get(event["url"]).status_code
        """
    )
    with responses.RequestsMock() as mocked:
        mocked.get(URL, status=503)
        mocked.get(URL, status=503)
        mocked.get(URL, status=200)
        assert env.invoke({"url": URL}).payload == 200
    [call] = env.http_calls
    assert (call.attempts, call.status, call.matched) == (3, 200, True)


def test_a_connection_that_urllib3_retries_is_one_call(environment, closed_port):
    env = environment(
        """
        import urllib3
        def handler(event, context):
            retry = urllib3.Retry(2, backoff_factor=0)
            urllib3.PoolManager(retries=retry).request("GET", event["url"])
        """
    )
    with pytest.raises(FunctionError):
        env.invoke({"url": f"http://127.0.0.1:{closed_port}/"})
    [call] = env.http_calls
    assert (call.attempts, call.matched, call.result) == (3, False, "MaxRetryError")


def test_redirects_of_a_connection_pool_are_calls(environment, server):
    env = environment(
        """
        import urllib3
        def handler(event, context):
            pool = urllib3.HTTPConnectionPool("127.0.0.1", event["port"])
            return pool.request("GET", "/302?to=/301%3Fto%3D/end").status
        """
    )
    assert env.invoke({"port": server.server_port}).payload == 200
    assert [call.status for call in env.http_calls] == [302, 301, 200]
    assert env.http_calls[-1].url == f"{server.url}/end"
    assert [call.attempts for call in env.http_calls] == [1, 1, 1]


def test_a_redirect_whose_target_fails_keeps_its_status(environment, server, closed_port):
    env = environment(REQUESTS)
    with pytest.raises(FunctionError):
        env.invoke({"url": f"{server.url}/302?to=http://127.0.0.1:{closed_port}/"})
    first, second = env.http_calls
    assert (first.status, first.exception) == (302, None)
    assert (second.status, second.result) == (None, "ConnectionError")


def test_a_redirect_that_is_not_followed_is_one_call(environment, server):
    env = environment(REQUESTS)
    options = {"allow_redirects": False}
    env.invoke({"url": f"{server.url}/302?to=/end", "options": options})
    assert [call.status for call in env.http_calls] == [302]


def test_too_many_redirects_are_as_many_calls(environment, server):
    env = environment(
        """
        import requests
        def handler(event, context):
            session = requests.Session()
            session.max_redirects = 2
            session.get(event["url"])
        """
    )
    with pytest.raises(FunctionError, match="Exceeded 2 redirects"):
        env.invoke({"url": f"{server.url}/302?to=/302%3Fto%3D/302%253Fto%253D/end"})
    assert [(call.status, call.exception) for call in env.http_calls] == [(302, None)] * 3
    assert len(server.seen) == 3


def test_redirects_of_a_mock_are_calls(environment):
    with responses.RequestsMock() as mocked:
        mocked.get(URL, status=302, headers={"Location": "https://other.example/end"})
        mocked.get("https://other.example/end", json=1)
        calls = environment(REQUESTS).invoke({"url": URL}).http_calls
        assert [call.url for call in calls] == [call.request.url for call in mocked.calls]
    assert [(call.status, call.matched) for call in calls] == [(302, True), (200, True)]


def test_a_mock_that_raises_is_an_exception(environment):
    env = environment(REQUESTS)
    with responses.RequestsMock() as mocked:
        mocked.get(URL, body=requests.ReadTimeout("too slow"))
        with pytest.raises(FunctionError, match="too slow"):
            env.invoke({"url": URL})
    [call] = env.http_calls
    assert (call.result, call.matched, call.status) == ("ReadTimeout", True, None)


def test_a_request_that_no_mock_matches_is_an_exception(environment):
    env = environment(REQUESTS)
    with responses.RequestsMock(), pytest.raises(FunctionError, match="Connection refused"):
        env.invoke({"url": URL})
    assert summary(env.http_calls) == [(f"GET {URL}", "ConnectionError", True)]


def test_a_callback_of_a_mock_may_make_requests(environment, server):
    env = environment(REQUESTS)

    def answer(request):
        return 200, {}, str(requests.get(f"{server.url}/from-the-test").status_code)

    with responses.RequestsMock() as mocked:
        mocked.add_callback("GET", URL, answer)
        mocked.add_passthru(server.url)
        env.invoke({"url": URL})
    assert summary(env.http_calls) == [(f"GET {URL}", "200", True)]


def test_a_callback_of_a_mock_may_invoke_another_environment(environment, write):
    outer = environment(REQUESTS)
    write("other.py", REQUESTS)
    inner = environment(handler="other.handler")
    other = "https://other.example/"

    def answer(request):
        return 200, {}, str(inner.invoke({"url": other}).payload)

    with responses.RequestsMock() as mocked:
        mocked.add_callback("GET", URL, answer)
        mocked.get(other, status=204)
        outer.invoke({"url": URL})
        outer.invoke({"url": URL})
    assert summary(outer.http_calls) == [(f"GET {URL}", "200", True)] * 2
    assert summary(inner.http_calls) == [(f"GET {other}", "204", True)] * 2
    assert [call.invocation for call in inner.http_calls] == [0, 1]


def test_a_response_hook_of_the_function_makes_calls_of_its_own(environment, server):
    env = environment(
        """
        import requests, urllib.request
        BASE = None
        def renew(response, *args, **kwargs):
            if response.status_code == 401:
                requests.post(BASE + "/token")
        def handler(event, context):
            global BASE
            BASE = event["base"]
            return requests.get(BASE + "/401", hooks={"response": renew}).status_code
        """
    )
    env.invoke({"base": server.url})
    assert [(str(call), call.status, call.where) for call in env.http_calls] == [
        (f"GET {server.url}/401", 401, "app.py:10"),
        (f"POST {server.url}/token", 200, "app.py:6"),
    ]


def test_a_session_subclass_that_overrides_send_makes_one_call(environment, server):
    env = environment(
        """
        import requests
        class Session(requests.Session):
            def request(self, method, url, **options):
                return super().request(method, BASE + url, **options)
            def send(self, request, **options):
                request.headers["X-Extra"] = "1"
                return super().send(request, **options)
        def handler(event, context):
            global BASE
            BASE = event["base"]
            return Session().get("/302?to=/end").status_code
        """
    )
    env.invoke({"base": server.url})
    assert [call.status for call in env.http_calls] == [302, 200]
    assert len(server.seen) == 2


def test_an_adapter_of_the_function_that_sends_nothing_is_a_mock(environment):
    env = environment(
        """
        import requests
        class Files(requests.adapters.BaseAdapter):
            def send(self, request, **options):
                response = requests.Response()
                response.status_code = 200
                response.url = request.url
                response.request = request
                response._content = b"x"
                return response
            def close(self): pass
        session = requests.Session()
        session.mount("file://", Files())
        def handler(event, context):
            return session.get("file:///etc/config").text
        """
    )
    assert env.invoke().payload == "x"
    assert summary(env.http_calls) == [("GET file:///etc/config", "200", True)]


def test_an_adapter_of_the_function_that_sends_makes_one_call(environment, server):
    env = environment(
        """
        import requests
        class Slow(requests.adapters.HTTPAdapter):
            def send(self, request, **options):
                return super().send(request, **options)
        session = requests.Session()
        session.mount("http://", Slow())
        def handler(event, context):
            return session.get(event["url"]).status_code
        """
    )
    env.invoke({"url": f"{server.url}/a"})
    assert summary(env.http_calls) == [(f"GET {server.url}/a", "200", False)]


@pytest.mark.parametrize("source", [REQUESTS, URLLIB], ids=["requests", "urllib"])
def test_the_url_is_that_of_the_origin_also_through_a_proxy(environment, server, source):
    env = environment(source, environment={"http_proxy": server.url, "HTTP_PROXY": ""})
    env.invoke({"url": "http://somewhere.example/x"})
    assert summary(env.http_calls) == [("GET http://somewhere.example/x", "200", False)]
    assert server.seen == ["GET http://somewhere.example/x"]


def test_a_tunnel_is_part_of_its_request(environment, server):
    env = environment(
        """
        import http.client
        def handler(event, context):
            connection = http.client.HTTPConnection("127.0.0.1", event["port"])
            connection.set_tunnel("inside.example", 8080)
            connection.request("GET", "/x")
            connection.getresponse().read()
            connection.close()
        """
    )
    env.invoke({"port": server.server_port})
    assert summary(env.http_calls) == [("GET http://inside.example:8080/x", "200", False)]
    assert server.seen == ["CONNECT inside.example:8080", "GET /x"]


def test_an_https_request_that_is_not_verified_is_recorded(environment, server):
    env = environment(REQUESTS)
    with pytest.raises(FunctionError):
        env.invoke(
            {"url": f"https://127.0.0.1:{server.server_port}/", "options": {"verify": False}}
        )
    [call] = env.http_calls
    assert (str(call), call.result, call.matched) == (
        f"GET https://127.0.0.1:{server.server_port}/",
        "SSLError",
        False,
    )


def test_a_url_of_bytes_is_shown_as_text(environment):
    env = environment(
        """
        import requests
        def handler(event, context):
            requests.get(b"https://config.example/v1", params=b"a=1")
            session = requests.Session()
            session.send(request=requests.Request(b"GET", b"https://config.example/v2").prepare())
        """
    )
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        mocked.get(URL)
        mocked.get("https://config.example/v2")
        env.invoke()
    assert list(map(str, env.http_calls)) == [f"GET {URL}?a=1", "GET https://config.example/v2"]


def test_a_url_that_cannot_be_sent_is_no_call_and_no_other_error(environment):
    env = environment(
        """
        import requests, urllib.request
        def handler(event, context):
            problems = []
            for get in (requests.get, urllib.request.urlopen):
                try: get(event["url"])
                except Exception as problem: problems.append(type(problem).__name__)
            return problems
        """
    )
    assert env.invoke({"url": "http://"}).payload == ["InvalidURL", "URLError"]
    assert env.http_calls == []


def test_a_streaming_body_may_be_read_after_the_invoke(environment, server):
    env = environment(
        """
        import requests
        response = None
        def handler(event, context):
            global response
            if response is None:
                response = requests.get(event["url"], stream=True)
                return None
            return len(response.content)
        """
    )
    cold = env.invoke({"url": f"{server.url}/a"})
    assert env.module.response.raw.read(2) == b'{"'
    warm = env.invoke()
    assert [call.status for call in cold.http_calls] == [200]
    assert warm.http_calls == []


def test_a_session_that_stays_open_is_recorded_in_each_phase(environment, server, write):
    write("base", server.url)
    env = environment(
        """
        import pathlib, requests
        session = requests.Session()
        BASE = pathlib.Path("base").read_text()
        session.get(BASE + "/init")
        def handler(event, context):
            session.get(BASE + "/invoke")
            if event.get("crash"): raise SystemExit(1)
        """
    )
    env.invoke()
    requests.get(f"{server.url}/test")
    env.idle(60)
    env.invoke()
    with pytest.raises(FunctionError):
        env.invoke({"crash": True})
    env.invoke()
    paths = [(call.url.rpartition("/")[2], call.phase, call.invocation) for call in env.http_calls]
    assert paths == [
        ("init", "init", None),
        ("invoke", "invoke", 0),
        ("invoke", "invoke", 1),
        ("invoke", "invoke", 2),
        ("init", "init", None),
        ("invoke", "invoke", 3),
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "sandbox.localdomain"])
def test_requests_to_the_environments_own_apis_are_no_calls(environment, host):
    env = environment(
        """
        import os, requests, urllib.request
        def handler(event, context):
            port = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")[2]
            url = f"http://{event}:{port}/2020-01-01/nothing"
            urllib.request.Request(url)
            try: urllib.request.urlopen(url)
            except urllib.error.HTTPError: pass
            return requests.get(url).status_code
        """
    )
    assert env.invoke(host).payload == 404
    assert env.http_calls == []


def test_a_function_that_replaces_the_socket_class_is_recorded(environment, server):
    env = environment(
        """
        import socket
        class Counting(socket.socket):
            made = 0
            def __init__(self, *args, **kwargs):
                Counting.made += 1
                super().__init__(*args, **kwargs)
        socket.socket = Counting
        import requests
        def handler(event, context):
            requests.get(event["url"])
            return Counting.made
        """
    )
    assert env.invoke({"url": f"{server.url}/a"}).payload >= 1
    assert [call.matched for call in env.http_calls] == [False]


def test_the_repr_of_a_call_hides_secrets_and_its_url_does_not(environment):
    url = f"{URL}?api_key=k1&page=2"
    with responses.RequestsMock() as mocked:
        mocked.get(url)
        env = environment(REQUESTS)
        env.invoke({"url": url, "options": {"headers": {"Authorization": "Bearer k1"}}})
    [call] = env.http_calls
    assert call.url == url
    assert str(call) == f"GET {URL}?api_key=***&page=2"
    assert repr(call) == f"<HttpCall GET {URL}?api_key=***&page=2: 200 (invoke, app.py:4)>"
    assert "k1" not in str(env.timeline)


@pytest.mark.parametrize("is_mocked", [False, True])
def test_a_digest_authentication_is_two_calls(environment, server, is_mocked):
    env = environment(
        """
        import requests
        from requests.auth import HTTPDigestAuth
        def handler(event, context):
            return requests.get(event["url"], auth=HTTPDigestAuth("me", "sesame")).status_code
        """
    )
    url = f"{server.url}/digest"
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocked:
        if is_mocked:
            challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
            mocked.get(url, status=401, headers=challenge)
            mocked.get(url, status=200)
        else:
            mocked.add_passthru(server.url)
        assert env.invoke({"url": url}).payload == 200
    assert [(call.status, call.matched) for call in env.http_calls] == [
        (401, is_mocked),
        (200, is_mocked),
    ]
    assert "sesame" not in str(env.timeline)


def test_a_hook_that_sends_the_request_again_is_another_call(environment, server):
    env = environment(
        """
        import requests
        session = requests.Session()
        def again(response, *args, **kwargs):
            if response.status_code == 401:
                request = response.request.copy()
                request.url = request.url.replace("/401", "/renewed")
                return session.send(request)
        session.hooks["response"].append(again)
        def handler(event, context):
            return session.get(event["url"]).status_code
        """
    )
    assert env.invoke({"url": f"{server.url}/401"}).payload == 200
    assert [call.status for call in env.http_calls] == [401, 200]


def test_a_url_that_is_requested_in_a_callback_of_a_thread_is_recorded(environment, server):
    env = environment(
        """
        import concurrent.futures as futures, requests
        def handler(event, context):
            with futures.ThreadPoolExecutor(4) as pool:
                list(pool.map(requests.get, [event["url"] + f"/{i}" for i in range(8)]))
        """
    )
    env.invoke({"url": server.url})
    assert sorted(call.url[-2:] for call in env.http_calls) == [f"/{i}" for i in range(8)]
    assert {(call.status, call.where) for call in env.http_calls} == {(200, "app.py:5")}
