"""The same event and handler give the same bytes here and in the real runtime, `awslambdaric`."""

from __future__ import annotations

import builtins
import collections
import datetime
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionLog
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, Raised, Returned

from .frames import without_frames
from .stand_in import JSON_VALUES, LIMITED, do, environment

bootstrap = pytest.importorskip("awslambdaric.bootstrap", reason="awslambdaric is not installed")
client_module = pytest.importorskip("awslambdaric.lambda_runtime_client")
marshaller_module = pytest.importorskip("awslambdaric.lambda_runtime_marshaller")

HEADERS = {"Lambda-Runtime-Aws-Request-Id": "req-1"}
ARN = "arn:aws:lambda:us-east-1:123456789012:function:function"
RUNTIMES = ("python3.11", "python3.13")
"""A runtime that escapes non-ASCII letters, and one that does not."""

pytestmark = [
    pytest.mark.filterwarnings("default"),
    # A reset inside an example restores the recursion limit, which Hypothesis has raised for it.
    pytest.mark.filterwarnings("ignore:The recursion limit will not be reset"),
]


@dataclass
class Answer:
    """The outcome of one event on one side."""

    posted: str | None
    """The posted text, invalid bytes as surrogates; None if the process has ended."""
    content_type: str
    stdout: str


@dataclass
class NativeClient:
    """Replaces the native half of the real client: it keeps the posts."""

    posted: bytes | None = None
    content_type: str = ""

    def post_invocation_result(
        self, request_id: str, body: bytes, content_type: str, invocation_id: object
    ) -> None:
        self.posted, self.content_type = bytes(body), content_type

    def post_error(
        self, request_id: str, body: str, xray_cause: str, invocation_id: object
    ) -> None:
        self.posted, self.content_type = body.encode(), "application/json"


@dataclass
class Both:
    """The real runtime and the one of this package, on one handler."""

    env: ExecutionEnvironment
    patch: pytest.MonkeyPatch

    def agree_on(self, body: bytes, action: Callable[[Any, Any], Any], **headers: str) -> Answer:
        """Assert that both sides have the same outcome, and return it."""
        do(action)
        named = {
            f"Lambda-Runtime-{name.replace('_', '-')}": value for name, value in headers.items()
        }
        ours = self._ours(body, {**HEADERS, **named})
        real = self._real(body, named)
        assert ours == real
        return ours

    def _ours(self, body: bytes, headers: dict[str, str]) -> Answer:
        first = len(self.env.timeline)
        outcome = self.env.invoke(body, check=False, headers=headers).outcome
        events = self.env.timeline[first:]
        stdout = "".join(
            event.text
            for event in events
            if isinstance(event, FunctionLog) and event.stream == "stdout"
        )
        if isinstance(outcome, Exited):
            return _answer(None, "", stdout)
        assert isinstance(outcome, (Returned, Raised))
        content_type = outcome.content_type if isinstance(outcome, Returned) else "application/json"
        return _answer(outcome.body, content_type, stdout)

    def _real(self, body: bytes, headers: dict[str, str]) -> Answer:
        native = NativeClient()
        self.patch.setattr(client_module, "runtime_client", native)
        client = client_module.LambdaRuntimeClient("127.0.0.1:1")
        client.marshaller = marshaller_module.LambdaMarshaller()
        stdout = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
        self.patch.setattr(sys, "stdout", stdout)
        get = headers.get
        try:
            bootstrap.handle_event_request(
                client,
                self.env.import_module("stand_in_app").handler,
                HEADERS["Lambda-Runtime-Aws-Request-Id"],
                body,
                "application/json",
                get("Lambda-Runtime-Client-Context"),
                get("Lambda-Runtime-Cognito-Identity"),
                ARN,
                0,
                get("Lambda-Runtime-Aws-Tenant-Id"),
                bootstrap.StandardLogSink(),
            )
        except BaseException:
            native = NativeClient()
        finally:
            self.patch.undo()
        stdout.flush()
        return _answer(native.posted, native.content_type, stdout.buffer.getvalue().decode())


def _answer(posted: bytes | None, content_type: str, stdout: str) -> Answer:
    text = (
        None if posted is None else _without_own_frames(posted.decode("utf-8", "surrogateescape"))
    )
    return Answer(text, content_type, _without_own_frames(stdout))


def _without_own_frames(text: str) -> str:
    return without_frames(
        text,
        lambda path: not {"awslambdaric", "pytest_lambda_lifecycle"}.isdisjoint(path.split("/")),
    )


@pytest.fixture(params=RUNTIMES)
def both(request, tmp_path, monkeypatch):
    """Both sides, under the rules of one runtime."""
    with environment(tmp_path, runtime=request.param) as env:
        env.initialize()
        yield Both(env, monkeypatch)


# -- events and results


def test_both_runtimes_decode_any_event_alike(both):
    @LIMITED
    @given(JSON_VALUES)
    def check(value: object) -> None:
        both.agree_on(json.dumps(value).encode(), lambda event, context: [repr(event), event])

    check()


