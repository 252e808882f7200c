"""The runtime in this process, turn by turn."""

from __future__ import annotations

import io
import itertools
import json
import logging
import os
import re
import signal
import sys
import textwrap
import time

import pytest

from pytest_lambda_lifecycle.lifecycle.outcome import (
    Exited,
    Loaded,
    ProcessEnd,
    Raised,
    Request,
    Returned,
)
from pytest_lambda_lifecycle.runtimes import logs
from pytest_lambda_lifecycle.runtimes.headers import read_headers
from pytest_lambda_lifecycle.runtimes.local import LocalRuntime

HEADERS = {
    "Lambda-Runtime-Aws-Request-Id": "req-1",
    "Lambda-Runtime-Deadline-Ms": "4102444800000",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:fn",
    "Lambda-Runtime-Trace-Id": "Root=1-a",
    "Content-Type": "application/json",
}
VARIABLES = (
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_REGION",
    "LAMBDA_DISABLE_PREVIEW_WARN",
)
SPLIT = "not enough values to unpack (expected 2, got 1)"
_modules = (f"task_{number}" for number in itertools.count())


class Stop(BaseException):
    """Stands for the control flow of a test."""


class Function:
    """A handler module in its own task root, and the runtime that runs it."""

    def __init__(self, root, monkeypatch) -> None:
        self.root = root
        self.module = next(_modules)
        self.path = root / f"{self.module}.py"
        self._monkeypatch = monkeypatch

    def runtime(self, source: str, handler: str | None = None, **environment: str) -> LocalRuntime:
        self.path.write_text(textwrap.dedent(source), encoding="utf-8")
        for name, value in environment.items():
            self._monkeypatch.setenv(name, value)
        name = f"{self.module}.handler" if handler is None else handler
        return LocalRuntime(name, passes_through=lambda error: isinstance(error, Stop))

    def loaded(self, source: str, **environment: str) -> LocalRuntime:
        runtime = self.runtime(source, **environment)
        assert runtime.init() == Loaded()
        return runtime


@pytest.fixture
def function(tmp_path, capsys, monkeypatch):
    """A function; at the end, the process state that a runtime changes is restored.

    `capsys` comes first, so that replaced streams are restored before the capture ends.
    """
    root = logging.getLogger()
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    # Changes of the runtime itself have to be undone too.
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "before")
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(logging.Formatter, "converter", time.localtime)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Function(tmp_path, monkeypatch)
    root.setLevel(root.level)  # empties the cache of enabled levels of the loggers


def request(body: bytes = b"{}", **headers: str | None) -> Request:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        body, {name: value for name, value in {**HEADERS, **changed}.items() if value is not None}
    )


# -- init


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        ("handler", "Runtime.MalformedHandlerName", f"Bad handler 'handler': {SPLIT}"),
        ("", "Runtime.MalformedHandlerName", f"Bad handler '': {SPLIT}"),
        (
            "sys.foo.handler",
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module sys.foo as a handler module",
        ),
        (
            "no/such.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'no/such': No module named 'no'",
        ),
        ("{module}.nope", "Runtime.HandlerNotFound", "Handler 'nope' missing on module '{module}'"),
        (".handler", "ValueError", "Empty module name"),
    ],
)
def test_handlers_that_cannot_be_loaded(function, capsys, handler, error_type, message):
    runtime = function.runtime("handler = print", handler.format(module=function.module))
    outcome = runtime.init()
    assert isinstance(outcome, Raised)
    assert outcome.error["errorType"] == outcome.fault_type == error_type
    assert outcome.error["errorMessage"] == message.format(module=function.module)
    assert outcome.error["requestId"] == ""
    assert json.loads(outcome.body) == outcome.error
    assert outcome.exit_code == 1
    warning, error = capsys.readouterr().out.split("\r\n", 1)
    assert warning.split("\t\t")[1].startswith("LAMBDA_WARNING: Unhandled exception.")
    assert error.startswith(f"[ERROR] {error_type}: ")


