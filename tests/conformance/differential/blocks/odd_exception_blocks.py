"""Exceptions with unusual classes, causes, stacks and texts."""

TEXT = r"""
== an error in the standard library | end
import json
json.loads("{")

== another error in the standard library | end
import decimal
decimal.Decimal("x")

== an error in a callback | end
sorted([3, 1], key=lambda n: 1 / (n - 1))

== an error in __exit__ | end
class Manager:
    def __enter__(self):
        return self
    def __exit__(self, *args):
        raise OSError("exit")
with Manager():
    raise ValueError("body")

== a suppressed error
import contextlib
with contextlib.suppress(ValueError):
    raise ValueError("suppressed")

== ExitStack | end
import contextlib
with contextlib.ExitStack() as stack:
    stack.callback(lambda: 1 / 0)
    raise KeyError("body")

== an assertion | end
assert event == "nothing", f"got {type(event).__name__}"

== an assertion without text | end
assert 1 == 2

== an unknown name | end
unknown_name

== an unbound local | end
print(later)
later = 1

== an unknown attribute | end
context.unknown

== a suggestion | end
context.aws_request_ids

== an import that fails | end
import nothing_of_that_name

== a from import that fails | end
from json import nothing_of_that_name

== unpacking | end
a, b = 1, 2, 3

== a wrong call | end
def two(a, b):
    pass
two(1)

== a wrong keyword | end
dict().update(a=1, **{"a": 2})

== an error whose traceback is a property | end
class Odd(Exception):
    __traceback__ = None
raise Odd("odd")

== an error whose traceback is replaced | end
class Odd(Exception):
    @property
    def __traceback__(self):
        raise RuntimeError("traceback")
raise Odd("odd")

== an error whose class is a property | end
class Odd(Exception):
    __class__ = KeyError
raise Odd("odd")

== an error whose args are replaced | end
error = ValueError("before")
error.args = ("after", 1)
raise error

== an error whose name is replaced | end
class Odd(Exception):
    pass
Odd.__name__ = "Renamed"
Odd.__qualname__ = "Outer.Renamed"
raise Odd("odd")

== an error class with a metaclass | end
class Meta(type):
    @property
    def __name__(cls):
        return "FromMeta"
class Odd(Exception, metaclass=Meta):
    pass
raise Odd("odd")

== an error whose str prints | end
class Odd(Exception):
    def __str__(self):
        print("str")
        return "printed"
raise Odd()

== an error whose str exits | end
class Odd(Exception):
    def __str__(self):
        raise SystemExit(9)
raise Odd()

== an error whose str is a subclass | end
class Text(str):
    def __str__(self):
        return "shown"
class Odd(Exception):
    def __str__(self):
        return Text("kept")
raise Odd()

== an error that cannot be made | end
class Odd(Exception):
    def __init__(self):
        raise LookupError("init")
raise Odd

== a FaultException | end
from awslambdaric.lambda_runtime_exception import FaultException
raise FaultException("My.Type", "my message", ["my trace"])

== a FaultException without trace | end
from awslambdaric.lambda_runtime_exception import FaultException
raise FaultException(FaultException.MARSHAL_ERROR, $value)

== a warning as exception | end
raise UserWarning("warning")

== the cause is a circle | end
a, b = ValueError("a"), KeyError("b")
a.__cause__, b.__cause__ = b, a
raise a

== sys.exc_info
import sys
try:
    raise $exception
except Exception:
    print(sys.exc_info()[0].__name__)
print(sys.exc_info())

== format_exc
import traceback
try:
    raise $exception
except Exception:
    print(traceback.format_exc())

== TracebackException
import traceback
try:
    raise $exception
except Exception as error:
    print("".join(traceback.TracebackException.from_exception(error).format()))

== extract_tb
import traceback
try:
    raise $exception
except Exception as error:
    print([(f.lineno, f.name, f.line) for f in traceback.extract_tb(error.__traceback__)])

== tracebacklimit | end
import sys
sys.tracebacklimit = 1
fail(0)
-- init
def fail(depth):
    if depth == 2:
        raise ValueError("deep")
    fail(depth + 1)

== the linecache | end
import linecache
linecache.clearcache()
1 / 0

== a replaced linecache | end
import linecache
linecache.getline = lambda *args, **kwargs: "replaced\n"
1 / 0

== a code object of another file | end
def moved():
    1 / 0
moved.__code__ = moved.__code__.replace(co_filename="/elsewhere/file.py", co_name="renamed")
moved()

== a thread's error that is handed over | end
import concurrent.futures
def fail():
    raise ValueError("in the pool")
with concurrent.futures.ThreadPoolExecutor(1) as pool:
    pool.submit(fail).result()

== os error of the system | end
open("/nothing/at/all")

== a decode error | end
b"\xff".decode()

== an integer error | end
int("9" * 5000)

== a key error of the event | end
event["missing"]
"""
