"""HTTP requests of httpx and aiohttp, and the line of function code behind an event loop."""

import functools
import inspect
import sys
from unittest import mock

import aiohttp
import httpx
import pytest
import respx
from aioresponses import aioresponses

from pytest_lambda_lifecycle import FunctionError

pytestmark = pytest.mark.usefixtures("same_objects_as_before")

URL = "https://config.example/v1"

HTTPX = """
    import httpx
    client = httpx.Client(follow_redirects=True)
    def handler(event, context):
        return client.get(event["url"]).status_code
"""
HTTPX_ASYNC = """
    import asyncio, httpx
    async def main(event):
        async with httpx.AsyncClient(follow_redirects=True) as client:
            return (await client.get(event["url"])).status_code
    def handler(event, context):
        return asyncio.run(main(event))
"""
AIOHTTP = """
    import asyncio, aiohttp
    async def main(event):
        async with aiohttp.ClientSession() as session:
            async with session.get(event["url"]) as response:
                return response.status
    def handler(event, context):
        return asyncio.run(main(event))
"""
CLIENTS = pytest.mark.parametrize(
    "source", [HTTPX, HTTPX_ASYNC, AIOHTTP], ids=["httpx", "httpx-async", "aiohttp"]
)
LINES = {HTTPX: "app.py:5", HTTPX_ASYNC: "app.py:5", AIOHTTP: "app.py:5"}
LIBRARIES = {HTTPX: "httpx", HTTPX_ASYNC: "httpx", AIOHTTP: "aiohttp"}


def summary(calls):
    return [(str(call), call.result, call.matched) for call in calls]


class Response(aiohttp.ClientResponse):
    """A response as aioresponses makes it; aiohttp asks for more since 3.14."""

    def __init__(self, *args, **kwargs):
        if "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters:
            kwargs.setdefault("stream_writer", mock.Mock(output_size=0))
        super().__init__(*args, **kwargs)


@pytest.fixture
def closes_clients(monkeypatch):
    """Close the clients that function code leaves open, as its process would."""
    made = []

    def init(self, *args, _init=httpx.Client.__init__, **kwargs):
        made.append(self)
        _init(self, *args, **kwargs)

    monkeypatch.setattr(httpx.Client, "__init__", init)
    yield
    for client in made:
        client.close()


pytestmark = [pytestmark, pytest.mark.usefixtures("closes_clients")]


@CLIENTS
def test_a_request_that_is_sent_is_one_call(environment, server, source):
    env = environment(source)
    env.invoke({"url": f"{server.url}/a?b=1"})
    warm = env.invoke({"url": f"{server.url}/c"})
    [call] = warm.http_calls
    assert summary(env.http_calls) == [
        (f"GET {server.url}/a?b=1", "200", False),
        (f"GET {server.url}/c", "200", False),
    ]
    assert (call.phase, call.invocation, call.attempts) == ("invoke", 1, 1)
    assert (call.where, call.library) == (LINES[source], LIBRARIES[source])
    assert call.duration_ms > 0


@CLIENTS
def test_each_hop_of_a_redirect_is_a_call(environment, server, source):
    url = f"{server.url}/302?to=/307?to%3D/end"
    calls = environment(source).invoke({"url": url}).http_calls
    assert summary(calls) == [
        (f"GET {url}", "302", False),
        (f"GET {server.url}/307?to=/end", "307", False),
        (f"GET {server.url}/end", "200", False),
    ]
    assert [call.attempts for call in calls] == [1, 1, 1]
    assert len({call.where for call in calls}) == 1


@CLIENTS
def test_a_connection_that_is_refused_is_an_attempt_to_send(environment, closed_port, source):
    env = environment(source)
    with pytest.raises(FunctionError):
        env.invoke({"url": f"http://127.0.0.1:{closed_port}/"})
    [call] = env.http_calls
    assert (call.status, call.matched) == (None, False)
    assert call.result == type(call.exception).__name__
    assert "Connect" in call.result


