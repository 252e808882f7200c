"""The Python runtime in this process, as `awslambdaric` 4.2.2 acts between two events.

The caller prepares the process: Lambda's variables are in `os.environ`, the task root is first on
`sys.path`, the streams are those of the phase, and `os._exit` raises `ProcessEnd`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, Final, TypeAlias

from pytest_lambda_lifecycle.isolation.log_levels import LevelsOfTest
from pytest_lambda_lifecycle.isolation.parts.environ_bytes import VariableWriter
from pytest_lambda_lifecycle.isolation.unclosed import freeing
from pytest_lambda_lifecycle.lifecycle.outcome import (
    Exited,
    Loaded,
    ProcessEnd,
    Raised,
    Request,
    Returned,
)
from pytest_lambda_lifecycle.runtimes import codec, logs, snapstart
from pytest_lambda_lifecycle.runtimes.classes import restore_classes
from pytest_lambda_lifecycle.runtimes.client_modules import ClientModules
from pytest_lambda_lifecycle.runtimes.context import LambdaContext, decode_header
from pytest_lambda_lifecycle.runtimes.faults import (
    error_object,
    find_fault,
    stack_trace,
)
from pytest_lambda_lifecycle.runtimes.handler import load_handler
from pytest_lambda_lifecycle.runtimes.headers import encode_header, read_headers
from pytest_lambda_lifecycle.runtimes.held_objects import let_go
from pytest_lambda_lifecycle.runtimes.process_end import flushed_status, process_exit
from pytest_lambda_lifecycle.runtimes.release import Releaser

__all__ = ["LocalRuntime"]

__stands_for__ = "bootstrap"

_TRACE_VARIABLE: Final = "_X_AMZN_TRACE_ID"
_set_trace: Final = VariableWriter(_TRACE_VARIABLE).write
_INIT_ERROR_EXIT: Final = 1
_BEFORE_SNAPSHOT_EXIT: Final = 64
_AFTER_RESTORE_EXIT: Final = 65

_Described: TypeAlias = "tuple[BaseException, dict[str, object] | BaseException]"
"""An exception, and its error object or the exception with which the process ends."""


class LocalRuntime:
    """Loads a handler and runs it on the calling thread; turns end in a value of `outcome`."""

    def __init__(
        self,
        handler: str,
        *,
        passes_through: Callable[[BaseException], bool],
        sigterm: Callable[[], Any] = lambda: signal.SIG_DFL,
        levels: LevelsOfTest | None = None,
        polled: Callable[[], None] | None = None,
        client: ClientModules | None = None,
    ) -> None:
        """Prepare to run *handler*.

        Exceptions for which *passes_through* returns True (control flow of the test, such as
        `pytest.skip`) leave every turn as they were raised.  *sigterm* returns the handler that the
        function has set for that signal.  *levels* are the levels of loggers that the test has set.
        *polled* is called where the runtime has waited for an event on a thread of its own.
        *client* are the modules of the real client, as function code finds them.
        """
        self._handler_name = handler
        self._passes_through = passes_through
        self._sigterm = sigterm
        self._levels = levels
        self._polled = polled
        self._client = client or ClientModules()
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._current = self._client.current = logs.CurrentInvoke()
        self._sink = logs.StandardLogSink()
        self._json_logs = logs.logs_are_json()
        self._release: Releaser | None = None
        self._handler: Callable[[Any, Any], Any] = _not_loaded
        self._client.begin(partial(codec.encode_response, codec.response_encoder()))

    # --- turns -----------------------------------------------------------------------------------

    def init(self) -> Loaded | Raised | Exited:
        """Set up logging, then import and find the handler; each call starts as a new process."""
        __tracebackhide__ = __function_code_above__ = True
        with freeing() if self._handler is not _not_loaded else nullcontext():
            self._start_afresh()
        try:
            restore_classes()
            logs.install(self._current, self._sink)
            if self._levels is not None:
                self._levels.after_preset()
            logs.warn_of_preview()
            self._handler = load_handler(self._handler_name)
        except BaseException as error:
            if self._passes_through(error):
                raise
            described = self._described(error)
        else:
            if self._levels is not None:
                self._levels.after_init()
            return Loaded()
        return self._posted(described, self._post_init_error)

    def invoke(self, request: Request) -> Returned | Raised | Exited:
        """Run the handler once, on *request*."""
        __tracebackhide__ = __function_code_above__ = True
        if self._polled is not None:
            self._polled()
        try:
            (
                request_id,
                content_type,
                deadline,
                arn,
                trace_id,
                client_context,
                identity,
                tenant_id,
            ) = read_headers(request.headers, ordinary=request.ordinary)
            self._current.request_id = request_id
            self._current.tenant_id = tenant_id
            client = self._client
            if trace_id is not None:
                _set_trace(trace_id)
            else:
                os.environ.pop(_TRACE_VARIABLE, None)
        except Exception as error:  # the runtime does not guard this: its process ends
            if self._passes_through(error):
                raise
            return process_exit(error, self._passes_through)
        request_handler = self._handler
        response = None
        try:
            lambda_context = LambdaContext(
                request_id,
                None if client_context is None else decode_header(client_context, "Client Context"),
                None if identity is None else decode_header(identity, "Cognito Identity"),
                deadline,
                arn,
                tenant_id,
            )
            event = client.decode(request.body, content_type)
            response = request_handler(event, lambda_context)
            result, result_type = client.encode(response)
        except BaseException as error:
            if self._passes_through(error):
                raise
            described = self._described(error, request_id)
        else:
            # The runtime has no guard here either: a lone surrogate ends its process.
            try:
                body = result.encode() if isinstance(result, str) else bytes(memoryview(result))
            except Exception as error:
                if self._passes_through(error):
                    raise
                return process_exit(error, self._passes_through)
            return Returned(body, result_type)
        failed = self._posted(described, self._post_invoke_error)
        if response is not None:
            responses, response = [response], None
            self._release = self._release or Releaser()
            self._release(responses, described[0])
        return failed

    def before_snapshot(self) -> Loaded | Raised | Exited:
        """Run the hooks that SnapStart runs at the end of init, before the snapshot is taken."""
        __tracebackhide__ = __function_code_above__ = True
        try:
            snapstart.run_before_snapshot()
        except BaseException as error:
            if self._passes_through(error):
                raise
            return self._hook_failed(error, "Runtime.BeforeSnapshotError", _BEFORE_SNAPSHOT_EXIT)
        return Loaded()

    def after_restore(self) -> Loaded | Raised | Exited:
        """Run the hooks that SnapStart runs in an environment that was made from the snapshot."""
        __tracebackhide__ = __function_code_above__ = True
        try:
            snapstart.run_after_restore()
        except BaseException as error:
            if self._passes_through(error):
                raise
            return self._hook_failed(error, "Runtime.AfterRestoreError", _AFTER_RESTORE_EXIT)
        return Loaded()

    def terminate(self, handles_signals: bool) -> Loaded | Exited:
        """Receive SIGTERM: without a handler the process ends; after a handler it goes on."""
        __tracebackhide__ = __function_code_above__ = True
        handler = self._sigterm()
        if handler is None or handler == signal.SIG_DFL:
            return Exited(-signal.SIGTERM)
        if not callable(handler) or not handles_signals:
            return Loaded()
        try:
            handler(int(signal.SIGTERM), sys._getframe())
        except BaseException as error:
            if self._passes_through(error):
                raise
            return process_exit(error, self._passes_through)
        return Loaded()

    # --- after an exception ----------------------------------------------------------------------

    def _described(self, error: BaseException, request_id: str | None = None) -> _Described:
        """Return the error object of an exception, or the exception with which the process ends.

        Only an `Exception` has an error object, any other ends the process; and so does an error
        while the object is made, such as a `__str__` that raises.  *request_id* is that of the
        invoke, None in Init.
        """
        __tracebackhide__ = __function_code_above__ = True
        if not issubclass(type(error), Exception):
            return error, error
        try:
            finding = find_fault(error)
            if finding is not None:
                if request_id is not None:
                    _make_xray_cause()
                return error, error_object(*finding, request_id or "")
            stack = stack_trace(error)
            if request_id is not None:
                _make_xray_cause(error)
            return error, error_object(type(error).__name__, str(error), stack, request_id or "")
        except BaseException as second:
            if self._passes_through(second):
                raise
            return error, second

    def _posted(
        self,
        described: _Described,
        post: Callable[[BaseException, dict[str, object]], Raised],
    ) -> Raised | Exited:
        """Post an error object, when the runtime has handled the exception.

        An error while it does so ends the process: a log line that cannot be written.
        """
        __tracebackhide__ = __function_code_above__ = True
        error, body = described
        self._client.held.add(error)
        if isinstance(body, BaseException):
            return self._ended(body)
        try:
            failed = post(error, body)
        except BaseException as second:
            if self._passes_through(second):
                raise
            return self._ended(second)
        let_go(error)
        return failed

    def _ended(self, error: BaseException) -> Exited:
        """End the process by an exception, and free the objects that it holds."""
        __tracebackhide__ = __function_code_above__ = True
        ended = process_exit(error, self._passes_through)
        if isinstance(error, ProcessEnd):
            let_go(error)  # `os._exit` frees nothing
        else:
            self._client.held.end_with_interpreter(error)
        return ended

    def _post_invoke_error(self, error: BaseException, body: dict[str, object]) -> Raised:
        __function_code_above__ = True
        self._log_error(body)
        return Raised(self._to_json(body).encode(), body, _original(error))

    def _post_init_error(self, error: BaseException, body: dict[str, object]) -> Raised:
        __function_code_above__ = True
        logs.warn_of_init_error()
        return self._post_before_exit(error, body, str(body["errorType"]), _INIT_ERROR_EXIT)

    def _hook_failed(
        self, error: BaseException, fault_type: str, exit_code: int
    ) -> Raised | Exited:
        """Report an exception of a SnapStart hook, while the runtime handles it."""
        __tracebackhide__ = __function_code_above__ = True
        if isinstance(error, ProcessEnd):
            return self._ended(error)
        try:
            body = error_object(type(error).__name__, str(error), stack_trace(error))
            failed = self._post_before_exit(error, body, fault_type, exit_code)
        except BaseException as second:
            if self._passes_through(second):
                raise
            return self._ended(second)
        let_go(error)
        return failed

    def _post_before_exit(
        self, error: BaseException, body: dict[str, object], fault_type: str, exit_code: int
    ) -> Raised:
        __function_code_above__ = True
        self._log_error(body)
        encode_header(fault_type)  # where it raises, `http.client` does, and the process ends
        # `http.client` sends these posts, and encodes text as Latin-1: unescaped letters become
        # invalid UTF-8, and a letter outside Latin-1 ends the process before anything is posted.
        posted = _as_latin_1(self._to_json(body))
        return Raised(posted, body, _original(error), fault_type, flushed_status(exit_code))

    def _to_json(self, error: object) -> str:
        """Return an error object or a log record as the runtime writes it at this moment."""
        __function_code_above__ = True
        if self._client.marshals:
            text: str = self._client.filled("lambda_runtime_marshaller").to_json(error)
            return text
        return codec.encode_error(error)

    def _log_error(self, body: dict[str, object]) -> None:
        """Write the line ``[ERROR]``, by the function that function code may have replaced."""
        __function_code_above__ = True
        bootstrap = self._client.seen("bootstrap")
        if bootstrap is not None:
            bootstrap.log_error(body, self._sink)
        else:
            logs.write_error(body, self._sink, as_json=self._json_logs, encode=self._to_json)


def _not_loaded(*_: object) -> Any:  # noqa: ANN401  # stands for the handler
    raise RuntimeError("invoke() was called before init()")


def _make_xray_cause(error: BaseException | None = None) -> None:
    """Do the two things that can fail when the runtime makes the X-Ray cause of an error."""
    __function_code_above__ = True
    str(error)
    os.getcwd()


def _as_latin_1(text: str) -> bytes:
    """Encode the body of a request as `http.client` does, with its words for other letters."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        start, end = error.start, error.end
        raise UnicodeEncodeError(
            error.encoding,
            error.object,
            start,
            end,
            f"Body ({text[start:end]!r:.20}) is not valid Latin-1. "
            "Use body.encode('utf-8') if you want to send it encoded in UTF-8.",
        ) from None


def _original(error: BaseException) -> BaseException | None:
    """Return the exception that function code raised; a fault of the runtime may have none."""
    return error.__cause__ if isinstance(error, codec.RuntimeFault) else error
