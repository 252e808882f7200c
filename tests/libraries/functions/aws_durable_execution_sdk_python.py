import boto3
from aws_durable_execution_sdk_python import (
    DurableContext,
    StepContext,
    durable_execution,
    durable_step,
)
from aws_durable_execution_sdk_python.lambda_service import LambdaClient
from botocore.config import Config

made = []


def client(*arguments, **options):
    options["config"] = options["config"].merge(
        Config(connect_timeout=1, retries={"total_max_attempts": 1})
    )
    made.append(1)
    return genuine(
        *arguments,
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="id",
        aws_secret_access_key="secret",
        **options,
    )


genuine, boto3.client = boto3.client, client


@durable_step
def charge(context: StepContext):
    return 1


@durable_execution
def durable(event, context: DurableContext):
    return len(made)


def handler(event, context):
    known = LambdaClient._cached_boto_client is not None
    result = durable(event, context)
    return [known, result]