@CLIENTS
def test_a_server_that_hangs_up_is_an_exception(environment, server, source):
    env = environment(source)
    with pytest.raises(FunctionError):
        env.invoke({"url": f"{server.url}/drop"})
    [call] = env.http_calls
    assert (call.status, call.matched, call.exception is None) == (None, False, False)
    assert call.attempts == len(server.seen)


@CLIENTS
def test_a_redirect_whose_target_fails_keeps_its_status(environment, server, closed_port, source):
    env = environment(source)
    with pytest.raises(FunctionError):
        env.invoke({"url": f"{server.url}/302?to=http://127.0.0.1:{closed_port}/"})
    first, second = env.http_calls
    assert (first.status, first.exception, first.matched) == (302, None, False)
    assert (second.status, second.exception is None, second.matched) == (None, False, False)


@pytest.mark.parametrize("using", ["httpcore", "httpx"])
@pytest.mark.parametrize("source", [HTTPX, HTTPX_ASYNC], ids=["sync", "async"])
def test_respx_answers_and_the_call_is_matched(environment, source, using):
    env = environment(source)
    with respx.mock(using=using) as mocked:
        mocked.get(URL).respond(302, headers={"Location": "https://other.example/end"})
        mocked.get("https://other.example/end").respond(204)
        env.invoke({"url": URL})
    assert summary(env.http_calls) == [
        (f"GET {URL}", "302", True),
        ("GET https://other.example/end", "204", True),
    ]


@pytest.mark.parametrize("using", ["httpcore", "httpx"])
@pytest.mark.parametrize("source", [HTTPX, HTTPX_ASYNC], ids=["sync", "async"])
def test_a_mock_of_httpx_that_raises_is_an_exception(environment, source, using):
    env = environment(source)
    with respx.mock(using=using) as mocked:
        mocked.get(URL).mock(side_effect=httpx.ConnectTimeout("too slow"))
        with pytest.raises(FunctionError, match="too slow"):
            env.invoke({"url": URL})
    assert summary(env.http_calls) == [(f"GET {URL}", "ConnectTimeout", True)]


@pytest.mark.parametrize("source", [HTTPX, HTTPX_ASYNC], ids=["sync", "async"])
def test_respx_may_let_a_request_pass(environment, server, source):
    env = environment(source)
    with respx.mock(assert_all_called=False) as mocked:
        mocked.route(host="127.0.0.1").pass_through()
        env.invoke({"url": f"{server.url}/a"})
    assert summary(env.http_calls) == [(f"GET {server.url}/a", "200", False)]


def test_pytest_httpx_answers_and_the_call_is_matched(environment, httpx_mock):
    httpx_mock.add_response(url=URL, status_code=201)
    httpx_mock.add_exception(httpx.ReadTimeout("too slow"), url=URL)
    env = environment(HTTPX_ASYNC)
    env.invoke({"url": URL})
    with pytest.raises(FunctionError, match="too slow"):
        env.invoke({"url": URL})
    assert summary(env.http_calls) == [
        (f"GET {URL}", "201", True),
        (f"GET {URL}", "ReadTimeout", True),
    ]


def test_a_transport_of_the_function_is_a_mock(environment):
    env = environment(
        """
        import asyncio, httpx
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 202, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        async def main():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
                return (await client.get("http://app/a")).status_code
        def handler(event, context):
            with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(203))) as one:
                return one.get("http://app/b").status_code, asyncio.run(main())
        """
    )
    assert env.invoke().payload == [203, 202]
    assert summary(env.http_calls) == [
        ("GET http://app/b", "203", True),
        ("GET http://app/a", "202", True),
    ]


