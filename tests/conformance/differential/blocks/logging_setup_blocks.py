"""Logging that function code sets up anew."""

TEXT = r"""
== basicConfig
import logging
logging.basicConfig(level=logging.DEBUG, format="%(message)s")
logging.$method("basic")

== basicConfig with force
import logging
logging.basicConfig(level=logging.$level, format="%(levelname)s %(message)s", force=True)
logging.$method($text)

== basicConfig to stdout
import logging, sys
logging.basicConfig(level="INFO", stream=sys.stdout, force=True)
logging.info("to stdout")

== dictConfig
import logging.config
logging.config.dictConfig({
    "version": 1, "disable_existing_loggers": False,
    "formatters": {"f": {"format": "%(name)s %(message)s"}},
    "handlers": {"h": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "f"}},
    "root": {"level": "$level", "handlers": ["h"]},
})
logging.$method("dictConfig")

== dictConfig that disables
import logging.config
old = logging.getLogger("old")
logging.config.dictConfig({"version": 1})
old.error("disabled"); logging.getLogger("new").error("enabled")

== dictConfig with a mistake
import logging.config
logging.config.dictConfig({"version": 2})

== logging.disable
import logging
logging.disable(logging.WARNING)
logging.warning("no"); logging.error("yes")

== a level of its own
import logging
logging.addLevelName(25, "NOTICE")
logging.log(25, "notice"); logging.log(35, "unnamed")

== captureWarnings
import logging, warnings
logging.captureWarnings(True)
warnings.warn("captured")

== the record factory
import logging
before = logging.getLogRecordFactory()
def factory(*args, **kwargs):
    record = before(*args, **kwargs)
    record.msg = "made " + str(record.msg)
    return record
logging.setLogRecordFactory(factory)
logging.$method("record")

== the logger class
import logging
class Louder(logging.Logger):
    def info(self, msg, *args, **kwargs):
        super().error("louder " + msg, *args, **kwargs)
logging.setLoggerClass(Louder)
logging.getLogger("louder").info("x")

== makeLogRecord
import logging
logging.getLogger().handle(logging.makeLogRecord({"msg": "made", "levelname": "MADE", "levelno": 50}))

== a record without a line
import logging
logging.getLogger().handle(logging.makeLogRecord({"msg": "made", "lineno": None, "levelno": 40}))

== a record without a level
import logging
logging.getLogger().handlers[0].handle(logging.makeLogRecord({"msg": "made", "levelno": None}))

== a record without most things
import logging
logging.getLogger().handle(logging.LogRecord("n", 40, None, None, "m %s", ("x",), None))

== an adapter
import logging
logging.LoggerAdapter(logging.getLogger("adapted"), {"a": 1}).$method("adapted")

== the handler's facts
import logging
root = logging.getLogger()
print([type(h).__name__ for h in root.handlers], root.level, root.filters, logging.root is root)
print([h.level for h in root.handlers], [len(h.filters) for h in root.handlers], [h.name for h in root.handlers])
print(root.handlers[0].formatter._fmt, root.handlers[0].formatter.datefmt)

== the handler's repr
import logging
print(logging.getLogger(), logging.getLogger("a.b"), logging.getLogger().handlers)

== asked for the level
import logging
root = logging.getLogger()
print(root.isEnabledFor(logging.INFO), logging.getLogger("q").getEffectiveLevel(), root.hasHandlers())

== asctime
import logging
print(logging.Formatter.converter.__name__, logging.Formatter().formatTime(logging.makeLogRecord({"created": 0.0})))

== a memory handler
import logging.handlers
target = logging.StreamHandler()
memory = logging.handlers.MemoryHandler(10, target=target)
logging.getLogger("memory").addHandler(memory)
logging.getLogger("memory").error("kept"); logging.getLogger("memory").info("x"); memory.flush()

== a queue handler
import logging.handlers, queue
records = queue.Queue()
logger = logging.getLogger("queued")
logger.propagate = False
logger.addHandler(logging.handlers.QueueHandler(records))
logger.error("queued %s", 1)
print(records.get_nowait().getMessage())

== a file handler
import logging, tempfile
with tempfile.NamedTemporaryFile("r", suffix=".log") as file:
    one = logging.FileHandler(file.name)
    logging.getLogger("filed").addHandler(one)
    logging.getLogger("filed").error("filed")
    one.close()
    print(file.read())

== the handler's log sink
import logging
sink = logging.getLogger().handlers[0].log_sink
print(type(sink).__name__, sink.log("through the sink\n"))

== the handler emits by hand
import logging
root = logging.getLogger()
root.handlers[0].emit(logging.makeLogRecord({"msg": "by hand", "aws_request_id": "x"}))

== the handler without its filter
import logging
handler_of_lambda = logging.getLogger().handlers[0]
handler_of_lambda.filters.clear()
logging.warning("no request id")

== removed and added again
import logging
root = logging.getLogger()
one = root.handlers[0]
root.removeHandler(one); root.addHandler(one)
logging.warning("still there")

== a second handler of the same class
import logging
root = logging.getLogger()
root.addHandler(type(root.handlers[0])(root.handlers[0].log_sink))
logging.warning("twice")

== logging.shutdown
import logging
logging.shutdown()
logging.warning("after shutdown")

== a lazy message
import logging
class Lazy:
    def __str__(self):
        return "lazy " + str(1 / 0)
logging.$method("%s", Lazy())

== a message object
import logging
class Message:
    def __str__(self):
        return "message object"
logging.$method(Message())

== a message object that fails
import logging
class Message:
    def __str__(self):
        raise LookupError("message")
logging.error(Message())
"""
