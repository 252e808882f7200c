"""Exceptions of function code, and what is reported of them."""

TEXT = r"""
== raise | end
raise $exception

== raise again | end
raise $exception

== raise in a function | end
fail(0)
-- init
def fail(depth):
    if depth == 2:
        raise ValueError("deep")
    fail(depth + 1)

== raise from | end
try:
    raise $exception
except Exception as first:
    raise RuntimeError("second") from first

== raise during another | end
try:
    raise $exception
except Exception:
    raise $exception

== raise from None | end
try:
    raise $exception
except Exception:
    raise $exception from None

== raise in finally | end
try:
    raise $exception
finally:
    raise $exception

== raise a class | end
raise $exception.__class__

== raise no exception | end
raise $value

== re-raise | end
try:
    1 / 0
except ZeroDivisionError:
    raise

== re-raise later | end
try:
    1 / 0
except ZeroDivisionError as error:
    kept = error
raise kept

== re-raise nothing | end
raise

== with_traceback | end
try:
    fail(0)
except ValueError as error:
    other = KeyError("moved").with_traceback(error.__traceback__)
raise other
-- init
def fail(depth):
    if depth == 2:
        raise ValueError("deep")
    fail(depth + 1)

== without traceback | end
try:
    1 / 0
except ZeroDivisionError as error:
    raise error.with_traceback(None)

== a note | end
error = $exception
if hasattr(error, "add_note"):
    error.add_note("note")
raise error

== a note that is no text | end
error = ValueError("n")
error.__notes__ = [1, b"x"]
raise error

== a group | end
raise ExceptionGroup("group", [ValueError("a"), KeyError("b")])

== a nested group | end
raise BaseExceptionGroup("group", [ValueError("a"), BaseExceptionGroup("inner", [OSError("b")])])

== a group of exits | end
raise BaseExceptionGroup("group", [SystemExit(3)])

== except star | end
exec('''
try:
    raise ExceptionGroup("g", [ValueError("a"), KeyError("b")])
except* ValueError as group:
    print("values", group.exceptions)
''')

== recursion | end
def deeper():
    return deeper()
deeper()

== mutual recursion | end
def ping():
    pong()
def pong():
    ping()
ping()

== recursion that is caught
def deeper():
    return deeper()
try:
    deeper()
except RecursionError as error:
    print(type(error).__name__)

== recursion in repr | end
class Odd:
    def __repr__(self):
        return repr(self)
repr(Odd())

== a multiline statement | end
value = (
    1
    + "a"
)

== a multiline call | end
int(
    "x",
    10,
)

== an error in a comprehension | end
[1 / n for n in (1, 0)]

== an error in a lambda | end
(lambda: 1 / 0)()

== an error in a generator | end
def numbers():
    yield 1
    raise ValueError("in the generator")
list(numbers())

== StopIteration in a generator | end
def numbers():
    yield next(iter([]))
list(numbers())

== an error in a property | end
class Odd:
    @property
    def value(self):
        raise AttributeError("inner")
Odd().value

== an error in a descriptor | end
class Descriptor:
    def __set_name__(self, owner, name):
        raise TypeError("set_name")
class Odd:
    value = Descriptor()

== an error in exec | end
exec("def f():\n    1 / 0\nf()")

== an error in compiled code | end
exec(compile("\n\nraise ValueError('compiled')", "made up.py", "exec"))

== an error in eval | end
eval("1 / 0")

== an error with a file of no name | end
exec(compile("raise ValueError('x')", "", "exec"))

== an error in a file named bootstrap | end
exec(compile("raise ValueError('x')", "/some/bootstrap.py", "exec"))

== a syntax error in exec | end
exec("a =")

== an indentation error in compile | end
compile("if 1:\nx", "made.py", "exec")
"""
