"""Records, handlers, formatters, filters and levels."""

TEXT = r"""
== a record of the root logger
import logging
logging.$method($text)

== a record of a named logger
import logging
logging.getLogger("app.part").$method($text)

== a record with arguments
import logging
logging.$method("%s and %r", $value, $value)

== a record with wrong arguments
import logging
logging.$method("%d", $text)

== too many arguments
import logging
logging.$method("no place", 1, 2)

== too few arguments
import logging
logging.$method("%s %s", 1)

== a mapping of arguments
import logging
logging.$method("%(a)s and %(b)r", {"a": 1, "b": $value})

== a message that is no text
import logging
logging.$method($value)

== extra fields
import logging
logging.$method("extra", extra={"a": 1, "b": $value})

== an extra field that overwrites
import logging
logging.$method("extra", extra={"message": "x"})

== an extra field of the runtime
import logging
logging.$method("extra", extra={"aws_request_id": "mine", "tenant_id": "other", "_frame_type": b"\xa5\x5a\x00\x03"})

== a logged exception
import logging
try:
    raise $exception
except Exception:
    logging.exception("failed")

== a logged exception with its cause
import logging
try:
    try:
        raise KeyError("first")
    except KeyError as first:
        raise $exception from first
except Exception as error:
    logging.$method("failed", exc_info=error)

== exc_info without an exception
import logging
logging.$method("none", exc_info=True)

== exc_info of another kind
import logging
logging.$method("odd", exc_info=(ValueError, ValueError("x"), None))

== stack_info
import logging
logging.$method("where", stack_info=True)

== stacklevel
import logging
logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(funcName)s %(message)s\n"))
logging.$method("where", stacklevel=1)

== the level of the root logger
import logging
logging.getLogger().setLevel(logging.$level)
logging.$method("after setLevel")

== the level of the root logger by name
import logging
logging.getLogger().setLevel("$level")
logging.info("info"); logging.error("error")

== the level of a named logger
import logging
logging.getLogger("named").setLevel(logging.$level)
logging.getLogger("named.child").$method("child")

== a bad level
import logging
logging.getLogger().setLevel("LOUD")

== the level of the handler
import logging
logging.getLogger().handlers[0].setLevel(logging.$level)
logging.$method("by the handler")

== the handler drops a record that cannot be formatted
import logging
logging.getLogger().handlers[0].setLevel(logging.ERROR)
logging.warning("%d", "x")

== a filter that refuses
import logging
logging.getLogger().handlers[0].addFilter(lambda record: "secret" not in record.getMessage())
logging.warning("secret"); logging.warning("open")

== a filter that refuses a bad record
import logging
logging.getLogger().handlers[0].addFilter(lambda record: record.args == ())
logging.warning("%d", "x")

== a filter object on a logger
import logging
class Only(logging.Filter):
    def filter(self, record):
        record.msg = "changed " + str(record.msg)
        return True
logging.getLogger("filtered").addFilter(Only())
logging.getLogger("filtered").$method("message")

== a filter that raises
import logging
def refuse(record):
    raise RuntimeError("filter")
logging.getLogger().addFilter(refuse)
logging.error("x")

== a formatter
import logging
logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(levelname)s:%(name)s:%(message)s|"))
logging.$method($text)

== a formatter with other style
import logging
logging.getLogger().handlers[0].setFormatter(logging.Formatter("{levelname} {message} {aws_request_id}\n", style="{"))
logging.$method("braces")

== a formatter that lacks a field
import logging
logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(nothing)s"))
logging.$method("x")

== a formatter with a default
import logging
logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(nothing)s %(message)s\n", defaults={"nothing": 1}))
logging.$method("x")

== a formatter that returns no text
import logging
class Odd(logging.Formatter):
    def format(self, record):
        return $value
logging.getLogger().handlers[0].setFormatter(Odd())
logging.error("x")

== a handler of function code
import logging, sys
handler_of_code = logging.StreamHandler(sys.stdout)
handler_of_code.setFormatter(logging.Formatter("own %(levelname)s %(message)s"))
logging.getLogger().addHandler(handler_of_code)
logging.$method($text)

== a handler to stderr
import logging
logger = logging.getLogger("to stderr")
logger.addHandler(logging.StreamHandler())
logger.$method($text)

== a handler alone
import logging
logger = logging.getLogger("alone")
logger.propagate = False
logger.setLevel("DEBUG")
logger.addHandler(logging.StreamHandler())
logger.$method("alone")

== no handler at all
import logging
logging.getLogger().handlers.clear()
logging.warning("last resort"); logging.info("not shown")

== no handler and no last resort
import logging
logging.getLogger().handlers.clear()
logging.lastResort = None
logging.getLogger("x").error("nobody")

== handleError
import logging, sys
class Failing(logging.Handler):
    def emit(self, record):
        try:
            1 / 0
        except Exception:
            self.handleError(record)
logger = logging.getLogger("failing")
logger.propagate = False
logger.addHandler(Failing())
logger.error("x %s", 1)

== a stream handler with wrong arguments
import logging
logger = logging.getLogger("wrong")
logger.propagate = False
logger.addHandler(logging.StreamHandler())
logger.error("%d", "x")

== raiseExceptions off
import logging
logging.raiseExceptions = False
logger = logging.getLogger("silent")
logger.propagate = False
logger.addHandler(logging.StreamHandler())
logger.error("%d", "x")

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
