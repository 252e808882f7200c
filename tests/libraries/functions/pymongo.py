import pymongo
from pymongo.errors import ServerSelectionTimeoutError

client = pymongo.MongoClient("mongodb://127.0.0.1:9", serverSelectionTimeoutMS=50)
topologies = []


def handler(event, context):
    try:
        client.shop.orders.find_one()
    except ServerSelectionTimeoutError as error:
        failure = type(error).__name__
    topologies.append(id(client._topology))
    return [failure, len(set(topologies)), len(topologies)]
