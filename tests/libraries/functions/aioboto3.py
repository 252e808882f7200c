import asyncio

import aioboto3

session = aioboto3.Session(
    region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="secret"
)
kept = []


async def call():
    async with session.client("sts", endpoint_url="http://127.0.0.1:9") as client:
        kept.append(client)
        return await client.generate_presigned_url("get_caller_identity")


def handler(event, context):
    url = asyncio.run(call())
    return [url.partition("?")[0], len(kept)]
