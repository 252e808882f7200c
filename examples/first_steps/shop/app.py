import signal
import time

from shop import prices

price_list = prices.load()


def flush(signum, frame):
    print("flushed")


signal.signal(signal.SIGTERM, flush)


def handler(event, context):
    time.sleep(event.get("seconds", 0))
    return {"total": sum(price_list[article] for article in event["articles"])}
