"""What function code finds of the runtime, and changes there."""

TEXT = r"""
== its version
import awslambdaric
print(awslambdaric.__version__)

== modules of the runtime
import sys
print(sorted(name for name in sys.modules if name.startswith("awslambdaric")))

== Encoder.default
from awslambdaric import lambda_runtime_marshaller
lambda_runtime_marshaller.Encoder.default = lambda self, value: "default " + type(value).__name__

== to_json
from awslambdaric.lambda_runtime_marshaller import to_json
print(to_json({"a": $value}))

== the marshaller is replaced
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
class Marshaller:
    def unmarshal_request(self, request, content_type="application/json"):
        return "unmarshalled"
    def marshal_response(self, response):
        return "marshalled", "text/plain"
LambdaRuntimeClient.marshaller = Marshaller()

== the marshaller by hand
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
print(LambdaMarshaller().marshal_response({"a": 1}), LambdaMarshaller().unmarshal_request(b"[1]"))

== the marshaller fails by hand
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
LambdaMarshaller().marshal_response({1, 2})

== the log sink
from awslambdaric.bootstrap import StandardLogSink
with StandardLogSink() as sink:
    sink.log("sink\n"); sink.log_error(["error", "lines"])

== the log sink with a frame type
import logging
logging.getLogger().handlers[0].log_sink.log("framed\n", frame_type=b"\xa5\x5a\x00\x03")

== the handler's class
from awslambdaric.bootstrap import LambdaLoggerHandler
import logging
print(isinstance(logging.getLogger().handlers[0], LambdaLoggerHandler), LambdaLoggerHandler.__mro__[1].__name__)

== class names
import logging, sys
h = logging.getLogger().handlers[0]
print([(type(x).__module__, type(x).__name__) for x in (h, h.log_sink, h.filters[0], h.formatter, sys.stdout)])

== Unbuffered
from awslambdaric.bootstrap import Unbuffered
import io
text = io.StringIO()
Unbuffered(text).write("x"); Unbuffered(text).writelines(["y", "z"])
print(text.getvalue())

== JsonFormatter
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
import logging
logging.getLogger().handlers[0].setFormatter(JsonFormatter())
logging.$method("json %s", 1)

== make_error
from awslambdaric.bootstrap import make_error
print(make_error("message", "Type", ["trace"], "id"))

== replace_line_indentation
from awslambdaric.bootstrap import replace_line_indentation
print(replace_line_indentation("  x", " ", "-"))

== FaultException
from awslambdaric.lambda_runtime_exception import FaultException
fault = FaultException("Type", "message")
print(fault.exception_type, fault.msg, fault.trace, [n for n in dir(FaultException) if n.isupper()])

== the request id
from awslambdaric import bootstrap
print(bootstrap._GLOBAL_AWS_REQUEST_ID)

== extract_traceback
from awslambdaric.bootstrap import extract_traceback
try:
    1 / 0
except ZeroDivisionError as error:
    print([one[2:] for one in extract_traceback(error.__traceback__)])

== _get_handler
from awslambdaric.bootstrap import _get_handler
try:
    _get_handler("nothing")
except Exception as error:
    print(type(error).__name__, error.msg)

== the main module
import sys
print(sys.modules["__main__"].__spec__.name if sys.modules["__main__"].__spec__ else None)

== simplejson's default
import simplejson
simplejson.encoder.JSONEncoder.default = lambda self, value: ["default"]

== simplejson's decoder
import simplejson
print(simplejson.loads('{"a": 1.5}'), simplejson.dumps({"b": $value}))

== snapshot_restore_py
from snapshot_restore_py import register_before_snapshot, register_after_restore
register_before_snapshot(print, "before")
register_after_restore(print, "after")

== log_error is replaced
from awslambdaric import bootstrap
bootstrap.log_error = lambda result, sink: print("replaced log_error", result["errorType"])

== make_error is replaced
from awslambdaric import bootstrap
bootstrap.make_error = lambda *args, **kwargs: {"errorMessage": "replaced"}

== handle_event_request is there
from awslambdaric import bootstrap
print(callable(bootstrap.handle_event_request), callable(bootstrap.run))
"""
