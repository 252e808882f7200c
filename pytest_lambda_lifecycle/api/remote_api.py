"""The Runtime API for a runtime that really uses it: the state machine, and the platform's side of
it.

Source: Runtime Interface Emulator, ``rapi/router.go``, ``rapi/handler/*`` and ``core/states.go``;
the page of the Runtime API for ``Lambda-Runtime-Invocation-Id``.
"""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
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
from pytest_lambda_lifecycle.api.runtime_api import check_request_id
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
"""What the caller sees of an error with a cause; the cause itself is for X-Ray."""

Answer = Returned | Raised


class RemoteRuntimeApi:
    """One runtime process after another; between `begin` and `end` lies the life of one."""

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
        """What the runtime has posted for the latest request; kept when the runtime fails after
        it.
        """
        self.answered_at_us: int | None = None
        self.exit_code: int | None = None
        """As in `subprocess`, once the runtime's process has ended."""
        self._request_id = self._invocation_id = ""
        self._event = Reply(500)
        self._waiting: deque[object] = deque()
        self._released = self._restored = False

    # -- the platform's -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Expect a new runtime process."""
        with self._lock:
            self._start_afresh()
            self._life = object()
            self._changed.notify_all()

    def end(self) -> None:
        """The process is gone, and all its calls with it: who waits for an event is `Gone`."""
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
        """Hand a request to the runtime; one that asks later finds it waiting."""
        headers = {
            name: value for name, value in request.headers.items() if value
        }  # the emulator sends no empty one
        invocation_id = headers.setdefault(_INVOCATION_ID, str(uuid.uuid4()))
        with self._lock:
            self.answer, self.answered_at_us = None, None
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

    # -- the runtime's --------------------------------------------------------------------------------------------

    def next(self) -> Reply:
        """Wait for an event.  Of several that wait each event wakes one; while one is in work it is
        given again.
        """
        with self._lock:
            life, before = self._alive(), self.state
            self._step("next")
            if before == "Running":
                return self._event
            queue, ticket = self._waiting, object()
            queue.append(ticket)
            try:
                while not (self._released and queue[0] is ticket):
                    self._wait(life)
            finally:
                queue.remove(ticket)
            self._released = False
            if self.state != "Ready":
                raise states.runtime_refusal(self.state, "next", states.MODIFIED)
            self._step("event")
            return self._event

    def response(self, request_id: str, call: Call) -> Reply:
        """Take the response of the current request."""
        with self._lock:
            self._check(request_id, call)
            self._step(
                "response"
            )  # before the rest is looked at: a wrong mode leaves the runtime stuck
            mode = call.header("Lambda-Runtime-Function-Response-Mode")
            if mode not in {"", "streaming"}:
                self._take(Raised(b"", {"errorType": "Runtime.InvalidResponseModeHeader"}))
                raise ApiError(400, "InvalidFunctionResponseMode", "Invalid function response mode")
            if len(call.body) > rules.RESPONSE_LIMIT:
                raise self._too_large()
            self._take(Returned(call.body, call.header("Content-Type")))
            self._step("sent")
            return ACCEPTED

    def error(self, request_id: str, call: Call) -> Reply:
        """Take the error object that answers the current request."""
        with self._lock:
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

    def init_error(self, call: Call) -> Reply:
        """Take the report of a failed Init; while a restore runs, of that."""
        return self._failed("init/error", call)

    def restore_next(self) -> Reply:
        """Wait for the restore: the hooks before the snapshot have run."""
        if not self._snap_start:
            return NOT_FOUND
        with self._lock:
            life = self._alive()
            self._step("restore/next")
            while not self._restored:
                self._wait(life)
            self._step("restore")
            return Reply(200)

    def restore_error(self, call: Call) -> Reply:
        """Take the report of a failed hook."""
        return self._failed("restore/error", call) if self._snap_start else NOT_FOUND

    def _failed(self, asked: str, call: Call) -> Reply:
        with self._lock:
            self._alive()
            self._step(asked)
            self.posted = Raised(
                call.body, _error_object(call.body), None, call.header(_ERROR_TYPE)
            )
            self._changed.notify_all()
            return ACCEPTED

    # -- under the lock -------------------------------------------------------------------------------------------

    def _alive(self) -> object:
        if self._life is None:
            raise Gone
        return self._life

    def _wait(self, life: object) -> None:
        self._changed.wait()
        if self._life is not life:
            raise Gone

    def _check(self, request_id: str, call: Call) -> None:
        self._alive()
        check_request_id(request_id, self._request_id)
        echoed = call.header(_INVOCATION_ID)
        if echoed and echoed != self._invocation_id:
            raise ApiError(400, "InvalidInvocationId", "Invalid invocation ID")

    def _step(self, call: str) -> None:
        self.state = states.step_runtime(self.state, call)
        self._changed.notify_all()

    def _take(self, answer: Answer) -> None:
        self.answer, self.answered_at_us = answer, self._now_us()

    def _too_large(self) -> ApiError:
        """Answer the caller in the runtime's place: the runtime goes on to its next event."""
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
    found: Mapping[str, object] | None = _object(body)
    if found is None or not all(
        isinstance(found.get(name, kind()), kind) for name, kind in _CAUSE_FIELDS.items()
    ):
        return b'"Invalid error body"'
    kept = {name: found[name] for name in _CAUSE_FIELDS if name in found}
    return encode_json(kept)
