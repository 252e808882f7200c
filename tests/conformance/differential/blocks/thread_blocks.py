"""Threads, pools and their errors."""

TEXT = r"""
== a thread
import threading
thread = threading.Thread(target=print, args=("on a thread",))
thread.start(); thread.join()

== its name
import threading
thread = threading.Thread(target=lambda: print(threading.current_thread().name))
thread.start(); thread.join()

== names
import threading
print([threading.Thread(target=len).name for n in range(3)])

== the main thread
import threading
print(threading.current_thread().name, threading.current_thread() is threading.main_thread(), threading.active_count())

== a thread that fails
import threading
def fail():
    raise ValueError("on a thread")
thread = threading.Thread(target=fail, name="failing")
thread.start(); thread.join()

== a thread that exits
import sys, threading
thread = threading.Thread(target=lambda: sys.exit("unseen"))
thread.start(); thread.join()

== a thread with a base exception
import threading
def fail():
    raise BaseException("on a thread")
thread = threading.Thread(target=fail, name="failing")
thread.start(); thread.join()

== threading.excepthook
import threading
threading.excepthook = lambda args: print("hook", args.exc_type.__name__, args.thread.name)
thread = threading.Thread(target=lambda: 1 / 0, name="failing")
thread.start(); thread.join()

== a low-level thread that fails
import _thread, time
done = _thread.allocate_lock()
done.acquire()
def fail():
    try:
        raise ValueError("low level")
    finally:
        done.release()
_thread.start_new_thread(fail, ())
done.acquire()
time.sleep(0.02)

== a pool
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(2) as pool:
    print(list(pool.map(str, range(3))))

== a pool that fails
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(1) as pool:
    print(repr(pool.submit(lambda: 1 / 0).exception()))

== names in a pool
import threading
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(1) as pool:
    print(pool.submit(lambda: threading.current_thread().name).result())

== a timer
import threading
timer = threading.Timer(0.001, print, ("timer",))
timer.start(); timer.join()

== logging on a thread
import logging, threading
thread = threading.Thread(target=lambda: logging.error("on a thread"))
thread.start(); thread.join()

== the thread's name in a record
import logging, threading
logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(threadName)s %(processName)s %(message)s\n"))
thread = threading.Thread(target=lambda: logging.error("named"), name="own")
thread.start(); thread.join(); logging.error("main")

== a local
import threading
local = threading.local()
local.a = 1
def show():
    print(hasattr(local, "a"))
thread = threading.Thread(target=show)
thread.start(); thread.join()

== settrace of threads
import threading
print(threading.gettrace() if hasattr(threading, "gettrace") else None)

== stack size
import threading
print(threading.stack_size())

== a daemon
import threading
event_of_thread = threading.Event()
thread = threading.Thread(target=event_of_thread.wait, daemon=True)
thread.start(); print(thread.daemon, thread.is_alive()); event_of_thread.set(); thread.join()

== a lock
import threading
lock = threading.RLock()
with lock:
    print("locked")

== enumerate
import threading
print([thread.name for thread in threading.enumerate()])

== a queue
import queue, threading
q = queue.Queue()
thread = threading.Thread(target=lambda: q.put("from the thread"))
thread.start(); print(q.get(timeout=5)); thread.join()

== print from many
import threading
threads = [threading.Thread(target=lambda: None) for n in range(5)]
for one in threads: one.start()
for one in threads: one.join()
print([one.is_alive() for one in threads])

== a multiprocessing context
import multiprocessing
print(multiprocessing.current_process().name, multiprocessing.parent_process())

== a pipe to a fork
import os
r, w = os.pipe()
child = os.fork()
if child == 0:
    os.write(w, b"child"); os._exit(0)
os.waitpid(child, 0)
print(os.read(r, 10)); os.close(r); os.close(w)

== excepthook args
import threading
print(threading.excepthook is threading.__excepthook__)

== a thread in a subclass
import threading
class Own(threading.Thread):
    def run(self):
        print("own", self.name)
own = Own()
own.start(); own.join()
"""
