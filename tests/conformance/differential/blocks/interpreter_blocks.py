"""Settings of the interpreter, files, time, and libraries that function code changes."""

TEXT = r"""
== recursion limit
import sys
print(sys.getrecursionlimit()); sys.setrecursionlimit(2000); print(sys.getrecursionlimit())

== int limit
import sys
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(1000)
    print(sys.get_int_max_str_digits())

== switch interval
import sys
sys.setswitchinterval(0.01)
print(sys.getswitchinterval())

== gc
import gc
print(gc.isenabled(), gc.get_debug()); gc.disable(); print(gc.isenabled())

== gc freeze
import gc
gc.freeze(); print(gc.get_freeze_count() > 0); gc.unfreeze()

== trace
import sys
print(sys.gettrace(), sys.getprofile())

== trace set
import sys
seen = []
sys.settrace(lambda frame, kind, arg: seen.append(kind))
(lambda: 1)()
sys.settrace(None)
print(seen)

== profile set
import sys
seen = []
sys.setprofile(lambda frame, kind, arg: seen.append(kind))
len([])
sys.setprofile(None)
print(seen[:2])

== working directory
import os
print(os.getcwd() == os.path.dirname(os.path.abspath(__file__)))

== chdir
import os
os.chdir("/tmp")
print(os.getcwd())

== umask
import os
print(oct(os.umask(0o077))); print(oct(os.umask(0o022)))

== pid
import os
print(os.getpid() > 0, os.getpid() == os.getpid(), os.getppid() > 0)

== a file in /tmp
import os, tempfile
with tempfile.NamedTemporaryFile("w+") as file:
    file.write("x"); file.seek(0); print(file.read())

== tempdir
import tempfile
tempfile.tempdir = "/nothing"
try:
    tempfile.mkstemp()
except OSError as error:
    print(type(error).__name__)

== a file of the function
with open("data.txt") as file:
    print(file.read())
-- file data.txt
content of the file

== a file by __file__
import pathlib
print(sorted(path.name for path in pathlib.Path(__file__).parent.iterdir() if path.suffix == ".py"))

== pkgutil
import pkgutil
print(pkgutil.get_data("app", "app.py") is not None)

== locale
import locale
print(locale.getpreferredencoding(False), locale.setlocale(locale.LC_CTYPE))

== encodings
import sys
print(sys.getdefaultencoding(), sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())

== a random seed
import random
random.seed(5); print(random.random())

== decimal context
import decimal
decimal.getcontext().prec = 5
print(decimal.Decimal(1) / 3)

== a context variable
import contextvars
variable = contextvars.ContextVar("own")
variable.set("set"); print(variable.get())

== time is patched
import time
time.time = lambda: 1000.0
print(time.time())

== sleep is patched
import time
time.sleep = lambda seconds: print("slept", seconds)
time.sleep(100)

== sleep
import time
before = time.monotonic(); time.sleep(0.001); print(time.monotonic() >= before)

== datetime
import datetime
print(datetime.datetime.now().tzinfo, datetime.datetime.now().year > 2000)

== hooks of sys
import sys
print(sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__, sys.unraisablehook is sys.__unraisablehook__)

== breakpoint
import sys
sys.breakpointhook = lambda *args: print("breakpoint")
breakpoint()

== audit hook
import sys
print(callable(sys.addaudithook))

== site
import sys
print("site" in sys.modules, hasattr(sys, "ps1"), sys.flags.interactive, sys.flags.no_site)

== frames
import sys
frame = sys._getframe()
names = []
while frame is not None and frame.f_globals.get("__name__") == "app":
    names.append(frame.f_code.co_name); frame = frame.f_back
print(names[0], frame is not None)

== inspect stack
import inspect
print(inspect.stack()[0].function, inspect.currentframe() is not None)

== atexit count
import atexit
print(atexit._ncallbacks() >= 0)

== signals
import signal
print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.getsignal(signal.SIGPIPE))

== alarm
import signal
print(signal.alarm(0), signal.getitimer(signal.ITIMER_REAL))

== rlimits
import resource
print(resource.getrlimit(resource.RLIMIT_CORE)[0] >= -1)

== a subprocess
import subprocess
print(subprocess.run(["/bin/sh", "-c", "echo out; exit 3"], capture_output=True, text=True))

== a subprocess that fails
import subprocess
subprocess.run(["/bin/false"], check=True)

== a subprocess that is missing
import subprocess
subprocess.run(["/bin/nothing"])

== popen
import os
print(os.popen("echo popen").read())

== platform
import platform
print(platform.python_implementation(), platform.system())

== copyreg
import copyreg
copyreg.pickle(complex, lambda c: (complex, (c.real, c.imag)))
print("registered")

== json is changed
import json
json.dumps = lambda value, **kwargs: "changed"
print(json.dumps({}))

== JSONEncoder.default is changed
import json
json.JSONEncoder.default = lambda self, value: "default " + type(value).__name__
print(json.dumps(object))

== simplejson is changed
import simplejson
simplejson.dumps = lambda *args, **kwargs: "changed"
print(simplejson.dumps({}))

== simplejson's encoder is changed
import simplejson
simplejson.JSONEncoder.default = lambda self, value: "default " + type(value).__name__
print(simplejson.dumps(object))

== socket timeout
import socket
print(socket.getdefaulttimeout()); socket.setdefaulttimeout(5); print(socket.getdefaulttimeout())

== a socket
import socket
a, b = socket.socketpair()
a.send(b"x"); print(b.recv(1)); a.close(); b.close()

== a server on loopback
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
print(client.getpeername()[0]); client.close(); server.close()

== a connection that is refused
import socket
socket.create_connection(("127.0.0.1", 1), timeout=1)

== urllib
import urllib.request
urllib.request.urlopen("file:///nothing")

== sqlite
import sqlite3
print(sqlite3.connect(":memory:").execute("select 1").fetchall())

== __build_class__
import builtins
before = builtins.__build_class__
def build(function, name, *args, **kwargs):
    print("class", name)
    return before(function, name, *args, **kwargs)
builtins.__build_class__ = build
class Made:
    pass
builtins.__build_class__ = before

== a module attribute is set
import colorsys
colorsys.mine = "mine"
print(colorsys.mine)

== a class of the standard library is changed
import collections
collections.OrderedDict.mine = "mine"
print(collections.OrderedDict().mine)

== stdlib function deleted
import colorsys
del colorsys.rgb_to_hsv
print(hasattr(colorsys, "rgb_to_hsv"))
"""
