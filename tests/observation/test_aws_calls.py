"""Operations of AWS clients on the timeline, whatever answers them."""

from __future__ import annotations

import functools
from datetime import datetime, timezone
from unittest import mock

import boto3
import botocore.client
import botocore.endpoint
import botocore.stub
import moto
import pytest

from pytest_lambda_lifecycle import FunctionError, LambdaClock

from .aws import KEYS, Service, mocked, table

TABLE = """
import boto3
orders = boto3.client("dynamodb")
def handler(event, context):
    if event:
        orders.put_item(TableName="orders", Item={"id": {"S": event["id"]}})
    return orders.get_item(TableName="orders", Key={"id": {"S": "1"}}).get("Item")
"""

BaseClient = botocore.client.BaseClient


def of(calls):
    return [(str(call), call.phase, call.status, call.attempts) for call in calls]


@pytest.fixture
def service():
    with Service() as service:
        yield service


@pytest.fixture
def environment(environment):
    """Make environments whose invokes may make clients: that takes seconds on a busy machine."""
    return functools.partial(environment, timeout=60)


class TestUnderMoto:
    def test_calls_are_recorded_by_phase_with_line_region_and_status(self, environment):
        with mocked():
            env = environment(
                """
                import boto3
                orders = boto3.resource("dynamodb", region_name="us-east-1").Table("orders")
                orders.load()
                def handler(event, context):
                    orders.put_item(Item={"id": "1", "paid": True})
                    return orders.get_item(Key={"id": "1"})["Item"]
                """
            )
            cold, warm = env.invoke(), env.invoke()
        assert of(env.init.aws_calls) == [("dynamodb.DescribeTable", "init", 200, 1)]
        assert [str(call) for call in cold.aws_calls] == ["dynamodb.PutItem", "dynamodb.GetItem"]
        put, get = warm.aws_calls
        assert (put.where, get.where) == ("app.py:6", "app.py:7")
        assert (put.region, put.invocation, put.error_code) == ("us-east-1", 1, "")
        assert put.parameters == {"TableName": "orders", "Item": {"id": "1", "paid": True}}
        assert put.duration_us > 0
        assert not warm.http_calls

    def test_an_error_of_the_service_has_code_and_status(self, environment):
        with mocked():
            env = environment(
                """
                import boto3
                def handler(event, context):
                    s3 = boto3.client("s3")
                    try:
                        s3.get_object(Bucket="reports", Key="none")
                    except s3.exceptions.NoSuchKey:
                        return "none"
                """
            )
            assert env.invoke().payload == "none"
        (call,) = env.aws_calls
        assert (call.error_code, call.status, call.attempts) == ("NoSuchKey", 404, 1)
        assert type(call.exception).__name__ == "NoSuchKey"
        assert repr(call) == "<AwsCall s3.GetObject: NoSuchKey (invoke, app.py:6)>"
        assert call.parameters == {"Bucket": "reports", "Key": "none"}

    def test_the_mock_may_begin_between_phases(self, environment):
        env = environment(TABLE)
        env.initialize()
        with mocked():
            assert env.invoke({"id": "1"}).payload == {"id": {"S": "1"}}
        assert [str(call) for call in env.aws_calls] == ["dynamodb.PutItem", "dynamodb.GetItem"]

    @moto.mock_aws
    def test_the_mock_may_be_a_decorator(self, environment):
        table()
        env = environment(TABLE)
        env.invoke({"id": "1"})
        assert len(env.aws_calls) == 2

    def test_a_client_of_the_test_is_seen_where_function_code_calls_it_alone(self, environment):
        env = environment(
            """
            client = None
            def handler(event, context):
                return client.list_tables()["TableNames"]
            """
        )
        with mocked() as client:
            env.initialize()
            env.module.client = client
            assert client.list_tables()["TableNames"] == ["orders"]
            assert env.invoke().payload == ["orders"]
            client.list_tables()
        assert of(env.aws_calls) == [("dynamodb.ListTables", "invoke", 200, 1)]

    def test_each_page_and_each_look_of_a_waiter_is_a_call(self, environment):
        with mocked() as client:
            for number in range(3):
                client.put_item(TableName="orders", Item={"id": {"S": str(number)}})
            env = environment(
                """
                import boto3
                orders = boto3.client("dynamodb")
                def handler(event, context):
                    orders.get_waiter("table_exists").wait(TableName="orders")
                    pages = orders.get_paginator("scan").paginate(
                        TableName="orders", PaginationConfig={"PageSize": 1})
                    return sum(
                        len(page["Items"]) for page in pages
                    )
                """
            )
            assert env.invoke().payload == 3
        wait, *scans = env.aws_calls
        assert (str(wait), wait.where) == ("dynamodb.DescribeTable", "app.py:5")
        assert {str(scan) for scan in scans} == {"dynamodb.Scan"}
        assert len(scans) in (3, 4)
        assert {scan.where for scan in scans} <= {"app.py:8", "app.py:9"}

    def test_transfers_on_threads_are_calls_and_a_presigned_url_is_none(self, environment):
        with mocked():
            env = environment(
                """
                import boto3, io
                from boto3.s3.transfer import TransferConfig
                s3 = boto3.client("s3")
                def handler(event, context):
                    config = TransferConfig(multipart_threshold=5 * 2**20,
                                            multipart_chunksize=5 * 2**20)
                    s3.upload_fileobj(io.BytesIO(b"x" * 6 * 2**20), "reports", "big", Config=config)
                    return s3.generate_presigned_url("get_object",
                        Params={"Bucket": "reports", "Key": "big"})
                """,
                timeout=30,
            )
            assert "reports" in env.invoke().payload
        names = sorted(str(call) for call in env.aws_calls)
        assert names == [
            "s3.CompleteMultipartUpload",
            "s3.CreateMultipartUpload",
            "s3.UploadPart",
            "s3.UploadPart",
        ]
        assert {call.where for call in env.aws_calls} == {"app.py:8"}
        parts = [call for call in env.aws_calls if call.operation == "UploadPart"]
        assert all("Body" in part.parameters for part in parts)
        assert all(isinstance(part.parameters["Body"], str) for part in parts)

    def test_threads_of_function_code_are_seen(self, environment):
        with mocked():
            env = environment(
                """
                import boto3
                from concurrent.futures import ThreadPoolExecutor
                orders = boto3.client("dynamodb")
                def load(id):
                    return orders.get_item(TableName="orders", Key={"id": {"S": str(id)}})
                def handler(event, context):
                    with ThreadPoolExecutor(4) as pool:
                        list(pool.map(load, range(8)))
                """
            )
            env.invoke()
        assert of(env.aws_calls) == [("dynamodb.GetItem", "invoke", 200, 1)] * 8
        assert {call.where for call in env.aws_calls} == {"app.py:6"}

    def test_event_hooks_of_function_code_run_and_their_own_calls_are_calls(self, environment):
        with mocked():
            env = environment(
                """
                import boto3
                orders, seen = boto3.client("dynamodb"), []
                audit = boto3.client("s3")
                def before(params, **kwargs):
                    seen.append("before")
                def after(**kwargs):
                    seen.append("after")
                    audit.put_object(Bucket="reports", Key="log", Body=b"called")
                orders.meta.events.register("provide-client-params.dynamodb.ListTables", before)
                orders.meta.events.register("after-call.dynamodb.ListTables", after)
                def handler(event, context):
                    orders.list_tables()
                    return seen
                """
            )
            assert env.invoke().payload == ["before", "after"]
        assert [str(call) for call in env.aws_calls] == ["dynamodb.ListTables", "s3.PutObject"]

    def test_each_environment_has_its_own_calls(self, environment):
        with mocked():
            first, second = environment(TABLE), environment(TABLE)
            first.invoke()
            second.invoke({"id": "1"})
            first.invoke()
        assert len(first.aws_calls) == len(second.aws_calls) == 2
        assert [str(call) for call in second.aws_calls] == ["dynamodb.PutItem", "dynamodb.GetItem"]

    def test_calls_are_recorded_again_after_a_reset(self, environment):
        with mocked():
            env = environment(TABLE)
            env.invoke()
            env.reset()
            env.invoke()
        assert [call.invocation for call in env.aws_calls] == [0, 1]