def test_a_syntax_error_has_one_synthetic_frame(function):
    outcome = function.runtime("def handler(event, context)\n    return 1\n").init()
    assert isinstance(outcome, Raised)
    assert outcome.error["errorType"] == "Runtime.UserCodeSyntaxError"
    assert outcome.error["stackTrace"] == [
        f'  File "{function.path}" Line 1\n    def handler(event, context)\n'
    ]
    assert isinstance(outcome.exception, SyntaxError)


def test_an_exception_of_the_module_keeps_the_frames_of_the_import(function):
    outcome = function.runtime("raise KeyError('x')").init()
    assert isinstance(outcome, Raised)
    frames = outcome.error["stackTrace"]
    assert "importlib" in frames[0]
    assert (
        frames[-1] == f"  File \"{function.path}\", line 1, in <module>\n    raise KeyError('x')\n"
    )
    assert isinstance(outcome.exception, KeyError)


def test_init_errors_are_posted_as_latin_1(function, capsys):
    runtime = function.runtime("raise ValueError('é')", AWS_EXECUTION_ENV="AWS_Lambda_python3.12")
    outcome = runtime.init()
    assert isinstance(outcome, Raised)
    assert b'{"errorMessage": "\xe9"' in outcome.body


@pytest.mark.parametrize(
    "source", ["class Э(Exception): pass\nraise Э", "raise type('a\\nb', (Exception,), {})"]
)
def test_an_init_error_that_does_not_fit_a_header_ends_the_process(function, source):
    outcome = function.runtime(source).init()
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 1


def test_a_preview_runtime_warns(function, capsys):
    function.loaded(
        "handler = print", AWS_EXECUTION_ENV="AWS_Lambda_python3.15", AWS_REGION="cn-north-1"
    )
    out = capsys.readouterr().out
    assert "LAMBDA_WARNING: This is a preview runtime version" in out
    assert "https://docs.amazonaws.cn/lambda/" in out


def test_each_init_begins_as_in_a_new_process(function, capsys):
    runtime = function.loaded(
        "import logging\nlogging.warning('at init')\ndef handler(event, context): pass"
    )
    runtime.invoke(request())
    del sys.modules[function.module]
    capsys.readouterr()
    logging.getLogger().handlers.clear()
    assert runtime.init() == Loaded()
    assert capsys.readouterr().out.endswith("Z\t\tat init\n")


# -- invoke


def test_the_result_of_the_handler_is_returned(function):
    runtime = function.loaded("def handler(event, context): return [event, context.aws_request_id]")
    assert runtime.invoke(request(b'{"a": 1}')) == Returned(
        b'[{"a": 1}, "req-1"]', "application/json"
    )
    assert runtime.invoke(request(b"raw", Content_Type="text/plain")).body.startswith(b'["raw"')


def test_the_trace_variable_follows_the_header(function):
    runtime = function.loaded(
        """
        import os
        at_init = os.environ["_X_AMZN_TRACE_ID"]
        def handler(event, context): return [at_init, os.environ.get("_X_AMZN_TRACE_ID")]
        """
    )
    assert runtime.invoke(request()).body == b'["before", "Root=1-a"]'
    assert runtime.invoke(request(Lambda_Runtime_Trace_Id="")).body == b'["before", null]'
    assert runtime.invoke(request(Lambda_Runtime_Trace_Id=None)).body == b'["before", null]'


def test_an_exception_becomes_an_error_object_and_a_log_line(function, capsys):
    runtime = function.loaded(
        "def f():\n    raise ValueError('boom')\ndef handler(event, context):\n    f()\n"
    )
    capsys.readouterr()
    outcome = runtime.invoke(request())
    assert isinstance(outcome, Raised)
    assert outcome.error == {
        "errorMessage": "boom",
        "errorType": "ValueError",
        "requestId": "req-1",
        "stackTrace": [
            f'  File "{function.path}", line 4, in handler\n    f()\n',
            f"  File \"{function.path}\", line 2, in f\n    raise ValueError('boom')\n",
        ],
    }
    assert json.loads(outcome.body) == outcome.error
    assert list(json.loads(outcome.body)) == [
        "errorMessage",
        "errorType",
        "requestId",
        "stackTrace",
    ]
    assert (outcome.fault_type, outcome.exit_code) == ("", None)
    indent = "\N{NO-BREAK SPACE}" * 2
    assert capsys.readouterr().out == (
        "[ERROR] ValueError: boom\rTraceback (most recent call last):"
        f'\r{indent}File "{function.path}", line 4, in handler\r{indent}{indent}f()'
        f'\r{indent}File "{function.path}", line 2, in f'
        f"\r{indent}{indent}raise ValueError('boom')\n"
    )
    assert isinstance(outcome.exception, ValueError)
    assert outcome.exception.__traceback__ is not None


