"""`warnings`, and what the interpreter itself writes to stderr."""

TEXT = r"""
== a warning
import warnings
warnings.warn($text)

== a warning of a category
import warnings
warnings.warn("category", FutureWarning)

== a hidden warning
import warnings
warnings.warn("hidden", DeprecationWarning)

== a warning in a loop
import warnings
for n in range(3):
    warnings.warn("loop")

== a warning that is always shown
import warnings
warnings.simplefilter("always")
for n in range(2):
    warnings.warn("always", DeprecationWarning)

== a warning as an error
import warnings
warnings.simplefilter("error")
warnings.warn("error")

== a warning as an error, for a while
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("error")
    try:
        warnings.warn("inside")
    except UserWarning as caught_warning:
        print("raised", caught_warning)
warnings.warn("outside")

== recorded warnings
import warnings
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    warnings.warn("recorded")
print([str(w.message) for w in found])

== ignored warnings
import warnings
warnings.filterwarnings("ignore", message="ign")
warnings.warn("ignored"); warnings.warn("other")

== filters reset
import warnings
warnings.resetwarnings()
warnings.warn("shown", DeprecationWarning)

== formatwarning
import warnings
warnings.formatwarning = lambda *args, **kwargs: "formatted\n"
warnings.warn("x")

== showwarning
import warnings
def show(message, category, filename, lineno, file=None, line=None):
    print("shown", message, category.__name__)
warnings.showwarning = show
warnings.warn("x")

== showwarning that raises
import warnings
def show(*args, **kwargs):
    raise RuntimeError("show")
warnings.showwarning = show
warnings.warn("x")

== warn_explicit
import warnings
warnings.warn_explicit("explicit", UserWarning, "file.py", 5)

== stacklevel
import warnings
warnings.warn("level", stacklevel=2)

== a warning instance
import warnings
warnings.warn(RuntimeWarning("instance"))

== a warning with a lone surrogate
import warnings
warnings.warn("caf\udce9")

== a wrong category
import warnings
warnings.warn("x", int)

== once
import warnings
warnings.simplefilter("once")
for n in range(3):
    warnings.warn("once")

== the filters
import warnings
print(len(warnings.filters) > 0, warnings.defaultaction, isinstance(warnings.onceregistry, dict))

== a syntax warning
exec(compile("assert (1, 'x')", "made.py", "exec"))

== an escape that is none
compile(r"'\d'", "made.py", "eval")

== a resource warning
open("/dev/null")

== an unawaited coroutine
async def never():
    pass
never()
print("made")

== __del__ that raises
class Closing:
    def __del__(self):
        raise ValueError("in __del__")
one = Closing()
del one
print("deleted")

== __del__ that prints
class Closing:
    def __del__(self):
        print("closing")
one = Closing()
del one

== a weakref callback that raises
import weakref
class Thing:
    pass
def gone(reference):
    raise LookupError("callback")
thing = Thing()
reference = weakref.ref(thing, gone)
del thing

== a generator closed with an error
def values():
    try:
        yield 1
    finally:
        raise KeyError("closing")
it = values()
next(it)
del it

== unraisablehook
import sys
def hook(unraisable):
    print("hook", type(unraisable.exc_value).__name__)
sys.unraisablehook = hook
class Closing:
    def __del__(self):
        raise ValueError("in __del__")
one = Closing()
del one

== unraisablehook by hand
import sys
try:
    1 / 0
except ZeroDivisionError as error:
    class Args:
        exc_type, exc_value, exc_traceback = type(error), error, error.__traceback__
        err_msg, object = "By hand", None
    sys.unraisablehook(Args)

== a cycle with __del__
import gc
class Node:
    def __del__(self):
        print("node")
node = Node()
node.me = node
del node
gc.collect()

== faulthandler
import faulthandler
print(faulthandler.is_enabled())

== audit
import sys
print(len(sys.warnoptions), sys.flags.dev_mode, sys.flags.optimize)
"""