class TestUnderStubsAndMocks:
    SOURCE = """
        import boto3
        orders = boto3.client("dynamodb")
        def handler(event, context):
            return orders.get_item(TableName="orders", Key={"id": {"S": "1"}})
        """

    def test_a_stubber_answers_one_attempt(self, environment):
        env = environment(self.SOURCE)
        env.initialize()
        with botocore.stub.Stubber(env.module.orders) as stubber:
            stubber.add_response("get_item", {"Item": {"id": {"S": "1"}}})
            stubber.add_client_error("get_item", "ThrottlingException", http_status_code=400)
            assert env.invoke().payload["Item"]
            with pytest.raises(FunctionError):
                env.invoke()
        assert of(env.aws_calls) == [
            ("dynamodb.GetItem", "invoke", 200, 1),
            ("dynamodb.GetItem", "invoke", 400, 1),
        ]
        assert env.aws_calls[1].error_code == "ThrottlingException"

    def test_a_function_in_the_place_of_make_api_call_is_called_with_the_client(self, environment):
        env = environment(self.SOURCE)
        asked = []

        def answer(self, operation_name, api_params):
            asked.append((self.meta.service_model.service_name, operation_name, api_params))
            return {"ResponseMetadata": {"HTTPStatusCode": 200}}

        with mock.patch.object(BaseClient, "_make_api_call", new=answer):
            env.invoke()
        assert asked == [
            ("dynamodb", "GetItem", {"TableName": "orders", "Key": {"id": {"S": "1"}}})
        ]
        assert of(env.aws_calls) == [("dynamodb.GetItem", "invoke", 200, 1)]

    @pytest.mark.parametrize("early", [True, False])
    def test_a_mock_in_the_place_of_make_api_call_is_called_as_without_us(self, environment, early):
        env = environment(self.SOURCE)
        if not early:
            env.initialize()
        with mock.patch("botocore.client.BaseClient._make_api_call", return_value={}) as stub:
            env.invoke()
            BaseClient._make_api_call.assert_called_once()
        stub.assert_called_once_with("GetItem", {"TableName": "orders", "Key": {"id": {"S": "1"}}})
        assert of(env.aws_calls) == [("dynamodb.GetItem", "invoke", 200, 1)]

    def test_a_mock_that_passes_some_calls_on_counts_none_twice(self, environment):
        env = environment(self.SOURCE)
        with mocked():
            env.invoke()
            genuine = BaseClient._make_api_call  # the wrapper

            @functools.wraps(genuine)
            def answer(self, operation_name, api_params):
                return genuine(self, operation_name, dict(api_params))

            with mock.patch.object(BaseClient, "_make_api_call", new=answer):
                env.invoke()
        assert of(env.aws_calls) == [("dynamodb.GetItem", "invoke", 200, 1)] * 2

    def test_a_recorder_by_event_handlers_answers_one_attempt(self, environment):
        env = environment(self.SOURCE)
        env.initialize()

        def answer(**kwargs):
            response = mock.Mock(status_code=200)
            return response, {"Item": {}, "ResponseMetadata": {"HTTPStatusCode": 200}}

        env.module.orders.meta.events.register("before-call.dynamodb.GetItem", answer)
        env.invoke()
        assert of(env.aws_calls) == [("dynamodb.GetItem", "invoke", 200, 1)]

    def test_an_error_before_the_request_has_no_status_and_no_attempt(self, environment):
        env = environment(
            """
            import boto3
            def handler(event, context):
                boto3.client("dynamodb").get_item(TableName="orders", Kee={})
            """
        )
        with pytest.raises(FunctionError):
            env.invoke()
        (call,) = env.aws_calls
        assert (call.status, call.error_code, call.attempts) == (None, "", 0)
        assert repr(call).startswith("<AwsCall dynamodb.GetItem: ParamValidationError (invoke")


