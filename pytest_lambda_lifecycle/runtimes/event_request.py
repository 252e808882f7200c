"""How the real client serves one event, for function code that has patched the client.

Tracing libraries replace functions of ``awslambdaric.bootstrap`` and methods of its client (Sentry:
`handle_event_request`, ``post_invocation_result``, ``post_invocation_error``).  The runtime of this
package serves an event without them, which is faster.  So it asks before each event whether
anything of these modules has been replaced, and then takes the way of this module: each step is
looked up where the real client looks it up.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.runtimes.codec import FaultException
from pytest_lambda_lifecycle.runtimes.faults import stack_trace

__all__ = ["EventErrors", "PatchPoints"]

__stands_for__ = "bootstrap"

_SEEN_OTHERWISE: Final = frozenset(
    {"_GLOBAL_AWS_REQUEST_ID", "_GLOBAL_TENANT_ID", "log_error", "marshaller"}
)
"""Names that the runtime sets, or looks up on its fast way as well."""


class PatchPoints:
    """What the modules of one process held before function code looked into them."""

    def __init__(self) -> None:
        self._spaces: list[tuple[Any, dict[str, Any]]] = []

    def note(self, owner: Any) -> None:  # noqa: ANN401  # a module or a class
        """Remember what a module or a class holds."""
        self._spaces.append((owner, dict(vars(owner))))

    def are_patched(self) -> bool:
        """Say whether anything has been replaced, added or removed."""
        for owner, before in self._spaces:
            space = vars(owner)
            for name, value in list(space.items()):
                if before.get(name, self) is not value and name not in _SEEN_OTHERWISE:
                    return True
            if len(space) < len(before):
                return True
        return False


class EventErrors:
    """Serves events as ``awslambdaric.bootstrap`` does, and notes the exception of the handler."""

    def __init__(
        self, filled: Callable[[str], Any], passes_through: Callable[[BaseException], bool]
    ) -> None:
        """``filled`` returns a module of the same process with its contents.

        ``passes_through`` says which exceptions are control flow of the test.
        """
        self._filled = filled
        self._passes_through = passes_through
        self.latest: BaseException | None = None
        """The exception of the latest event, until somebody takes it."""

    def take(self) -> BaseException | None:
        """Return the exception of the latest event, and forget it."""
        error, self.latest = self.latest, None
        return error

    def handle_event_request(self) -> Callable[..., None]:
        """Return the function of that name, for the module ``bootstrap``."""

        def handle_event_request(
            lambda_runtime_client: Any,  # noqa: ANN401  # function code may pass its own
            request_handler: Callable[[Any, Any], Any],
            invoke_id: str,
            event_body: Any,  # noqa: ANN401  # bytes
            content_type: str,
            client_context_json: str | None,
            cognito_identity_json: str | None,
            invoked_function_arn: str,
            epoch_deadline_time_in_ms: int,
            tenant_id: str | None,
            log_sink: object,
            invocation_id: str | None = None,
        ) -> None:
            __tracebackhide__ = __function_code_above__ = True
            bootstrap = self._filled("bootstrap")
            result = result_content_type = error_result = xray_fault = None
            try:
                lambda_context = bootstrap.create_lambda_context(
                    client_context_json,
                    cognito_identity_json,
                    epoch_deadline_time_in_ms,
                    invoke_id,
                    invoked_function_arn,
                    tenant_id,
                )
                event = lambda_runtime_client.marshaller.unmarshal_request(event_body, content_type)
                response = request_handler(event, lambda_context)
                marshal = lambda_runtime_client.marshaller.marshal_response
                result, result_content_type = marshal(response)
            except Exception as error:
                if self._passes_through(error):
                    raise
                self.latest = error
                error_result, xray_fault = _described(bootstrap, error, invoke_id)
            if error_result is None:
                lambda_runtime_client.post_invocation_result(
                    invoke_id, result, result_content_type, invocation_id
                )
                return
            bootstrap.log_error(error_result, log_sink)
            lambda_runtime_client.post_invocation_error(
                invoke_id,
                bootstrap.to_json(error_result),
                bootstrap.to_json(xray_fault),
                invocation_id,
            )

        return handle_event_request


def _described(bootstrap: Any, error: Exception, invoke_id: str) -> tuple[Any, Any]:  # noqa: ANN401
    """Return the error object of an exception that is being handled, and its cause for X-Ray."""
    __function_code_above__ = True
    if isinstance(error, FaultException):
        fault = bootstrap.make_xray_fault("LambdaValidationError", error.msg, os.getcwd(), [])
        made = bootstrap.make_error(error.msg, error.exception_type, error.trace, invoke_id)
        return made, fault
    stack = stack_trace(error)
    entries = [(one.filename, one.lineno, one.name, one.line) for one in _entries(error)]
    name = type(error).__name__
    fault = bootstrap.make_xray_fault(name, str(error), os.getcwd(), entries)
    return bootstrap.make_error(str(error), name, stack, invoke_id), fault


def _entries(error: BaseException) -> traceback.StackSummary:
    return traceback.extract_tb(error.__traceback__)
