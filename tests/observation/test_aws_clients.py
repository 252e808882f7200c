"""Clients, resources and sessions of AWS's SDK that function code makes."""

from __future__ import annotations

import functools
from unittest import mock

import boto3
import boto3.session
import pytest

from pytest_lambda_lifecycle import FunctionError, LifecycleError

from .aws import KEYS, mocked


def made(clients):
    return [(str(client), client.kind, client.phase, client.line) for client in clients]


@pytest.fixture
def environment(environment):
    """Make environments whose invokes may make clients: that takes seconds on a busy machine."""
    return functools.partial(environment, timeout=60)


class TestEntries:
    def test_a_client_of_each_way_is_one_entry_with_its_line(self, environment):
        env = environment(
            """
            import boto3, botocore.session
            boto3.client("s3")
            boto3.resource("dynamodb")
            session = boto3.Session(region_name="eu-west-1")
            session.client(service_name="sqs")
            session.resource("s3")
            core = botocore.session.get_session()
            core.create_client("sns", region_name="eu-west-1")
            botocore.session.Session()
            boto3.session.Session()
            boto3.setup_default_session(region_name="eu-west-1")
            def handler(event, context):
                return boto3.DEFAULT_SESSION.client("ssm").meta.region_name
            """
        )
        assert env.invoke().payload == "eu-west-1"
        assert made(env.aws_clients) == [
            ("boto3.client('s3')", "client", "init", 3),
            ("boto3.resource('dynamodb')", "resource", "init", 4),
            ("boto3.Session()", "session", "init", 5),
            ("Session.client('sqs')", "client", "init", 6),
            ("Session.resource('s3')", "resource", "init", 7),
            ("botocore.Session()", "session", "init", 8),
            ("create_client('sns')", "client", "init", 9),
            ("botocore.Session()", "session", "init", 10),
            ("boto3.Session()", "session", "init", 11),
            ("boto3.setup_default_session()", "session", "init", 12),
            ("Session.client('ssm')", "client", "invoke", 14),
        ]
        assert {client.file for client in env.aws_clients} == {"app.py"}
        assert repr(env.aws_clients[0]) == "<AwsClient boto3.client('s3') (init, app.py:3)>"

    def test_a_client_per_request_is_an_entry_of_each_invoke(self, environment):
        env = environment(
            """
            import boto3
            def handler(event, context):
                boto3.client("s3")
            """
        )
        env.invoke()
        env.invoke()
        assert [client.invocation for client in env.aws_clients] == [0, 1]
        with pytest.raises(AssertionError, match=r"boto3.client was called in 2 of 2 invokes"):
            env.assert_init_only("boto3.client")

    def test_the_session_of_the_first_client_is_no_entry(self, environment):
        env = environment("import boto3\nboto3.client('s3')\ndef handler(event, context): pass")
        env.invoke()
        assert [str(client) for client in env.aws_clients] == ["boto3.client('s3')"]

    def test_parts_of_a_resource_are_no_entries(self, environment):
        with mocked():
            env = environment(
                """
                import boto3
                def handler(event, context):
                    s3 = boto3.resource("s3")
                    s3.Bucket("reports").Object("k").put(Body=b"")
                    s3.meta.client.head_bucket(Bucket="reports")
                    return len(list(s3.Bucket("reports").objects.all()))
                """
            )
            assert env.invoke().payload == 1
        assert [str(client) for client in env.aws_clients] == ["boto3.resource('s3')"]

    def test_a_subclass_of_the_session_is_one_entry(self, environment):
        env = environment(
            """
            import boto3
            class Session(boto3.Session):
                def __init__(self):
                    super().__init__(region_name="eu-west-1")
                def client(self, name):
                    return super().client(name)
            def handler(event, context):
                Session().client("s3")
            """
        )
        env.invoke()
        assert made(env.aws_clients) == [
            ("boto3.Session()", "session", "invoke", 5),
            ("Session.client('s3')", "client", "invoke", 7),
        ]

    def test_a_client_that_cannot_be_made_is_no_entry(self, environment):
        env = environment(
            "import boto3\ndef handler(event, context): boto3.client('dynamo')",
        )
        with pytest.raises(FunctionError):
            env.invoke()
        assert not env.aws_clients

    def test_clients_of_the_test_are_no_entries(self, environment):
        env = environment("import boto3\ndef handler(event, context): pass")
        env.initialize()
        boto3.client("s3", **KEYS)
        boto3.Session()
        env.invoke()
        assert not env.aws_clients

    def test_clients_that_threads_make_are_entries(self, environment):
        env = environment(
            """
            import boto3
            from concurrent.futures import ThreadPoolExecutor
            def make(name):
                return boto3.Session().client(name)
            def handler(event, context):
                with ThreadPoolExecutor(2) as pool:
                    list(pool.map(make, ["s3", "sqs"]))
            """
        )
        env.invoke()
        assert sorted(str(client) for client in env.aws_clients) == [
            "Session.client('s3')",
            "Session.client('sqs')",
            "boto3.Session()",
            "boto3.Session()",
        ]
        assert {client.where for client in env.aws_clients} == {"app.py:5"}

    def test_a_client_that_a_library_makes_for_the_function_is_an_entry(self, environment, write):
        env = environment(
            """
            from aws_lambda_powertools.utilities import parameters
            def handler(event, context):
                provider = parameters.SSMProvider()
                return provider.client.meta.region_name
            """
        )
        pytest.importorskip("aws_lambda_powertools")
        env.invoke()
        assert "ssm" in [client.service for client in env.aws_clients]
        assert {client.where for client in env.aws_clients} <= {"app.py:4", "app.py:5"}

    def test_a_spy_on_top_changes_no_entry(self, environment):
        env = environment("import boto3\nboto3.client('s3')\ndef handler(event, context): pass")
        spies = [env.spy("boto3.client"), env.spy("boto3.session.Session.client")]
        env.invoke()
        assert [spy.count() for spy in spies] == [1, 1]
        assert made(env.aws_clients) == [("boto3.client('s3')", "client", "init", 2)]

    def test_aioboto3_and_aiobotocore_are_seen(self, environment):
        pytest.importorskip("aioboto3")
        env = environment(
            """
            import aioboto3, aiobotocore.session, asyncio
            async def main():
                session = aioboto3.Session(region_name="eu-west-1")
                async with session.client("s3"), session.resource("dynamodb"):
                    pass
                core = aiobotocore.session.get_session()
                async with core.create_client("sqs", region_name="eu-west-1"):
                    pass
            def handler(event, context):
                asyncio.run(main())
            """
        )
        env.invoke()
        assert made(env.aws_clients) == [
            ("aioboto3.Session()", "session", "invoke", 4),
            ("Session.client('s3')", "client", "invoke", 5),
            ("Session.resource('dynamodb')", "resource", "invoke", 5),
            ("aiobotocore.AioSession()", "session", "invoke", 7),
            ("create_client('sqs')", "client", "invoke", 8),
        ]