class TestWithoutAMock:
    def test_a_request_to_loopback_is_one_aws_call_and_no_http_call(self, environment, service):
        env = environment(
            f"""
            import boto3
            orders = boto3.client("dynamodb", endpoint_url={service.url!r})
            def handler(event, context):
                orders.list_tables()
            """
        )
        env.invoke()
        assert len(service.requests) == 1
        assert of(env.calls) == [("dynamodb.ListTables", "invoke", 200, 1)]

    def test_retries_are_attempts_of_one_call(self, environment, service):
        service.answers += [(500, {}), (503, {})]
        with LambdaClock(datetime(2030, 1, 1, tzinfo=timezone.utc)):
            env = environment(
                f"""
                import boto3
                from botocore.config import Config
                legacy = Config(retries={{"mode": "legacy"}})
                orders = boto3.client("dynamodb", endpoint_url={service.url!r}, config=legacy)
                def handler(event, context):
                    return orders.list_tables()["ResponseMetadata"]["RetryAttempts"]
                """
            )
            assert env.invoke().payload == 2
            env.close()
        assert of(env.aws_calls) == [("dynamodb.ListTables", "invoke", 200, 3)]
        assert env.aws_calls[0].duration_ms == pytest.approx(150)  # 50 ms and 100 ms of back-off
        assert "dynamodb.ListTables: 200 after 3 attempts" in repr(env.timeline)

    def test_credentials_of_another_role_are_a_call_inside_the_call(self, environment, service):
        env = environment(
            f"""
            import boto3, botocore.credentials, botocore.session
            session = botocore.session.Session()
            sts = session.create_client("sts", region_name="eu-west-1",
                                        endpoint_url={service.url!r})
            def refresh():
                role = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/r",
                                       RoleSessionName="orders")
                raise AssertionError(role)
            session._credentials = botocore.credentials.DeferredRefreshableCredentials(
                refresh, "assume-role")
            orders = session.create_client("dynamodb", region_name="eu-west-1",
                                           endpoint_url={service.url!r})
            def handler(event, context):
                try:
                    orders.list_tables()
                except Exception as error:
                    return type(error).__name__
            """
        )
        env.invoke()
        assert [str(call) for call in env.aws_calls] == ["dynamodb.ListTables", "sts.AssumeRole"]

    def test_a_thread_that_outlives_its_invoke_calls_in_the_one_in_which_it_runs(
        self, environment, service
    ):
        env = environment(
            f"""
            import boto3, threading
            orders = boto3.client("dynamodb", endpoint_url={service.url!r})
            go, done = threading.Event(), threading.Event()
            def late():
                go.wait(5)
                orders.list_tables()
                done.set()
            def handler(event, context):
                if event.get("start"):
                    threading.Thread(target=late, daemon=True).start()
                else:
                    go.set()
                    done.wait(5)
            """
        )
        env.invoke({"start": 1})
        assert not env.aws_calls
        assert [call.invocation for call in env.invoke({}).aws_calls] == [1]


