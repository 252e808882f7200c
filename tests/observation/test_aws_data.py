"""What botocore reads for each session, kept for the sessions of all environments."""

from __future__ import annotations

import functools
import json
import pickle

import boto3
import botocore.loaders
import pytest

from pytest_lambda_lifecycle.isolation.modules import kept_code
from pytest_lambda_lifecycle.observation.calls import aws_data

from .aws import mocked

SERVICES = ("s3", "sqs", "dynamodb", "sts")


@pytest.fixture
def environment(environment):
    """Make environments whose invokes may make clients: that takes seconds on a busy machine."""
    return functools.partial(environment, timeout=60)


@pytest.fixture(autouse=True)
def nothing_kept():
    aws_data._FILES.clear()
    aws_data._SERVICES.clear()
    yield
    aws_data._FILES.clear()
    aws_data._SERVICES.clear()


def photographs():
    """Return what is kept as bytes, for each file."""
    return {path: pickle.dumps(entry[2]) for path, entry in aws_data._FILES.items()}


def test_operations_change_nothing_that_is_kept(environment):
    source = """
        import boto3
        from botocore.config import Config
        def use(name, **options): return boto3.Session().client(name, "eu-west-1", **options)
        def handler(event, context):
            s3 = use("s3")
            s3.put_object(Bucket="reports", Key="k", Body=b"x")
            s3.get_object(Bucket="reports", Key="k")["Body"].read()
            list(s3.get_paginator("list_objects_v2").paginate(Bucket="reports"))
            s3.get_waiter("bucket_exists").wait(Bucket="reports")
            s3.generate_presigned_url("get_object", Params={"Bucket": "reports", "Key": "k"})
            try: s3.get_object(Bucket="reports", Key="none")
            except s3.exceptions.NoSuchKey: pass
            queue = use("sqs").create_queue(QueueName="q")["QueueUrl"]
            use("sqs", config=Config(retries={"mode": "legacy"})).send_message(
                QueueUrl=queue, MessageBody="x")
            for option in ("use_fips_endpoint", "use_dualstack_endpoint"):
                use("s3", config=Config(**{option: True}))
                use("dynamodb", config=Config(**{option: True}))
            boto3.resource("dynamodb", "us-east-1").Table("orders").put_item(Item={"id": "1"})
            use("sts").get_caller_identity()
            boto3.Session().get_available_regions("s3")
            return len(str(use("dynamodb").put_item.__doc__)) > 0
    """
    with mocked():
        env = environment(source)
        assert env.invoke().payload
        before = photographs()
        assert any(path.endswith("endpoints") for path in before)
        env.reset()
        assert env.invoke().payload
    assert photographs() == before


def test_each_session_finds_what_botocore_reads(environment):
    env = environment(f"""
        import boto3, json
        def handler(event, context):
            session = boto3.Session(region_name="eu-west-1")
            loader = session._loader
            found = {{name: loader.load_service_model(name, "service-2") for name in {SERVICES}}}
            found["endpoints"] = loader.load_data("endpoints")
            found["services"] = loader.list_available_services("service-2")
            texts = {{name: hash(json.dumps(one)) for name, one in found.items()}}
            for name in {SERVICES}:
                session.client(name)
                found[name]["shapes"].clear()
            found["endpoints"].clear()
            found["services"].clear()
            return texts
    """)
    loader = boto3.Session()._loader
    plain = {name: loader.load_service_model(name, "service-2") for name in SERVICES}
    plain["endpoints"] = loader.load_data("endpoints")
    plain["services"] = loader.list_available_services("service-2")
    expected = {name: hash(json.dumps(one)) for name, one in plain.items()}
    for _ in range(3):
        assert env.invoke().payload == expected
        env.reset()


def test_data_of_the_function_is_read_each_time(environment, write):
    write("models/shop/2020-01-01/service-2.json", '{"version": "1"}')
    env = environment("""
        import boto3, os
        def handler(event, context):
            if event:
                os.environ["AWS_DATA_PATH"] = os.path.join(os.environ["LAMBDA_TASK_ROOT"], "models")
            loader = boto3.Session()._loader
            names = loader.list_available_services("service-2")
            own = loader.load_data("shop/2020-01-01/service-2") if event else None
            return ["shop" in names, "s3" in names, own]
    """)
    for version in ("1", "2"):
        write("models/shop/2020-01-01/service-2.json", f'{{"version": "{version}"}}')
        assert env.invoke().payload == [False, True, None]
        assert env.invoke({"own": True}).payload == [True, True, {"version": version}]
        env.reset()
    assert not any("models" in path for path in aws_data._FILES)


def test_a_reader_that_function_code_has_replaced_reads_each_time(environment, monkeypatch):
    reader = botocore.loaders.JSONFileLoader
    monkeypatch.setattr(reader, "_load_file", reader._load_file)  # to have it back
    env = environment("""
        import boto3, botocore.loaders
        read = []
        original = botocore.loaders.JSONFileLoader._load_file
        def load(self, path, opens):
            read.append(path)
            return original(self, path, opens)
        def handler(event, context):
            boto3.Session()._loader.load_data("partitions")
            botocore.loaders.JSONFileLoader._load_file = load
            boto3.Session()._loader.load_data("partitions")
            return len(read)
    """)
    # The code of the function is kept as well, so the second reader has the very same code object.
    monkeypatch.setattr(kept_code, "is_settled", lambda state: True)
    for _ in range(3):
        assert env.invoke().payload > 0
        env.reset()


def test_the_log_of_botocore_has_the_same_lines_in_each_process(environment):
    env = environment("""
        import boto3, logging
        lines = []
        class Handler(logging.Handler):
            def emit(self, record): lines.append(record.getMessage())
        def handler(event, context):
            logger, handler = logging.getLogger("botocore"), Handler()
            logger.addHandler(handler)
            logger.setLevel(event["level"])
            boto3.Session().client("sqs", "eu-west-1")
            texts = "Loading JSON file", "Changing event name"
            return [sum(line.startswith(text) for line in lines) for text in texts]
    """)
    found = []
    for level in ("DEBUG", "INFO", "INFO", "DEBUG"):
        found.append(env.invoke({"level": level}).payload)
        env.reset()
    assert found == [found[0], [0, 0], [0, 0], found[0]]
    assert all(found[0])


def test_events_have_the_names_that_botocore_gives_them(environment):
    env = environment("""
        import boto3
        def handler(event, context):
            aliaser = boto3.Session()._session.get_component("event_emitter")
            if event:
                aliaser._event_aliases = {"a": "b"}
            names = "x.iot-data", "before-call.a.x"
            return [aliaser._alias_event_name(name) for name in names]
    """)
    aliaser = boto3.Session()._session.get_component("event_emitter")
    names = "x.iot-data", "before-call.a.x"
    expected = [aliaser._alias_event_name(name) for name in names]
    assert expected[0] == "x.iot-data-plane"
    for _ in range(2):
        assert env.invoke().payload == expected
        assert env.invoke({"own": True}).payload == [names[0], "before-call.b.x"]
        env.reset()


def test_sessions_of_the_test_read_for_themselves(environment):
    env = environment("def handler(event, context): pass")
    env.invoke()
    boto3.Session(region_name="eu-west-1").client("sts")
    assert not aws_data._FILES