class TestSight:
    SOURCE = """
        import boto3
        boto3.client("s3")
        def handler(event, context):
            boto3.client("s3")
        """

    def unseen(self, env, target="boto3.client"):
        with pytest.raises(LifecycleError, match="could not be seen") as caught:
            env.assert_init_only(target)
        return str(caught.value)

    @pytest.mark.parametrize("name", ["boto3.client", "boto3.Session"])
    def test_a_mock_that_ended_before_the_assertion_is_an_error(self, environment, name):
        env = environment(self.SOURCE)
        with mock.patch(name):
            env.invoke()
        assert f"the test has put <MagicMock name='{name.rpartition('.')[2]}'" in self.unseen(env)

    def test_a_mock_of_the_default_session_is_an_error(self, environment, monkeypatch):
        env = environment(self.SOURCE)
        env.initialize()
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", mock.MagicMock())
        env.invoke()
        assert "in the place of boto3.DEFAULT_SESSION" in self.unseen(env)

    def test_a_mock_in_a_module_of_the_function_is_an_error(self, environment):
        env = environment(self.SOURCE)
        env.patch("app.boto3", mock.MagicMock())
        env.initialize()
        env.invoke()
        assert "in the place of app.boto3" in self.unseen(env)

    def test_a_mock_of_a_method_hides_nothing(self, environment):
        env = environment(self.SOURCE)
        with mock.patch("boto3.session.Session.client") as client:
            env.invoke()
        assert client.call_count == 2
        with pytest.raises(AssertionError, match="boto3.client was called in 1 of 1 invoke"):
            env.assert_init_only("boto3.client")

    def test_a_spy_hides_nothing(self, environment):
        env = environment("import boto3\nboto3.client('s3')\ndef handler(event, context): pass")
        env.initialize()
        env.spy("boto3.resource")
        env.invoke()
        env.assert_init_only("boto3.client")

    def test_the_setting_init_only_fails_a_test_that_could_not_see(self, environment):
        env = environment(self.SOURCE, init_only=["boto3.client"])
        with mock.patch("boto3.client"):
            env.invoke()
        with pytest.raises(AssertionError, match=r"calls of boto3\.client could not be seen"):
            env._judge()
        env.invoke()
        with pytest.raises(AssertionError, match=r"boto3\.client was called in 1 of 1 invoke"):
            env._judge()
