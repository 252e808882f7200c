"""The same function with more attempts: it retries until Lambda's timeout ends it."""

import os

import boto3
from botocore.config import Config

table = boto3.resource(
    "dynamodb", config=Config(retries={"mode": "legacy", "total_max_attempts": 10})
).Table(os.environ["TABLE"])


def handler(event, context):
    table.put_item(Item={"id": event["id"], "count": event["count"]})
    return {"statusCode": 200}
