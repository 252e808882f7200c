"""Hooks of botocore and aiobotocore: the operations of AWS clients, and the attempts at each.

The clients of boto3, aioboto3 and whatever is built on them (resources, paginators, waiters,
transfers) all call `BaseClient._make_api_call`, an attribute of the class: so clients that were
made before the environment are seen as well, and so are calls that moto, a `Stubber` or a replaced
`_make_api_call` answers.  HTTP hooks are silent while an operation is open.

An attempt is a call of `Endpoint._get_response`, below botocore's retries and above its HTTP layer
and moto.  There faults are raised (`faults`), and there a refusal of the network leaves botocore,
before its retries see it.
"""

from __future__ import annotations

import functools
import sys
from typing import Any, Final

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall
from pytest_lambda_lifecycle.observation.calls.aws_parameters import recorded_parameters
from pytest_lambda_lifecycle.observation.calls.faults import Fault
from pytest_lambda_lifecycle.observation.calls.hooks import HookPoint
from pytest_lambda_lifecycle.observation.calls.network_libraries import raise_refusal
from pytest_lambda_lifecycle.observation.calls.recorder import (
    CallRecorder,
    OpenCall,
    Place,
    open_call,
    recorder_here,
)

__all__ = ["POINTS"]


class _Operation:
    """The key of an open AWS call, and what its layers have to know of each other."""

    __slots__ = ("client", "fault", "name", "recorder", "request", "sending")

    def __init__(self, recorder: CallRecorder, client: Any, name: str) -> None:  # noqa: ANN401
        self.recorder = recorder
        self.client = client
        self.name = name
        self.request: object = None
        """The request of the latest attempt: a second wrapper of an attempt does not count it."""
        self.sending = False
        """An attempt is under way, so that AWS calls are those of a mock that answers it."""
        self.fault: Fault | None = None
        """A fault that was due when the call began, until it is raised."""


def _present() -> OpenCall[AwsCall] | None:
    """Return the AWS call that is open in this context, or None."""
    outer = open_call()
    return outer if outer is not None and type(outer.key) is _Operation else None


def _begin(client: Any, name: str, parameters: object) -> OpenCall[AwsCall] | None:  # noqa: ANN401
    """Return the context of a call that has to be recorded; None for any other."""
    __tracebackhide__ = True
    recorder = recorder_here()
    if recorder is None:
        return None
    outer = _present()
    if outer is not None:
        # botocore asks STS for credentials inside another call: that is a call of its own.
        around: Any = outer.key
        is_part = around.sending or (around.client is client and around.name == name)
        if is_part and not recorder.called_inside():
            return None
    key = _Operation(recorder, client, name)
    # The caller of this function is the wrapper of the client's method.
    opened = recorder.open(
        lambda place: _event(place, client, name, parameters), key, above=1, sent=parameters
    )
    call = opened.call
    if recorder.faults:
        key.fault = recorder.faults.due(call.service, name, call.phase)
    return opened


def _require_reachable(opened: OpenCall[AwsCall]) -> None:
    """Refuse a call to which a fault is due that a `Stubber` answers."""
    __tracebackhide__ = True
    key: Any = opened.key
    if key.fault is not None and _is_stubbed(key.client, key.name):
        raise _nothing_below(key.fault, "botocore.stub.Stubber answers the calls of the client")


def _event(place: Place, client: Any, name: str, parameters: object) -> AwsCall:  # noqa: ANN401
    meta = client.meta
    model = meta.service_model
    try:
        shape = model.operation_model(name).input_shape
    except Exception:  # the operation is unknown, and botocore is about to say so
        shape = None
    return AwsCall(
        *place,
        model.service_name,
        name,
        parameters=recorded_parameters(parameters, shape),
        region=meta.region_name or "",
    )


def _returned(opened: OpenCall[AwsCall], result: object) -> None:
    """Note the status of a result; a mock's result without one counts as 200."""
    __tracebackhide__ = True
    call = opened.call
    metadata = result.get("ResponseMetadata") if isinstance(result, dict) else None
    status = metadata.get("HTTPStatusCode") if isinstance(metadata, dict) else None
    call.status = status if isinstance(status, int) else 200
    if not call.attempts:
        _answered_by_stub(opened)


