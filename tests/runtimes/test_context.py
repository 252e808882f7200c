"""The context object, attribute by attribute."""

from __future__ import annotations

import json
import logging
import time

import pytest

from pytest_lambda_lifecycle.runtimes.codec import RuntimeFault
from pytest_lambda_lifecycle.runtimes.context import (
    Client,
    ClientContext,
    LambdaContext,
    decode_header,
)

ARN = "arn:aws:lambda:us-east-1:123456789012:function:fn"
VARIABLES = {
    "AWS_LAMBDA_FUNCTION_NAME": "fn",
    "AWS_LAMBDA_FUNCTION_VERSION": "7",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/fn",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[7]abc",
}


@pytest.fixture(autouse=True)
def _variables(monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)


def make(client_context=None, identity=None, deadline=0, arn=ARN, tenant_id=None) -> LambdaContext:
    return LambdaContext("req-1", client_context, identity, deadline, arn, tenant_id)


def test_attributes_come_from_the_variables_and_the_request():
    context = make(tenant_id="blue")
    assert context.aws_request_id == "req-1"
    assert context.function_name == "fn"
    assert context.function_version == "7"
    assert context.memory_limit_in_mb == "256"
    assert context.log_group_name == "/aws/lambda/fn"
    assert context.log_stream_name == "2026/01/01/[7]abc"
    assert context.invoked_function_arn == ARN
    assert context.tenant_id == "blue"
    assert context.client_context is None
    assert context.identity.cognito_identity_id is None
    assert context.identity.cognito_identity_pool_id is None


def test_variables_are_read_at_every_invoke(monkeypatch):
    assert make().function_name == "fn"
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "other")
    assert make().function_name == "other"
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
    assert make().function_name is None


def test_variables_are_read_from_a_replaced_os_environ(monkeypatch):
    monkeypatch.setattr("os.environ", {"AWS_LAMBDA_FUNCTION_NAME": "replaced"})
    context = make()
    assert context.function_name == "replaced"
    assert context.function_version is None


def test_the_repr_is_that_of_the_runtime():
    assert repr(make()) == (
        "LambdaContext([aws_request_id=req-1,log_group_name=/aws/lambda/fn,"
        "log_stream_name=2026/01/01/[7]abc,function_name=fn,memory_limit_in_mb=256,"
        f"function_version=7,invoked_function_arn={ARN},client_context=None,identity="
        "CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None]),tenant_id=None])"
    )
    assert type(make()).__module__ == "awslambdaric.lambda_context"


def test_the_context_takes_attributes_and_its_parts_do_not():
    context = make({"custom": {}})
    context.anything = 1  # type: ignore[attr-defined]
    assert vars(context)["anything"] == 1
    for part in (context.identity, context.client_context):
        with pytest.raises(AttributeError):
            part.anything = 1


def test_remaining_time_is_an_int_and_reads_time_at_the_call(monkeypatch):
    context = make(deadline=5000)
    monkeypatch.setattr(time, "time", lambda: 0.0015)
    assert context.get_remaining_time_in_millis() == 4999
    monkeypatch.setattr(time, "time", lambda: 6.0)
    assert context.get_remaining_time_in_millis() == 0


def test_identity():
    context = make(identity={"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool", "more": 1})
    assert (
        repr(context.identity)
        == "CognitoIdentity([cognito_identity_id=id,cognito_identity_pool_id=pool])"
    )


def test_client_context():
    context = make(
        {"custom": {"a": 1}, "env": {"b": 2}, "client": {"installation_id": "i", "app_title": "t"}}
    )
    assert isinstance(context.client_context, ClientContext)
    assert isinstance(context.client_context.client, Client)
    assert context.client_context.custom == {"a": 1}
    assert repr(context.client_context) == (
        "ClientContext([custom={'a': 1},env={'b': 2},client=Client([installation_id=i,app_title=t,"
        "app_version_name=None,app_version_code=None,app_package_name=None])])"
    )


def test_the_trace_context_comes_from_the_client_context():
    w3c = {"traceparent": "00-a-b-01", "tracestate": 1, "baggage": "k=v", "other": "z"}
    context = make({"w3c": w3c, "custom": None})
    assert context.w3c() == {"traceparent": "00-a-b-01", "baggage": "k=v"}
    context.w3c().clear()
    assert len(context.w3c()) == 2
    assert make({"w3c": "text"}).w3c() == make().w3c() == {}


@pytest.mark.parametrize("value", [[], 1, "text", False])
def test_json_of_a_wrong_type_fails_as_in_the_runtime(value):
    name = type(value).__name__
    with pytest.raises(AttributeError, match=f"'{name}' object has no attribute 'get'"):
        make(identity=value)
    with pytest.raises(AttributeError, match=f"'{name}' object has no attribute 'get'"):
        make(client_context=value)


def test_headers_are_decoded_with_the_module_json():
    assert decode_header('{"a": NaN}', "Client Context")["a"] != 0
    with pytest.raises(RuntimeFault) as caught:
        decode_header("{", "Client Context")
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads("{")
    assert caught.value.error_type == "Runtime.LambdaContextUnmarshalError"
    assert caught.value.message == f"Unable to parse Client Context JSON: {expected.value}"


def test_log_writes_to_the_handler_of_the_runtime_or_to_stdout(capsys, monkeypatch):
    class Sink:
        def log(self, text: str) -> None:
            written.append(text)

    written: list[str] = []
    handler = logging.NullHandler()
    handler.log_sink = Sink()  # type: ignore[attr-defined]
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler(), handler])
    make().log(1)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    make().log("plain")
    assert written == ["1"]
    assert capsys.readouterr().out == "plain"
