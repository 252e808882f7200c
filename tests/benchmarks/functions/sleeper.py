"""A function that takes as long as the event says."""

import time


def handler(event, context):
    time.sleep(event)
