"""Texts that replace names with a dollar sign in building blocks."""

from __future__ import annotations

__all__ = ["EVENTS", "HEADERS", "VALUES"]

_VALUES = r"""
None
True
False
0
-1
10**30
2**63
1.5
1e300
-0.0
float("nan")
float("inf")
-float("inf")
""
"text"
"caf\xe9"
"\u20ac \U0001f600"
"\u2028\u2029\x7f"
"\x00\x1f"
"</script>"
"quote \" and \\ backslash"
"lone \udce9"
"\ud83d\ude00"
b""
b"bytes"
b"\xff\xfe"
b"caf\xc3\xa9"
bytearray(b"x")
memoryview(b"x")
[]
[1, [2, [3]]]
()
(1, "a", None)
{}
{"a": {"b": [1, 2, {"c": None}]}}
{1: "int", "1": "str"}
{1.5: 1, True: 2, None: 3}
{b"key": 1}
{(1, 2): 3}
{"b": 1, "a": 2}
{"caf\xe9": "\xe9"}
{"nan": float("nan")}
set()
{1}
frozenset([1])
range(3)
(x for x in "ab")
iter([1])
map(str, [1])
zip("ab", "cd")
enumerate("a")
{}.keys()
{"a": 1}.items()
{"a": 1}.values()
object
int
print
len
lambda: 1
...
NotImplemented
complex(1, 2)
[b"nested"]
[b"\xff"]
event
[event, event]
{"statusCode": 200, "body": "ok", "headers": {"x": "y"}, "isBase64Encoded": False}
context.aws_request_id
context.function_name
context
context.identity
context.client_context
__import__("decimal").Decimal("1.10")
__import__("decimal").Decimal("NaN")
__import__("decimal").Decimal("Infinity")
{__import__("decimal").Decimal("1"): 1}
__import__("datetime").date(2026, 1, 2)
__import__("datetime").datetime(2026, 1, 2)
__import__("datetime").timedelta(1)
__import__("uuid").UUID(int=1)
__import__("fractions").Fraction(1, 3)
__import__("pathlib").PurePosixPath("/a")
__import__("collections").OrderedDict([("b", 1), ("a", 2)])
__import__("collections").defaultdict(list, a=[1])
__import__("collections").Counter("aab")
__import__("collections").deque([1])
__import__("collections").ChainMap({"a": 1})
__import__("collections").namedtuple("Point", "x y")(1, 2)
__import__("collections").UserDict(a=1)
__import__("types").SimpleNamespace(a=1)
__import__("types").MappingProxyType({"a": 1})
__import__("enum").Enum("Color", "RED").RED
__import__("enum").IntEnum("Number", "ONE").ONE
__import__("enum").IntFlag("Flag", "A B").A
__import__("enum").Enum("Text", {"A": "a"}, type=str).A
__import__("dataclasses").make_dataclass("Data", ["x"])(1)
__import__("array").array("i", [1, 2])
__import__("re").compile("a")
__import__("io").BytesIO(b"x")
__import__("io").StringIO("x")
__import__("itertools").count()
__import__("sys").maxsize
__import__("logging").getLogger()
__import__("simplejson").RawJSON('{"raw": 1}')
type("Text", (str,), {"__str__": lambda self: "other"})("kept")
type("Number", (int,), {"__repr__": lambda self: "other"})(5)
type("Float", (float,), {"__repr__": lambda self: "other"})(5.5)
type("List", (list,), {})([1])
type("Dict", (dict,), {"items": lambda self: [("other", 1)]})(a=1)
type("Bytes", (bytes,), {})(b"kept")
type("AsDict", (), {"_asdict": lambda self: {"z": 1}})()
type("AsDict", (), {"_asdict": lambda self: 5})()
type("ForJson", (), {"for_json": lambda self: 1})()
type("Slots", (), {"__slots__": ("a",)})()
ValueError("not raised")
Exception
"x" * 70000
list(range(2000))
{str(n): n for n in range(500)}
int("9" * 4000)
10**4400
"""

_TEXTS = r"""
"text"
""
"two\nlines"
"end\n"
"tab\tand\rreturn"
"caf\xe9 \u20ac \U0001f600"
"percent %s %d"
"percent 100%"
"nul \x00"
"line \u2028 separator"
"x" * 3000
"lone \udce9"
"[ERROR] not an error"
"{\"json\": true}"
"\x1b[31mred\x1b[0m"
"\ufeffbom"
str(event)
context.aws_request_id
"""

