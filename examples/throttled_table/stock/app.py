"""The function: counts items in a DynamoDB table, and tells its caller when the table is busy."""

import os

import boto3
from botocore.config import Config

table = boto3.resource(
    "dynamodb", config=Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard"})
).Table(os.environ["TABLE"])


def handler(event, context):
    try:
        table.put_item(Item={"id": event["id"], "count": event["count"]})
    except table.meta.client.exceptions.ProvisionedThroughputExceededException:
        return {"statusCode": 503, "headers": {"Retry-After": "1"}}
    return {"statusCode": 200}
