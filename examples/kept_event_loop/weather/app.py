"""Keeps its event loop open for as long as the environment lives."""

import asyncio

from weather.forecast import sky_over

loop = asyncio.new_event_loop()


def handler(event, context):
    sky = loop.run_until_complete(sky_over(event["city"]))
    return {"city": event["city"], "sky": sky, "requestId": context.aws_request_id}