def test_frames_between_the_caller_and_the_handler_are_hidden_from_pytest(function):
    outcome = function.loaded("def handler(event, context): raise ValueError").invoke(request())
    frames = pytest.ExceptionInfo.from_exception(outcome.exception).traceback
    assert [frame.name for frame in frames if not frame.ishidden(None)] == ["handler"]


def test_a_wrong_signature_shows_the_frame_of_the_call(function):
    outcome = function.loaded("def handler(event): pass").invoke(request())
    assert outcome.error["errorType"] == "TypeError"
    (frame,) = outcome.error["stackTrace"]
    assert frame.endswith("    response = request_handler(event, lambda_context)\n")


def test_leading_frames_of_a_file_named_bootstrap_are_dropped(function, monkeypatch):
    folder = function.root / function.module
    folder.mkdir()
    (folder / "bootstrap.py").write_text(
        "import json\ndef handler(event, context): json.loads('{')\n"
    )
    runtime = function.runtime("", f"{function.module}/bootstrap.handler")
    function.path.unlink()
    assert runtime.init() == Loaded()
    outcome = runtime.invoke(request())
    assert outcome.error["errorType"] == "JSONDecodeError"
    assert f"{os.sep}json{os.sep}__init__.py" in outcome.error["stackTrace"][0]


def test_faults_have_no_stack_and_keep_their_cause(function):
    runtime = function.loaded("def handler(event, context): return object()")
    result = runtime.invoke(request())
    assert result.error["errorType"] == "Runtime.MarshalError"
    assert result.error["stackTrace"] == []
    assert isinstance(result.exception, TypeError)
    event = runtime.invoke(request(b"{"))
    assert event.error["errorType"] == "Runtime.UnmarshalError"
    context = runtime.invoke(request(Lambda_Runtime_Client_Context="{"))
    assert context.error["errorType"] == "Runtime.LambdaContextUnmarshalError"


@pytest.mark.parametrize(
    ("statement", "exit_code", "text"),
    [
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit(True)", 1, ""),
        ("raise SystemExit(256)", 0, ""),
        ("raise SystemExit(-3)", 253, ""),
        ("raise SystemExit(2**70)", 255, ""),
        ("raise SystemExit('bye')", 1, "bye\n"),
        ("raise SystemExit((1, 2))", 1, "(1, 2)\n"),
        ("raise KeyboardInterrupt('k')", -signal.SIGINT, "KeyboardInterrupt: k\n"),
        ("raise type('K', (KeyboardInterrupt,), {})", 1, "K\n"),
        ("raise GeneratorExit", 1, "GeneratorExit\n"),
        ("raise type('B', (BaseException,), {})('b')", 1, "B: b\n"),
    ],
)
@pytest.mark.parametrize("turn", ["init", "invoke"])
def test_ends_of_the_process(function, capsys, turn, statement, exit_code, text):
    source = statement if turn == "init" else f"def handler(event, context):\n    {statement}\n"
    runtime = function.runtime(source)
    outcome = runtime.init()
    if turn == "invoke":
        outcome = runtime.invoke(request())
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == exit_code
    assert isinstance(outcome.exception, BaseException)
    assert outcome.stderr.endswith(text)
    assert bool(outcome.stderr) == bool(text)
    assert capsys.readouterr() == ("", outcome.stderr)
    assert "runtimes" not in outcome.stderr  # no frames of this package


def test_process_end_is_an_exit_without_output(function, monkeypatch):
    def leave(code: int) -> None:
        raise ProcessEnd(code)

    monkeypatch.setattr(os, "_exit", leave)
    outcome = function.loaded("import os\ndef handler(event, context): os._exit(7)").invoke(
        request()
    )
    assert (outcome.exit_code, outcome.stderr) == (7, "")
    assert isinstance(outcome.exception, ProcessEnd)


