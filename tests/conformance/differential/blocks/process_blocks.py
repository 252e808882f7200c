"""State of the process: `sys`, `os`, builtins, limits, files and time."""

TEXT = r"""
== argv
import sys
print(len(sys.argv), sys.argv[-1])

== flags
import sys
print(sys.flags.optimize, sys.flags.utf8_mode, sys.dont_write_bytecode in (True, False), sys.byteorder)

== path
import os, sys
print(sys.path[0] == os.getcwd(), os.getcwd() in sys.path, all(isinstance(p, str) for p in sys.path))

== path gets more
import sys
sys.path.insert(0, "/tmp/more"); sys.path.append("/tmp/other")
print(sys.path[0], sys.path[-1])

== path is replaced
import sys
sys.path = sys.path + ["/tmp/new"]
print(sys.path[-1])

== path is None
import sys
sys.path = None

== path is deleted
import sys
del sys.path

== meta_path is None
import sys
sys.meta_path = None

== meta_path gets more
import sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        print("finding", name)
sys.meta_path.insert(0, Finder)
try:
    import nothing_of_that_name
except ImportError as error:
    print(error)
sys.meta_path.remove(Finder)

== path_hooks
import sys
sys.path_hooks.append(lambda path: 1 / 0)
print(len(sys.path_hooks) > 1)

== modules blocked
import sys
sys.modules["blocked"] = None
try:
    import blocked
except ImportError as error:
    print(error)

== modules get an object
import sys
sys.modules["odd"] = $value
import odd
print(type(odd).__name__)

== modules get an object without __dict__
import sys
class Slots:
    __slots__ = ()
sys.modules["slots"] = Slots()
import slots
print(type(slots).__name__)

== a module replaced
import sys, types
sys.modules["colorsys"] = types.ModuleType("colorsys", "doc")
import colorsys
print(colorsys.__doc__)

== a module removed
import sys
import colorsys
del sys.modules["colorsys"]
import colorsys as again
print(again is colorsys)

== modules replaced
import sys
sys.modules = dict(sys.modules)
import colorsys
print("colorsys" in sys.modules)

== own module
import sys
print(__name__, __file__, __package__ == "", sys.modules[__name__].__name__, __spec__.name, __doc__)

== main
import sys
print(sys.modules["__main__"].__name__)

== globals
print([name for name in globals() if name in ("turn_00", "handler", "__builtins__")])

== a global
global COUNTER
COUNTER = globals().get("COUNTER", 0) + 1
print(COUNTER)

== builtins
import builtins
builtins.shared = "shared"
print(shared)

== print replaced
import builtins
before = builtins.print
builtins.print = lambda *args, **kwargs: before(*args, **kwargs, **({"end": "!\n"} if args == ("x",) else {}))
print("x")

== open replaced
import builtins
builtins.open = lambda *args, **kwargs: "no file"
print(open("/x"))

== len deleted
import builtins
kept = builtins.len
del builtins.len
try:
    len([])
except NameError as error:
    print(error)
builtins.len = kept

== __import__ replaced
import builtins
before = builtins.__import__
def importing(name, *args, **kwargs):
    if name == "colorsys":
        print("importing", name)
    return before(name, *args, **kwargs)
builtins.__import__ = importing
import colorsys
"""