class TestParameters:
    @pytest.fixture
    def parameters(self, environment):
        def parameters(service, method, given):
            env = environment(
                f"""
                import boto3, io
                from decimal import Decimal
                client = boto3.client({service!r})
                def handler(event, context):
                    client.{method}(**{given})
                """
            )
            with mock.patch.object(BaseClient, "_make_api_call", return_value={}):
                env.invoke()
            return env.aws_calls[0].parameters

        return parameters

    @pytest.mark.parametrize(
        ("service", "method", "given", "recorded"),
        [
            (
                "ssm",
                "put_parameter",
                "dict(Name='/db', Value='hunter2', Type='SecureString')",
                {"Name": "/db", "Value": "***", "Type": "SecureString"},
            ),
            (
                "secretsmanager",
                "get_secret_value",
                "dict(SecretId='orders/db')",
                {"SecretId": "orders/db"},
            ),
            (
                "secretsmanager",
                "create_secret",
                "dict(Name='db', SecretString='hunter2', Tags=[dict(Key='team', Value='a')])",
                {"Name": "db", "SecretString": "***", "Tags": [{"Key": "team", "Value": "a"}]},
            ),
            (
                "s3",
                "put_object",
                "dict(Bucket='b', Key='a/b.txt', Body=b'12345', Metadata={'x-api-key': 'k'})",
                {
                    "Bucket": "b",
                    "Key": "a/b.txt",
                    "Body": "<5 bytes>",
                    "Metadata": {"x-api-key": "***"},
                },
            ),
            (
                "s3",
                "put_object",
                "dict(Bucket='b', Key='k', Body=io.BytesIO(b'12345'))",
                {"Bucket": "b", "Key": "k", "Body": "<BytesIO>"},
            ),
            (
                "dynamodb",
                "put_item",
                "dict(TableName='t', Item={'id': {'S': '1'}, 'password': {'S': 'hunter2'}})",
                {"TableName": "t", "Item": {"id": {"S": "1"}, "password": "***"}},
            ),
            (
                "cognito-idp",
                "initiate_auth",
                "dict(AuthFlow='USER_PASSWORD_AUTH', ClientId='c', AuthParameters="
                "{'USERNAME': 'u', 'PASSWORD': 'hunter2'})",
                {"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "***", "AuthParameters": "***"},
            ),
            (
                "sqs",
                "send_message",
                "dict(QueueUrl='http://q', MessageBody='{}', MessageAttributes={'n': "
                "{'DataType': 'Binary', 'BinaryValue': b'12'}})",
                {
                    "QueueUrl": "http://q",
                    "MessageBody": "{}",
                    "MessageAttributes": {"n": {"DataType": "Binary", "BinaryValue": "<2 bytes>"}},
                },
            ),
        ],
    )
    def test_they_are_recorded_without_secrets_and_bodies(
        self, parameters, service, method, given, recorded
    ):
        assert parameters(service, method, given) == recorded

    def test_they_are_a_copy_of_what_was_given(self, environment):
        with mocked():
            env = environment(
                """
                import boto3
                orders = boto3.client("dynamodb")
                def handler(event, context):
                    item = {"id": {"S": "1"}}
                    orders.put_item(TableName="orders", Item=item)
                    item["id"]["S"] = "2"
                """
            )
            env.invoke()
        assert env.aws_calls[0].parameters["Item"] == {"id": {"S": "1"}}

    def test_a_structure_that_contains_itself_is_no_endless_loop(self, environment):
        env = environment(
            """
            import boto3
            orders = boto3.client("dynamodb")
            item = {}
            item["M"] = {"self": item}
            def handler(event, context):
                try:
                    orders.put_item(TableName="orders", Item=item)
                except RecursionError:
                    return "refused by botocore"
            """
        )
        with mock.patch.object(BaseClient, "_make_api_call", return_value={}):
            env.invoke()
        assert env.aws_calls[0].operation == "PutItem"


class TestAsynchronous:
    @pytest.fixture(autouse=True)
    def library(self):
        pytest.importorskip("aioboto3")

    def test_aioboto3_is_seen_like_boto3(self, environment, service):
        service.answers += [(500, {})]
        env = environment(
            f"""
            import aioboto3, asyncio
            session = aioboto3.Session(region_name="eu-west-1")
            async def main():
                async with session.client("dynamodb", endpoint_url={service.url!r}) as orders:
                    await asyncio.gather(orders.list_tables(), orders.describe_limits())
                    try:
                        await orders.get_item(TableName="orders", Key={{"id": {{"S": "1"}}}})
                    except orders.exceptions.ResourceNotFoundException:
                        pass
            def handler(event, context):
                asyncio.run(main())
            """
        )
        service.answers += [(200, {}), (200, {})]
        service.answers += [(400, {"__type": "com.amazonaws.dynamodb#ResourceNotFoundException"})]
        env.invoke()
        first, second, get = env.aws_calls
        assert {str(first), str(second)} == {"dynamodb.ListTables", "dynamodb.DescribeLimits"}
        assert sorted([first.attempts, second.attempts]) == [1, 2]
        assert (get.error_code, get.status) == ("ResourceNotFoundException", 400)
        assert (get.region, get.where) == ("eu-west-1", "app.py:8")
        assert not env.http_calls


class TestTraces:
    NAMES = (
        (botocore.client.BaseClient, "_make_api_call"),
        (botocore.endpoint.Endpoint, "_get_response"),
        (botocore.endpoint.Endpoint, "_do_get_response"),
        (boto3.session.Session, "__init__"),
        (boto3.session.Session, "client"),
        (boto3.session.Session, "resource"),
        (botocore.session.Session, "__init__"),
        (botocore.session.Session, "create_client"),
        (boto3, "client"),
        (boto3, "resource"),
    )

    def test_nothing_is_left_in_botocore_and_boto3(self, environment):
        before = [vars(owner)[name] for owner, name in self.NAMES]
        with mocked():
            env = environment(TABLE)
            env.invoke()
            env.fault("dynamodb.GetItem", 500, times=1)
            env.invoke()
            env.reset()
            env.close()
        assert [vars(owner)[name] for owner, name in self.NAMES] == before

    def test_a_call_of_the_test_after_the_end_is_not_recorded(self, environment):
        with mocked():
            env = environment(TABLE)
            env.invoke()
            client = env.module.orders
            env.close()
            client.list_tables()
            boto3.client("s3", **KEYS).list_buckets()
        assert [str(call) for call in env.aws_calls] == ["dynamodb.GetItem"]
