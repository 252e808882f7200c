"""`print`, `sys.stdout`, `sys.stderr` and what is beneath them."""

TEXT = r"""
== print
print($text)

== print several
print($value, $value, sep=$text, end="|")

== print to
import sys
print($text, file=sys.$stream)

== print flushed
print($text, flush=True)

== write
import sys
print(sys.$stream.write($text))

== write no text
import sys
sys.$stream.write($value)

== writelines
import sys
print(sys.$stream.writelines(["a\n", "b"]))

== writelines of no text
import sys
sys.$stream.writelines([1])

== writelines half
import sys
sys.$stream.writelines(["a", b"b"])

== writelines of a generator
import sys
sys.$stream.writelines(str(n) for n in range($number))

== write and flush
import sys
sys.$stream.write("partial"); sys.$stream.flush()

== the buffer
import sys
sys.$stream.buffer.write(b"buffer\n")

== the buffer flushed
import sys
sys.$stream.buffer.write(b"caf\xc3\xa9 \xff\n"); sys.$stream.buffer.flush()

== the buffer, then text
import sys
sys.$stream.buffer.write(b"first "); sys.$stream.write("second")

== the buffer gets text
import sys
sys.$stream.buffer.write("text")

== the raw stream
import sys
sys.$stream.buffer.raw.write(b"raw\n")

== facts
import sys
s = sys.$stream
print(s.encoding, s.errors, s.newlines, s.line_buffering, s.write_through, s.name, s.mode)

== more facts
import sys
s = sys.$stream
print(s.isatty(), s.readable(), s.writable(), s.seekable(), s.closed, s.fileno())

== type and repr
import sys
print(type(sys.$stream).__name__, type(sys.$stream).__module__, repr(sys.$stream.stream))

== attributes
import sys
print(sorted(vars(sys.$stream)), hasattr(sys.$stream, "nothing"), hasattr(sys.$stream, "buffer"))

== the type of the buffer
import sys
print(type(sys.$stream.buffer).__name__, type(sys.$stream.buffer.raw).__name__, sys.$stream.buffer.name, sys.$stream.buffer.mode)

== no such attribute
import sys
sys.$stream.nothing

== read
import sys
sys.$stream.read()

== readline
import sys
print(list(sys.$stream))

== seek
import sys
sys.$stream.seek(0)

== tell
import sys
sys.$stream.tell()

== truncate
import sys
sys.$stream.truncate()

== as a context manager
import sys
with sys.$stream as s:
    print("inside", s is sys.$stream)
print("after")

== reconfigure errors
import sys
sys.$stream.reconfigure(errors="$errors")
print("caf\xe9 \udce9 \u20ac", file=sys.$stream)

== reconfigure encoding
import sys
sys.$stream.reconfigure(encoding="$encoding", errors="$errors")
print("caf\xe9 \u20ac", file=sys.$stream)

== reconfigure newline
import sys
sys.$stream.reconfigure(newline="\r\n")
print("a\nb", file=sys.$stream)

== reconfigure buffering
import sys
sys.$stream.reconfigure(line_buffering=True, write_through=True)
print("after", sys.$stream.line_buffering, sys.$stream.write_through)

== reconfigure with a mistake
import sys
sys.$stream.reconfigure(errors=5)

== reconfigure with an unknown encoding
import sys
sys.$stream.reconfigure(encoding="nope")
"""
