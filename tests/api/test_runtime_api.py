"""The Runtime API over HTTP: statuses and bodies as recorded from the emulator of AWS."""

from __future__ import annotations

import gc
import json

import pytest

from pytest_lambda_lifecycle.lifecycle.outcome import Raised, Request, Returned
from pytest_lambda_lifecycle.lifecycle.rules import RESPONSE_LIMIT, reported_error_type

NEXT = "/2018-06-01/runtime/invocation/next"
RESTORE = "/2018-06-01/runtime/restore/"
INIT_ERROR = "/2018-06-01/runtime/init/error"
OK = (202, b'{"status":"OK"}\n')


def not_allowed(before: str, after: str) -> tuple[int, str, str]:
    failed = f"State transition from {before} to {after} failed for runtime."
    text = f"{failed} Error: State transition is not allowed"
    return 403, "InvalidStateTransition", text


WRONG_ID = (400, "InvalidRequestID", "Invalid request ID")


def path(request_id: str, kind: str = "response") -> str:
    return f"/2018-06-01/runtime/invocation/{request_id}/{kind}"


def request(request_id: str = "r-1", body: bytes = b'{"a":1}', **headers: str | None) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        body,
        {"Lambda-Runtime-Aws-Request-Id": request_id, "Content-Type": "application/json", **given},
    )


def begin(remote, request_id: str = "r-1") -> None:
    """Bring the runtime to Running."""
    remote.runtime.publish(request(request_id))
    assert remote("GET", NEXT).status == 200


# -- a runtime in this process


@pytest.mark.parametrize("state", ["Started", "Ready", "Running"])
@pytest.mark.parametrize(
    ("method", "call", "aim"),
    [
        ("GET", NEXT, "Ready"),
        ("POST", path("r-1"), "InvocationResponse"),
        ("POST", path("r-1", "error"), "InvocationErrorResponse"),
        ("POST", INIT_ERROR, "InitError"),
        ("GET", f"{RESTORE}next", "Ready"),
        ("POST", f"{RESTORE}error", "RuntimeRestoreErrorState"),
    ],
)
def test_function_code_cannot_act_as_the_runtime(make_apis, state, method, call, aim):
    apis = make_apis(initialization_type="snap-start")
    apis.runtime._view.now = state
    for _ in range(2):
        assert apis(method, call, b"{}" if method == "POST" else None).error == not_allowed(
            state, aim
        )


@pytest.mark.parametrize("current", ["r-1", ""])
def test_function_code_cannot_answer_another_request(make_apis, current):
    apis = make_apis()
    apis.runtime._view.current = current
    for kind in ("response", "error"):
        assert apis("POST", path("r-0", kind), b"{}").error == WRONG_ID


@pytest.mark.parametrize("remote", [True, False])
def test_restore_is_unknown_without_snap_start(make_apis, remote):
    apis = make_apis(remote=remote)
    for method, call in (("GET", "next"), ("POST", "error")):
        answer = apis(method, RESTORE + call, b"")
        assert (answer.status, answer.body) == (404, b"404 page not found\n")


# -- next


def test_an_event_and_its_headers(remote):
    waiting = remote.later("GET", NEXT)
    assert remote.runtime.wait(lambda: remote.runtime.state == "Ready", remote.soon())
    given = {
        "Lambda_Runtime_Deadline_Ms": "1795412345678",
        "Lambda_Runtime_Invoked_Function_Arn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "Lambda_Runtime_Trace_Id": "Root=1-a",
        "Lambda_Runtime_Client_Context": '{"custom":{"k":"v"}}',
        "Lambda_Runtime_Cognito_Identity": '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
        "Lambda_Runtime_Aws_Tenant_Id": "t1",
    }
    remote.runtime.publish(request(**given))
    answer = waiting.result()
    assert (answer.status, answer.body) == (200, b'{"a":1}')
    for name, value in given.items():
        assert answer.headers[name.replace("_", "-")] == value
    assert answer.headers["Lambda-Runtime-Aws-Request-Id"] == "r-1"
    assert answer.headers["Content-Type"] == "application/json"
    assert len(answer.headers["Lambda-Runtime-Invocation-Id"]) == 36
    assert remote.runtime.state == "Running"


