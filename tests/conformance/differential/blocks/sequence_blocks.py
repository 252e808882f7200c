"""State that a later turn sees."""

TEXT = r"""
== a counter
global TURNS
TURNS += 1
print("turns", TURNS)
-- init
TURNS = 0

== a list
SEEN.append(len(SEEN))
print(SEEN)
-- init
SEEN = []

== a cache
import functools
print(cached(1), cached.cache_info())
-- init
import functools
@functools.lru_cache
def cached(n):
    print("computed")
    return n

== an attribute of a function
counted.calls = getattr(counted, "calls", 0) + 1
print(counted.calls)
-- init
def counted():
    pass

== fails the first time
if not FAILED:
    FAILED.append(1)
    raise ValueError("first time")
print("second time")
-- init
FAILED = []

== exits the first time | turn
import os
if not os.path.exists("/tmp/nothing-of-that-name") and not EXITED:
    EXITED.append(1)
    print("no exit")
-- init
EXITED = []

== a logger of the module
LOGGER.$method("of the module")
-- init
import logging
LOGGER = logging.getLogger(__name__)

== a logger with a level
LEVELLED.info("info"); LEVELLED.debug("debug")
-- init
import logging
LEVELLED = logging.getLogger("levelled")
LEVELLED.setLevel(logging.INFO)

== root level in init
import logging
logging.info("info after init")
-- init
import logging
logging.getLogger().setLevel(logging.INFO)

== a stream kept
STREAM.write("kept stream\n")
-- init
import sys
STREAM = sys.stdout

== a stream handler kept
KEPT_LOGGER.error("kept handler")
-- init
import logging, sys
KEPT_LOGGER = logging.getLogger("kept")
KEPT_LOGGER.propagate = False
KEPT_LOGGER.addHandler(logging.StreamHandler(sys.$stream))

== a variable kept
import os
print(os.environ.get("TURN_BEFORE")); os.environ["TURN_BEFORE"] = context.aws_request_id[-2:]

== the trace id of each turn
import os
print(os.environ.get("_X_AMZN_TRACE_ID")); os.environ["_X_AMZN_TRACE_ID"] = "overwritten"

== a context kept
print(CONTEXTS and CONTEXTS[-1].aws_request_id); CONTEXTS.append(context)
-- init
CONTEXTS = []

== an event kept
EVENTS.append(event)
print(EVENTS, len({id(one) for one in EVENTS}) == len(EVENTS))
-- init
EVENTS = []

== an error kept
global ERROR
try:
    1 / 0
except ZeroDivisionError as error:
    ERROR = error
-- init
ERROR = None

== an error raised again | end
global ERROR_AGAIN
if ERROR_AGAIN is None:
    ERROR_AGAIN = ValueError("raised again")
raise ERROR_AGAIN
-- init
ERROR_AGAIN = None

== a generator kept
print(next(NUMBERS))
-- init
NUMBERS = iter(range(100))

== a file kept open
FILE.write("x"); FILE.flush()
print(FILE.tell())
-- init
import tempfile
FILE = tempfile.TemporaryFile("w")

== a thread kept
QUEUE.put("work"); QUEUE.join()
print(DONE)
-- init
import queue, threading
QUEUE, DONE = queue.Queue(), []
def work():
    while True:
        DONE.append(QUEUE.get()); QUEUE.task_done()
threading.Thread(target=work, daemon=True).start()

== a pool kept
print(POOL.submit(len, "abc").result())
-- init
from concurrent.futures import ThreadPoolExecutor
POOL = ThreadPoolExecutor(1)

== a loop kept
print(RUN.run_until_complete(asyncio.sleep(0, "done")))
-- init
import asyncio
RUN = asyncio.new_event_loop()

== a class of the module
Counter.total += 1
print(Counter.total)
-- init
class Counter:
    total = 0

== a deleted object of the last turn
global HELD
HELD = Held()
-- init
class Held:
    def __del__(self):
        print("deleted")
HELD = None

== an object in a cycle of a failed turn | end
class Node:
    def __del__(self):
        print("node gone")
node = Node()
raise ValueError("with a node")

== an object of a failed turn | end
held = Local()
raise KeyError("local")
-- init
class Local:
    def __del__(self):
        print("local gone")

== an object of the event
class Bound:
    def __del__(self):
        print("bound gone")
bound = Bound()

== a warning once for the process
import warnings
warnings.warn("once for each line")

== a random number after a seed
import random
print(RANDOM.random())
-- init
import random
RANDOM = random.Random(7)

== the module's random numbers
import random
print(random.randint(1, 10**6))
-- init
import random
random.seed(11)

== time in init
import time
print(time.time() >= STARTED)
-- init
import time
STARTED = time.time()

== a patch of the last turn
import json
print(json.dumps({"a": 1})); json.dumps = lambda value: "patched"

== a name deleted
try:
    del ONCE
    print("deleted ONCE")
except NameError as error:
    print(error)
-- init
ONCE = 1

== the working directory of the last turn
import os
print(os.getcwd() == "/tmp"); os.chdir("/tmp")

== a level of the last turn
import logging
print(logging.getLogger().level); logging.getLogger().setLevel(logging.DEBUG)

== a formatter of the last turn
import logging
logging.warning("formatted?")
logging.getLogger().handlers[0].setFormatter(logging.Formatter("changed %(message)s\n"))

== stdout of the last turn
import io, sys
print("into what?")
sys.stdout = io.TextIOWrapper(io.BytesIO())

== a subclass registry
class Child(Base):
    pass
print(len(Base.__subclasses__()) > 0)
-- init
class Base:
    pass

== a singleton
print(Single() is Single())
-- init
class Single:
    instance = None
    def __new__(cls):
        cls.instance = cls.instance or super().__new__(cls)
        return cls.instance

== metrics in the style of EMF
import json
print(json.dumps({"_aws": {"Timestamp": 0, "CloudWatchMetrics": []}, "Count": len(METRICS)})); METRICS.append(1)
-- init
METRICS = []

== a handler added each turn
import logging, sys
logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
logging.error("how many?")

== a filter added each turn
import logging
logging.getLogger("app").addFilter(lambda record: bool(print("filter")) or True)
logging.getLogger("app").error("x")
"""
