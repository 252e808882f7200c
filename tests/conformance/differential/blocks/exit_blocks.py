"""The ends of a process."""

TEXT = r"""
== an exit | end
raise $odd

== another exit | end
raise $odd

== sys.exit | end
import sys
sys.exit($number)

== sys.exit with text | end
import sys
sys.exit($text)

== sys.exit with a value | end
import sys
sys.exit($value)

== exit by name | end
exit(4)

== quit by name | end
quit()

== an exit during an error | end
import sys
try:
    1 / 0
except ZeroDivisionError:
    sys.exit(5)

== a base exception during an error | end
try:
    raise $exception
except Exception:
    raise $odd

== a base exception with a cause | end
raise BaseException("effect") from ValueError("cause")

== a base exception in a function | end
def inner():
    raise BaseException("inner")
inner()

== os._exit | end
import os
os._exit($number)

== os._exit after output | end
import os, sys
print("printed")
sys.stderr.write("no newline")
os._exit(7)

== os._exit after buffered output | end
import os, sys
sys.stdout.buffer.write(b"never seen")
os._exit(7)

== os.abort | end
import os
os.abort()

== SIGTERM | end
import os, signal
os.kill(os.getpid(), signal.SIGTERM)

== SIGKILL | end
import os, signal
os.kill(os.getpid(), signal.SIGKILL)

== SIGINT | end
import os, signal
os.kill(os.getpid(), signal.SIGINT)

== raise_signal SIGINT | end
import signal
signal.raise_signal(signal.SIGINT)

== raise_signal SIGTERM | end
import signal
signal.raise_signal(signal.SIGTERM)

== raise_signal SIGUSR1 | end
import signal
signal.raise_signal(signal.SIGUSR1)

== SIGALRM | end
import os, signal
os.kill(os.getpid(), signal.SIGALRM)

== interrupt_main | end
import _thread
_thread.interrupt_main()
print("not reached?")

== SIGINT that is caught
import signal
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")

== SIGINT with a handler
import signal
signal.signal(signal.SIGINT, lambda number, frame: print("handler", number))
signal.raise_signal(signal.SIGINT)

== SIGTERM with a handler
import signal
signal.signal(signal.SIGTERM, lambda number, frame: print("handler", number))
signal.raise_signal(signal.SIGTERM)

== SIGUSR1 ignored
import signal
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.raise_signal(signal.SIGUSR1)
print("ignored")

== a handler that raises | end
import signal
def ring(number, frame):
    raise ValueError("signal")
signal.signal(signal.SIGUSR2, ring)
signal.raise_signal(signal.SIGUSR2)

== a harmless signal
import os, signal
os.kill(os.getpid(), signal.SIGWINCH)
os.kill(os.getpid(), 0)
print("alive")

== an exit that is caught
import sys
try:
    sys.exit(3)
except SystemExit as error:
    print("exit", error.code)

== an excepthook | end
import sys
def hook(kind, value, trace):
    print("hook", kind.__name__, value, trace is not None)
sys.excepthook = hook
raise $odd

== an excepthook and an ordinary error | end
import sys
sys.excepthook = lambda *args: print("hook")
raise ValueError("posted")

== an excepthook that raises | end
import sys
def hook(kind, value, trace):
    raise LookupError("hook")
sys.excepthook = hook
raise BaseException("first")

== an excepthook that exits | end
import sys
def hook(kind, value, trace):
    sys.exit(9)
sys.excepthook = hook
raise BaseException("first")

== no excepthook | end
import sys
del sys.excepthook
raise BaseException("x")

== excepthook is None | end
import sys
sys.excepthook = None
raise BaseException("x")

== an excepthook by hand
import sys
try:
    1 / 0
except ZeroDivisionError:
    sys.excepthook(*sys.exc_info())

== an exit of a stream | end
import sys
sys.stdout.detach()
sys.exit(0)

== an end with stdout closed | end
import sys
sys.stdout.close()
raise SystemExit(3)

== an end with stderr closed | end
import sys
sys.stderr.close()
raise BaseException("unseen")

== an end with stderr gone | end
import sys
sys.stderr = None
raise BaseException("unseen")

== an end with stderr replaced | end
import io, sys
sys.stderr = io.StringIO()
raise BaseException("unseen")

== an end with text in the buffer | end
import sys
sys.stdout.buffer.write(b"flushed at the end\n")
sys.exit(0)

== an ordinary error with stdout gone | end
import sys
sys.stdout = None
raise ValueError("x")

== an ordinary error with stdout replaced | end
import io, sys
sys.stdout = io.StringIO()
raise ValueError("x")

== a replaced sys.exit | end
import sys
sys.exit = lambda code=None: print("not exiting", code)
sys.exit(3)

== an end on a thread | end
import sys, threading
thread = threading.Thread(target=sys.exit, args=(5,))
thread.start(); thread.join()
print("alive")

== a forked child
import os
child = os.fork()
if child == 0:
    os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

== finally before an exit | end
import sys
try:
    sys.exit(6)
finally:
    print("finally")

== an exit in a context manager | end
import contextlib, sys
@contextlib.contextmanager
def manager():
    try:
        yield
    finally:
        print("left")
with manager():
    sys.exit(6)

== a deleted working directory | end
import os, tempfile
folder = tempfile.mkdtemp()
os.chdir(folder)
os.rmdir(folder)
raise ValueError("nowhere")

== an attempt to catch all | end
import sys
try:
    sys.exit(8)
except BaseException as error:
    return repr(error)

== a generator that is closed by an exit | end
import sys
def values():
    try:
        yield 1
    finally:
        print("closed")
it = values()
next(it)
sys.exit(2)

== an object that dies with the process | end
import sys
class Last:
    def __del__(self):
        print("last words")
one = Last()
sys.exit(2)

== sys.last_exc | end
import sys
print(hasattr(sys, "last_exc"), hasattr(sys, "last_value"))
raise ValueError("x")

== atexit registered | turn
import atexit
atexit.register(lambda: None)
print("registered")
"""
