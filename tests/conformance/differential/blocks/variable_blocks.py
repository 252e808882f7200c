"""Environment variables, and what is read from them."""

TEXT = r"""
== read
import os
print(os.environ.get("$variable") is not None, os.getenv("OWN"))

== missing
import os
os.environ["NOT_THERE"]

== set
import os
os.environ["$variable"] = "changed"
print(os.environ["$variable"])

== set something odd
import os
os.environ["ODD"] = $value

== deleted
import os
del os.environ["$variable"]
print("$variable" in os.environ)

== popped
import os
print(os.environ.pop("$variable", None) is None, os.environ.pop("GONE", "default"))

== setdefault
import os
print(os.environ.setdefault("NEW", "1"), os.environ.setdefault("OWN", "2"))

== update
import os
os.environ |= {"A": "1", "B": "2"}
print(os.environ["A"], list(os.environ)[-2:])

== putenv
import os
os.putenv("PUT", "x")
print("PUT" in os.environ)

== seen by a child
import os, subprocess
os.environ["FOR_CHILD"] = "caf\xe9"
print(subprocess.run(["/bin/sh", "-c", "echo $FOR_CHILD"], capture_output=True).stdout)

== bytes
import os
os.environb[b"BYTES"] = b"\xff"
print(repr(os.environ["BYTES"]))

== a surrogate
import os
os.environ["SURROGATE"] = "\udcff"
print(os.environb[b"SURROGATE"])

== the function's names | turn
import os
os.environ["AWS_LAMBDA_FUNCTION_NAME"] = "renamed"
os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = "1"
print(context.function_name, context.memory_limit_in_mb)

== the runtime's name
import os
os.environ["AWS_EXECUTION_ENV"] = "AWS_Lambda_python3.12"

== the runtime's name removed
import os
os.environ.pop("AWS_EXECUTION_ENV", None)

== the log format
import os
os.environ["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
os.environ["AWS_LAMBDA_LOG_LEVEL"] = "DEBUG"

== Lambda's names
import os
print(sorted(name for name in os.environ if name.startswith(("AWS_LAMBDA_", "LAMBDA_", "_X", "_H"))))

== order
import os
print([name for name in os.environ if name in ("OWN", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "TZ", "SECOND")])

== the handler
import os
print(os.environ["_HANDLER"], os.environ["AWS_EXECUTION_ENV"], os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"])

== the task root
import os
print(os.environ["LAMBDA_TASK_ROOT"] == os.getcwd())

== a copy
import os
copy = os.environ.copy()
copy["COPY"] = "x"
print("COPY" in os.environ, type(copy).__name__)

== type
import os
print(type(os.environ).__name__, repr(os.environ)[:9], "OWN" in os.environ, len(os.environ) > 3)

== cleared
import os
os.environ.clear()
print(len(os.environ))

== replaced
import os
os.environ = {"OWN": "replaced"}
print(os.getenv("OWN"))

== replaced and lost
import os
os.environ = None

== the trace
import os
os.environ["_X_AMZN_TRACE_ID"] = "mine"
print(os.environ["_X_AMZN_TRACE_ID"])

== TZ
import os, time
os.environ["TZ"] = "Europe/Berlin"
time.tzset()
print(time.localtime(0).tm_hour, time.tzname[0])

== time zone
import datetime, time
print(time.timezone, datetime.datetime.fromtimestamp(0), time.strftime("%Z", time.localtime(0)))

== expandvars
import os
print(os.path.expandvars("$OWN/${SECOND}"))

== unsetenv
import os
os.unsetenv("OWN")
print(os.environ.get("OWN"))

== empty name
import os
os.environ[""] = "x"

== a name with an equals sign
import os
os.environ["A=B"] = "x"

== a nul
import os
os.environ["NUL"] = "a\0b"

== python's names
import os
print(os.environ.get("PYTHONDONTWRITEBYTECODE") is None or True, os.environ.get("HOME") is not None)
"""
