import boto3
import botocore.client
from aws_xray_sdk.core import patch_all, xray_recorder

patch_all()
client = boto3.client("sqs", region_name="us-east-1")


def handler(event, context):
    segment = xray_recorder.get_trace_entity()
    return [
        type(segment).__name__,
        type(xray_recorder.context).__name__,
        type(vars(botocore.client.BaseClient)["_make_api_call"]).__name__,
    ]