def test_empty_and_missing_headers_are_not_sent(remote):
    remote.runtime.publish(request(Lambda_Runtime_Trace_Id="", Lambda_Runtime_Client_Context=None))
    assert not {"Lambda-Runtime-Trace-Id", "Lambda-Runtime-Client-Context"} & set(
        remote("GET", NEXT).headers
    )


def test_line_breaks_in_headers_are_removed(remote):
    remote.runtime.publish(
        request(Lambda_Runtime_Trace_Id="a\r\nX-More: b", Lambda_Runtime_Client_Context="\u20ac")
    )
    headers = remote("GET", NEXT).headers
    assert "X-More" not in headers
    assert headers["Lambda-Runtime-Client-Context"].encode("latin-1").decode() == "\u20ac"


def test_next_while_running_gives_the_same_event(remote):
    remote.runtime.publish(request())
    first, second = remote("GET", NEXT), remote("GET", NEXT)
    assert (first.headers, first.body) == (second.headers, second.body)
    assert remote.runtime.state == "Running"


def test_each_event_wakes_one_of_two_waiting_calls(remote):
    queue = remote.runtime._waiting
    first = remote.later("GET", NEXT)
    assert remote.runtime.wait(lambda: len(queue) == 1, remote.soon())
    second = remote.later("GET", NEXT)
    assert remote.runtime.wait(lambda: len(queue) == 2, remote.soon())
    remote.runtime.publish(request("r-1"))
    assert first.result().headers["Lambda-Runtime-Aws-Request-Id"] == "r-1"
    assert remote("POST", path("r-1"), b"1").status == 202
    third = remote.later("GET", NEXT)
    assert remote.runtime.wait(lambda: len(queue) == 2, remote.soon())
    assert not second.done()
    remote.runtime.publish(request("r-2"))
    assert second.result().headers["Lambda-Runtime-Aws-Request-Id"] == "r-2"
    assert not third.done()


def test_the_end_of_the_process_closes_its_connections(remote):
    waiting = remote.later("GET", NEXT)
    assert remote.runtime.wait(lambda: remote.runtime.ready, remote.soon())
    remote.runtime.end()
    with pytest.raises(ConnectionError):
        waiting.result()
    for method, call in (("GET", NEXT), ("POST", path("r-1")), ("POST", INIT_ERROR)):
        with pytest.raises(ConnectionError):
            remote(method, call)
    remote.runtime.begin()
    assert remote.runtime.state == "Started"


# -- response and error


def test_a_response(remote):
    begin(remote)
    answer = remote("POST", path("r-1"), b'"first"', Content_Type="application/json")
    assert (answer.status, answer.body) == OK
    assert answer.headers["Content-Type"] == "application/json"
    assert remote.runtime.answer == Returned(b'"first"', "application/json")
    assert remote.runtime.answered_at_us is not None
    assert remote.runtime.state == "RuntimeResponseSentState"


def test_the_request_id_is_checked_before_the_state(remote):
    assert remote("POST", path("r-1"), b"1").error == WRONG_ID  # no request yet
    begin(remote)
    for wrong in ("abc", "r-0"):
        assert remote("POST", path(wrong), b"1").error == WRONG_ID
        assert remote("POST", path(wrong, "error"), b"1").error == WRONG_ID
    assert remote("POST", path("r-1"), b"1").status == 202
    waiting = remote.later("GET", NEXT)
    remote.runtime.publish(request("r-2"))
    waiting.result()
    assert remote("POST", path("r-1"), b"1").error == WRONG_ID
    assert remote("POST", path("r-2"), b"1").status == 202


def test_a_response_before_the_event_was_taken(remote):
    remote.runtime.publish(request())
    assert remote("POST", path("r-1"), b"1").error == not_allowed("Started", "InvocationResponse")


