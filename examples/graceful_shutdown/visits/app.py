"""The function: it holds unwritten rows, and writes them when Lambda ends the environment."""

import signal
import sys
import time

from visits.database import Connection

connection = Connection()


def on_sigterm(signum, frame):
    print("SIGTERM: closing the connection")
    connection.close()
    sys.exit(0)


signal.signal(signal.SIGTERM, on_sigterm)  # in Init, on the main thread


def handler(event, context):
    connection.insert(event["page"])
    time.sleep(event.get("seconds", 0))
    return connection.waiting