def _raised(opened: OpenCall[AwsCall], error: BaseException) -> None:
    """Note status and code of a `ClientError`; any other error came without a response."""
    __tracebackhide__ = True
    response = getattr(error, "response", None)
    if not isinstance(response, dict) or not isinstance(response.get("Error"), dict):
        return
    call = opened.call
    if getattr(error, "operation_name", call.operation) != call.operation:
        return  # botocore has failed to get credentials from STS, and has sent nothing
    call.error_code = str(response["Error"].get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    call.status = status if isinstance(status, int) else None
    if not call.attempts:
        _answered_by_stub(opened)


def _answered_by_stub(opened: OpenCall[AwsCall]) -> None:
    """Count one attempt at a call that a stub has answered, which a fault cannot reach."""
    __tracebackhide__ = True
    opened.call.attempts = 1
    key: Any = opened.key
    if key.fault is not None:
        raise _nothing_below(key.fault, "a stub has answered in the place of botocore's endpoint")


def _is_stubbed(client: Any, name: str) -> bool:  # noqa: ANN401
    """Say whether a `Stubber` is active on a client."""
    stub = sys.modules.get("botocore.stub")
    emitter = getattr(client.meta.events, "_emitter", client.meta.events)
    handlers = getattr(emitter, "_handlers", None)
    if stub is None or handlers is None:
        return False
    event = f"before-call.{client.meta.service_model.service_id.hyphenize()}.{name}"
    return any(
        isinstance(getattr(handler, "__self__", None), stub.Stubber)
        for handler in handlers.prefix_search(event)
    )


def _nothing_below(fault: Fault, why: str) -> LifecycleError:
    return LifecycleError(
        f"cannot raise the fault {fault.error!r} of {fault.operation}: {why}, and nothing lies "
        "below botocore's retries that the fault could stand for",
        f"The fault was declared at {fault.where}.",
        "Use moto or an endpoint on loopback for calls with faults, or add the error to the stub: "
        "stubber.add_client_error(...).",
        code="LLC804",
    )


# -- hooks --------------------------------------------------------------------------------------


def _make_api_call(original: Any) -> Any:  # noqa: ANN401
    """Wrap `BaseClient._make_api_call`, which each operation goes through."""

    @functools.wraps(original)
    def make_api_call(self: Any, operation_name: str, api_params: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        opened = _begin(self, operation_name, api_params)
        if opened is None:
            return original(self, operation_name, api_params)
        with opened:
            _require_reachable(opened)
            try:
                result = original(self, operation_name, api_params)
            except Exception as error:
                _raised(opened, error)
                raise
            _returned(opened, result)
            return result

    return make_api_call


def _make_api_call_async(original: Any) -> Any:  # noqa: ANN401
    """Wrap `AioBaseClient._make_api_call`."""

    @functools.wraps(original)
    async def make_api_call(self: Any, operation_name: str, api_params: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        opened = _begin(self, operation_name, api_params)
        if opened is None:
            return await original(self, operation_name, api_params)
        with opened:
            _require_reachable(opened)
            try:
                result = await original(self, operation_name, api_params)
            except Exception as error:
                _raised(opened, error)
                raise
            _returned(opened, result)
            return result

    return make_api_call


def _attempt(request: object, operation: Any) -> tuple[_Operation | None, Fault | None]:  # noqa: ANN401
    """Count an attempt; return its operation, and the fault that is due.

    The operation is None where this is no attempt at a recorded call: an outer wrapper has counted
    it, or a mock that answers one sends requests of its own.
    """
    opened = _present()
    if opened is None:
        return None, None
    key: Any = opened.key
    if key.sending or key.request is request:
        return None, None
    key.request = request
    call = opened.call
    call.attempts += 1
    faults = key.recorder.faults
    if not faults:
        return key, None
    fault = faults.take(operation.service_model.service_name, operation.name, call.phase)
    if fault is not None:
        key.fault = None
    return key, fault


def _faulty(
    endpoint: Any,  # noqa: ANN401
    fault: Fault,
    operation_model: Any,  # noqa: ANN401
    context: Any,  # noqa: ANN401
    *,
    asynchronous: bool = False,
) -> Any:  # noqa: ANN401
    # `env.fault` has imported it: an import in the phase would search the function's folders first.
    from pytest_lambda_lifecycle.observation.calls.fault_answers import FaultyEndpoint

    return FaultyEndpoint(endpoint, fault, operation_model, context, asynchronous=asynchronous)


def _get_response(original: Any) -> Any:  # noqa: ANN401
    """Wrap `Endpoint._get_response`, one attempt at an operation."""

    @functools.wraps(original)
    def get_response(self: Any, request: Any, operation_model: Any, context: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        handled = sys.exc_info()[1]
        key, fault = _attempt(request, operation_model)
        if key is None:
            outcome = original(self, request, operation_model, context)
            raise_refusal(outcome, handled, operation_model, context)
            return outcome
        endpoint = self
        if fault is not None:
            endpoint = _faulty(self, fault, operation_model, context)
        key.sending = True
        try:
            outcome = original(endpoint, request, operation_model, context)
        finally:
            key.sending = False
        raise_refusal(outcome, handled, operation_model, context)
        return outcome

    return get_response


def _get_response_async(original: Any) -> Any:  # noqa: ANN401
    """Wrap `AioEndpoint._get_response`."""

    @functools.wraps(original)
    async def get_response(self: Any, request: Any, operation_model: Any, context: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        handled = sys.exc_info()[1]
        key, fault = _attempt(request, operation_model)
        if key is None:
            outcome = await original(self, request, operation_model, context)
            raise_refusal(outcome, handled, operation_model, context)
            return outcome
        endpoint = self
        if fault is not None:
            endpoint = _faulty(self, fault, operation_model, context, asynchronous=True)
        key.sending = True
        try:
            outcome = await original(endpoint, request, operation_model, context)
        finally:
            key.sending = False
        raise_refusal(outcome, handled, operation_model, context)
        return outcome

    return get_response


POINTS: Final = (
    HookPoint("botocore.client", "BaseClient", "_make_api_call", _make_api_call),
    HookPoint("aiobotocore.client", "AioBaseClient", "_make_api_call", _make_api_call_async),
    HookPoint("botocore.endpoint", "Endpoint", "_get_response", _get_response),
    HookPoint("aiobotocore.endpoint", "AioEndpoint", "_get_response", _get_response_async),
)
