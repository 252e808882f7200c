"""The bug: `price_of` makes a client, and so a TLS connection, for each line of each invoice."""

import os

import boto3


def price_of(article):
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    return int(table.get_item(Key={"article": article})["Item"]["price"])


def handler(event, context):
    return {"total": sum(price_of(article) for article in event["articles"])}
