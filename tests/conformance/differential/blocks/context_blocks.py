"""The context object."""

TEXT = r"""
== its repr | turn
print(context)

== its fields | turn
print(context.function_name, context.function_version, context.invoked_function_arn, context.memory_limit_in_mb)

== its ids | turn
print(context.aws_request_id, context.log_group_name, context.log_stream_name, context.tenant_id)

== types | turn
print({name: type(value).__name__ for name, value in vars(context).items() if not name.startswith("_")})

== its class | turn
print(type(context), type(context).__module__, type(context).__qualname__, type(context).__mro__)

== public names | turn
print([name for name in dir(context) if not name.startswith("__")])

== identity | turn
print(context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id, context.identity)

== client context | turn
cc = context.client_context
print(cc, cc and (cc.custom, cc.env, cc.client))

== client | turn
print(context.client_context.client.app_title)

== slots | turn
context.identity.new = 1

== slots of the client context | turn
print(type(context.client_context).__slots__ if context.client_context else None, type(context.identity).__slots__)

== remaining time | turn
left = context.get_remaining_time_in_millis()
print(type(left).__name__, 0 < left <= 30000)

== remaining time, patched | turn
import time
time.time = lambda: 0
print(context.get_remaining_time_in_millis() > 10**12)

== remaining time, at the end | turn
import time
time.time = lambda: 10**11
print(context.get_remaining_time_in_millis())

== remaining time, broken | turn
import time
time.time = lambda: "x"
print(context.get_remaining_time_in_millis())

== log | turn
context.log($value)

== log with newline | turn
context.log("line\n")

== log without handler | turn
import logging
logging.getLogger().handlers.clear()
context.log("no handler\n")

== log something that fails | turn
class Odd:
    def __str__(self):
        raise LookupError("str")
context.log(Odd())

== a new attribute | turn
context.mine = $value
print(context.mine)

== a changed attribute | turn
context.aws_request_id = "changed"
print(context)

== a deleted attribute | turn
del context.function_name
print(context)

== pickle | turn
import pickle
print(len(pickle.dumps(context)) > 0)

== pickle there and back | turn
import pickle
print(pickle.loads(pickle.dumps(context)).aws_request_id)

== copy | turn
import copy
print(copy.copy(context).aws_request_id, copy.deepcopy(context).function_name)

== compare | turn
print(context == context, hash(context) == hash(context), bool(context))

== json | turn
import json
print(json.dumps(vars(context), default=lambda value: type(value).__name__, sort_keys=True)[:20])

== w3c | turn
print(context.w3c())

== a module attribute | turn
import sys
print(sys.modules[type(context).__module__].__name__, type(context).__doc__)

== isinstance | turn
from awslambdaric.lambda_context import LambdaContext
print(isinstance(context, LambdaContext), LambdaContext.__name__)

== made by hand | turn
from awslambdaric.lambda_context import LambdaContext
made = LambdaContext("id", {}, {}, 0, "arn", "tenant")
print(made.aws_request_id, made.get_remaining_time_in_millis(), made.tenant_id)

== cognito by hand
from awslambdaric.lambda_context import CognitoIdentity, Client, ClientContext
print(CognitoIdentity.__name__, Client.__slots__, ClientContext.__slots__)

== signature | turn
import inspect
print(inspect.signature(type(context).__init__), inspect.signature(context.log))

== the trace | turn
import os
print(os.environ.get("_X_AMZN_TRACE_ID"))

== kept
KEPT.append(context.aws_request_id)
print(KEPT)
-- init
KEPT = []

== a weak reference | turn
import weakref
print(weakref.ref(context)() is context)

== the deadline | turn
print(type(context._epoch_deadline_time_in_ms).__name__)

== the method | turn
print(context.get_remaining_time_in_millis.__func__.__qualname__, callable(context.log))

== setattr on the class | turn
type(context).extra = "of the class"
print(context.extra)

== replaced method | turn
type(context).get_remaining_time_in_millis = lambda self: -5
print(context.get_remaining_time_in_millis())
"""
