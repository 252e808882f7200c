from checkout.config import Config

config = Config()


def handler(event, context):
    return round(event["price"] * (1 + config.get("tax")), 2)
