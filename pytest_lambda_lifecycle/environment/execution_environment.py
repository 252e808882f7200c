"""`ExecutionEnvironment`: what a test holds."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias
from weakref import WeakSet

from pytest_lambda_lifecycle.clock.lambda_clock import LambdaClock, idle_span_us, require_clock
from pytest_lambda_lifecycle.clock.real import RealClock
from pytest_lambda_lifecycle.environment.assembly import assemble
from pytest_lambda_lifecycle.environment.extending import Extending
from pytest_lambda_lifecycle.environment.history import History
from pytest_lambda_lifecycle.environment.request import make_request, remaining_us
from pytest_lambda_lifecycle.errors import InvalidTransition, LifecycleError, caller
from pytest_lambda_lifecycle.function.handler_name import HandlerName
from pytest_lambda_lifecycle.function.task_root import hint_at_namesake, hint_at_neighbour
from pytest_lambda_lifecycle.isolation.modules.world import Keep, World, is_rewritten
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.isolation.unclosed import freeing
from pytest_lambda_lifecycle.lifecycle import failures, rules
from pytest_lambda_lifecycle.lifecycle.events import Event, SpyCall
from pytest_lambda_lifecycle.lifecycle.failures import FunctionError, InitError
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.moments import microseconds
from pytest_lambda_lifecycle.lifecycle.phases import Init, Restore, Shutdown
from pytest_lambda_lifecycle.lifecycle.rules import State
from pytest_lambda_lifecycle.observation.reuse_assertion import assert_reused
from pytest_lambda_lifecycle.observation.spies import Record, Spy, recording, spying
from pytest_lambda_lifecycle.runtimes.codec import encode_event

if TYPE_CHECKING:
    from typing_extensions import Self

    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = ["ExecutionEnvironment"]

FindMisplaced: TypeAlias = Callable[[Callable[[], Iterable[tuple[str, ModuleType]]]], Iterable[str]]

_NO_EVENT: Final = b"{}"
_REASONS: Final = ("spindown", "timeout", "failure")
_PHASE_NAMES: Final = {
    State.INIT: "init",
    State.RESTORE: "restore",
    State.INVOKE: "invoke",
    State.SHUTDOWN: "shutdown",
}


class ExecutionEnvironment(Extending, History):
    """One Lambda execution environment, in this process: init once, invoke again and again, shut
    down.

    Use it through the fixture ``lambda_lifecycle``, or as a context manager:

        with ExecutionEnvironment(FunctionConfig("app.handler")) as env:
            assert env.invoke({"id": 1}).cold_start
    """

    _open: ClassVar[WeakSet[ExecutionEnvironment]] = WeakSet()
    __test__ = False  # not a test class, whatever it is called where it is imported
    closed_at = ""
    """Where `close` is called, for messages; by default the line of its caller."""

    def __init__(
        self,
        config: FunctionConfig,
        *,
        clock: LambdaClock | None = None,
        keep: Keep | None = None,
        tampered: Callable[[ModuleType], Iterable[str]] | None = None,
        misplaced: FindMisplaced | None = None,
        around_invoke: Callable[[object, Callable[[], Invocation]], Invocation] | None = None,
        observer: Callable[[Event], None] | None = None,
    ) -> None:
        """Prepare an environment; nothing runs, and nothing in the process changes, before its
        first phase.

        ``clock`` is a running `LambdaClock`, by default the one of the test.  ``keep`` says which
        modules are never imported afresh, ``tampered`` which names of a module a test has patched,
        ``misplaced`` which patches in force are on other copies of the function's modules;
        ``around_invoke`` wraps each invoke, and ``observer`` sees each event: the pytest plugin
        passes them.
        """
        self.config = config
        self._clock = LambdaClock.current if clock is None else clock
        self._parts = assemble(
            config,
            clock=self._clock or RealClock(),
            keep=keep or (lambda name, module, namesake: namesake and is_rewritten(module)),
            tampered=tampered or (lambda module: ()),
            misplaced=None if misplaced is None else functools.partial(self._misplaced, misplaced),
            observer=observer,
        )
        self._conductor = self._parts.conductor
        self._open.add(self)
        if self._clock is not None:
            self._clock.attach(self)
        self._records: dict[str, Record] = {}
        self._around_invoke = around_invoke
        self._arn = (
            f"arn:aws:lambda:{config.region}:{config.account_id}:function:{config.function_name}"
        )

    # -- the lifecycle --------------------------------------------------------------------------------------------

    def initialize(self) -> Init:
        """Run Init ahead of the first invoke, as provisioned concurrency does.

        Raises `InitError` if it fails; it is not retried, and the next invoke inits inside itself.
        """
        __tracebackhide__ = True
        require_clock(self._clock, "initialize", self.config.handler)
        init = self._conductor.initialize()
        if init.status != "success":
            raise self._failure(init, not_ready=True) from init.exception
        return init

    def snapshot(self) -> Init:
        """Run Init and the before-snapshot hooks, as publishing a version with SnapStart does."""
        __tracebackhide__ = True
        if self.config.initialization_type != "snap-start":
            kind, source = (
                self.config.initialization_type,
                self.config.source_of("initialization_type"),
            )
            raise InvalidTransition(
                f'cannot take a snapshot: initialization_type is {kind!r} (from {source}); set it to "snap-start"'
            )
        return self.initialize()

    def restore(self) -> Restore:
        """Restore the snapshot: the after-restore hooks run.  The first invoke does it by
        itself.
        """
        __tracebackhide__ = True
        require_clock(self._clock, "restore", self.config.handler)
        restore = self._conductor.restore()
        if restore.status != "success":
            raise self._failure(restore, not_ready=True) from restore.exception
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

        ``event`` crosses as JSON, so the handler never sees the test's own object; `bytes` are the
        payload as it is. Without one the function gets ``{}``, as from Lambda.  ``identity`` has
        the keys ``cognitoIdentityId`` and ``cognitoIdentityPoolId``.  ``headers`` are those of the
        Runtime API and win over the other arguments; a header of None is left out.
        ``remaining_ms`` shortens the function's time for this invoke.  A failed invoke raises
        `FunctionError` (`InitError`, `FunctionTimeout`, `RuntimeExit`, `PayloadTooLarge`); with
        ``check=False`` the failed `Invocation` is returned instead.
        """
        __tracebackhide__ = True
        if LambdaClock.current is not self._clock:
            require_clock(self._clock, "invoke", self.config.handler)
        body = encode_event(event)
        if len(body) > rules.EVENT_LIMIT:
            raise failures.event_too_large(len(body))
        request = make_request(
            body,
            self._arn,
            request_id,
            trace_id,
            content_type,
            tenant_id,
            client_context,
            identity,
            headers,
        )
        limit_us = None if remaining_ms is None else remaining_us(remaining_ms, self.config)
        if self._around_invoke is None:
            invocation = self._conductor.invoke(request, limit_us)
        else:
            invocation = self._around_invoke(
                event, functools.partial(self._conductor.invoke, request, limit_us)
            )
        if check and invocation.status != "success":
            not_ready = failures.failed_before_handler(self._conductor.phases, invocation)
            raise self._failure(invocation, not_ready=not_ready) from invocation.exception
        return invocation

    def _failure(self, phase: Init | Restore | Invocation, *, not_ready: bool) -> FunctionError:
        error = failures.function_error(phase, not_ready=not_ready)
        cause, root, handler = phase.exception, self._parts.task_root, self.config.handler
        if isinstance(error, InitError) and isinstance(
            cause, (ModuleNotFoundError, AttributeError)
        ):
            missing = cause.name or "" if isinstance(cause, ModuleNotFoundError) else ""
            hint = hint_at_namesake(root, handler) or hint_at_neighbour(root, handler, missing)
            if hint:
                error.explain(hint)
        return error

    def reset(self) -> None:
        """Reset the environment, as a crash does: globals go, ``/tmp`` stays, the next invoke inits
        inside itself.
        """
        self._conductor.endings.reset()

    def recycle(self) -> Shutdown:
        """Recycle the environment, as Lambda does every few hours.

        It ends with reason ``spindown``; the next invoke is cold, in a new one: empty ``/tmp``, new
        log stream.
        """
        return self._conductor.endings.recycle()

    def idle(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0) -> None:
        """Freeze the environment and let time pass: nothing of it runs, and timers that came due
        fire late.

        Under ``lambda_clock`` it takes no time; without it, what everybody reads of wall and
        monotonic time is shifted until the test ends.  Past the setting ``idle_timeout`` the
        environment spins down.
        """
        require_clock(self._clock, "idle", self.config.handler)
        self._conductor.endings.idle(idle_span_us(seconds, minutes, hours))

    def latency(self, target: str, ms: float) -> None:
        """Declare that each call of ``"package.module.name"`` by a phase takes ``ms`` of virtual
        time, before it runs.

        Raises `LifecycleError` without ``lambda_clock``.
        """
        self._conductor.standing.require_open(f"give {target!r} a latency")
        clock = self._clock
        if clock is None:
            raise LifecycleError(
                f"cannot give {target!r} a latency: this environment runs in real time; make it under lambda_clock"
            )
        span_us = microseconds(ms, f"cannot give {target!r} a latency of ms:") // 1000
        spend = recording(target, lambda args, kwargs: self._spend(clock, span_us))
        self._parts.replacements.add(target, spying(target, spend))

    def _spend(self, clock: LambdaClock, span_us: int) -> None:
        if stage.running:
            clock.spend(span_us)

    @classmethod
    def unshift_time(cls) -> None:
        """Give real time back after `idle` without a clock: at the end of a test, or with the last
        environment.
        """
        RealClock.unshift([module for one in cls._open for module in one.frozen_modules().values()])

    # -- what a clock asks of an environment ------------------------------------------------------------------------

    def time_passed(self) -> None:
        """Be told by the clock that time has passed while nothing ran."""
        self._conductor.endings.time_passed()

    def frozen_modules(self) -> dict[str, ModuleType]:
        """The modules to which the clock has to give real time back."""
        return self._parts.world.own_modules()

    def shutdown(self, reason: str = "spindown") -> Shutdown:
        """Shut the environment down for good; ``reason`` is ``"spindown"``, ``"timeout"`` or
        ``"failure"``.

        Without an extension the function's process ends at once: no signal, no `atexit`.  With one
        the function gets SIGTERM, and extensions that registered for it the event SHUTDOWN (Lambda
        execution environment, "Shutdown phase").
        """
        if reason not in _REASONS:
            raise LifecycleError(
                f"cannot shut down with reason {reason!r}: Lambda knows {', '.join(map(repr, _REASONS))}"
            )
        return self._conductor.endings.shutdown(
            reason, cause=f"shut down (reason {reason}) at {caller()}"
        )

    def close(self) -> None:
        """Shut down (reason ``spindown``) unless that was done, and remove ``/tmp``.  May be called
        again.
        """
        try:
            if self._conductor.state is not State.CLOSED:
                self._conductor.endings.shutdown(
                    "spindown", cause=f"closed at {self.closed_at or caller()}"
                )
        finally:
            self._parts.storage.close()
            self._parts.world.hook.clear()
            self._open.discard(self)
            if not self._open:
                self.unshift_time()

    def __del__(self) -> None:
        with freeing():  # what it knows of the function: its handler, results, the frames of errors
            self.__dict__.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @classmethod
    def any_open(cls) -> bool:
        """Say whether some environment has not ended."""
        return bool(cls._open)

    @classmethod
    def _misplaced(cls, find: FindMisplaced, world: World) -> Iterable[str]:
        """Find patches on the copies that the test and other environments have of the modules of a
        world.
        """
        worlds = [one._parts.world for one in cls._open]
        return find(
            lambda: world.twins(
                [world.parked, *(one.modules for one in worlds if one is not world)]
            )
        )

    # -- the function's world -------------------------------------------------------------------------------------

    @property
    def tmp(self) -> Path:
        """The function's ``/tmp``: `tempfile` uses it; it survives a reset, and ends with a
        recycle.
        """
        return self._parts.storage.path

    @property
    def module(self) -> ModuleType:
        """The module that holds the handler, as this environment imported it."""
        return self.import_module(HandlerName.parse(self.config.handler).module)

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
            remedy = (
                "it has ended"
                if self._conductor.state is State.CLOSED
                else "call initialize() or invoke() first"
            )
            raise LifecycleError(
                f"cannot import {name!r} as the function sees it: the environment is in state {self.state!r}; {remedy}"
            )
        return self._parts.process.run(functools.partial(importlib.import_module, name))

    def spy(self, target: str) -> Spy:
        """Record the calls of ``"package.module.name"`` that phases make; they go through to the
        real thing.

        Ask before the first phase: then the spy is in place before function code can bind the
        name.  Functions, classes (their construction) and methods can be spied on, the function's
        own and those of shared libraries.  Raises `LifecycleError` if the target does not exist
        (for a module that is not loaded: when init imports it).
        """
        __tracebackhide__ = True
        self._conductor.standing.require_open(f"spy on {target!r}")
        record = self._records.setdefault(
            target, recording(target, functools.partial(self._record_call, target))
        )
        unseen = self._parts.replacements.add(target, spying(target, record))
        return Spy(target, lambda: self.timeline.of(SpyCall), lambda: bool(self.inits) and unseen())

    def patch(self, target: str, value: object) -> None:
        """Replace ``"package.module.name"`` by ``value`` until the environment ends, for init as
        well.
        """
        __tracebackhide__ = True
        self._conductor.standing.require_open(f"patch {target!r}")
        self._parts.replacements.add(target, lambda owner, name, _: (owner, name, value))

    def _record_call(
        self, target: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> SpyCall | None:
        phase = _PHASE_NAMES.get(self._conductor.state)
        if phase is None or self._parts.process not in stage.running:
            return None  # between phases, or our own code calls what is spied on
        index = len(self.invocations) if phase == "invoke" else None
        call = SpyCall(self._conductor.clock.now_us(), target, phase, index, args, kwargs)
        self.timeline.append(call)
        return call

    def assert_reused(self, *targets: str) -> None:
        """Assert that each ``"package.module.name"`` is the very object that the latest init made.

        Raises `AssertionError` with both objects and the invoke that replaced it, and
        `LifecycleError` if nothing was invoked since init, or if the environment has ended, so that
        there is nothing to compare.
        """
        __tracebackhide__ = True
        assert_reused(
            targets,
            photograph=self._parts.runtime.photograph,
            world=self._parts.world,
            phases=self._conductor.phases,
            timeline=self.timeline,
            state=self.state,
            cause=self._conductor.standing.cause,
        )

    def __repr__(self) -> str:
        return f"<ExecutionEnvironment {self.config.handler!r}: {self.state}, phases {self.phases.names}>"
