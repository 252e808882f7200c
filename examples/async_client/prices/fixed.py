"""One event loop for the life of the execution environment, like the client that lives on it."""

import asyncio

from prices.client import PriceClient

client = PriceClient()
loop = asyncio.new_event_loop()


def handler(event, context):
    return loop.run_until_complete(client.price(event["sku"]))
