"""The function that is on top of all mocks of `HTTPAdapter.send` during a phase."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.part import nothing_to_undo
from pytest_lambda_lifecycle.isolation.parts.threads import function_thread
from pytest_lambda_lifecycle.isolation.patching import Undo, note_later_patch, patch_attributes
from pytest_lambda_lifecycle.observation.calls.mock_stack import (
    BENEATH,
    MOCK,
    mark,
    marked,
    mock_of,
    put_out,
)
from pytest_lambda_lifecycle.observation.calls.on_top import LIBRARIES, ON_TOP
from pytest_lambda_lifecycle.observation.calls.recorder import CallRecorder
from pytest_lambda_lifecycle.observation.calls.routing import answer, as_of_copy, named

__all__ = ["Patcher", "TopOfRequests"]

_STARTED: Final = "_lambda_started"
"""On a mock that function code has started: the line that did so, and the phase, in words."""
_SEND: Final = "send"


class Patcher:
    """Replaces `HTTPAdapter.send` from start to stop, also if mocks end in another order.

    (`unittest.mock.patch` restores the value that it has found, even over a later patch.)
    """

    def __init__(self, owner: type, send: Any) -> None:  # noqa: ANN401
        self._owner = owner
        self._send = send
        self.temp_original: Any = None
        """The value beneath; its name is that of `unittest.mock`."""

    def start(self) -> None:
        """Go in place."""
        self.temp_original = vars(self._owner)[_SEND]
        setattr(self._owner, _SEND, self._send)

    def stop(self) -> None:
        """Go out of the stack; a tool that has saved the function may still restore it."""
        put_out(self._owner, self._send, self.temp_original)
        note_later_patch(self._owner, _SEND, self._send, self.temp_original)


class _Placed(NamedTuple):
    owner: type
    send: Any
    """The function that is on top."""
    spied: Any
    """The function that was there, if spies of the environment are on it; else None."""


class TopOfRequests:
    """Goes on top in each phase while a `LambdaHttp` is in force, and asks those in force."""

    def __init__(self, owner: type, mock_class: type) -> None:
        """``owner`` is `HTTPAdapter`, and ``mock_class`` is `RequestsMock`."""
        self._owner = owner
        self._mock_class = mock_class
        self._in_force: tuple[Any, ...] = ()
        """The latest comes first."""
        self._phases: list[list[_Placed]] = []
        """The functions on top, for each of the phases that are nested now."""
        self._unwatch: Undo = nothing_to_undo
        self._left: WeakSet[Any] = WeakSet()
        """Functions that function code has put on top, as an instrumenting library does.

        They call the function of this package, and stay on top.
        """

    def add(self, http: Any) -> None:  # noqa: ANN401
        """Ask a `LambdaHttp` from now on."""
        if not self._in_force:
            self._unwatch = self._watch_starts()
            ON_TOP.append(self)
        self._in_force = (http, *self._in_force)

    def remove(self, http: Any) -> None:  # noqa: ANN401
        """Ask it no longer."""
        self._in_force = tuple(one for one in self._in_force if one is not http)
        if not self._in_force:
            ON_TOP.remove(self)
            self._unwatch()
            if not self._phases:
                self._take_off_restored()

    def test_failed(self) -> None:
        """Note in each `LambdaHttp` in force that a test has failed."""
        for http in self._in_force:
            http.test_has_failed = True

    def note_requests(self) -> Undo:
        """Return a call that forgets the requests that are answered from now on."""
        lists = [
            calls._calls
            for http in self._in_force
            for calls in (http._calls, *(response.calls for response in http.registered()))
        ]
        noted = [(calls, len(calls)) for calls in lists]

        def forget() -> None:
            for calls, length in noted:
                del calls[length:]

        return forget

    # -- phases -----------------------------------------------------------------------------------

    def begin_phase(self) -> None:
        """Go on top, also in the function's own copy of requests.

        Raises `LifecycleError` for a mock that function code has started since the latest phase, on
        a thread that goes on.
        """
        if not self._phases:
            mock = mock_of(vars(self._owner)[_SEND])
            if mock is not None and mock._patcher and vars(mock).get(_STARTED):
                _stop(mock)
                raise _mock_was_left(mock)
        self._phases.append([self._place(owner) for owner in self._owners()])

    def executed(self, module: ModuleType) -> None:
        """Go on top in a copy of requests that function code has just imported."""
        owner = getattr(module, "HTTPAdapter", None)
        if owner is not None and self._phases:
            self._phases[-1].append(self._place(owner))

    def end_phase(self) -> None:
        """Go off; raise `LifecycleError` for a mock that function code has left on top."""
        left: list[Any] = []
        for owner, send, spied in reversed(self._phases.pop()):
            left += _stop_mocks_above(owner, send)
            if send in self._left:
                continue
            now = vars(owner)[_SEND]
            if now is not send and mock_of(now) is None:
                with contextlib.suppress(TypeError):  # an object to which there are no references
                    self._left.add(now)
            put_out(owner, send, spied or marked(send, BENEATH))
        if left:
            raise _mock_was_left(left[0])

    def _take_off_restored(self) -> None:
        """Take functions of earlier phases off, which an environment has restored.

        A patch of `HTTPAdapter.send` that function code made in Init lies on top of them.  When the
        environment leaves, the value from before Init is restored.
        """
        while (beneath := marked(vars(self._owner)[_SEND], BENEATH)) is not None:
            setattr(self._owner, _SEND, beneath)

    def _owners(self) -> Iterator[type]:
        yield self._owner
        for name in LIBRARIES:
            own = getattr(sys.modules.get(name), "HTTPAdapter", None)
            if own is not None and own is not self._owner:
                yield own

    def _place(self, owner: type) -> _Placed:
        top = vars(owner)[_SEND]
        if self._left and top in self._left:
            return _Placed(owner, top, None)
        probes, beneath = _spies_on(top)
        is_copy = owner is not self._owner

        def send(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            beneath, options = marked(send, BENEATH), named(args, kwargs)
            with _Recorded(probes, request, options) as recorded:
                if not self._in_force:
                    response = beneath(adapter, request, **options)
                elif is_copy:
                    response = self._answer_copy(beneath, adapter, request, options)
                else:
                    response = answer(self._in_force, beneath, None, adapter, request, options)
                recorded.result = response
            return response

        mark(send, BENEATH, beneath)
        vars(send)["__wrapped__"] = top
        setattr(owner, _SEND, send)
        return _Placed(owner, send, top if probes else None)

    def _answer_copy(
        self,
        beneath: Any,  # noqa: ANN401
        adapter: Any,  # noqa: ANN401
        request: Any,  # noqa: ANN401
        options: dict[str, Any],
    ) -> Any:  # noqa: ANN401
        """Answer a request that the function's own copy of requests makes."""
        __tracebackhide__ = __function_code_above__ = True
        also = vars(self._owner)[_SEND]
        try:
            return answer(self._in_force, beneath, also, adapter, request, options)
        except OSError as error:  # the base class of requests' exceptions
            own = as_of_copy(error)
            if own is error:
                raise
        raise own

    # -- mocks of function code -------------------------------------------------------------------

    def _watch_starts(self) -> Undo:
        """Note the line of function code that starts a mock; the returned call ends that."""
        original: Any = vars(self._mock_class)["unbound_on_send"]

        def unbound_on_send(mock: Any) -> Any:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            vars(mock)[_STARTED] = _place_of_function_code()
            return original(mock)

        return patch_attributes((self._mock_class, "unbound_on_send", unbound_on_send))