def test_both_runtimes_decode_or_refuse_any_bytes_alike(both):
    json_like = st.text('{}[]",:0123456789.eE+-truefalsn \n\\u', max_size=12).map(str.encode)

    @LIMITED
    @given(st.binary(max_size=12) | json_like)
    def check(body: bytes) -> None:
        both.agree_on(body, lambda event, context: repr(event))

    check()


class Point(collections.namedtuple("Point", "x y")):
    """A value that simplejson writes as an object."""


class AsDict:
    """A class with the method by which simplejson recognises objects."""

    def _asdict(self) -> dict[str, int]:
        return {"z": 1}


class Text(str):
    """A subclass of str, whose ``__str__`` simplejson does not call."""

    def __str__(self) -> str:
        return "not this"


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.binary(max_size=6)
    | st.text(st.characters(), max_size=8)
    | st.text(st.characters(categories=["Cs", "L"]), max_size=3)
    | st.text(max_size=5).map(Text)
    | st.sampled_from(
        [datetime.date(2026, 1, 1), {1}, bytearray(b"x"), object, Decimal("sNaN"), AsDict()]
    )
)
KEYS = (
    st.text(max_size=5)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.binary(max_size=3)
    | st.just((1,))
)
RESULTS = st.recursive(
    LEAVES,
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(KEYS, children, max_size=3)
        | st.tuples(children, children)
        | st.builds(Point, children, children)
    ),
    max_leaves=6,
)


def test_both_runtimes_encode_any_result_alike(both):
    @LIMITED
    @given(RESULTS)
    def check(result: object) -> None:
        both.agree_on(b"{}", lambda event, context: result)

    check()


# -- errors


class Custom(Exception):
    """An exception class of the function."""


class Silent(Exception):
    """An exception without text: ``__str__`` raises."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Naïve(Exception):
    """An exception class whose name is not ASCII."""


ERROR_CLASSES = [
    Custom,
    Silent,
    Naïve,
    ValueError,
    KeyError,
    OSError,
    StopIteration,
    UnicodeError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
]
if sys.version_info >= (3, 11):
    ERROR_CLASSES.append(lambda *args: builtins.ExceptionGroup("group", [ValueError(*args)]))  # type: ignore[attr-defined]

ARGUMENTS = st.lists(
    JSON_VALUES | st.text(st.characters(), max_size=6) | st.binary(max_size=3), max_size=3
)


def test_both_runtimes_report_any_exception_alike(both):
    @LIMITED
    @given(st.sampled_from(ERROR_CLASSES), ARGUMENTS, st.integers(0, 8), st.booleans())
    def check(
        error_class: Callable[..., BaseException],
        arguments: list[object],
        depth: int,
        chained: bool,
    ) -> None:
        def fall(remaining: int) -> None:
            if remaining:
                fall(remaining - 1)
            raise error_class(*arguments) from (LookupError("cause") if chained else None)

        both.agree_on(b"{}", lambda event, context: fall(depth))

    check()


def test_both_runtimes_report_errors_of_the_standard_library_alike(both):
    for action in (
        lambda event, context: json.loads("{"),
        lambda event, context: open("/no/such/file"),  # noqa: SIM115
        lambda event, context: event.missing,
        lambda event, context: exec("a b"),
        lambda event, context: __import__("no_such_module"),
        lambda event, context: int("x"),
    ):
        answer = both.agree_on(b"{}", action)
        assert answer.posted is not None
        assert json.loads(answer.posted)["stackTrace"]


# -- the context

HEADER_TEXTS = JSON_VALUES.map(json.dumps) | st.text('{}[]",:0123456789tru', min_size=1, max_size=8)
CLIENT_CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "custom": JSON_VALUES,
        "env": JSON_VALUES,
        "client": st.none()
        | st.fixed_dictionaries(
            {}, optional={"installation_id": JSON_VALUES, "app_title": JSON_VALUES}
        ),
        "w3c": JSON_VALUES
        | st.fixed_dictionaries({}, optional={"traceparent": JSON_VALUES, "baggage": st.text()}),
    },
).map(json.dumps)


def test_both_runtimes_make_the_same_context(both):
    def describe(event: object, context: Any) -> object:
        attributes = {
            name: repr(value)
            for name, value in vars(context).items()
            if not name.startswith("_epoch")
        }
        public = [name for name in dir(context) if not name.startswith("_")]
        return [repr(context), attributes, type(context).__name__, context.w3c(), public]

    @LIMITED
    @given(CLIENT_CONTEXTS | HEADER_TEXTS, HEADER_TEXTS, st.text("abc-", min_size=1, max_size=5))
    def check(client_context: str, identity: str, tenant_id: str) -> None:
        answer = both.agree_on(
            b"{}",
            describe,
            Client_Context=client_context,
            Cognito_Identity=identity,
            Aws_Tenant_Id=tenant_id,
        )
        assert answer.posted is not None

    check()


def test_awslambdaric_reads_the_variables_of_the_environment(both):
    answer = both.agree_on(
        b"{}", lambda event, context: [context.function_name, os.environ["AWS_EXECUTION_ENV"]]
    )
    assert answer.posted is not None
    assert answer.posted.startswith('["function", "AWS_Lambda_python3.1')
