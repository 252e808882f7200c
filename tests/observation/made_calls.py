"""Calls of function code that are made by hand, where a test is about the calls and not about a
client library.
"""

from __future__ import annotations

from pytest_lambda_lifecycle.lifecycle.call_events import (
    AwsCall,
    AwsClient,
    Connection,
    HttpCall,
    NetworkRefusal,
)

__all__ = ["APP", "NET", "let_it_reach"]

NET = "def reach(what): raise NotImplementedError\n"

APP = """
import json, os
import net
def load(): pass
for what in json.loads(os.environ.get("IN_INIT", "[]")):
    net.reach(what)
def handler(event, context):
    for what in event or ():
        if what == "load": load()
        elif what == "raise": raise ValueError("boom")
        else: net.reach(what)
"""


def let_it_reach(env):
    """Let ``net.reach("GET https://...")`` and its like of function code stand for real calls."""

    def reach(what):
        place = env._parts.calls.place()
        kind, _, rest = what.partition(" ")
        service, _, operation = rest.partition(".")
        made = {
            "aws": lambda: AwsCall(*place, service, operation, status=200, duration_us=1500),
            "client": lambda: AwsClient(*place, "client", service, "boto3.client"),
            "session": lambda: AwsClient(*place, "session", "", "boto3.Session"),
            "connect": lambda: Connection(*place, rest),
            "refused": lambda: NetworkRefusal(*place, rest, "connect to"),
        }
        event = made.get(kind, lambda: HttpCall(*place, kind, rest, status=200))()
        env._conductor.timeline.append(event)

    env.patch("net.reach", reach)
    return env
