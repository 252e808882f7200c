"""Streams that function code replaces, wraps, closes or deletes."""

TEXT = r"""
== __stdout__
import sys
print("through __$stream__", file=sys.__$stream__, flush=True)

== the original streams
import sys
print(sys.__stdout__ is sys.stdout, sys.__stderr__ is sys.stderr, type(sys.__stdout__).__name__, sys.__stdout__.name)

== stdout is __stdout__
import sys
sys.stdout = sys.__stdout__
print("unbuffered no more")

== stdout is __stdout__ and flushed
import sys
sys.stdout = sys.__stdout__
print($text, flush=True)

== stderr is __stderr__
import sys
sys.stderr = sys.__stderr__
print($text, file=sys.stderr)

== swapped
import sys
sys.stdout, sys.stderr = sys.stderr, sys.stdout
print("swapped")

== StringIO for a while
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()) as text:
    print("hidden")
print(repr(text.getvalue()))

== redirect stderr
import contextlib, io, sys
with contextlib.redirect_stderr(io.StringIO()) as text:
    print("hidden", file=sys.stderr)
print(repr(text.getvalue()))

== redirect to stderr
import contextlib, sys
with contextlib.redirect_stdout(sys.stderr):
    print("to stderr")

== replaced for good
import io, sys
sys.$stream = io.StringIO()
print("lost", file=sys.$stream)

== a tee
import sys
class Tee:
    def __init__(self, stream):
        self.inner = stream
    def write(self, text):
        return self.inner.write(text.replace("tee", "TEE"))
    def flush(self):
        self.inner.flush()
sys.stdout = Tee(sys.stdout)
print("tee")

== None
import sys
sys.$stream = None
print("to none")

== deleted
import sys
del sys.$stream

== deleted and printed
import sys
del sys.stdout
print("lost")

== a stream without write
import sys
sys.stdout = object()
print("x")

== a stream that raises
import sys
class Broken:
    def write(self, text):
        raise OSError(5, "broken")
    def flush(self):
        pass
sys.$stream = Broken()
print("x", file=sys.$stream)

== closed
import sys
sys.$stream.close()
print("closed", file=sys.$stream)

== closed and asked
import sys
sys.$stream.close()
print(sys.$stream.closed)

== detached
import sys
raw = sys.$stream.detach()
raw.write(b"detached\n"); raw.flush()

== a wrapper of its own
import io, sys
sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8", line_buffering=True)
print("caf\xe9 wrapped")

== a wrapper over the buffer
import io, sys
wrapper = io.TextIOWrapper(sys.stdout.buffer, encoding="latin-1", write_through=True)
wrapper.write("caf\xe9\n"); wrapper.flush(); wrapper.detach()

== codecs writer
import codecs, sys
codecs.getwriter("utf-8")(sys.stdout.buffer).write("codecs caf\xe9\n")

== pprint
import pprint
pprint.pprint({"b": [1] * 30, "a": $value})

== json.dump
import json, sys
json.dump({"a": [1, None]}, sys.stdout)

== traceback
import traceback
try:
    raise $exception
except Exception:
    traceback.print_exc()

== traceback of a chain
import sys, traceback
try:
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise $exception from None
except Exception:
    traceback.print_exc(file=sys.stdout)

== print_stack
import sys, traceback
print(len(traceback.format_stack()) > 0)

== input
input("prompt ")

== stdin
import sys
print(repr(sys.stdin.read()), sys.stdin.isatty())

== help
help(len)

== displayhook
import sys
sys.displayhook($value)

== dis
import dis, io
text = io.StringIO()
dis.dis(compile("a = 1", "x", "exec"), file=text)
print(len(text.getvalue()) > 0)

== a lone surrogate on stderr
import sys
sys.stderr.write("file caf\udce9\n")

== a lone surrogate on stdout
print("file caf\udce9")

== long lines
print("y" * 100000)

== many lines
for n in range(300):
    print(n)

== open(1)
import os
with open(os.dup(2), "w") as file:
    print(file.isatty())

== compare
import sys
print(sys.stdout == sys.stdout, hash(sys.stdout) == hash(sys.stdout), bool(sys.stdout), callable(sys.stdout))

== iterate
import sys
next(iter(sys.$stream))

== pickle a stream
import pickle, sys
pickle.dumps(sys.$stream)

== copy a stream
import copy, sys
print(type(copy.copy(sys.$stream)).__name__)

== a stream attribute
import sys
sys.$stream.mine = 1
print(sys.$stream.mine, hasattr(sys.$stream.stream, "mine"))

== the inner stream
import sys
print("inner", file=sys.$stream.stream, flush=True)

== the inner stream is original
import sys
print(sys.$stream.stream is sys.__$stream__)
"""
