"""`LambdaHttp`: a `responses.RequestsMock` that stays in force over the phases of environments.

Between phases it is a mock like others: it patches `HTTPAdapter.send` from start to stop.  Other
mocks of the test (moto, ``@responses.activate``, `RequestsMock`) patch the same method, and answer
or refuse a request, depending on which began last.  That order is an accident of fixtures.  So
during a phase one function is on top of all of them (`top_of_requests`).  It asks the `LambdaHttp`
objects in force, the latest first, then the mocks beneath, one by one, each for its own responses
alone (`routing`).  No mock is asked twice for a request: some registries forget a response that
they have found.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from functools import partialmethod
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, cast

import responses
from requests import exceptions
from requests.adapters import HTTPAdapter
from responses import BaseResponse, CallbackResponse, CallList, RequestsMock
from responses.registries import FirstMatchRegistry
from urllib3 import connection_from_url
from urllib3.exceptions import MaxRetryError, ReadTimeoutError

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.redaction import redacted_text
from pytest_lambda_lifecycle.observation.calls.mock_stack import MOCK, mark
from pytest_lambda_lifecycle.observation.calls.response_latency import (
    latency_us,
    pass_time,
    read_timeout,
)
from pytest_lambda_lifecycle.observation.calls.routing import Unmatched, answer, named
from pytest_lambda_lifecycle.observation.calls.top_of_requests import Patcher, TopOfRequests

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from typing_extensions import Self

__all__ = ["LambdaHttp"]

_SPAN: Final = "_lambda_latency_us"
"""On a response: how long it takes.  On an exception: the client did not wait so long."""


class LambdaHttp(RequestsMock):
    """Answers HTTP requests of function code: `responses.RequestsMock`, in force in every phase.

    Use it through the fixture ``lambda_http``, or as a context manager around environments:

        with LambdaHttp() as http, ExecutionEnvironment(FunctionConfig("app.handler")) as env:
            http.get("https://config.example/v1", json={"v": 1})
            env.invoke()

    It answers ``requests`` and libraries that are built on it, but not ``httpx`` and ``aiohttp``,
    which need a mock of their own (respx, pytest-httpx, aioresponses), and not boto3 (moto).

    It has all methods of its base class.  Methods that register a response take ``latency_ms``: how
    long the response takes, in virtual time under ``lambda_clock``.  A client with a shorter read
    timeout gets `requests.exceptions.ReadTimeout`.  A request that matches nothing goes to the
    mocks beneath (moto, ``@responses.activate``), wherever they began, and fails if none answers.
    Requests to Lambda's own APIs, and to prefixes that were given to `add_passthru`, are sent.
    """

    def __init__(
        self,
        assert_all_requests_are_fired: bool = False,
        response_callback: Callable[[Any], Any] | None = None,
        passthru_prefixes: Iterable[Any] = (),
        *,
        registry: type[FirstMatchRegistry] = FirstMatchRegistry,
    ) -> None:
        """Take the arguments of `RequestsMock`.

        ``registry`` is, for example, `responses.registries.OrderedRegistry`.  A fixture of one's
        own, perhaps one that overrides ``lambda_http``, chooses it.
        """
        super().__init__(
            assert_all_requests_are_fired,
            response_callback,
            tuple(passthru_prefixes),
            registry=registry,
        )
        self._latest: Patcher | None = None
        self.test_has_failed = False
        """A failed test needs no second error about requests that it has not made."""

    # -- registering ------------------------------------------------------------------------------

    def add(
        self,
        method: Any = None,  # noqa: ANN401
        url: Any = None,  # noqa: ANN401
        body: Any = "",  # noqa: ANN401
        adding_headers: Any = None,  # noqa: ANN401
        *args: Any,  # noqa: ANN401
        latency_ms: float = 0,
        **kwargs: Any,  # noqa: ANN401
    ) -> BaseResponse:
        """Register a response, as `RequestsMock.add` does; it takes ``latency_ms``."""
        span_us = _span_us(latency_ms, method)
        return _slow(super().add(method, url, body, adding_headers, *args, **kwargs), span_us)

    delete: partialmethod[BaseResponse] = partialmethod(add, "DELETE")
    get: partialmethod[BaseResponse] = partialmethod(add, "GET")
    head: partialmethod[BaseResponse] = partialmethod(add, "HEAD")
    options: partialmethod[BaseResponse] = partialmethod(add, "OPTIONS")
    patch: partialmethod[BaseResponse] = partialmethod(add, "PATCH")
    post: partialmethod[BaseResponse] = partialmethod(add, "POST")
    put: partialmethod[BaseResponse] = partialmethod(add, "PUT")

    def replace(
        self,
        method_or_response: Any = None,  # noqa: ANN401
        url: Any = None,  # noqa: ANN401
        body: Any = "",  # noqa: ANN401
        *args: Any,  # noqa: ANN401
        latency_ms: float = 0,
        **kwargs: Any,  # noqa: ANN401
    ) -> BaseResponse:
        """Replace a response, as `RequestsMock.replace` does; it takes ``latency_ms``.

        So does `upsert`, which calls `replace` or `add`.
        """
        span_us = _span_us(latency_ms, method_or_response)
        return _slow(super().replace(method_or_response, url, body, *args, **kwargs), span_us)

    def add_callback(
        self,
        method: str,
        url: Any,  # noqa: ANN401
        callback: Callable[[Any], Any],
        match_querystring: Any = responses.FalseBool(),  # noqa: ANN401, B008  # as the base class
        content_type: str | None = "text/plain",
        match: Any = (),  # noqa: ANN401
        *,
        latency_ms: float = 0,
    ) -> BaseResponse:
        """Register a callback, as `RequestsMock.add_callback` does; it takes ``latency_ms``."""
        span_us = latency_us(latency_ms)
        response = CallbackResponse(
            url=url,
            method=method,
            callback=callback,
            content_type=content_type,
            match_querystring=match_querystring,
            match=match,
        )
        return _slow(self._registry.add(response), span_us)

    # -- in force ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to answer requests, as `RequestsMock.start` does."""
        if self._patcher is None:
            self._latest = patcher = Patcher(HTTPAdapter, self.unbound_on_send())
            self.test_has_failed = False
            patcher.start()
            self._patcher = cast("Any", patcher)
            _top.add(self)

    def stop(self, allow_assert: bool = True) -> None:
        """End, as `RequestsMock.stop` does."""
        __tracebackhide__ = True
        if self._patcher is not None:
            _top.remove(self)
        super().stop(allow_assert=False)
        if allow_assert and self.assert_all_requests_are_fired and not self.test_has_failed:
            self._require_fired()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        try:
            self.stop(allow_assert=kind is None)
        finally:
            self.reset()

    def _require_fired(self) -> None:
        __tracebackhide__ = True
        missing = [one for one in self.registered() if one.call_count == 0]
        if missing:
            lines = [f"- {one.method} {one.url}" for one in missing]
            text = "\n".join(["Not all requests have been executed:", *lines])
            raise AssertionError(redacted_text(text))

    # -- one request ------------------------------------------------------------------------------

    def unbound_on_send(self) -> Any:  # noqa: ANN401
        """Return the function to put in the place of `HTTPAdapter.send`."""

        def send(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            beneath = patcher.temp_original if (patcher := self._latest) else self._real_send
            if self._patcher is None:  # a tool has restored this function late
                return beneath(adapter, request, *args, **kwargs)
            return answer((self,), beneath, None, adapter, request, named(args, kwargs))

        mark(send, MOCK, self)
        return send

    def _find_match(self, request: PreparedRequest) -> tuple[Any, list[str]]:
        """Return the response that matches; raise `Unmatched` without one."""
        __tracebackhide__ = __function_code_above__ = True
        match, reasons = super()._find_match(request)
        if match is None:
            raise Unmatched(self, reasons, list(self.registered()))
        span_us = getattr(match, _SPAN, 0)
        return (_SlowResponse(match, span_us) if span_us else match), reasons

    def _on_request(
        self,
        adapter: HTTPAdapter,
        request: PreparedRequest,
        *,
        retries: Any = None,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> Response:
        """Answer a request; a read timeout is retried as the adapter's `Retry` says."""
        __tracebackhide__ = __function_code_above__ = True
        try:
            response: Response = super()._on_request(adapter, request, retries=retries, **kwargs)
            return response
        except exceptions.ReadTimeout as error:
            if _SPAN not in vars(error):
                raise
            timeout = error
        reason = timeout.args[0]
        try:
            retries = (retries or adapter.max_retries).increment(
                method=request.method, url=request.path_url, error=reason, _pool=reason.pool
            )
        except ReadTimeoutError:
            raise timeout from None
        except MaxRetryError as error:
            raise exceptions.ConnectionError(error, request=request) from None
        retries.sleep()
        return self._on_request(adapter, request, retries=retries, **kwargs)

    # -- asked by `routing` -----------------------------------------------------------------------

    _leaves_unmatched = True
    """`_on_request` raises `Unmatched` for a request that it does not match."""
    _connection_error = exceptions.ConnectionError

    def _refusal(
        self,
        adapter: HTTPAdapter,
        request: PreparedRequest,
        options: dict[str, Any],
        reasons: Sequence[str],
        registered: Sequence[BaseResponse],
        prefixes: Sequence[Any],
    ) -> str:
        """Return the text with which ``responses`` itself refuses a request."""
        refusing = copy.copy(self)
        vars(refusing).update(
            _find_match=lambda request: (None, reasons),
            registered=lambda: registered,
            passthru_prefixes=tuple(prefixes),
            _calls=CallList(),
        )
        try:
            RequestsMock._on_request(refusing, adapter, request, **options)
        except exceptions.ConnectionError as error:
            return str(error)
        return "Connection refused by Responses - the call doesn't match any registered mock."


class _SlowResponse:
    """Stands for a response that has matched, and takes time."""

    passthrough = False

    def __init__(self, response: BaseResponse, span_us: int) -> None:
        self._response = response
        self._span_us = span_us
        self.calls = response.calls

    def get_response(self, request: Any) -> Any:  # noqa: ANN401
        """Return the response after its time, or raise `ReadTimeout` after the client's."""
        __tracebackhide__ = __function_code_above__ = True
        timeout = read_timeout(request.req_kwargs.get("timeout"))
        if timeout is None or timeout * 1_000_000 >= self._span_us:
            pass_time(self._span_us)
            return self._response.get_response(request)
        pass_time(round(timeout * 1_000_000))
        reason = ReadTimeoutError(
            connection_from_url(request.url),
            request.path_url,
            f"Read timed out. (read timeout={timeout})",
        )
        error = exceptions.ReadTimeout(reason, request=request)
        vars(error)[_SPAN] = self._span_us
        raise error


def _span_us(latency_ms: object, response: object) -> int:
    """Return the latency of a response that is about to be registered."""
    span_us = latency_us(latency_ms)
    if span_us and getattr(response, "passthrough", False):
        raise LifecycleError(
            f"cannot give {response!r} latency_ms={latency_ms!r}: its request is sent, and takes "
            "the time that it takes",
            code="LLC811",
        )
    return span_us


def _slow(response: BaseResponse, span_us: int) -> BaseResponse:
    """Note the time that a registered response takes."""
    if span_us or _SPAN in vars(response):
        vars(response)[_SPAN] = span_us
    return response


_top: Final = TopOfRequests(HTTPAdapter, RequestsMock)


def note_requests() -> Callable[[], None]:
    """Return a call that forgets the requests that those in force answer from now on."""
    return _top.note_requests()


def note_failed_test() -> None:
    """Note that a test has failed: those in force then do not ask for missing requests."""
    _top.test_failed()
