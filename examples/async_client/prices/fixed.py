"""Keeps one event loop, and the client on it, for the life of the execution environment."""

import asyncio

from prices.client import PriceClient

client = PriceClient()
loop = asyncio.new_event_loop()


def handler(event, context):
    return loop.run_until_complete(client.price(event["sku"]))