def test_connections_that_httpx_retries_are_attempts_of_one_call(environment, closed_port):
    env = environment(
        """
        import asyncio, httpx
        async def main(url):
            transport = httpx.AsyncHTTPTransport(retries=2)
            async with httpx.AsyncClient(transport=transport) as client:
                await client.get(url)
        def handler(event, context):
            with httpx.Client(transport=httpx.HTTPTransport(retries=1)) as client:
                try: client.get(event["url"])
                except httpx.ConnectError: pass
            try: asyncio.run(main(event["url"]))
            except httpx.ConnectError: pass
        """
    )
    env.invoke({"url": f"http://127.0.0.1:{closed_port}/"})
    assert [call.attempts for call in env.http_calls] == [2, 3]
    assert [call.result for call in env.http_calls] == ["ConnectError"] * 2


def test_a_token_that_an_auth_flow_fetches_is_a_call(environment, server):
    env = environment(
        """
        import httpx
        class Auth(httpx.Auth):
            def auth_flow(self, request):
                token = yield httpx.Request("POST", BASE + "/token")
                request.headers["Authorization"] = "Bearer " + str(token.status_code)
                yield request
        def handler(event, context):
            global BASE
            BASE = event["base"]
            with httpx.Client(auth=Auth()) as client:
                client.get(BASE + "/data")
        """
    )
    env.invoke({"base": server.url})
    assert list(map(str, env.http_calls)) == [
        f"POST {server.url}/token",
        f"GET {server.url}/data",
    ]


def test_aioresponses_answers_and_the_call_is_matched(environment):
    env = environment(AIOHTTP)
    with aioresponses() as mocked:
        get = functools.partial(mocked.get, response_class=Response)
        get(URL, status=302, headers={"Location": "https://other.example/end"})
        get("https://other.example/end", status=204)
        env.invoke({"url": URL})
        mocked.get(URL, exception=aiohttp.ClientConnectionError("mocked"))
        with pytest.raises(FunctionError, match="mocked"):
            env.invoke({"url": URL})
    assert summary(env.http_calls) == [
        (f"GET {URL}", "302", True),
        ("GET https://other.example/end", "204", True),
        (f"GET {URL}", "ClientConnectionError", True),
    ]


@pytest.mark.parametrize("begins", ["before", "between"])
def test_aioresponses_may_let_a_request_pass(environment, server, begins):
    env = environment(AIOHTTP)
    if begins == "between":
        env.initialize()
    with aioresponses(passthrough=[server.url]):
        env.invoke({"url": f"{server.url}/302?to=/end"})
    assert summary(env.http_calls) == [
        (f"GET {server.url}/302?to=/end", "302", False),
        (f"GET {server.url}/end", "200", False),
    ]


@pytest.mark.parametrize("begins", ["before", "between"])
@pytest.mark.parametrize("ends", ["before", "after"])
def test_aioresponses_may_begin_and_end_when_it_likes(environment, begins, ends):
    original = aiohttp.ClientSession._request
    mocked = aioresponses()
    if begins == "before":
        mocked.start()
    env = environment(AIOHTTP)
    env.initialize()
    if begins == "between":
        mocked.start()
    for _ in range(2):
        mocked.get(URL, status=204, response_class=Response)
        env.invoke({"url": URL})
    assert [call.status for call in env.http_calls] == [204, 204]
    if ends == "before":
        mocked.stop()
        env.close()
    else:
        env.close()
        mocked.stop()
    if (begins, ends) != ("between", "after"):  # there it returns at the end of the test
        assert aiohttp.ClientSession._request is original


def test_the_url_of_aiohttp_has_the_base_and_the_parameters(environment, server):
    env = environment(
        """
        import asyncio, aiohttp
        async def main(event):
            async with aiohttp.ClientSession(event["base"]) as session:
                async with session.post("/a", params={"x": "1 2"}): pass
        def handler(event, context):
            asyncio.run(main(event))
        """
    )
    env.invoke({"base": server.url})
    with aioresponses() as mocked:
        mocked.post(f"{server.url}/a?x=1+2", response_class=Response)
        env.invoke({"base": server.url})
    assert [call.url for call in env.http_calls] == [f"{server.url}/a?x=1+2"] * 2
    assert [call.matched for call in env.http_calls] == [False, True]


