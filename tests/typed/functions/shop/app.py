"""A function that does what an event asks it to do."""

import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from shop import prices

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("in init")
state = {"count": 0}
client = object()


def handler(event, context):
    state["count"] += 1
    action = event.get("do", "")
    if action == "fail":
        raise ValueError("no such order")
    if action == "exit":
        sys.exit(3)
    if action == "sleep":
        time.sleep(event["seconds"])
    if action == "replace":
        globals()["client"] = object()
    if action == "thread":
        threading.Thread(target=time.sleep, args=(1,), name="flusher", daemon=True).start()
    if action == "write":
        Path(tempfile.gettempdir(), "orders.json").write_text(json.dumps(event))
    if action == "http":
        import requests

        return requests.get("https://config.example/v1", timeout=5).json()
    if action == "aws":
        import boto3

        return boto3.client("dynamodb").list_tables()["TableNames"]
    print("count", state["count"])
    logging.getLogger().warning("a warning")
    return {
        "count": state["count"],
        "price": prices.price(event.get("item", "tea"), count=2),
        "table": os.environ.get("TABLE", ""),
        "function": context.function_name,
        "remaining": context.get_remaining_time_in_millis() > 0,
    }
