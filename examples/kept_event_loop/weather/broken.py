"""Makes its event loop in Init, and closes it at the end of each request."""

import asyncio

from weather.forecast import sky_over

loop = asyncio.new_event_loop()


def handler(event, context):
    try:
        sky = loop.run_until_complete(sky_over(event["city"]))
        return {"city": event["city"], "sky": sky, "requestId": context.aws_request_id}
    finally:
        loop.close()