class _Recorded:
    """Records a call for spies of the environment, which lie beneath the function on top."""

    __slots__ = ("_calls", "result")

    def __init__(self, probes: Sequence[Any], request: Any, options: dict[str, Any]) -> None:  # noqa: ANN401
        self._calls = [probe.record((request,), options) for probe in probes]
        self.result: Any = None

    def __enter__(self) -> _Recorded:
        return self

    def __exit__(self, kind: object, exception: BaseException | None, traceback: object) -> None:
        for call in self._calls:
            if call is not None:
                call.result, call.exception = self.result, exception


def _spies_on(send: Any) -> tuple[list[Any], Any]:  # noqa: ANN401
    """Return the probes of `env.spy` and `env.latency` on a function, and the function beneath."""
    probes: list[Any] = []
    while (mark := (getattr(send, "__dict__", None) or {}).get("_lambda_spy")) is not None:
        if mark[1] != id(send):
            break
        probes.append(mark[0])
        send = vars(send)["__wrapped__"]
    return probes, send


def _place_of_function_code() -> str:
    """Return the phase and the line of the function code that runs here; ``""`` for the test."""
    recorder = CallRecorder.entered
    if recorder is None or not (recorder.runs_function_code() or function_thread() is not None):
        return ""
    place = recorder.place()
    phase = f"in {place.phase}" if place is not None else "between two phases"
    line = recorder.line()
    return f" {phase}, at {line}" if line else f" {phase}"


def _stop_mocks_above(owner: type, send: Any) -> list[Any]:  # noqa: ANN401
    """Stop the mocks of ``responses`` above a function, and return them.

    They have begun in the phase, so function code has started them.
    """
    stopped: list[Any] = []
    while (now := vars(owner)[_SEND]) is not send:
        mock = mock_of(now)
        if mock is None or mock._patcher is None or marked(now, MOCK) is not None:
            break
        _stop(mock)
        stopped.append(mock)
    return stopped


def _stop(mock: Any) -> None:  # noqa: ANN401
    """Stop a mock for the function that has started it, without its assertions."""
    mock._patcher.stop()
    mock._patcher = None


def _mock_was_left(mock: Any) -> LifecycleError:  # noqa: ANN401
    where = vars(mock).get(_STARTED) or ""
    kind = f"{type(mock).__module__}.{type(mock).__qualname__}"
    return LifecycleError(
        f"function code has started a mock of requests ({kind}){where}, and left it in place",
        "It answers instead of lambda_http, and refuses what lambda_http would answer.  It has "
        "been stopped.",
        "Stop it in the phase that starts it (with, @responses.activate), or let the test start "
        "it.",
        code="LLC812",
    )
