"""`ExecutionEnvironment`: what a test holds."""

from __future__ import annotations

import functools
import importlib
import json
import random
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Final

from pytest_lambda_lifecycle import failures, lifecycle, projections
from pytest_lambda_lifecycle.assembly import assemble, new_log_stream
from pytest_lambda_lifecycle.clock import RealClock, microseconds
from pytest_lambda_lifecycle.codec import encode_event
from pytest_lambda_lifecycle.errors import InvalidTransition, LifecycleError
from pytest_lambda_lifecycle.events import Event, Replaced, SpyCall
from pytest_lambda_lifecycle.lambda_clock import LambdaClock, idle_span_us
from pytest_lambda_lifecycle.lifecycle import State
from pytest_lambda_lifecycle.outcome import Request
from pytest_lambda_lifecycle.phases import Init, Invocation, Phases, Restore, Shutdown
from pytest_lambda_lifecycle.process import stage
from pytest_lambda_lifecycle.spies import Spy, spying

if TYPE_CHECKING:
    from typing_extensions import Self

    from pytest_lambda_lifecycle.config import FunctionConfig
    from pytest_lambda_lifecycle.timeline import Timeline

__all__ = ["ExecutionEnvironment"]

_NO_EVENT: Final = b"{}"
_REASONS: Final = ("spindown", "timeout", "failure")
_PHASE_NAMES: Final = {State.INIT: "init", State.RESTORE: "restore", State.INVOKE: "invoke"}
_CANONICAL: Final = {
    name.lower(): name
    for name in (
        "Content-Type",
        "Lambda-Runtime-Aws-Request-Id",
        "Lambda-Runtime-Aws-Tenant-Id",
        "Lambda-Runtime-Client-Context",
        "Lambda-Runtime-Cognito-Identity",
        "Lambda-Runtime-Deadline-Ms",
        "Lambda-Runtime-Invocation-Id",
        "Lambda-Runtime-Invoked-Function-Arn",
        "Lambda-Runtime-Trace-Id",
    )
}
_dumps = json.JSONEncoder().encode  # a test may have replaced json.dumps
# An instance of our own: function code and tests seed the module's.
_random_bits = random.Random().getrandbits


