import asyncio

from lambda_decorators import async_handler, json_http_resp

loops = set()


@json_http_resp
@async_handler
async def handler(event, context):
    loops.add(id(asyncio.get_running_loop()))
    await asyncio.sleep(0.001)
    return len(loops)