@pytest.mark.parametrize("library", ["httpx", "aiohttp"])
def test_a_request_that_is_cancelled_is_an_exception(environment, server, library):
    env = environment(
        f"""
        import asyncio, aiohttp, httpx
        async def main(url):
            client = httpx.AsyncClient() if {library!r} == "httpx" else aiohttp.ClientSession()
            async with client:
                async def get():
                    await client.get(url)
                try: await asyncio.wait_for(get(), 0.1)
                except asyncio.TimeoutError: pass
        def handler(event, context):
            asyncio.run(main(event["url"]))
        """
    )
    env.invoke({"url": f"{server.url}/slow"})
    assert summary(env.http_calls) == [(f"GET {server.url}/slow", "CancelledError", False)]


@pytest.mark.parametrize("library", ["httpx", "aiohttp"])
def test_a_response_may_be_entered_in_one_task_and_left_in_another(environment, server, library):
    enter = 'client.stream("GET", url)' if library == "httpx" else "client.get(url)"
    env = environment(
        f"""
        import asyncio, aiohttp, httpx
        async def main(url):
            client = httpx.AsyncClient() if {library!r} == "httpx" else aiohttp.ClientSession()
            async with client:
                context = {enter}
                await asyncio.create_task(context.__aenter__())
                await asyncio.create_task(context.__aexit__(None, None, None))
                async with {enter}: pass
        def handler(event, context):
            asyncio.run(main(event["url"]))
        """
    )
    env.invoke({"url": f"{server.url}/a"})
    assert summary(env.http_calls) == [(f"GET {server.url}/a", "200", False)] * 2


def test_the_line_of_a_task_is_the_one_that_waits_for_it(environment, server):
    env = environment(
        """
        import asyncio, aiohttp, httpx, requests
        async def wrapped(client, url):
            return await client.get(url)
        async def main(url):
            async with httpx.AsyncClient() as client, aiohttp.ClientSession() as session:
                await client.get(url + "/6")
                await asyncio.gather(client.get(url + "/7"), client.get(url + "/7"))
                await asyncio.gather(session.get(url + "/8"))
                await asyncio.create_task(client.get(url + "/9"))
                await asyncio.create_task(wrapped(client, url + "/3"))
                await asyncio.wait_for(client.get(url + "/11"), 5)
                await asyncio.to_thread(requests.get, url + "/12")
                await asyncio.get_running_loop().run_in_executor(None, requests.get, url + "/13")
        def handler(event, context):
            asyncio.run(main(event["url"]))
        """
    )
    env.invoke({"url": server.url})
    lines = {call.url.rpartition("/")[2]: call.where for call in env.http_calls}
    shift = 1
    assert lines == {
        number: f"app.py:{int(number) + shift}"
        for number in ("6", "7", "8", "9", "3", "11", "12", "13")
    }


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.11 has task groups")
def test_the_line_of_a_task_group_is_the_one_that_waits_for_it(environment, server):
    env = environment(
        """
        import asyncio, httpx
        async def main(url):
            async with httpx.AsyncClient() as client:
                async with asyncio.TaskGroup() as group:
                    group.create_task(client.get(url))
        def handler(event, context):
            asyncio.run(main(event["url"]))
        """
    )
    env.invoke({"url": server.url})
    assert env.http_calls[0].where == "app.py:5"


def test_the_digest_of_a_middleware_is_a_call_of_its_own(environment, server):
    middleware = getattr(aiohttp, "DigestAuthMiddleware", None)
    if middleware is None:
        pytest.skip("aiohttp has the middleware since 3.12")
    env = environment(
        """
        import asyncio, aiohttp
        async def main(url):
            digest = aiohttp.DigestAuthMiddleware("me", "sesame")
            async with aiohttp.ClientSession(middlewares=(digest,)) as session:
                async with session.get(url) as response:
                    return response.status
        def handler(event, context):
            return asyncio.run(main(event["url"]))
        """
    )
    assert env.invoke({"url": f"{server.url}/digest"}).payload == 200
    assert [call.status for call in env.http_calls] == [401, 200]
