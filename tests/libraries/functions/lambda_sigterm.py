import signal
import threading

import lambda_sigterm

lambda_sigterm.register()


def end(number, frame):
    print("ended by", number)


signal.signal(signal.SIGTERM, end)


def handler(event, context):
    own = [one for one in threading.enumerate() if one is not threading.main_thread()]
    return [len([one for one in own if one._target and "sigterm" in one._target.__module__])]
