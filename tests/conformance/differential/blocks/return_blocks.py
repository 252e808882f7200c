"""What a turn returns, and the forms that a handler may have."""

TEXT = r"""
== a value | end
return $value

== a value, once more | end
return $value

== values in a list | end
return [$value, $value]

== values in an object | end
return {"a": $value, "b": $value}

== a value as key | end
return {$value: $value}

== an object with nested values | end
return {"list": [{"inner": $value}], "tuple": ($value, 1)}

== nothing | end
pass

== the event | end
return event

== the event's type | end
return [type(event).__name__, repr(event)]

== a circle | end
circle = []
circle.append(circle)
return circle

== a circle of objects | end
circle = {}
circle["me"] = circle
return circle

== deep | end
deep = []
for n in range(20000):
    deep = [deep]
return deep

== quite deep | end
deep = []
for n in range(50):
    deep = {"d": deep}
return deep

== json.dumps | end
import json
return json.dumps({"a": $text})

== body of json | end
import json
return {"statusCode": 200, "body": json.dumps({"a": $text})}

== base64 | end
import base64
return {"isBase64Encoded": True, "body": base64.b64encode(b"\xff").decode()}

== a coroutine | end
async def answer():
    return 1
return answer()

== an asynchronous generator | end
async def answers():
    yield 1
return answers()

== a generator function | end
def answers():
    yield 1
return answers()

== a future | end
import concurrent.futures
return concurrent.futures.Future()

== an exception object | end
return $exception

== an exception in a list | end
return [$exception]

== a mapping with failing items | end
class Failing(dict):
    def items(self):
        raise RuntimeError("items")
    def __iter__(self):
        raise RuntimeError("iter")
return Failing(a=1)

== an iterable | end
class Iterable:
    def __iter__(self):
        return iter([1, 2])
return Iterable()

== an _asdict that raises | end
class Odd:
    def _asdict(self):
        raise LookupError("asdict")
return Odd()

== an attribute that raises | end
class Odd:
    def __getattr__(self, name):
        raise RuntimeError("attribute " + name)
return Odd()

== any attribute | end
from unittest import mock
return mock.Mock(spec=["a"])

== a MagicMock | end
from unittest import mock
return {"m": type(mock.MagicMock()).__name__}

== an int subclass that is odd | end
class Odd(int):
    def __int__(self):
        return 7
    def __str__(self):
        return "odd"
return [Odd(3), {Odd(4): 1}]

== a str subclass as key | end
class Key(str):
    def __eq__(self, other):
        return False
    __hash__ = str.__hash__
return {Key("a"): 1, Key("b"): 2}

== a typed dict | end
from typing import NamedTuple
class Row(NamedTuple):
    a: int
    b: str = "x"
return [Row(1), {"row": Row(2, "y")}]

== a dataclass | end
import dataclasses
@dataclasses.dataclass
class Data:
    x: int
return dataclasses.asdict(Data(1))

== a dataclass itself | end
import dataclasses
@dataclasses.dataclass
class Data:
    x: int
return Data(1)

== mixed keys | end
return {None: 1, True: 2, 1.5: 3, "s": 4, 10: 5}

== a large answer | end
return {"data": "z" * 200000}

== an int that is too long | end
return 10**5000

== an answer changed in finally | end
answer = {"a": 1}
try:
    return answer
finally:
    answer["b"] = 2
    print("finally")

== return in finally | end
try:
    raise ValueError("lost")
finally:
    return $value

== async handler | last
async def handler(event, context):
    return 1

== generator handler | last
def handler(event, context):
    yield 1

== class as handler | last
class handler(dict):
    def __init__(self, event, context):
        super().__init__(event=event)

== callable object | last
class Callable:
    def __call__(self, event, context):
        print("called")
        return globals()["turn_" + context.aws_request_id[-2:]](event, context)
handler = Callable()

== partial | last
import functools
def with_option(option, event, context):
    print(option)
    return globals()["turn_" + context.aws_request_id[-2:]](event, context)
handler = functools.partial(with_option, "option")

== decorated | last
import functools
def noisy(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        print("before")
        try:
            return function(*args, **kwargs)
        finally:
            print("after")
    return inner
handler = noisy(handler)

== bound method | last
class App:
    def handle(self, event, context):
        return globals()["turn_" + context.aws_request_id[-2:]](event, context)
handler = App().handle

== keyword arguments | last
inner = handler
def handler(event, context, extra="extra", *args, **kwargs):
    print(extra, args, kwargs)
    return inner(event, context)

== one argument | last
def handler(event):
    return 1

== three arguments | last
def handler(event, context, third):
    return 1

== not callable | last
handler = 5

== None as handler | last
handler = None

== no handler | last
del handler

== a retry | last
inner = handler
def handler(event, context):
    try:
        return inner(event, context)
    except Exception as error:
        print("retry", type(error).__name__)
        return inner(event, context)
"""
