"""The Runtime API of a runtime in a process of its own: its states, and the platform's side of it.

Source: Runtime Interface Emulator, ``rapi/router.go``, ``rapi/handler/*`` and ``core/states.go``;
the page of the Runtime API for ``Lambda-Runtime-Invocation-Id``.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from pytest_lambda_lifecycle.api import states
from pytest_lambda_lifecycle.api.replies import (
    ACCEPTED,
    NOT_FOUND,
    ApiError,
    Call,
    Gone,
    Reply,
    decode_json,
    encode_json,
)
from pytest_lambda_lifecycle.api.runtime_api import SNAP_START_ONLY, check_request_id
from pytest_lambda_lifecycle.api.waiting import wait_until
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.outcome import Raised, Request, Returned

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = ["RemoteRuntimeApi"]

_INVOCATION_ID: Final = "Lambda-Runtime-Invocation-Id"
_ERROR_TYPE: Final = "Lambda-Runtime-Function-Error-Type"
_CAUSE_TYPE: Final = "application/vnd.aws.lambda.error.cause+json"
_CAUSE_FIELDS: Final = {"errorMessage": str, "errorType": str, "stackTrace": list}
"""The fields of an error with a cause that the caller sees; the cause itself is for X-Ray."""

_INVALID_CAUSE: Final = b'"Invalid error body"'

Answer = Returned | Raised


class RemoteRuntimeApi:
    """Serves one runtime process after another: each of them lives from `begin` to `end`."""

    def __init__(self, config: FunctionConfig, *, now_us: Callable[[], int]) -> None:
        self._snap_start = config.initialization_type == "snap-start"
        self._now_us = now_us
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._life: object = None
        self._start_afresh()

    def _start_afresh(self) -> None:
        self.state = "Started"
        self.posted: Raised | None = None
        """An error of Init or Restore."""
        self.answer: Answer | None = None
        """The post of the runtime for the latest request, also if the runtime fails after it."""
        self.answered_at_us: int | None = None
        self.exit_code: int | None = None
        """As in `subprocess`, once the runtime's process has ended."""
        self._request_id = ""
        self._invocation_id = ""
        self._event = Reply(500)
        self._waiting: deque[object] = deque()
        self._released = False
        self._restored = False

    # -- calls of the platform --------------------------------------------------------------------

    def begin(self) -> None:
        """Expect a new runtime process."""
        with self._lock:
            self._start_afresh()
            self._life = object()
            self._changed.notify_all()

    def end(self) -> None:
        """End the process's calls: one that waits for an event raises `Gone`."""
        with self._lock:
            self._life = None
            self._changed.notify_all()

    def exited(self, exit_code: int) -> None:
        """Note that the runtime's process has ended, from any thread."""
        with self._lock:
            if self.exit_code is None:
                self.exit_code = exit_code
            self._changed.notify_all()

    @property
    def ready(self) -> bool:
        """Whether the runtime waits: for an event, or for its restore."""
        return self.state in {"Ready", "RestoreReady"}

    def publish(self, request: Request) -> None:
        """Hand a request to the runtime, which may wait for it already or ask later."""
        # The emulator sends no empty header.
        headers = {name: value for name, value in request.headers.items() if value}
        invocation_id = headers.setdefault(_INVOCATION_ID, str(uuid.uuid4()))
        with self._lock:
            self.answer = None
            self.answered_at_us = None
            self._request_id = headers.get("Lambda-Runtime-Aws-Request-Id", "")
            self._invocation_id = invocation_id
            self._event = Reply(200, request.body, tuple(headers.items()))
            self._released = True
            self._changed.notify_all()

    def restore(self) -> None:
        """Let a runtime that asked for its restore go on."""
        with self._lock:
            self._restored = True
            self._changed.notify_all()

    def wait(self, done: Callable[[], bool], until: float) -> bool:
        """Wait for ``done()``, asked under the lock at each change; False at ``until``
        (`RealTime.perf_counter`).
        """
        with self._lock:
            return wait_until(self._changed, done, until)

    # -- calls of the runtime ---------------------------------------------------------------------

    def handle(self, asked: str, call: Call, request_id: str = "") -> Reply:
        """Answer a call; see `RuntimeApi`."""
        if asked in SNAP_START_ONLY and not self._snap_start:
            return NOT_FOUND
        with self._lock:
            if self._life is None:
                raise Gone
            match asked:
                case "next":
                    return self._next()
                case "response":
                    return self._response(request_id, call)
                case "error":
                    return self._error(request_id, call)
                case "restore/next":
                    return self._restore_next()
                case _:
                    return self._failed(asked, call)

    # -- under the lock ---------------------------------------------------------------------------

    def _next(self) -> Reply:
        """Wait for an event; an event that is being handled is given again.

        If several calls wait, each event wakes the one that has waited longest.
        """
        before = self.state
        self._step("next")
        if before == "Running":
            return self._event
        queue = self._waiting
        ticket = object()
        queue.append(ticket)
        try:
            self._wait(lambda: self._released and queue[0] is ticket)
        finally:
            queue.remove(ticket)
        self._released = False
        if self.state != "Ready":
            raise states.runtime_refusal(self.state, "next", states.MODIFIED)
        self._step("event")
        return self._event

    def _response(self, request_id: str, call: Call) -> Reply:
        """Take the response of the current request."""
        self._check(request_id, call)
        # The emulator looks at the mode after this step: a wrong one leaves the runtime stuck.
        self._step("response")
        mode = call.header("Lambda-Runtime-Function-Response-Mode")
        if mode not in {"", "streaming"}:
            self._take(Raised(b"", {"errorType": "Runtime.InvalidResponseModeHeader"}))
            raise ApiError(400, "InvalidFunctionResponseMode", "Invalid function response mode")
        if len(call.body) > rules.RESPONSE_LIMIT:
            raise self._too_large()
        self._take(Returned(call.body, call.header("Content-Type")))
        self._step("sent")
        return ACCEPTED

    def _error(self, request_id: str, call: Call) -> Reply:
        """Take the error object that answers the current request."""
        self._check(request_id, call)
        self._step("error")
        if len(call.body) > rules.RESPONSE_LIMIT:
            raise self._too_large()
        body = call.body
        if call.header("Content-Type") == _CAUSE_TYPE:
            body = _without_cause(body)
        self._take(Raised(body, _error_object(body)))
        self._step("sent")
        return ACCEPTED

    def _restore_next(self) -> Reply:
        """Wait for the restore: the hooks before the snapshot have run."""
        self._step("restore/next")
        self._wait(lambda: self._restored)
        self._step("restore")
        return Reply(200)

    def _failed(self, asked: str, call: Call) -> Reply:
        """Take the report of a failed Init, or of a failed restore."""
        self._step(asked)
        error_type = call.header(_ERROR_TYPE)
        self.posted = Raised(call.body, _error_object(call.body), None, error_type)
        self._changed.notify_all()
        return ACCEPTED

    def _wait(self, done: Callable[[], bool]) -> None:
        """Wait for ``done()``; raise `Gone` if the process ends before."""
        life = self._life
        while not done():
            self._changed.wait()
            if self._life is not life:
                raise Gone

    def _check(self, request_id: str, call: Call) -> None:
        check_request_id(request_id, self._request_id)
        echoed = call.header(_INVOCATION_ID)
        if echoed and echoed != self._invocation_id:
            raise ApiError(400, "InvalidInvocationId", "Invalid invocation ID")

    def _step(self, call: str) -> None:
        self.state = states.step_runtime(self.state, call)
        self._changed.notify_all()

    def _take(self, answer: Answer) -> None:
        self.answer = answer
        self.answered_at_us = self._now_us()

    def _too_large(self) -> ApiError:
        """Answer the request in place of the runtime, which goes on to its next event."""
        self._take(rules.response_too_large())
        self._step("sent")
        message = f"Exceeded maximum allowed payload size ({rules.RESPONSE_LIMIT} bytes)."
        return ApiError(413, "RequestEntityTooLarge", message)


def _object(body: bytes) -> dict[str, object] | None:
    try:
        found = decode_json(body)
    except ValueError:
        return None
    return cast("dict[str, object]", found) if isinstance(found, dict) else None


def _error_object(body: bytes) -> dict[str, object]:
    return _object(body) or {}


def _without_cause(body: bytes) -> bytes:
    found = _object(body)
    if found is None:
        return _INVALID_CAUSE
    kept = {name: found[name] for name in _CAUSE_FIELDS if name in found}
    if not all(isinstance(value, _CAUSE_FIELDS[name]) for name, value in kept.items()):
        return _INVALID_CAUSE
    return encode_json(kept)
