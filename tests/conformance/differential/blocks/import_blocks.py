"""Imports of function code."""

TEXT = r"""
== a helper
import helper
print(helper.VALUE, helper.__name__, helper.__file__.rpartition("/")[2])
-- file helper.py
print("helper imported")
VALUE = 5

== a helper in a function
def get():
    from helper_two import count
    return count()
print(get(), get())
-- file helper_two.py
calls = []
def count():
    calls.append(1)
    return len(calls)

== a package
from package.inner import VALUE
import package
print(VALUE, package.__path__._path[0][-7:] if hasattr(package.__path__, "_path") else package.__path__[0][-7:])
-- file package/__init__.py
print("package imported")
-- file package/inner.py
from . import other
VALUE = other.VALUE
-- file package/other.py
VALUE = "other"

== a namespace package
import space.part
print(space.__file__ if hasattr(space, "__file__") else None, space.part.VALUE)
-- file space/part.py
VALUE = "namespace"

== a helper that fails
import failing
-- file failing.py
print("failing imported")
raise ValueError("at import")

== a helper that fails once
import sys
for n in range(2):
    try:
        import failing_once
        print("imported")
    except ValueError as error:
        print("failed", error, "failing_once" in sys.modules)
-- file failing_once.py
import builtins
builtins.tries = getattr(builtins, "tries", 0) + 1
if builtins.tries == 1:
    raise ValueError("first")

== a helper with a syntax error
import broken
-- file broken.py
def f(:
    pass

== a helper that exits
import exiting
-- file exiting.py
import sys
sys.exit(3)

== a circle
import circle_a
print(circle_a.VALUE)
-- file circle_a.py
import circle_b
VALUE = circle_b.VALUE
-- file circle_b.py
import circle_a
VALUE = getattr(circle_a, "VALUE", "not yet")

== from a circle
import ring_a
-- file ring_a.py
from ring_b import VALUE
OTHER = 1
-- file ring_b.py
from ring_a import OTHER
VALUE = 2

== reload
import importlib
import reloaded
importlib.reload(reloaded)
-- file reloaded.py
print("loaded", "VALUE" in globals())
VALUE = 1

== import_module
import importlib
print(importlib.import_module("package_two.sub").VALUE)
-- file package_two/__init__.py
-- file package_two/sub.py
VALUE = __name__

== import_module that fails
import importlib
importlib.import_module("nothing.at.all")

== a relative import
from . import something

== find_spec
import importlib.util
print(importlib.util.find_spec("helper_three").origin.rpartition("/")[2], importlib.util.find_spec("nothing"))
-- file helper_three.py
VALUE = 1

== spec_from_file
import importlib.util, os
spec = importlib.util.spec_from_file_location("by_path", os.path.join(os.path.dirname(__file__), "by_path.py"))
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.VALUE)
-- file by_path.py
VALUE = "by path"

== __getattr__ of a module
import lazy
print(lazy.anything)
lazy.__dunder__
-- file lazy.py
def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return "lazy " + name

== star
exec("from starred import *")
-- file starred.py
__all__ = ["a", "b"]
a = 1

== a module that replaces itself
import replacing
print(replacing)
-- file replacing.py
import sys
sys.modules[__name__] = "replaced"

== a file that shadows the standard library
import colorsys
print(hasattr(colorsys, "OWN"))
-- file colorsys.py
OWN = True

== a file that shadows an installed package
import pytz_own as simple
print(simple.VALUE)
-- file pytz_own.py
VALUE = "own"

== importlib.resources
from importlib import resources
print(resources.files("resourceful").joinpath("data.txt").read_text())
-- file resourceful/__init__.py
-- file resourceful/data.txt
resource

== importlib.metadata
from importlib import metadata
try:
    metadata.version("nothing-of-that-name")
except metadata.PackageNotFoundError as error:
    print("missing", error.name)

== zipimport
import sys, zipfile, tempfile, os
path = os.path.join(tempfile.mkdtemp(), "code.zip")
with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("zipped.py", "VALUE = 'zipped'")
sys.path.append(path)
import zipped
print(zipped.VALUE)

== runpy
import runpy
print(runpy.run_module("runnable")["__name__"])
-- file runnable.py
print("running", __name__)

== run_path
import os, runpy
print(runpy.run_path(os.path.join(os.path.dirname(__file__), "script.py"), run_name="__main__")["VALUE"])
-- file script.py
VALUE = __name__

== exec_module twice
import sys
import twice
del sys.modules["twice"]
import twice as again
print(twice is again)
-- file twice.py
print("twice imported")

== sys.modules of the function
import sys
print([name for name in sys.modules if name in ("app", "awslambdaric", "awslambdaric.bootstrap", "runtime_client", "simplejson")])

== not loaded at start | init
import sys
print([name for name in ("asyncio", "ssl", "http.server", "unittest", "pytest", "_pytest", "pdb", "doctest") if name in sys.modules])

== lazily loaded
import sys
print("snapshot_restore_py" in sys.modules, "pytest_lambda_lifecycle" in sys.modules)

== an import error in init | init
import nothing_of_that_name

== a syntax error in init | init
exec("def f(:")

== an error in init | init
raise $exception

== an exit in init | init
import sys
sys.exit($number)

== a base exception in init | init
raise $odd

== os._exit in init | init
import os
os._exit(5)

== a missing attribute in init | init
from json import nothing

== a handler made late | last
handler_made = handler
del handler
def __getattr__(name):
    if name == "handler":
        print("asked for", name)
        return handler_made
    raise AttributeError(name)

== slow init | init
import time
time.sleep(0.001)
print("init done")

== type checking | init
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import nothing
print(TYPE_CHECKING)

== a future import in a helper
import annotated
print(annotated.f.__annotations__)
-- file annotated.py
from __future__ import annotations
def f(a: Missing) -> None: ...

== main guard
if __name__ == "__main__":
    print("main")
print(__name__)

== an encoding line
import encoded
print(encoded.VALUE)
-- file encoded.py
# -*- coding: latin-1 -*-
VALUE = "plain"

== a null byte
import nulls
-- file nulls.py
VALUE = "a"  # comment
"""