class ExecutionEnvironment:
    """One Lambda execution environment, in this process: init once, invoke again and again, shut down.

    Use it through the fixture ``lambda_lifecycle``, or as a context manager:

        with ExecutionEnvironment(FunctionConfig("app.handler")) as env:
            assert env.invoke({"id": 1}).cold_start
    """

    __test__ = False  # not a test class, whatever it is called where it is imported

    def __init__(
        self,
        config: FunctionConfig,
        *,
        clock: LambdaClock | None = None,
        keep: Callable[[str, ModuleType], bool] | None = None,
        tampered: Callable[[ModuleType], Iterable[str]] | None = None,
        around_invoke: Callable[[object, Callable[[], Invocation]], Invocation] | None = None,
        observer: Callable[[Event], None] | None = None,
    ) -> None:
        """Prepare an environment; nothing runs, and nothing in the process changes, before its first phase.

        ``clock`` is a running `LambdaClock`, by default the one of the test.  ``keep`` says which modules are never
        imported afresh, ``tampered`` which names of a module a test has patched, ``around_invoke`` wraps each invoke
        and ``observer`` sees each event: the pytest plugin passes them.
        """
        self.config = config
        self._clock = LambdaClock.current if clock is None else clock
        self._parts = assemble(
            config,
            clock=self._clock or RealClock(),
            keep=keep or _keeps_nothing,
            tampered=tampered or _finds_nothing,
            observer=observer,
        )
        self._conductor = self._parts.conductor
        self._conductor.renewed = self._renew
        if self._clock is not None:
            self._clock.attach(self)
        self._around_invoke = around_invoke
        self._arn = f"arn:aws:lambda:{config.region}:{config.account_id}:function:{config.function_name}"

    # -- the lifecycle --------------------------------------------------------------------------------------------

    def initialize(self) -> Init:
        """Run Init ahead of the first invoke, as provisioned concurrency does.

        Raises `InitError` if it fails; it is not retried, and the next invoke inits inside itself.
        """
        __tracebackhide__ = True
        self._require_its_clock("initialize")
        init = self._conductor.initialize()
        if init.status != "success":
            raise failures.function_error(init, not_ready=True) from init.exception
        return init

    def snapshot(self) -> Init:
        """Run Init and the before-snapshot hooks, as publishing a version with SnapStart does."""
        __tracebackhide__ = True
        if self.config.initialization_type != "snap-start":
            kind, source = self.config.initialization_type, self.config.source_of("initialization_type")
            raise InvalidTransition(
                f'cannot take a snapshot: initialization_type is {kind!r} (from {source}); set it to "snap-start"'
            )
        return self.initialize()

    def restore(self) -> Restore:
        """Restore the snapshot: the after-restore hooks run.  The first invoke does it by itself."""
        __tracebackhide__ = True
        self._require_its_clock("restore")
        restore = self._conductor.restore()
        if restore.status != "success":
            raise failures.function_error(restore, not_ready=True) from restore.exception
        return restore

    def invoke(
        self,
        event: object = _NO_EVENT,
        *,
        check: bool = True,
        request_id: str | None = None,
        client_context: object = None,
        identity: Mapping[str, str] | None = None,
        tenant_id: str | None = None,
        trace_id: str | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        remaining_ms: int | None = None,
    ) -> Invocation:
        """Invoke the function; a cold environment inits first.

        ``event`` crosses as JSON, so the handler never sees the test's own object; `bytes` are the payload as it is.
        Without one the function gets ``{}``, as from Lambda.  ``identity`` has the keys ``cognitoIdentityId`` and
        ``cognitoIdentityPoolId``.  ``headers`` are those of the Runtime API and win over the other arguments; a header
        of None is left out.  ``remaining_ms`` shortens the function's time for this invoke.  A failed invoke raises
        `FunctionError` (`InitError`, `FunctionTimeout`, `RuntimeExit`, `PayloadTooLarge`); with ``check=False`` the
        failed `Invocation` is returned instead.
        """
        __tracebackhide__ = True
        if LambdaClock.current is not self._clock:
            self._require_its_clock("invoke")
        body = encode_event(event)
        if len(body) > lifecycle.EVENT_LIMIT:
            raise failures.event_too_large(len(body))
        if request_id is None or trace_id is None:
            new_request_id, new_trace_id = _new_ids()
            request_id, trace_id = request_id or new_request_id, trace_id or new_trace_id
        request = Request(
            body,
            {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Trace-Id": trace_id,
                "Lambda-Runtime-Invoked-Function-Arn": self._arn,
                "Content-Type": "application/json" if content_type is None else content_type,
            },
        )
        if client_context is not None or identity is not None or tenant_id is not None or headers is not None:
            request_id = _complete(request.headers, client_context, identity, tenant_id, headers) or request_id
        remaining_us = None if remaining_ms is None else self._remaining_us(remaining_ms)
        if self._around_invoke is None:
            invocation = self._conductor.invoke(request, request_id, trace_id, remaining_us)
        else:
            proceed = functools.partial(self._conductor.invoke, request, request_id, trace_id, remaining_us)
            invocation = self._around_invoke(event, proceed)
        if check and invocation.status != "success":
            not_ready = failures.failed_before_handler(self._conductor.phases, invocation)
            raise failures.function_error(invocation, not_ready=not_ready) from invocation.exception
        return invocation

    def _remaining_us(self, remaining_ms: int) -> int:
        limit = self.config.timeout * 1000
        if type(remaining_ms) is not int or not 1 <= remaining_ms <= limit:
            raise LifecycleError(
                f"cannot invoke with remaining_ms={remaining_ms!r}: it is a whole number of ms from 1 to {limit}, the "
                f"function's timeout (from {self.config.source_of('timeout')})"
            )
        return remaining_ms * 1000

    def reset(self) -> None:
        """Reset the environment, as a crash does: globals go, ``/tmp`` stays, the next invoke inits inside itself."""
        self._conductor.reset()

    def recycle(self) -> Shutdown:
        """Recycle the environment, as Lambda does every few hours.

        It ends with reason ``spindown``; the next invoke is cold, in a new one: empty ``/tmp``, new log stream.
        """
        return self._conductor.recycle()

    def idle(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0) -> None:
        """Freeze the environment and let time pass: nothing of it runs, and timers that came due fire late.

        Under ``lambda_clock`` it takes no time; without it, what everybody reads of wall and monotonic time is shifted
        until the test ends.  Past the setting ``idle_timeout`` the environment spins down.
        """
        self._require_its_clock("idle")
        self._conductor.idle(idle_span_us(seconds, minutes, hours))

    def latency(self, target: str, ms: float) -> None:
        """Declare that each call of ``"package.module.name"`` by a phase takes ``ms`` of virtual time, before it runs.

        Raises `LifecycleError` without ``lambda_clock``.
        """
        clock = self._clock
        if clock is None:
            raise LifecycleError(
                f"cannot give {target!r} a latency: this environment runs in real time; make it under lambda_clock"
            )
        span_us = microseconds(ms, f"cannot give {target!r} a latency of ms:") // 1000
        self._parts.replacements.add(target, spying(target, lambda args, kwargs: self._spend(clock, span_us)))

    def _spend(self, clock: LambdaClock, span_us: int) -> None:
        if stage.running:
            clock.spend(span_us)

    def _renew(self) -> str:
        self._parts.log_stream = new_log_stream(self.config, self._conductor.clock.now_us())
        for entry in self.tmp.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        return self._parts.log_stream

    def _require_its_clock(self, asked: str) -> None:
        """Time is one for all: an environment that was made under another clock cannot go on under this one."""
        current = LambdaClock.current
        if current is self._clock:
            return
        if self._clock is not None:
            state = "has ended" if self._clock.ended else "is not the one that runs"
            raise LifecycleError(f"cannot {asked}: the lambda_clock of this environment {state}; make both in one test")
        raise LifecycleError(
            f"cannot {asked}: this environment was made before lambda_clock (now {current.now if current else ''}) and "
            f"lives in real time; ask for lambda_clock first, and make the environment of {self.config.handler!r} then"
        )

    # -- what a clock asks of an environment ------------------------------------------------------------------------

    def time_passed(self) -> None:
        """Be told by the clock that time has passed while nothing ran."""
        self._conductor.time_passed()

    def frozen_modules(self) -> dict[str, ModuleType]:
        """The modules to which the clock has to give real time back."""
        return self._parts.world.own_modules()

    def shutdown(self, reason: str = "spindown") -> Shutdown:
        """Shut the environment down for good; ``reason`` is ``"spindown"``, ``"timeout"`` or ``"failure"``.

        Without an extension the function's process ends at once: no signal, no `atexit` (Lambda execution environment,
        "Shutdown phase").
        """
        if reason not in _REASONS:
            raise LifecycleError(
                f"cannot shut down with reason {reason!r}: Lambda knows {', '.join(map(repr, _REASONS))}"
            )
        return self._conductor.shutdown(reason, cause=f"shut down (reason {reason}) at {failures.caller()}")

    def close(self) -> None:
        """Shut down (reason ``spindown``) unless that was done, and remove ``/tmp``.  May be called again."""
        try:
            if self._conductor.state is not State.CLOSED:
                self._conductor.shutdown("spindown", cause=f"closed at {failures.caller()}")
        finally:
            self._parts.tmp.cleanup()
            if self._clock is None:
                RealClock.unshift({})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # -- what happened --------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Where the environment stands: ``"new"``, ``"init"``, ``"ready"``, ``"invoke"``, ``"reset"``, ``"closed"``…"""
        return self._conductor.state.value

    @property
    def timeline(self) -> Timeline:
        """All events so far; its ``repr`` is a readable table."""
        return self._conductor.timeline

    @property
    def phases(self) -> Phases:
        """All phases so far; compares equal to a list of names."""
        return Phases(self._conductor.phases)

    @property
    def inits(self) -> list[Init]:
        """All runs of Init."""
        return [phase for phase in self._conductor.phases if isinstance(phase, Init)]

    @property
    def init_count(self) -> int:
        """How often the function's module-level code was run (or tried)."""
        return len(self.inits)

    @property
    def init(self) -> Init:
        """The latest Init; raises `LifecycleError` if there was none."""
        inits = self.inits
        if not inits:
            raise LifecycleError("there was no Init yet: the first invoke() runs it, or initialize()")
        return inits[-1]

    @property
    def invocations(self) -> list[Invocation]:
        """All invokes, also failed ones."""
        return [phase for phase in self._conductor.phases if isinstance(phase, Invocation)]

    @property
    def log(self) -> str:
        """What CloudWatch shows: the function's output and the platform's START, END, REPORT and other lines."""
        return projections.log_text(self.timeline)

    # -- the function's world -------------------------------------------------------------------------------------

    @property
    def tmp(self) -> Path:
        """The function's ``/tmp``: `tempfile` uses it; it survives a reset, and ends with a recycle."""
        return Path(self._parts.tmp.name)

    @property
    def module(self) -> ModuleType:
        """The module that holds the handler, as this environment imported it."""
        return self.import_module(self.config.handler.rpartition(".")[0].replace("/", "."))

    def import_module(self, name: str) -> ModuleType:
        """Return a module as the function sees it, imported if it was not yet.

        Raises `LifecycleError` before Init and after the end: until then there is no such module.
        """
        if self._conductor.state is State.INVOKE or self._conductor.state is State.INIT:
            return importlib.import_module(name)
        if self._conductor.state not in {State.READY, State.SNAPSHOT}:
            own = self._parts.world.modules.get(name)
            if own is not None:
                return own
            remedy = "it has ended" if self._conductor.state is State.CLOSED else "call initialize() or invoke() first"
            raise LifecycleError(
                f"cannot import {name!r} as the function sees it: the environment is in state {self.state!r}; {remedy}"
            )
        return self._parts.process.run(importlib.import_module, name)

    def spy(self, target: str) -> Spy:
        """Record the calls of ``"package.module.name"`` that phases make; they go through to the real thing.

        Ask before the first phase: then the spy is in place before function code can bind the name.  Functions, classes
        (their construction) and methods can be spied on, the function's own and those of shared libraries.  Raises
        `LifecycleError` if the target does not exist (for a module that is not loaded: when init imports it).
        """
        spy = Spy(target, lambda: self.timeline.of(SpyCall))
        self._parts.replacements.add(
            target, spying(target, lambda args, kwargs: self._record_call(target, args, kwargs))
        )
        return spy

    def patch(self, target: str, value: object) -> None:
        """Replace ``"package.module.name"`` by ``value`` until the environment ends, for init as well."""
        self._parts.replacements.add(target, lambda owner, name, _: (owner, name, value))

    def _record_call(self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> SpyCall | None:
        phase = _PHASE_NAMES.get(self._conductor.state)
        if phase is None or self._parts.process not in stage.running:
            return None  # between phases, or our own code calls what is spied on
        index = len(self.invocations) if phase == "invoke" else None
        call = SpyCall(self._conductor.clock.now_us(), target, phase, index, args, kwargs)
        self.timeline.append(call)
        return call

    def assert_reused(self, *targets: str) -> None:
        """Assert that each ``"package.module.name"`` is the very object that the latest init made.

        Raises `AssertionError` with both objects and the invoke that replaced it, and `LifecycleError` if nothing was
        invoked since init, so that there is nothing to compare.
        """
        __tracebackhide__ = True
        photograph = self._parts.runtime.photograph
        if photograph is None or not isinstance(self.phases[-1] if self.phases else None, Invocation):
            raise LifecycleError(
                f"cannot say whether {', '.join(targets)} was reused: nothing was invoked since init (state "
                f"{self.state!r}); invoke first"
            )
        for target in targets:
            self._assert_one_reused(target)

    def _assert_one_reused(self, target: str) -> None:
        __tracebackhide__ = True
        before, now = self._then_and_now(target)
        if before is now:
            return
        by = next((self._invocation_of(e) for e in reversed(self.timeline.of(Replaced)) if e.target == target), "")
        raise AssertionError(
            f"{target} was not reused: it is another object than init made{by}\n"
            f"  after init: {before!r}\n  now:        {now!r}"
        )

    def _then_and_now(self, target: str) -> tuple[object, object]:
        parts = target.split(".")
        length = self._parts.world.module_length(parts) if len(parts) > 1 else 0
        module = self._parts.world.own(".".join(parts[:length]))
        photograph = self._parts.runtime.photograph
        if module is None or photograph is None or length == len(parts):
            raise LifecycleError(
                f"cannot say whether {target!r} was reused: it names nothing inside a module of the function that is "
                "loaded; name one as 'package.module.name'"
            )
        try:
            before = photograph.at_init(module, parts[length:])
        except (KeyError, StopIteration, TypeError):
            raise LifecycleError(
                f"cannot say whether {target!r} was reused: at the end of init {module.__name__} had no such name "
                "(names of modules and of their classes are remembered)"
            ) from None
        now: object = module
        for name in parts[length:]:
            now = getattr(now, name, "<deleted>") if not isinstance(now, type) else vars(now).get(name, "<deleted>")
        return before, now

    def _invocation_of(self, event: Event) -> str:
        for index, invocation in enumerate(self.invocations):
            if any(one is event for one in invocation.events):
                return f" (replaced by invocation {index}, request {invocation.request_id})"
        return ""

    def __repr__(self) -> str:
        return f"<ExecutionEnvironment {self.config.handler!r}: {self.state}, phases {self.phases.names}>"


def _keeps_nothing(name: str, module: ModuleType) -> bool:
    return False


def _finds_nothing(module: ModuleType) -> Iterable[str]:
    return ()


def _complete(
    request: dict[str, str | None],
    client_context: object,
    identity: Mapping[str, str] | None,
    tenant_id: str | None,
    headers: Mapping[str, str | None] | None,
) -> str | None:
    """Add what is rarely given; returns the request id if ``headers`` name one."""
    if client_context is not None:
        request["Lambda-Runtime-Client-Context"] = _dumps(client_context)
    if identity is not None:
        request["Lambda-Runtime-Cognito-Identity"] = _dumps(dict(identity))
    if tenant_id is not None:
        request["Lambda-Runtime-Aws-Tenant-Id"] = tenant_id
    for name, value in (headers or {}).items():
        request[_CANONICAL.get(name.lower(), name)] = value
    return request.get("Lambda-Runtime-Aws-Request-Id")


def _new_ids() -> tuple[str, str]:
    """Return a request id and a trace id that is not sampled, as Lambda makes them."""
    d = f"{_random_bits(320):080x}"
    request_id = f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}"
    return request_id, f"Root=1-{d[32:40]}-{d[40:64]};Parent={d[64:]};Sampled=0"
