import signal
import threading

import lambda_sigterm

before = threading.enumerate()
lambda_sigterm.register()
own = [
    thread
    for thread in threading.enumerate()
    if thread not in before and thread._target.__module__ == "lambda_sigterm"
]


def end(number, frame):
    print("ended by", number)


signal.signal(signal.SIGTERM, end)


def handler(event, context):
    return [thread.is_alive() for thread in own]
