"""Faults: errors of AWS's services that a test declares, below botocore's retries."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from unittest import mock

import botocore.config
import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.stub
import pytest

from pytest_lambda_lifecycle import FunctionError, FunctionTimeout, LambdaClock, LifecycleError

from .aws import Service, mocked

THROTTLED = "ProvisionedThroughputExceededException"

ORDERS = """
import boto3
from botocore.config import Config
orders = boto3.client("dynamodb", config=Config(retries={"mode": "legacy"}))
def handler(event, context):
    try:
        orders.put_item(TableName="orders", Item={"id": {"S": "1"}})
    except orders.exceptions.ProvisionedThroughputExceededException as error:
        return error.response["ResponseMetadata"]["RetryAttempts"]
    return "put"
"""

CALL = """
import boto3, os
from botocore.config import Config
retries = {"mode": os.environ.get("MODE", "legacy"),
           "total_max_attempts": int(os.environ.get("ATTEMPTS", "1"))}
client = boto3.client(os.environ["SERVICE"], config=Config(retries=retries,
                  read_timeout=float(os.environ.get("PATIENCE", "60"))))
def handler(event, context):
    method, arguments = event
    try:
        answer = getattr(client, method)(**arguments)
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return [kinds[0], getattr(error, "response", None), str(error)]
    return ["answered", answer["ResponseMetadata"], ""]