_EXCEPTIONS = r"""
Exception()
Exception("text")
Exception("two\nlines")
Exception("caf\xe9 \u20ac")
Exception("lone \udce9")
Exception(1, 2)
Exception(None)
Exception(b"bytes")
ValueError("")
ValueError("value")
KeyError("key")
KeyError(("a", 1))
IndexError("x" * 500)
TypeError("'x'")
AttributeError("attribute")
AttributeError("attribute", name="a", obj=object())
NameError("name 'prnt' is not defined", name="prnt")
ImportError("no such", name="x", path="y")
ModuleNotFoundError("No module named 'nope'", name="nope")
OSError(2, "No such file or directory", "/nope")
OSError(2, "No such file", "a", None, "b")
FileNotFoundError(2, "missing")
PermissionError("denied")
TimeoutError("late")
ConnectionResetError(104, "reset")
UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
UnicodeEncodeError("ascii", "\xe9", 0, 1, "ordinal not in range")
StopIteration("value")
StopIteration()
StopAsyncIteration()
RuntimeError("runtime")
RecursionError("deep")
NotImplementedError()
ArithmeticError
ZeroDivisionError
AssertionError("assert")
EOFError()
MemoryError("memory")
BufferError("b")
LookupError("l")
SyntaxError("bad", ("file.py", 1, 2, "text", 1, 3))
SyntaxError("bad")
IndentationError("indent", ("f.py", 3, 1, "   x"))
Warning("w")
UserWarning("w")
DeprecationWarning("w")
SystemError("s")
__import__("json").JSONDecodeError("Expecting", "doc", 0)
__import__("subprocess").CalledProcessError(3, ["ls"], b"out", b"err")
__import__("decimal").InvalidOperation("op")
__import__("queue").Empty()
__import__("asyncio").TimeoutError()
__import__("asyncio").QueueEmpty("q")
__import__("socket").gaierror(-2, "Name or service not known")
__import__("socket").timeout("timed out")
__import__("concurrent.futures").futures.CancelledError()
__import__("http.client").client.HTTPException("h")
__import__("urllib.error").error.URLError("refused")
type("Custom", (Exception,), {})("custom")
type("Custom", (Exception,), {"__str__": lambda self: "shown"})("hidden")
type("Custom", (Exception,), {"__repr__": lambda self: "shown"})("hidden")
type("Custom", (Exception,), {"__str__": lambda self: 5})("bad")
type("Custom", (Exception,), {"__str__": lambda self: 1 / 0})("bad")
type("Custom", (Exception,), {"__str__": lambda self: ""})("bad")
type("Custom", (Exception,), {"__module__": "other.module"})("m")
type("\xc9tat", (Exception,), {})("name")
type("\u0416", (Exception,), {})("name")
type("Slots", (Exception,), {"__slots__": ()})("s")
type("Both", (KeyError, AttributeError), {})("both")
type("Error", (OSError, ValueError), {})(1, "text")
"""

_ODD = r"""
SystemExit()
SystemExit(0)
SystemExit(3)
SystemExit(-1)
SystemExit(256)
SystemExit("text")
SystemExit("lone \udce9")
SystemExit("caf\xe9\n")
SystemExit((1, 2))
SystemExit(1.5)
SystemExit(None)
SystemExit(True)
SystemExit(2**70)
SystemExit(b"bytes")
KeyboardInterrupt()
KeyboardInterrupt("text")
GeneratorExit()
GeneratorExit("g")
BaseException()
BaseException("base")
BaseException("caf\xe9\nlines")
BaseException("lone \udce9")
__import__("asyncio").CancelledError()
__import__("asyncio").CancelledError("message")
type("Fatal", (BaseException,), {})("fatal")
type("Fatal", (BaseException,), {"__str__": lambda self: 1 / 0})("fatal")
type("Quit", (SystemExit,), {})(4)
type("Stop", (KeyboardInterrupt,), {})("stop")
"""


def _lines(text: str) -> list[str]:
    return text.strip("\n").split("\n")


VALUES = {
    "value": _lines(_VALUES),
    "text": _lines(_TEXTS),
    "exception": _lines(_EXCEPTIONS),
    "odd": _lines(_ODD),
    "level": "DEBUG INFO WARNING ERROR CRITICAL".split(),
    "method": "debug info warning error critical".split(),
    "stream": ["stdout", "stderr"],
    "number": "0 1 2 3 5 10".split(),
    "variable": ["OWN", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "_X_AMZN_TRACE_ID", "TZ"],
    "errors": ["strict", "ignore", "replace", "backslashreplace", "xmlcharrefreplace"],
    "encoding": ["utf-8", "latin-1", "ascii", "utf-16"],
}

EVENTS = [
    "{}",
    "null",
    "[]",
    "0",
    '""',
    '"text"',
    "true",
    "[1, 2, 3]",
    '{"a": 1}',
    '{"a": {"b": [1.5, null]}}',
    '"caf\\u00e9"',
    '"\\ud83d\\ude00"',
    '"\\udce9"',
    '{"caf\u00e9": "\u20ac"}',
    "1e400",
    "-0.0",
    "12345678901234567890123",
    '{"a": 1, "a": 2}',
    "",
    "{",
    "[1,]",
    "NaN",
    "nul",
    '"unclosed',
    '{"Records": [{"body": "x"}, {"body": "y"}]}',
    "1 2",
    "\ufeff{}",
    '{"__class__": "x"}',
    "1.0000000000000001",
    '"\\u0000"',
]

HEADERS = [
    {"Lambda-Runtime-Client-Context": '{"custom": {"a": "b"}, "env": {"c": "d"}}'},
    {"Lambda-Runtime-Client-Context": '{"client": {"installation_id": "i", "app_title": "t"}}'},
    {"Lambda-Runtime-Client-Context": "null"},
    {"Lambda-Runtime-Client-Context": "{"},
    {"Lambda-Runtime-Client-Context": "[]"},
    {"Lambda-Runtime-Client-Context": '{"w3c": {"traceparent": "00-1-2-01", "other": "x"}}'},
    {"Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}'},
    {"Lambda-Runtime-Cognito-Identity": "x"},
    {"Lambda-Runtime-Cognito-Identity": "{}"},
    {"Lambda-Runtime-Aws-Tenant-Id": "tenant"},
    {"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:1:function:f:live"},
]