@pytest.mark.parametrize(
    "body",
    [
        "raise Silent",
        "raise ValueError('\\ud800')",
        "import os, tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d); raise ValueError",
        "import sys; sys.stdout = None; raise ValueError",
        "import io, sys; sys.stdout = io.StringIO(); sys.stdout.close(); raise ValueError",
    ],
)
def test_an_error_in_the_error_report_ends_the_process(function, monkeypatch, body):
    monkeypatch.chdir(function.root)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    source = f"""
        class Silent(Exception):
            def __str__(self): raise RuntimeError("no words")
        def handler(event, context):
            {body}
        """
    outcome = function.loaded(source).invoke(request())
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 1
    assert outcome.stderr


def test_a_closed_stderr_does_not_hide_an_exit(function, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    outcome = function.loaded("def handler(event, context): raise SystemExit('bye')").invoke(
        request()
    )
    assert (outcome.exit_code, outcome.stderr) == (1, "bye\n")


def test_a_lone_surrogate_that_is_not_escaped_ends_the_process(function, capsys):
    runtime = function.loaded(
        "def handler(e, c): return '\\ud800'", AWS_EXECUTION_ENV="AWS_Lambda_python3.13"
    )
    outcome = runtime.invoke(request())
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("turn", ["init", "invoke", "str"])
def test_control_flow_of_the_test_passes_through(function, turn):
    stop = f"import sys\nStop = sys.modules[{__name__!r}].Stop\n"
    sources = {
        "init": f"{stop}raise Stop('now')",
        "invoke": f"{stop}def handler(event, context): raise Stop('now')",
        "str": f"{stop}def s(self): raise Stop('now')\n"
        "E = type('E', (Exception,), dict(__str__=s))\n"
        "def handler(event, context): raise E",
    }
    runtime = function.runtime(sources[turn])
    with pytest.raises(Stop, match="now"):
        runtime.init()
        runtime.invoke(request())


# -- headers


def test_a_header_that_is_not_utf_8_ends_the_process():
    outcome = run(Lambda_Runtime_Aws_Tenant_Id="caf\xe9")
    assert isinstance(outcome, Exited)
    assert outcome.exit_code == 1
    assert isinstance(outcome.exception, UnicodeDecodeError)


def run(**headers: str | None) -> Exited | Returned | Raised:
    return LocalRuntime("never.loaded", passes_through=lambda error: False).invoke(
        request(**headers)
    )


def tenant_id(text: str) -> str | None:
    """Return the last value that the runtime reads from the headers."""
    return read_headers(request(Lambda_Runtime_Aws_Tenant_Id=text).headers)[-1]


def test_headers_are_bytes_in_latin_1_that_are_read_as_utf_8():
    assert tenant_id("café".encode().decode("latin-1")) == "café"
    assert tenant_id("日本") == "日本"


def test_optional_headers():
    headers = read_headers(
        {"Lambda-Runtime-Aws-Request-Id": "", "Content-Type": "x", "Lambda-Runtime-Trace-Id": ""}
    )
    assert headers == ("", "x", 0, "", None, None, None, None)
    assert tenant_id(" blue ") == "blue"
    assert read_headers({**request().headers, "Lambda-Runtime-Deadline-Ms": None})[2] == 0


# -- logging


def test_the_root_logger_has_the_handler_and_level_of_lambda(function, capsys):
    root = logging.getLogger()
    root.handlers.append(logging.NullHandler())
    root.setLevel(logging.DEBUG)
    runtime = function.loaded(
        "import logging\nlogging.warning('w')\n"
        "def handler(e, c): logging.info('i'); logging.error('e %s', 1)"
    )
    runtime.invoke(request())
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\[WARNING\]\t[0-9-]{10}T[0-9:]{8}\.\d{3}Z\t\tw", first)
    assert re.fullmatch(r"\[ERROR\]\t[0-9-]{10}T[0-9:]{8}\.\d{3}Z\treq-1\te 1", second)
    names = [type(handler).__name__ for handler in root.handlers]
    assert names[0] == "LambdaLoggerHandler"
    assert "NullHandler" in names
    assert root.level == logging.WARNING
    assert logging.Formatter.converter.__name__ == "gmtime"


@pytest.mark.parametrize(
    ("variable", "level"),
    [
        ("debug", 10),
        ("INFO", 20),
        ("TRACE", 10),
        ("trace", 30),
        ("FATAL", 50),
        ("noise", 30),
        ("", 30),
    ],
)
def test_levels(function, variable, level):
    function.loaded("handler = print", AWS_LAMBDA_LOG_LEVEL=variable)
    assert logging.getLogger().level == level
    expected = logs.LambdaLoggerHandlerWithFrameType if variable else logs.LambdaLoggerHandler
    assert type(logging.getLogger().handlers[0]) is expected


def test_json_records(function, capsys):
    runtime = function.loaded(
        """
        import logging
        log = logging.getLogger("a.b")
        def handler(event, context):
            log.warning("w %s", 1, extra={"n": None, "o": object, "level": "mine"})
            log.warning({"k": 1})
            log.log(45, "odd")
            try: 1 / 0
            except Exception: log.exception("oops")
            raise ValueError("é")
        """,
        AWS_LAMBDA_LOG_FORMAT="json",
    )
    runtime.invoke(request(Lambda_Runtime_Aws_Tenant_Id="blue"))
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for record in records:
        time.strptime(record.pop("timestamp"), "%Y-%m-%dT%H:%M:%SZ")
    common = {"logger": "a.b", "requestId": "req-1", "tenantId": "blue"}
    assert records[0] == {"level": "WARNING", "message": "w 1", "o": "<class 'object'>", **common}
    assert records[1] == {"level": "WARNING", "message": {"k": 1}, **common}
    assert records[2] == {"level": "ERROR", "message": "odd", **common}
    assert records[3]["errorType"] == "ZeroDivisionError"
    assert records[3]["errorMessage"] == "division by zero"
    assert records[3]["location"] == f"{function.path}:handler:9"
    assert list(records[4]) == ["level", "errorMessage", "errorType", "requestId", "stackTrace"]


def test_a_bad_log_call_fails_the_invoke(function):
    outcome = function.loaded("import logging\ndef handler(e, c): logging.error('%d', 'x')").invoke(
        request()
    )
    assert outcome.error["errorType"] == "TypeError"


def test_stdout_is_looked_up_at_each_write(function, monkeypatch):
    runtime = function.loaded(
        "import logging\ndef handler(e, c): logging.error('e'); c.log('direct')"
    )
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    runtime.invoke(request())
    assert written.getvalue().endswith("\treq-1\te\ndirect")


# -- SnapStart

HOOKS = """
    from snapshot_restore_py import register_after_restore, register_before_snapshot
    calls = []
    register_before_snapshot(calls.append, "b1")
    register_before_snapshot(calls.append, "b2")
    register_after_restore(calls.append, "a1")
    register_after_restore(calls.append, "a2")
    def handler(event, context): return calls
    """


@pytest.fixture
def registry(monkeypatch):
    """The library of hooks, with no hook registered."""
    library = pytest.importorskip("snapshot_restore_py")
    library.get_before_snapshot().clear()
    library.get_after_restore().clear()
    yield library
    library.get_before_snapshot().clear()
    library.get_after_restore().clear()


@pytest.mark.usefixtures("registry")
def test_hooks_run_in_the_order_of_the_runtime(function):
    runtime = function.loaded(HOOKS)
    assert runtime.before_snapshot() == runtime.before_snapshot() == Loaded()
    assert runtime.after_restore() == runtime.after_restore() == Loaded()
    assert runtime.invoke(request()).body == b'["b2", "b1", "a1", "a2", "a1", "a2"]'


def test_without_the_library_there_are_no_hooks(function, monkeypatch):
    monkeypatch.delitem(sys.modules, "snapshot_restore_py", raising=False)
    runtime = function.loaded("handler = print")
    assert runtime.before_snapshot() == runtime.after_restore() == Loaded()


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("error", ["ValueError('v')", "SystemExit(3)", "KeyboardInterrupt('k')"])
@pytest.mark.parametrize(
    ("turn", "fault_type", "exit_code"),
    [
        ("before_snapshot", "Runtime.BeforeSnapshotError", 64),
        ("after_restore", "Runtime.AfterRestoreError", 65),
    ],
)
def test_a_hook_that_raises_anything_is_reported(
    function, capsys, turn, fault_type, exit_code, error
):
    runtime = function.loaded(
        f"""
        import snapshot_restore_py
        def hook(): raise {error}
        snapshot_restore_py.register_{turn}(hook)
        handler = print
        """
    )
    outcome = getattr(runtime, turn)()
    assert isinstance(outcome, Raised)
    assert (outcome.fault_type, outcome.exit_code) == (fault_type, exit_code)
    assert outcome.error["errorType"] == error.split("(")[0]
    own, user = outcome.error["stackTrace"]
    assert own.endswith(f"in run_{turn}\n    func(*args, **kwargs)\n")
    assert user.startswith(f'  File "{function.path}", line 3, in hook\n')
    out = capsys.readouterr().out
    assert out.startswith("[ERROR] ")  # without a LAMBDA_WARNING before it


# -- what function code changes in the runtime's own classes


def test_a_class_of_the_runtime_that_function_code_patches_is_whole_in_the_next_process(
    environment,
):
    env = environment("""
        import logging
        def handler(event, context):
            cls, emit = type(context), type(logging.root.handlers[0])
            seen = [context.get_remaining_time_in_millis() >= 0, hasattr(cls, "extra")]
            cls.get_remaining_time_in_millis = lambda self: -5
            cls.extra = 1
            emit.emit = lambda self, record: print("patched")
            logging.warning("text")
            return seen
    """)
    for _ in range(2):
        assert env.invoke().payload == [True, False]
        assert env.invoke().payload == [False, True]
        env.reset()
    assert env.log.count("patched") == 4
    env.close()
    other = environment("def handler(event, context): return hasattr(context, 'extra')")
    assert other.invoke().payload is False


def test_the_limit_of_stack_entries_counts_the_frame_of_the_runtime(environment):
    """`sys.tracebacklimit` keeps the first entries: the runtime's own, then that of the handler."""
    source = """
        import sys
        def inner(): raise ValueError("deep")
        def handler(event, context):
            sys.tracebacklimit = event
            inner()
    """
    env = environment(source)
    traces = {limit: env.invoke(limit, check=False).error["stackTrace"] for limit in (3, 2)}
    assert [len(trace) for trace in traces.values()] == [2, 1]
    assert "in handler" in traces[2][0]


def test_an_excepthook_that_raises_shows_its_own_frames_alone(environment):
    env = environment("""
        import sys
        def hook(*args):
            try: 1 / 0
            except ZeroDivisionError: raise LookupError("hook")
        def handler(event, context):
            sys.excepthook = hook
            raise BaseException("first")
    """)
    env.invoke(check=False)
    text = env.log.partition("Error in sys.excepthook:\n")[2]
    hook, _, original = text.partition("\nOriginal exception was:\n")
    assert "ZeroDivisionError" in hook
    assert "LookupError: hook" in hook
    assert "BaseException" not in hook
    assert "BaseException: first" in original


def test_an_excepthook_that_cannot_be_called_has_no_frames(environment):
    env = environment("""
        import sys
        def handler(event, context):
            sys.excepthook = None
            raise BaseException("first")
    """)
    env.invoke(check=False)
    assert (
        "Error in sys.excepthook:\nTypeError: 'NoneType' object is not callable\n\n"
        "Original exception was:\nTraceback (most recent call last):\n"
    ) in env.log


def test_handlers_of_signals_that_are_no_functions_have_names(environment):
    env = environment("""
        import signal
        def handler(event, context):
            return [repr(signal.getsignal(one)) for one in (signal.SIGTERM, signal.SIGPIPE)]
    """)
    assert env.invoke().payload == [repr(signal.SIG_DFL), repr(signal.SIG_IGN)]