"""

CALLS = {
    "dynamodb.PutItem": ("put_item", {"TableName": "orders", "Item": {"id": {"S": "1"}}}),
    "dynamodb.ListTables": ("list_tables", {}),
    "lambda.Invoke": ("invoke", {"FunctionName": "f"}),
    "sqs.SendMessage": ("send_message", {"QueueUrl": "https://q/1/q", "MessageBody": "m"}),
    "sns.Publish": ("publish", {"TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": "m"}),
    "ec2.DescribeInstances": ("describe_instances", {}),
    "kms.Decrypt": ("decrypt", {"CiphertextBlob": "c"}),
    "s3.GetObject": ("get_object", {"Bucket": "reports", "Key": "k"}),
    "s3.HeadObject": ("head_object", {"Bucket": "reports", "Key": "k"}),
    "s3.PutObject": ("put_object", {"Bucket": "reports", "Key": "k"}),
    "route53.GetHostedZone": ("get_hosted_zone", {"Id": "Z1"}),
    "ssm.GetParameter": ("get_parameter", {"Name": "/db"}),
    "sts.GetCallerIdentity": ("get_caller_identity", {}),
}


@pytest.fixture
def aws():
    with mocked() as client:
        yield client


@pytest.fixture
def clock():
    with LambdaClock(datetime(2030, 1, 1, tzinfo=timezone.utc)) as clock:
        yield clock


@pytest.fixture
def made(environment):
    """Make an environment whose handler calls a client of a service; close it with the test."""

    def made(operation, **variables):
        variables["SERVICE"] = operation.partition(".")[0]
        return environment(CALL, environment=variables, timeout=900)

    return made


def call(env, operation):
    kind, response, text = env.invoke(CALLS[operation]).payload
    return kind, response, text


def refused(env, *arguments, **settings):
    with pytest.raises(LifecycleError) as caught:
        env.fault(*arguments, **settings)
    return str(caught.value)


@pytest.mark.usefixtures("aws")
class TestAttempts:
    def test_attempts_fail_below_the_retries_and_the_back_off_is_virtual(self, environment, clock):
        env = environment(ORDERS)
        fault = env.fault("dynamodb.PutItem", THROTTLED, times=2)
        started = time.perf_counter_ns()
        assert env.invoke().payload == "put"
        (put,) = env.aws_calls
        assert (put.attempts, put.status, put.error_code, fault.count) == (3, 200, "", 2)
        assert put.duration_ms == pytest.approx(50 + 100)
        assert time.perf_counter_ns() - started == pytest.approx(150e6)
        env.close()

    def test_without_a_number_all_attempts_fail_until_it_is_removed(self, environment, clock):
        env = environment(ORDERS, timeout=60)
        fault = env.fault("dynamodb.PutItem", THROTTLED)
        assert env.invoke().payload == 9
        assert (env.aws_calls[0].error_code, env.aws_calls[0].attempts) == (THROTTLED, 10)
        assert fault.count == 10
        fault.remove()
        fault.remove()
        assert env.invoke().payload == "put"
        assert repr(fault) == f"<Fault dynamodb.PutItem: '{THROTTLED}', raised 10 times, removed>"
        env.close()

    def test_the_mocked_service_does_not_change_while_a_fault_is_due(self, environment, aws, clock):
        env = environment(ORDERS, timeout=60)
        env.fault("dynamodb.PutItem", THROTTLED, times=10)
        env.invoke()
        assert aws.scan(TableName="orders")["Count"] == 0
        env.invoke()
        assert aws.scan(TableName="orders")["Count"] == 1
        env.close()

    def test_faults_of_one_operation_apply_in_order(self, environment, clock):
        env = environment(ORDERS)
        first = env.fault("dynamodb.PutItem", 500, times=1)
        second = env.fault("dynamodb.PutItem", "InternalServerError", times=2)
        assert env.invoke().payload == "put"
        assert env.aws_calls[0].attempts == 4
        assert (first.count, second.count) == (1, 2)
        env.close()

    def test_a_phase_limits_it_and_an_unused_one_says_so(self, environment):
        env = environment(
            """
            import boto3
            s3 = boto3.client("s3")
            s3.list_buckets()
            def handler(event, context):
                try:
                    s3.list_buckets()
                except s3.exceptions.ClientError as error:
                    return error.response["Error"]["Code"]
            """
        )
        fault = env.fault("s3.ListBuckets", "AccessDenied", phase="invoke")
        never = env.fault("s3.ListBuckets", "SlowDown", phase="shutdown", times=1)
        assert env.invoke().payload == "AccessDenied"
        assert [call.error_code for call in env.aws_calls] == ["", "AccessDenied"]
        assert fault.count == 1
        assert repr(never) == (
            "<Fault s3.ListBuckets: 'SlowDown' in shutdown, raised 0 of 1 times, no attempt was "
            "made that it could meet>"
        )

    def test_it_stays_after_a_reset_and_spares_the_test_and_other_environments(
        self, environment, aws
    ):
        source = """
            import boto3
            orders = boto3.client("dynamodb")
            def handler(event, context):
                return orders.list_tables()["TableNames"]
            """
        env, other = environment(source), environment(source)
        fault = env.fault("dynamodb.ListTables", "AccessDeniedException")
        with pytest.raises(FunctionError):
            env.invoke()
        assert aws.list_tables()["TableNames"] == ["orders"]
        assert other.invoke().payload == ["orders"]
        env.reset()
        with pytest.raises(FunctionError, match="AccessDeniedException"):
            env.invoke()
        assert fault.count == 2

    def test_threads_share_its_number(self, environment):
        env = environment(
            """
            import boto3
            from concurrent.futures import ThreadPoolExecutor
            s3 = boto3.client("s3")
            def load(_):
                try:
                    s3.list_buckets()
                except Exception as error:
                    return error.response["Error"]["Code"]
            def handler(event, context):
                with ThreadPoolExecutor(8) as pool:
                    return list(pool.map(load, range(24)))
            """
        )
        fault = env.fault("s3.ListBuckets", "AccessDenied", times=7)
        assert env.invoke(remaining_ms=3000).payload.count("AccessDenied") == 7
        assert fault.count == 7

    def test_event_hooks_of_the_user_see_the_answer(self, environment):
        env = environment(
            """
            import boto3
            s3, seen = boto3.client("s3"), []
            def note(event_name, parsed=None, parsed_response=None, **kwargs):
                parsed = parsed or parsed_response
                seen.append([event_name.partition(".")[0], parsed["Error"]["Code"]])
            s3.meta.events.register("response-received.s3.ListBuckets", note)
            s3.meta.events.register("after-call.s3.ListBuckets", note)
            def handler(event, context):
                try:
                    s3.list_buckets()
                except s3.exceptions.ClientError:
                    return seen
            """
        )
        env.fault("s3.ListBuckets", "AccessDenied")
        assert env.invoke().payload == [
            ["response-received", "AccessDenied"],
            ["after-call", "AccessDenied"],
        ]


@pytest.mark.usefixtures("aws")
class TestWireForms:
    @pytest.mark.parametrize(
        ("operation", "error", "kind", "status"),
        [
            ("dynamodb.PutItem", "ConditionalCheckFailedException", None, 400),
            ("dynamodb.PutItem", "InternalServerError", None, 500),
            ("dynamodb.PutItem", "AccessDeniedException", "ClientError", 400),
            ("dynamodb.PutItem", "ValidationException", "ClientError", 400),
            ("lambda.Invoke", "TooManyRequestsException", None, 429),
            ("lambda.Invoke", "ResourceNotFoundException", None, 404),
            ("lambda.Invoke", "AccessDeniedException", "ClientError", 403),
            ("kms.Decrypt", "DisabledException", None, 400),
            ("kms.Decrypt", "KMSInternalException", None, 500),  # "fault" is all the model has
            ("ssm.GetParameter", "ParameterNotFound", None, 400),
            ("ssm.GetParameter", "ThrottlingException", None, 400),
            ("ssm.GetParameter", "UnrecognizedClientException", "ClientError", 400),
            ("sns.Publish", "NotFoundException", None, 404),
            ("sns.Publish", "Throttling", "ClientError", 400),
            ("ec2.DescribeInstances", "UnauthorizedOperation", "ClientError", 403),
            ("ec2.DescribeInstances", "RequestLimitExceeded", "ClientError", 503),
            ("s3.GetObject", "NoSuchKey", None, 404),
            ("s3.GetObject", "InvalidAccessKeyId", "ClientError", 403),
            ("s3.PutObject", "SlowDown", "ClientError", 503),
            ("route53.GetHostedZone", "NoSuchHostedZone", None, 404),
            ("sts.GetCallerIdentity", "ExpiredToken", "ClientError", 403),
        ],
    )
    def test_botocore_parses_code_message_and_status(self, made, operation, error, kind, status):
        env = made(operation)
        env.fault(operation, error, message="for <a> & b")
        found, response, _ = call(env, operation)
        if error == "NotFoundException":  # the code of SNS's error on the wire
            error = "NotFound"
        assert found == (kind or env.aws_calls[0].exception.__class__.__name__)
        assert (found == "ClientError") == (kind == "ClientError")
        assert response["Error"]["Code"] == error
        assert response["Error"]["Message"] == "for <a> & b"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert response["ResponseMetadata"]["RequestId"]
        (made_call,) = env.aws_calls
        assert (made_call.error_code, made_call.status) == (error, status)

    @pytest.mark.parametrize(
        "error", ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"]
    )
    def test_sqs_keeps_the_codes_of_the_query_protocol(self, made, error):
        env = made("sqs.SendMessage")
        env.fault("sqs.SendMessage", error)
        kind, response, _ = call(env, "sqs.SendMessage")
        assert kind == "QueueDoesNotExist"
        assert response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
        assert response["Error"]["QueryErrorCode"] == "QueueDoesNotExist"

    def test_an_answer_to_head_has_no_body_and_so_the_status_is_the_code(self, made):
        env = made("s3.HeadObject")
        env.fault("s3.HeadObject", "NoSuchKey", status=404)
        kind, response, _ = call(env, "s3.HeadObject")
        assert (kind, response["Error"]["Code"]) == ("ClientError", "404")
        assert response["Error"]["Message"] == "Not Found"

    @pytest.mark.parametrize(
        "operation",
        [
            "dynamodb.PutItem",
            "lambda.Invoke",
            "sns.Publish",
            "ec2.DescribeInstances",
            "s3.GetObject",
            "s3.HeadObject",
            "route53.GetHostedZone",
        ],
    )
    @pytest.mark.parametrize("status", [429, 503])
    def test_a_status_is_an_answer_without_a_code(self, made, operation, status):
        env = made(operation)
        env.fault(operation, status)
        kind, response, _ = call(env, operation)
        assert kind == "ClientError"
        assert response["Error"]["Code"] == str(status)
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status

    def test_any_code_is_accepted_with_a_status(self, made):
        env = made("ec2.DescribeInstances")
        env.fault("ec2.DescribeInstances", "InvalidInstanceID.NotFound", status=400)
        _, response, _ = call(env, "ec2.DescribeInstances")
        assert response["Error"]["Code"] == "InvalidInstanceID.NotFound"

    def test_cbor_is_parsed_as_well(self, made):
        if "smithy-rpc-v2-cbor" not in botocore.parsers.PROTOCOL_PARSERS:
            pytest.skip("this botocore does not know the protocol")
        env = made("dynamodb.PutItem")
        speaks = mock.PropertyMock(return_value="smithy-rpc-v2-cbor")
        with mock.patch.object(botocore.model.ServiceModel, "resolved_protocol", speaks):
            env.fault("dynamodb.PutItem", THROTTLED, message="m" * 300)
            kind, response, _ = call(env, "dynamodb.PutItem")
        assert kind == THROTTLED
        assert response["Error"] == {"Code": THROTTLED, "Message": "m" * 300}

    @pytest.mark.parametrize(
        ("error", "kind"),
        [("reset", "ConnectionClosedError"), ("timeout", "ReadTimeoutError")],
    )
    def test_a_broken_connection_is_the_exception_of_the_http_layer(self, made, error, kind):
        env = made("dynamodb.ListTables")
        env.fault("dynamodb.ListTables", error)
        found, response, text = call(env, "dynamodb.ListTables")
        assert (found, response) == (kind, None)
        assert "https://dynamodb.us-east-1.amazonaws.com/" in text
        (made_call,) = env.aws_calls
        assert (made_call.status, made_call.error_code, made_call.attempts) == (None, "", 1)


@pytest.mark.usefixtures("aws")
class TestRetriesAndTime:
    @pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
    @pytest.mark.parametrize("error", [THROTTLED, 503, "reset", "timeout"])
    def test_each_retry_mode_tries_again_in_virtual_time(self, made, clock, mode, error):
        env = made("dynamodb.PutItem", MODE=mode, ATTEMPTS="4")
        fault = env.fault("dynamodb.PutItem", error, times=3)
        kind, metadata, _ = call(env, "dynamodb.PutItem")
        assert (kind, metadata["RetryAttempts"]) == ("answered", 3)
        assert (env.aws_calls[0].attempts, fault.count) == (4, 3)
        assert env.aws_calls[0].duration_us > 0
        env.close()

    def test_the_adaptive_mode_holds_later_calls_back_in_virtual_time(self, made, clock):
        env = made("dynamodb.PutItem", MODE="adaptive", ATTEMPTS="8")
        env.fault("dynamodb.PutItem", THROTTLED, times=6)
        call(env, "dynamodb.PutItem")
        kind, *_ = call(env, "dynamodb.PutItem")
        assert kind == "answered"
        assert env.aws_calls[1].duration_ms > 100
        env.close()

    @pytest.mark.parametrize("error", ["AccessDeniedException", "ConditionalCheckFailedException"])
    def test_an_error_that_botocore_does_not_retry_is_one_attempt(self, made, error):
        env = made("dynamodb.PutItem", MODE="standard", ATTEMPTS="4")
        env.fault("dynamodb.PutItem", error)
        call(env, "dynamodb.PutItem")
        assert env.aws_calls[0].attempts == 1

    def test_a_latency_is_virtual_under_the_clock(self, made, clock):
        env = made("dynamodb.ListTables")
        env.fault("dynamodb.ListTables", "AccessDeniedException", latency_ms=1500)
        assert call(env, "dynamodb.ListTables")[0] == "ClientError"
        assert env.aws_calls[0].duration_ms == 1500
        env.close()

    def test_a_latency_ends_at_the_deadline(self, environment, clock):
        env = environment(ORDERS, timeout=3)
        env.fault("dynamodb.PutItem", THROTTLED, latency_ms=5000)
        with pytest.raises(FunctionTimeout):
            env.invoke()
        assert env.invocations[0].duration_ms == 3000
        env.close()

    def test_a_latency_is_real_without_the_clock(self, made):
        env = made("dynamodb.ListTables")
        env.fault("dynamodb.ListTables", "AccessDeniedException", latency_ms=80)
        started = time.perf_counter()
        call(env, "dynamodb.ListTables")
        assert 0.08 <= time.perf_counter() - started < 20
        assert env.aws_calls[0].duration_ms >= 80

    def test_a_latency_is_virtual_where_the_environment_joins_a_clock(self, made):
        env = made("dynamodb.ListTables")
        env.fault("dynamodb.ListTables", "AccessDeniedException", latency_ms=1500)
        with LambdaClock():
            assert call(env, "dynamodb.ListTables")[0] == "ClientError"
        assert env.aws_calls[0].duration_ms == 1500

    def test_a_latency_above_the_patience_of_the_client_is_a_read_timeout(self, made, clock):
        env = made("dynamodb.ListTables", PATIENCE="2")
        env.fault("dynamodb.ListTables", "AccessDeniedException", latency_ms=9000)
        assert call(env, "dynamodb.ListTables")[0] == "ReadTimeoutError"
        assert env.aws_calls[0].duration_ms == 2000
        env.close()


class TestWithoutMoto:
    def test_no_request_is_sent_for_a_fault(self, environment):
        with Service() as service:
            env = environment(
                f"""
                import boto3
                orders = boto3.client("dynamodb", endpoint_url={service.url!r})
                def handler(event, context):
                    orders.list_tables()
                """
            )
            env.fault("dynamodb.ListTables", 500, times=1)
            env.invoke()
            assert len(service.requests) == 1
        assert env.aws_calls[0].attempts == 2
        assert not env.http_calls

    def test_aioboto3_meets_faults_in_virtual_time(self, environment, clock):
        pytest.importorskip("aioboto3")
        with Service() as service:
            env = environment(
                f"""
                import aioboto3, asyncio
                session = aioboto3.Session(region_name="eu-west-1")
                async def main():
                    async with session.client("dynamodb", endpoint_url={service.url!r}) as orders:
                        await orders.list_tables()
                        try:
                            await orders.describe_table(TableName="orders")
                        except orders.exceptions.ResourceNotFoundException as error:
                            return error.response["Error"]
                def handler(event, context):
                    return asyncio.run(main())
                """
            )
            env.fault("dynamodb.ListTables", "ThrottlingException", times=1, latency_ms=1000)
            env.fault("dynamodb.ListTables", "reset", times=1)
            env.fault("dynamodb.DescribeTable", "ResourceNotFoundException", message="gone")
            error = env.invoke().payload
            env.close()
            assert len(service.requests) == 1
        assert error == {"Code": "ResourceNotFoundException", "Message": "gone"}
        first, second = env.aws_calls
        assert (first.attempts, first.status) == (3, 200)
        assert first.duration_ms >= 1050
        assert (second.error_code, second.attempts) == ("ResourceNotFoundException", 1)

    SOURCE = """
        import boto3
        orders = boto3.client("dynamodb")
        def handler(event, context):
            try:
                return orders.list_tables()
            except orders.exceptions.ClientError:
                pass
        """

    @pytest.mark.parametrize("filled", [True, False])
    def test_a_stubber_is_an_error_where_a_fault_is_due(self, environment, filled):
        env = environment(self.SOURCE)
        fault = env.fault("dynamodb.ListTables", THROTTLED, status=400, times=1)
        env.initialize()
        with botocore.stub.Stubber(env.module.orders) as stubber:
            if filled:
                stubber.add_response("list_tables", {"TableNames": []})
            with pytest.raises(LifecycleError, match="LLC804") as caught:
                env.invoke()
        first, second, third = str(caught.value).splitlines()
        assert "botocore.stub.Stubber answers the calls of the client" in first
        assert second.startswith("The fault was declared at ")
        assert "test_faults.py:" in second
        assert third.startswith("Use moto or an endpoint on loopback")
        assert [str(call) for call in env.aws_calls] == ["dynamodb.ListTables"]
        assert fault.count == 0

    @pytest.mark.parametrize("code", [None, "AccessDeniedException"])
    def test_another_stub_is_an_error_where_a_fault_is_due(self, environment, code):
        env = environment(self.SOURCE)
        env.fault("dynamodb.ListTables", 500, phase="invoke")
        response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        error = botocore.exceptions.ClientError(response, "ListTables") if code else None
        with (
            mock.patch("botocore.client.BaseClient._make_api_call", side_effect=error),
            pytest.raises(LifecycleError, match="a stub has answered in the place of botocore"),
        ):
            env.invoke()

    def test_a_stubber_does_as_it_likes_where_no_fault_is_due(self, environment):
        env = environment(self.SOURCE)
        env.fault("dynamodb.ListTables", THROTTLED, status=400, phase="init")
        env.fault("dynamodb.PutItem", THROTTLED)
        env.initialize()
        with botocore.stub.Stubber(env.module.orders) as stubber:
            stubber.add_response("list_tables", {"TableNames": ["abc"]})
            assert env.invoke().payload == {"TableNames": ["abc"]}


class TestArguments:
    @pytest.fixture
    def env(self, environment):
        return environment("def handler(event, context): pass")

    @pytest.mark.parametrize(
        ("operation", "text"),
        [
            (
                "dynamodb.PutItm",
                "dynamodb has no operation 'PutItm'; did you mean 'dynamodb.PutItem'?",
            ),
            ("dynamodb.put_item", "did you mean 'dynamodb.PutItem'?"),
            ("dynamodb.Zzzzzzz", "dynamodb has no operation 'Zzzzzzz'\n"),
            ("DynamoDB.PutItem", "has no client 'DynamoDB'; did you mean 'dynamodb.PutItem'?"),
            ("secrets-manager.GetSecretValue", "did you mean 'secretsmanager.GetSecretValue'?"),
            ("zzzzzzzz.PutItem", "botocore has no client 'zzzzzzzz' [LLC801]"),
            ("PutItem", "name the client and the operation, such as 'dynamodb.PutItem'"),
            (".", "name the client and the operation"),
            (3, "name the client and the operation"),
        ],
    )
    def test_an_operation_that_aws_does_not_have_is_refused(self, env, operation, text):
        found = refused(env, operation, 500)
        assert text in found
        assert found.endswith("[LLC801]")

    @pytest.mark.parametrize(
        ("operation", "error", "text"),
        [
            ("dynamodb.PutItem", "ProvisionedThroughputExceeded", f"did you mean '{THROTTLED}'?"),
            ("dynamodb.PutItem", "throttlingexception", "did you mean 'ThrottlingException'?"),
            ("s3.GetObject", "NoSuchKye", "did you mean 'NoSuchKey'?"),
            ("s3.GetObject", "AccessDeniedd", "did you mean 'AccessDenied'?"),
            (
                "dynamodb.GetItem",
                "ConditionalCheckFailedException",
                "other operations of dynamodb have this error, and this one has not",
            ),
            ("dynamodb.PutItem", "503", "; did you mean the status 503, a number?"),
            ("s3.HeadObject", "404", "; did you mean the status 404, a number?"),
            ("dynamodb.PutItem", "Zzzzzz", "Errors of every operation: AccessDeniedException, "),
        ],
    )
    def test_an_error_that_the_operation_cannot_meet_is_refused(self, env, operation, error, text):
        found = refused(env, operation, error)
        assert text in found
        assert "Any other code takes status=" in found
        assert found.endswith("[LLC802]")

    @pytest.mark.parametrize(
        ("error", "settings", "text"),
        [
            (THROTTLED, {"times": 0}, "times=0"),
            (THROTTLED, {"times": True}, "times=True"),
            (THROTTLED, {"times": 1.5}, "times=1.5"),
            (THROTTLED, {"phase": "invokes"}, "phase='invokes'; it has to be one of 'init'"),
            (THROTTLED, {"status": 200}, "status=200; it has to be an HTTP status from 400 to 599"),
            (THROTTLED, {"status": "400"}, "status='400'"),
            (THROTTLED, {"message": b"m"}, "message=b'm'"),
            (200, {}, "error=200; it has to be an HTTP status from 400 to 599"),
            (503, {"status": 500}, "status=500 beside a status"),
            ("reset", {"status": 500}, "'reset' has no response"),
            ("timeout", {"message": "m"}, "'timeout' has no response"),
            (None, {}, "it has to be an error code, an HTTP status, 'reset' or 'timeout'"),
            ("", {}, "it has to be an error code"),
            (True, {}, "it has to be an error code"),
            (ValueError, {}, "it has to be an error code"),
        ],
    )
    def test_a_value_that_it_cannot_take_is_refused(self, env, error, settings, text):
        found = refused(env, "dynamodb.PutItem", error, **settings)
        assert text in found
        assert found.endswith("[LLC803]")

    @pytest.mark.parametrize("latency", [-1, float("nan"), "5", True])
    def test_a_latency_that_is_no_time_is_refused(self, env, latency):
        found = refused(env, "dynamodb.PutItem", 500, latency_ms=latency)
        assert f"latency_ms={latency!r}; it has to be a number of milliseconds" in found
        assert found.endswith("[LLC803]")

    def test_a_refused_one_is_no_fault(self, env):
        refused(env, "dynamodb.PutItem", "Nothing")
        assert not env._parts.calls.faults

    def test_an_environment_that_has_ended_refuses_it(self, env):
        env.close()
        assert "LLC101" in refused(env, "dynamodb.PutItem", 500)

    def test_it_needs_botocore(self, env):
        with mock.patch.dict("sys.modules", {"botocore.loaders": None}):
            found = refused(env, "dynamodb.PutItem", 500)
        assert "botocore cannot be imported here" in found
        assert found.endswith("[LLC805]")