@pytest.mark.parametrize("first", ["response", "error"])
@pytest.mark.parametrize(
    ("second", "aim"), [("response", "InvocationResponse"), ("error", "InvocationErrorResponse")]
)
def test_a_request_takes_one_response(remote, first, second, aim):
    begin(remote)
    assert remote("POST", path("r-1", first), b"{}").status == 202
    kept = remote.runtime.answer
    assert remote("POST", path("r-1", second), b"[]").error == not_allowed(
        "RuntimeResponseSentState", aim
    )
    assert remote.runtime.answer is kept


def test_a_response_may_repeat_the_invocation_id(remote):
    remote.runtime.publish(request())
    given = remote("GET", NEXT).headers["Lambda-Runtime-Invocation-Id"]
    wrong = remote("POST", path("r-1"), b"1", Lambda_Runtime_Invocation_Id="other")
    assert wrong.error[:2] == (400, "InvalidInvocationId")
    assert remote.runtime.state == "Running"
    assert remote("POST", path("r-1"), b"1", Lambda_Runtime_Invocation_Id=given).status == 202


def test_streaming(remote):
    begin(remote)
    headers = {"Lambda_Runtime_Function_Response_Mode": "streaming", "Transfer_Encoding": "chunked"}
    body = b"3\r\nabc\r\n2;note=x\r\nde\r\n0\r\nLambda-Runtime-Function-Error-Type: X\r\n\r\n"
    assert (remote("POST", path("r-1"), body, **headers).status) == 202
    assert remote.runtime.answer == Returned(b"abcde", "")


@pytest.mark.parametrize("mode", ["foo", "Streaming"])
def test_a_wrong_response_mode_leaves_the_runtime_stuck(remote, mode):
    begin(remote)
    answer = remote("POST", path("r-1"), b"1", Lambda_Runtime_Function_Response_Mode=mode)
    assert answer.error == (400, "InvalidFunctionResponseMode", "Invalid function response mode")
    again = remote("POST", path("r-1"), b"1")
    assert again.error == not_allowed("InvocationResponse", "InvocationResponse")
    assert remote("GET", NEXT).error == not_allowed("InvocationResponse", "Ready")
    assert remote.runtime.answer == Raised(b"", {"errorType": "Runtime.InvalidResponseModeHeader"})


@pytest.mark.parametrize("kind", ["response", "error"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_response_over_the_limit_ends_the_invoke(remote, kind, chunked):
    begin(remote)
    body, headers = bytes(RESPONSE_LIMIT + 1), {}
    if chunked:
        body, headers = (
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
            {"Transfer_Encoding": "chunked"},
        )
    answer = remote("POST", path("r-1", kind), body, **headers)
    message = "Exceeded maximum allowed payload size (6291556 bytes)."
    assert answer.error == (413, "RequestEntityTooLarge", message)
    assert remote.runtime.answer.error["errorType"] == "Function.ResponseSizeTooLarge"
    waiting = remote.later("GET", NEXT)
    remote.runtime.publish(request("r-2"))
    assert waiting.result().status == 200


def test_a_response_at_the_limit(remote):
    begin(remote)
    assert remote("POST", path("r-1"), bytes(RESPONSE_LIMIT)).status == 202
    assert len(remote.runtime.answer.body) == RESPONSE_LIMIT


def test_an_error_is_passed_on_as_it_is(remote):
    begin(remote)
    body = b'{"errorMessage":"boom","errorType":"ValueError","stackTrace":[],"more":1}'
    assert (remote("POST", path("r-1", "error"), body, Content_Type="text/xml").body) == OK[1]
    assert remote.runtime.answer == Raised(body, json.loads(body))


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"\xff", b"[" * 100_000])
def test_a_malformed_error(remote, body):
    begin(remote)
    gc.disable()  # a collection at the limit of recursion could not run what it finds
    try:
        assert remote("POST", path("r-1", "error"), body).status == 202
    finally:
        gc.enable()
    assert remote.runtime.answer == Raised(body, {})


