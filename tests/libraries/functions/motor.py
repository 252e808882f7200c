import asyncio

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import ServerSelectionTimeoutError

client = AsyncIOMotorClient("mongodb://127.0.0.1:9", serverSelectionTimeoutMS=50)
loop = asyncio.new_event_loop()
served = []


async def find():
    served.append(1)
    return await client.shop.orders.find_one()


def handler(event, context):
    try:
        loop.run_until_complete(find())
    except ServerSelectionTimeoutError as error:
        return [type(error).__name__, len(served)]
