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
"""