@pytest.mark.parametrize(
    ("body", "passed"),
    [
        (
            b'{"errorType":"E","errorMessage":"m","stackTrace":["f"],"errorCause":{},"more":1}',
            b'{"errorMessage":"m","errorType":"E","stackTrace":["f"]}',
        ),
        (b"nonsense", b'"Invalid error body"'),
        (b'{"errorMessage":1}', b'"Invalid error body"'),
    ],
)
def test_an_error_with_a_cause(remote, body, passed):
    begin(remote)
    kind = "application/vnd.aws.lambda.error.cause+json"
    assert remote("POST", path("r-1", "error"), body, Content_Type=kind).status == 202
    assert remote.runtime.answer.body == passed


# -- init and restore


def test_init_error(remote):
    body = b'{"errorMessage":"no","errorType":"Runtime.ImportModuleError"}'
    answer = remote(
        "POST", INIT_ERROR, body, Lambda_Runtime_Function_Error_Type="Runtime.ImportModuleError"
    )
    assert (answer.status, answer.body) == OK
    assert remote.runtime.posted == Raised(
        body, json.loads(body), None, "Runtime.ImportModuleError"
    )
    assert remote("POST", INIT_ERROR, b"").error == not_allowed("InitError", "InitError")
    assert remote("GET", NEXT).error == not_allowed("InitError", "Ready")
    assert remote.runtime.posted.body == body


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("", "Runtime.Unknown"),
        ("MyCustomError", "Runtime.Unknown"),
        ("MyCustomError.Error", "Runtime.Unknown"),
        ("Runtime.ExitError", "Runtime.ExitError"),
        ("Function.Mine", "Function.Mine"),
        ("Function.lower", "Function.Unknown"),
    ],
)
def test_error_types_that_are_kept(remote, header, kept):
    assert (
        remote("POST", INIT_ERROR, b"{}", Lambda_Runtime_Function_Error_Type=header).status == 202
    )
    assert reported_error_type(remote.runtime.posted) == kept


def test_init_error_is_refused_after_init(remote):
    waiting = remote.later("GET", NEXT)
    assert remote.runtime.wait(lambda: remote.runtime.ready, remote.soon())
    assert remote("POST", INIT_ERROR, b"").error == not_allowed("Ready", "InitError")
    remote.runtime.publish(request())
    waiting.result()
    assert remote("POST", INIT_ERROR, b"").error == not_allowed("Running", "InitError")
    assert remote.runtime.posted is None


@pytest.fixture
def snap_start(make_apis):
    apis = make_apis(remote=True, initialization_type="snap-start")
    apis.runtime.begin()
    return apis


def test_restore(snap_start):
    runtime = snap_start.runtime
    assert snap_start("POST", f"{RESTORE}error", b"{}").error == not_allowed(
        "Started", "RuntimeRestoreErrorState"
    )
    waiting = snap_start.later("GET", f"{RESTORE}next")
    assert runtime.wait(lambda: runtime.ready, snap_start.soon())
    assert snap_start("GET", NEXT).error == not_allowed("RestoreReady", "Ready")
    assert snap_start("GET", f"{RESTORE}next").error == not_allowed("RestoreReady", "Ready")
    runtime.restore()
    answer = waiting.result()
    assert (answer.status, answer.body, runtime.state) == (200, b"", "Restoring")
    runtime.publish(request())
    assert snap_start("GET", NEXT).status == 200


@pytest.mark.parametrize("call", [f"{RESTORE}error", INIT_ERROR])
def test_a_failed_restore(snap_start, call):
    runtime = snap_start.runtime
    runtime.restore()
    assert snap_start("GET", f"{RESTORE}next").status == 200
    header = {"Lambda_Runtime_Function_Error_Type": "Runtime.AfterRestoreError"}
    assert snap_start("POST", call, b"{}", **header).status == 202
    assert runtime.posted == Raised(b"{}", {}, None, "Runtime.AfterRestoreError")
    assert snap_start("GET", NEXT).error == not_allowed("RuntimeRestoreErrorState", "Ready")
