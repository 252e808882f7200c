"""Checks the arguments of `ExecutionEnvironment.fault` against AWS's models in botocore."""

from __future__ import annotations

import difflib
import functools
import importlib
from collections.abc import Callable, Iterable
from typing import Any, TypeGuard

from pytest_lambda_lifecycle.errors import LifecycleError, caller
from pytest_lambda_lifecycle.lifecycle.phases import PHASE_NAMES
from pytest_lambda_lifecycle.observation.calls.fault_answers import (
    known_error,
    protocol_of,
    speaks_query,
)
from pytest_lambda_lifecycle.observation.calls.fault_codes import documented_statuses
from pytest_lambda_lifecycle.observation.calls.faults import RESET, TIMEOUT, Fault
from pytest_lambda_lifecycle.observation.calls.response_latency import (
    LATENCY_IN_WORDS,
    is_latency,
    latency_us,
)

__all__ = ["make_fault"]


def make_fault(
    operation: str,
    error: str | int,
    *,
    times: int | None,
    phase: str | None,
    latency_ms: float,
    status: int | None,
    message: str | None,
    spend: Callable[[int], None],
) -> Fault:
    """Return the fault of an operation, or raise `LifecycleError` for one that AWS does not have.

    ``spend`` lets a number of microseconds pass.
    """
    __tracebackhide__ = True
    asked = f"cannot declare the fault {error!r} of {operation!r}"
    _check_values(
        asked, times=times, phase=phase, latency_ms=latency_ms, status=status, message=message
    )
    service, name = _operation(asked, operation)
    _check_error(asked, _model(service).operation_model(name), error, status, message)
    return Fault(
        service,
        name,
        error,
        times=times,
        phase=phase,
        latency_us=latency_us(latency_ms),
        status=status,
        message=message,
        spend=spend,
        where=caller(),
    )


def _check_values(
    asked: str,
    *,
    times: object,
    phase: object,
    latency_ms: object,
    status: object,
    message: object,
) -> None:
    __tracebackhide__ = True
    if times is not None and not (_is_whole(times) and times >= 1):
        _refuse_value(asked, f"times={times!r}", "a whole number from 1, or None: every attempt")
    if phase is not None and phase not in PHASE_NAMES:
        known = ", ".join(map(repr, PHASE_NAMES))
        _refuse_value(asked, f"phase={phase!r}", f"one of {known}, or None: every phase")
    if not is_latency(latency_ms):
        _refuse_value(asked, f"latency_ms={latency_ms!r}", LATENCY_IN_WORDS)
    if status is not None and not (_is_whole(status) and 400 <= status <= 599):
        _refuse_value(asked, f"status={status!r}", "an HTTP status from 400 to 599")
    if message is not None and not isinstance(message, str):
        _refuse_value(asked, f"message={message!r}", "text")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _refuse_value(asked: str, given: str, wanted: str) -> None:
    __tracebackhide__ = True
    raise LifecycleError(f"{asked}: {given}; it has to be {wanted}", code="LLC803")


# -- the operation ---------------------------------------------------------------------------------


def _operation(asked: str, operation: object) -> tuple[str, str]:
    """Split the name of an operation, after a look into botocore's models."""
    __tracebackhide__ = True
    service, dot, name = operation.partition(".") if isinstance(operation, str) else ("", "", "")
    if not (service and dot and name):
        raise LifecycleError(
            f"{asked}: name the client and the operation, such as 'dynamodb.PutItem'",
            code="LLC801",
        )
    services = _loader(asked).list_available_services("service-2")
    if service not in services:
        near = _near(service, services)
        raise LifecycleError(
            f"{asked}: botocore has no client {service!r}{_meant(near, f'.{name}')}", code="LLC801"
        )
    names = _model(service).operation_names
    if name not in names:
        near = _near(name, names)
        raise LifecycleError(
            f"{asked}: {service} has no operation {name!r}{_meant(f'{service}.{near}', '', near)}",
            "The names are those of AWS's API, as in str(call) of env.aws_calls.",
            code="LLC801",
        )
    return service, name


def _near(given: str, known: Iterable[str]) -> str:
    """Return the known name that is nearest to a given one; ``""`` if none is near."""
    plain = {name.lower().replace("-", "").replace("_", ""): name for name in known}
    asked = given.lower().replace("-", "").replace("_", "")
    near = difflib.get_close_matches(asked, plain, n=1)
    return plain[near[0]] if near else ""


def _meant(name: str, rest: str = "", found: str | None = None) -> str:
    return f"; did you mean {name + rest!r}?" if (name if found is None else found) else ""


def _botocore(asked: str, module: str) -> Any:  # noqa: ANN401
    __tracebackhide__ = True
    try:
        return importlib.import_module(f"botocore.{module}")
    except ImportError as problem:
        raise LifecycleError(
            f"{asked}: botocore cannot be imported here ({problem}), and the operations and errors "
            "of AWS's services are taken from it",
            "Install botocore (boto3 brings it) in the environment in which the tests run.",
            code="LLC805",
        ) from problem


def _loader(asked: str) -> Any:  # noqa: ANN401
    __tracebackhide__ = True
    return _botocore(asked, "loaders").Loader()


@functools.lru_cache(8)
def _model(service: str) -> Any:  # noqa: ANN401
    """Return botocore's model of a service that it has."""
    asked = "cannot declare a fault"
    described = _loader(asked).load_service_model(service, "service-2")
    return _botocore(asked, "model").ServiceModel(described, service)


# -- the error -------------------------------------------------------------------------------------


def _check_error(
    asked: str,
    operation: Any,  # noqa: ANN401
    error: object,
    status: int | None,
    message: str | None,
) -> None:
    """Refuse an error that the operation cannot meet."""
    __tracebackhide__ = True
    if _is_whole(error):
        if not 400 <= error <= 599:
            _refuse_value(asked, f"error={error!r}", "an HTTP status from 400 to 599")
        if status is not None:
            _refuse_value(asked, f"status={status!r} beside a status", "left out")
        return
    if not isinstance(error, str) or not error:
        wanted = "an error code, an HTTP status, 'reset' or 'timeout'"
        _refuse_value(asked, f"error={error!r}", wanted)
        return
    if error in (RESET, TIMEOUT):
        if status is not None or message is not None:
            _refuse_value(asked, "status or message", f"left out: {error!r} has no response")
        return
    if status is None and known_error(operation, error) is None:
        _refuse_code(asked, operation, error)


def _refuse_code(asked: str, operation: Any, error: str) -> None:  # noqa: ANN401
    __tracebackhide__ = True
    model = operation.service_model
    modelled = [shape.name for shape in operation.error_shapes]
    documented = documented_statuses(
        model.service_name, protocol_of(model), speaks_query=speaks_query(model)
    )
    near = _near(error, [*documented, *modelled])
    elsewhere = any(error in (shape.name, shape.error_code) for shape in model.error_shapes)
    why = (
        f"other operations of {model.service_name} have this error, and this one has not"
        if elsewhere
        else "there is no such error"
    )
    meant = _meant(near) if near != error else ""
    if error.isdecimal() and len(error) == 3:  # HeadObject: botocore's code is the status as text
        meant = f"; did you mean the status {error}, a number?"
    raise LifecycleError(
        f"{asked}: {why}{meant}",
        f"Errors of the operation: {', '.join(sorted(modelled)) or 'none in its model'}.",
        *([] if near else [f"Errors of every operation: {', '.join(sorted(documented))}."]),
        "Any other code takes status=, the HTTP status that comes with it.",
        code="LLC802",
    )
