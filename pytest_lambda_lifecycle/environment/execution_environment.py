"""`ExecutionEnvironment`: the object that a test holds.

One class in one file: most of it is signatures and docstrings, since this is the public API.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

from pytest_lambda_lifecycle.api.telemetry.records import records
from pytest_lambda_lifecycle.clock.clock import Clock, FollowingClock
from pytest_lambda_lifecycle.clock.lambda_time import LambdaTime, idle_span_us, require_clock
from pytest_lambda_lifecycle.clock.real import RealClock
from pytest_lambda_lifecycle.environment import open_environments
from pytest_lambda_lifecycle.environment.assembly import Assembly
from pytest_lambda_lifecycle.environment.request import (
    NO_EVENT,
    make_request,
    ordinary_request,
    refuse_positional,
    remaining_us,
)
from pytest_lambda_lifecycle.environment.tally import RUNS
from pytest_lambda_lifecycle.errors import (
    ConfigError,
    InvalidTransition,
    LifecycleError,
    caller,
    no_attribute,
    warn,
)
from pytest_lambda_lifecycle.extensions.program_view import ExtensionProgram
from pytest_lambda_lifecycle.function.extension import (
    EVENTS,
    Extension,
    RecordingExtension,
    extension_name,
)
from pytest_lambda_lifecycle.function.handler_name import HandlerName
from pytest_lambda_lifecycle.isolation.held_signals import Held
from pytest_lambda_lifecycle.isolation.modules.membership import Keep
from pytest_lambda_lifecycle.isolation.parts.random_numbers import Seed
from pytest_lambda_lifecycle.isolation.tracebacks import without_imports
from pytest_lambda_lifecycle.isolation.unclosed import freeing
from pytest_lambda_lifecycle.lifecycle import failures, platform_lines
from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall, AwsClient, HttpCall
from pytest_lambda_lifecycle.lifecycle.events import Event
from pytest_lambda_lifecycle.lifecycle.failures import FunctionError
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.moments import microseconds
from pytest_lambda_lifecycle.lifecycle.outcome import Exited
from pytest_lambda_lifecycle.lifecycle.phases import Init, Phase, Phases, Restore, Shutdown
from pytest_lambda_lifecycle.lifecycle.rules import State
from pytest_lambda_lifecycle.lifecycle.state_events import StateChange
from pytest_lambda_lifecycle.observation.calls.assertions import assert_calls, assert_no_network
from pytest_lambda_lifecycle.observation.calls.faults import Fault, spend_time
from pytest_lambda_lifecycle.observation.calls.init_only import assert_init_only, place_spies
from pytest_lambda_lifecycle.observation.file_guard import Folders
from pytest_lambda_lifecycle.observation.foreign_code import PathNotes
from pytest_lambda_lifecycle.observation.misplaced import patched_names
from pytest_lambda_lifecycle.observation.reuse import assert_reused
from pytest_lambda_lifecycle.observation.spies import Spy
from pytest_lambda_lifecycle.observation.verdicts import Evidence, verdicts
from pytest_lambda_lifecycle.runtimes.codec import encode_event

if TYPE_CHECKING:
    from typing_extensions import Self

    from pytest_lambda_lifecycle.clock.public_clock import LambdaClock
    from pytest_lambda_lifecycle.environment.checks.snapshots import Snapshot
    from pytest_lambda_lifecycle.environment.tally import Tally
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline
    from pytest_lambda_lifecycle.observation.watched_runtime import FindTampered

__all__ = ["ExecutionEnvironment"]

X = TypeVar("X", bound="Extension | type[Extension]")
_MEANT: Final = {
    **dict.fromkeys(
        ("call", "handle", "handler", "run", "send", "invoke_handler"), "invoke(event)"
    ),
    **dict.fromkeys(("init_phase", "cold_start", "start"), "initialize()"),
    **dict.fromkeys(("advance", "sleep", "wait", "freeze"), "idle(seconds)"),
    **dict.fromkeys(("stop", "terminate", "kill", "sigterm"), "shutdown()"),
    **dict.fromkeys(("logs", "stdout", "output"), "log"),
    **dict.fromkeys(("events",), "timeline"),
    **dict.fromkeys(("mock", "monkeypatch"), "patch(target, value)"),
    **dict.fromkeys(("tmp_path", "tmpdir"), "tmp"),
    **dict.fromkeys(("payload", "result", "response"), "invoke(event).payload"),
    **dict.fromkeys(("cold_starts", "init_counts"), "init_count"),
    **dict.fromkeys(("environment", "env", "timeout", "memory_size"), "config"),
}
"""Names that newcomers try, and what they mean."""
_REASONS: Final = ("spindown", "timeout", "failure")


class ExecutionEnvironment:
    """One Lambda execution environment, in this process: init once, invoke repeatedly, shut down.

    Use it through the fixture ``lambda_lifecycle``, or as a context manager:

        with ExecutionEnvironment(FunctionConfig("app.handler")) as env:
            assert env.invoke({"id": 1}).cold_start
    """

    __test__ = False  # not a test class, whatever it is called where it is imported
    _is_exact = False
    """The modes of the suite leave the next invoke alone."""
    _closed_at = ""
    """Where `close` is called, for messages; by default the line of its caller."""

    def __init__(self, config: FunctionConfig, *, clock: LambdaClock | None = None) -> None:
        """Prepare an environment; nothing in the process changes before its first phase.

        ``clock`` is a running `LambdaClock`, by default the one of the test.
        """
        self._set_up(config, clock=clock)

    @classmethod
    def _of_plugin(cls, config: FunctionConfig, **support: Any) -> ExecutionEnvironment:  # noqa: ANN401
        """Return an environment with what the pytest plugin supports it with; see `_set_up`."""
        environment = cls.__new__(cls)
        environment._set_up(config, **support)
        return environment

    def _set_up(
        self,
        config: FunctionConfig,
        *,
        clock: LambdaClock | None = None,
        keep: Keep | None = None,
        tampered: FindTampered | None = None,
        around_invoke: Callable[[object, functools.partial[Invocation]], Invocation] | None = None,
        observer: Callable[[Event], None] | None = None,
        folders: Callable[[], Folders] = Folders,
        seed: Seed | None = None,
        path_notes: PathNotes | None = None,
        make_another: Callable[..., ExecutionEnvironment] | None = None,
        adopt: Callable[[ExecutionEnvironment, str], None] | None = None,
    ) -> None:
        """Prepare an environment.

        ``clock`` is a running `LambdaClock`, by default the one of the test.  The pytest plugin
        passes the others.  ``keep`` says which modules are never imported afresh, ``tampered``
        which names of a module a test has patched; ``around_invoke`` wraps each invoke,
        ``observer`` is called with each event, ``folders`` returns those of the test and of the
        project, ``seed`` has the name of the environment too, and ``path_notes`` tell where entries
        of `sys.path` came from.
        """
        self.config = config
        self._clock = LambdaTime.current if clock is None else clock._time
        self._real_clock = None if self._clock is not None else FollowingClock(RealClock())
        """The clock of an environment that may join a `LambdaClock` before its first phase."""
        self._parts = Assembly(
            config,
            clock=cast("Clock", self._clock or self._real_clock),
            keep=keep,
            made_in="" if keep is not None else sys._getframe(1).f_code.co_filename,  # pyright: ignore[reportPrivateUsage]
            path_notes=path_notes or PathNotes(),
            tampered=tampered or patched_names,
            others=open_environments.others,
            observer=observer,
            folders=folders,
            seed=seed,
        )
        self._conductor = self._parts.conductor
        self._endings = self._conductor.endings
        self._around_invoke = around_invoke
        self._make_another = make_another
        self._adopt = adopt
        self._prepared: list[Callable[[ExecutionEnvironment], object]] = []
        """What prepares another environment of the function as the test has prepared this one."""
        self._judged = 0
        """The number of events that `_judge` has seen."""
        self._arn = (
            f"arn:aws:lambda:{config.region}:{config.account_id}:function:{config.function_name}"
        )
        place_spies(config, self._parts.probes.spy)
        self._tally: Tally | None = RUNS[-1]
        """The tally of the run, until the events have been counted there."""
        self._tally.made()
        open_environments.add(self, self._parts.world)
        if self._clock is not None:
            self._clock.attach(self._endings, self._parts.world)

    if not TYPE_CHECKING:  # type checkers refuse what these explain

        def __getattr__(self, name: str) -> object:
            raise no_attribute(self, name, _MEANT)

        def __call__(self, *arguments: object, **keywords: object) -> object:
            """Say how an environment is invoked."""
            raise TypeError("an environment is not called: invoke it, as in env.invoke(event)")

    def _require_clock(self, asked: str) -> None:
        """Join the clock that runs if no phase has run yet; refuse any other clock than our own."""
        __tracebackhide__ = True
        clock, real = LambdaTime.current, self._real_clock
        is_new = self._conductor.state is State.NEW and not self._conductor.phases
        if clock is not None and real is not None and is_new:
            self._parts.join(clock, real)
            clock.attach(self._endings, self._parts.world)
            self._clock, self._real_clock = clock, None
        require_clock(self._clock, asked, self.config.handler)

    # -- the lifecycle ----------------------------------------------------------------------------

    def initialize(self) -> Init:
        """Run Init ahead of the first invoke, as provisioned concurrency does.

        Raises `InitError` if it fails; it is not retried, and the next invoke includes an Init.
        """
        __tracebackhide__ = True
        self._require_clock("initialize")
        init = self._conductor.initialize()
        self._parts.foreign_code.tell()
        if init.status != "success":
            raise self._failure(init, not_ready=True)
        return init

    def snapshot(self) -> Snapshot:
        """Run Init and the before-snapshot hooks, as publishing a version with SnapStart does.

        ``env.snapshot().restore()`` returns another environment with the same state; `restore` goes
        on with this one.
        """
        __tracebackhide__ = True
        self._require_snap_start("take a snapshot")
        init = self.initialize()
        # Most tests have no SnapStart.
        from pytest_lambda_lifecycle.environment.checks.snapshots import Snapshot

        return Snapshot(init, self, self._copy)

    def _copy(self) -> ExecutionEnvironment:
        """Return another environment of the function, which lives as long as one of the test's."""
        self._require_open("restore a copy of the snapshot")
        made = self._another(for_test=True)
        if self._adopt is not None:
            self._adopt(made, caller())
        return made

    def _require_snap_start(self, asked: str) -> None:
        __tracebackhide__ = True
        kind = self.config.initialization_type
        if kind != "snap-start":
            source = self.config.source_of("initialization_type")
            raise InvalidTransition(
                f"cannot {asked}: initialization_type is {kind!r} (from {source}); "
                'set it to "snap-start"',
                code="LLC105",
            )

    def _another(self, shift: int = 0, *, for_test: bool = False) -> ExecutionEnvironment:
        """Return another environment of the same function, with the patches and faults of this one.

        It draws the same random numbers; with a ``shift``, others.
        """
        seed = Seed(self._parts.seed.number + shift, self._parts.seed.name)
        if self._make_another is None:
            made = ExecutionEnvironment._of_plugin(self.config, seed=seed)
        else:
            made = self._make_another(seed, for_test=for_test)
        for prepare in self._prepared:
            prepare(made)
        return made

    def restore(self) -> Restore:
        """Restore the snapshot: the after-restore hooks run.

        The first invoke restores the snapshot unless that was done.
        """
        __tracebackhide__ = True
        self._require_clock("restore")
        restore = self._conductor.restore()
        if restore.status != "success":
            raise self._failure(restore, not_ready=True)
        return restore

    def invoke(
        self,
        event: object = NO_EVENT,
        *misplaced: NoReturn,
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
        """Invoke the function; in a cold environment, Init runs first.

        ``event`` crosses as JSON, so the handler never sees the object of the test; `bytes` are
        sent unchanged.  Without an event the function gets ``{}``, as from Lambda.  ``identity``
        has the keys ``cognitoIdentityId`` and ``cognitoIdentityPoolId``.  ``headers`` are those of
        the Runtime API and win over the other arguments; a header of None is left out.
        ``remaining_ms`` shortens the function's time for this invoke.  A failed invoke raises
        `FunctionError` (`InitError`, `FunctionTimeout`, `RuntimeExit`, `ExtensionError`,
        `PayloadTooLarge`); with ``check=False`` the failed `Invocation` is returned instead.
        """
        __tracebackhide__ = True
        if LambdaTime.current is not self._clock:
            self._require_clock("invoke")
        if misplaced:
            refuse_positional(event, misplaced)
        # One chained comparison, since each invoke makes it: all of them are None.
        if (
            request_id
            is trace_id
            is content_type
            is tenant_id
            is client_context
            is identity
            is headers
            is None
        ):
            request = ordinary_request(event, self._arn)
        else:
            request = make_request(
                event,
                self._arn,
                request_id=request_id,
                trace_id=trace_id,
                content_type=content_type,
                tenant_id=tenant_id,
                client_context=client_context,
                identity=identity,
                headers=headers,
            )
        limit_us = None if remaining_ms is None else remaining_us(remaining_ms, self.config)
        if self._around_invoke is None:
            invocation = self._conductor.invoke(request, limit_us)
        else:
            proceed = functools.partial(self._conductor.invoke, request, limit_us)
            invocation = self._around_invoke(event, proceed)
        if self._parts.foreign_code.untold:
            self._parts.foreign_code.tell()
        if check and invocation.status != "success":
            not_ready = failures.failed_before_handler(self._conductor.phases, invocation)
            error = self._failure(invocation, not_ready=not_ready)
            if type(event) is str and event[:1] in ("{", "["):
                error._explain(
                    "The event is a str, which the handler gets as one: to send the JSON in it, "
                    "pass the dict, or the text as bytes."
                )
            raise error
        return invocation

    def _invoke_exactly(self, event: object) -> Invocation:
        """Invoke for an assertion that compares invokes: no mode of the suite acts in between."""
        __tracebackhide__ = True
        self._is_exact = True
        try:
            return self.invoke(event)
        finally:
            self._is_exact = False

    def _failure(self, phase: Init | Restore | Invocation, *, not_ready: bool) -> FunctionError:
        error = failures.function_error(phase, not_ready=not_ready)
        error.__cause__ = cause = failures.cause_of(phase)
        if cause is not None:
            without_imports(cause)
        # Most tests see no failure.
        from pytest_lambda_lifecycle.environment.hints import hints

        parts = self._parts
        for hint in hints(error, self.config, parts.task_root, parts.world, parts.foreign_code):
            error._explain(hint)
        self._explain_extension(error, cause)
        return error

    def _explain_extension(self, error: FunctionError, cause: BaseException | None) -> None:
        """Add advice about a port in use, or about an extension that cannot resolve a name."""
        from pytest_lambda_lifecycle.extensions.hints import hint_at_extension

        hint = hint_at_extension(
            error,
            cause,
            self.timeline,
            address=self._parts.api_address,
            holder=open_environments.holder_of,
        )
        if hint:
            error._explain(hint)

    def idle(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0) -> None:
        """Freeze the environment and let time pass.

        Nothing of it runs, and timers that came due fire late when it runs again.

        Under ``lambda_clock`` it takes no time; without it, wall and monotonic time are shifted for
        the whole process until the test ends.  Past the setting ``idle_timeout`` the environment
        spins down.
        """
        self._require_clock("idle")
        self._endings.idle(idle_span_us(seconds, minutes, hours))

    def reset(self) -> None:
        """Reset the environment, as a crash does.

        Globals go, ``/tmp`` stays, and the next invoke includes an Init.
        """
        self._endings.reset()

    def recycle(self) -> Shutdown:
        """Recycle the environment, as Lambda does every few hours.

        It ends with reason ``spindown``.  The next invoke is cold, in a new environment with an
        empty ``/tmp`` and a new log stream.
        """
        return self._endings.recycle()

    def shutdown(self, reason: str = "spindown") -> Shutdown:
        """Shut the environment down for good.

        ``reason`` is ``"spindown"``, ``"timeout"`` or ``"failure"``.  Without an extension the
        function's process ends at once: no signal, no `atexit`.  With one the function gets
        SIGTERM, and extensions that registered for it get the event SHUTDOWN (Lambda execution
        environment, "Shutdown phase").
        """
        if reason not in _REASONS:
            known = ", ".join(map(repr, _REASONS))
            raise LifecycleError(
                f"cannot shut down with reason {reason!r}: the reasons are {known}", code="LLC108"
            )
        cause = f"shut down (reason {reason}) at {caller()}"
        return self._endings.shutdown(reason, cause=cause)

    def close(self) -> None:
        """Shut down (reason ``spindown``) unless that was done, and remove ``/tmp``.

        It may be called again.
        """
        with Held():
            try:
                if self._conductor.state is not State.CLOSED:
                    cause = f"closed at {self._closed_at or caller()}"
                    self._endings.shutdown("spindown", cause=cause)
            finally:
                self._parts.files.settle()
                self._parts.storage.close()
                self._parts.world.hook.clear()
                self._make_another = self._adopt = None  # they lead back to this environment
                open_environments.remove(self)
                self._count()

    def _count(self) -> None:
        """Count what has happened, in the tally of the run."""
        tally, self._tally = self._tally, None
        if tally is not None:
            ended_at = self._closed_at.removeprefix("the end of ")
            tally.ended(self.config.handler, self._conductor.timeline, lambda: ended_at or caller())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        self.close()
        if value is None:
            self._judge()

    def _judge(self) -> None:
        """Check the settings that limit a test; raise `AssertionError` where one is exceeded.

        Only events count that no earlier call has seen.  The plugin calls it at the end of each
        test, and the end of a ``with`` statement calls it as well.
        """
        __tracebackhide__ = True
        self._parts.files.settle()
        self._parts.foreign_code.tell()
        conductor, first = self._conductor, self._judged
        history, parts = conductor.phases, self._parts
        phases = [phase for phase in history if phase.began_at_index >= first]
        evidence = Evidence(
            self.config, conductor.timeline, phases, history, first, parts.unseen_in_test
        )
        found = list(verdicts(evidence))
        self._skip_judgement()
        for verdict in found:
            if verdict.kind:
                RUNS[-1].note_verdict(verdict.kind, verdict.text)
            if not verdict.fails:
                warn(verdict.text)
        failures = [verdict.text for verdict in found if verdict.fails]
        if failures:
            raise AssertionError("\n".join(failures))

    def _skip_judgement(self) -> None:
        """Leave the events so far out of the next `_judge`: their test has ended or failed."""
        self._judged = len(self._conductor.timeline)
        self._parts.probes.forget_test()
        self._parts.calls.sight.forget_test()

    def __del__(self, _is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if _is_finalizing():  # the names of this module are gone, and nobody is left to be warned
            return
        # The handler, results and frames of errors are freed with it.  An open file among them
        # would cause a ResourceWarning in the test that happens to run at that moment.
        with freeing():
            self.__dict__.clear()

    # -- history ----------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The present state.

        ``"new"``, ``"init"``, ``"snapshot"``, ``"restore"``, ``"ready"``, ``"invoke"``,
        ``"crashed"``, ``"reset"``, ``"shutdown"`` or ``"closed"``.
        """
        return str(self._conductor.state.value)

    @property
    def seed(self) -> int:
        """The seed of the random numbers of `random`; the setting ``seed`` repeats them."""
        return self._parts.seed.number

    @property
    def timeline(self) -> Timeline:
        """All events so far; its ``repr`` is a readable table."""
        return self._conductor.timeline.shown

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
            raise LifecycleError(
                "there was no Init yet: the first invoke() runs it, or initialize()", code="LLC111"
            )
        return inits[-1]

    @property
    def invocations(self) -> list[Invocation]:
        """All invokes, also failed ones."""
        return [phase for phase in self._conductor.phases if isinstance(phase, Invocation)]

    @property
    def log(self) -> str:
        """The text that CloudWatch shows.

        It has the function's output and the platform's START, END, REPORT and other lines.
        """
        return platform_lines.log_text(self.timeline)

    @property
    def telemetry(self) -> list[dict[str, Any]]:
        """The records of the Telemetry API so far.

        Each is ``{"time": ..., "type": "platform.start", "record": {...}}``.
        """
        return records(self.timeline, self.config)

    # -- calls ------------------------------------------------------------------------------------

    @property
    def http_calls(self) -> list[HttpCall]:
        """HTTP requests that function code made so far, in order, without those of AWS calls."""
        return self.timeline.of(HttpCall)

    @property
    def aws_calls(self) -> list[AwsCall]:
        """Operations of AWS clients that function code called so far, in order."""
        return self.timeline.of(AwsCall)

    @property
    def calls(self) -> list[HttpCall | AwsCall]:
        """HTTP requests and AWS calls together, in the order in which they began."""
        return self.timeline.of(HttpCall, AwsCall)

    @property
    def aws_clients(self) -> list[AwsClient]:
        """Clients, resources and sessions of AWS's SDK that function code made so far."""
        return self.timeline.of(AwsClient)

    # -- the function's world ---------------------------------------------------------------------

    @property
    def tmp(self) -> Path:
        """The function's ``/tmp``, which `tempfile` uses; a reset keeps it, a recycle does not."""
        return self._parts.storage.path

    @property
    def module(self) -> ModuleType:
        """The module that holds the handler, as this environment imported it."""
        return self.import_module(HandlerName.parse(self.config.handler).module)

    def import_module(self, name: str) -> ModuleType:
        """Return a module as the function sees it; import it if need be.

        Raises `LifecycleError` before Init and after the end, when no such module is loaded.
        """
        state = self._conductor.state
        self._parts.world.given.add(name)
        if state is State.INVOKE or state is State.INIT:
            return importlib.import_module(name)
        if state is State.READY or state is State.SNAPSHOT:
            with Held():
                return self._parts.process.run(functools.partial(importlib.import_module, name))
        own = self._parts.world.modules.get(name)
        if own is not None:
            return own
        remedy = "it has ended" if state is State.CLOSED else "call initialize() or invoke() first"
        raise LifecycleError(
            f"cannot import {name!r} as the function sees it: the environment is in state "
            f"{self.state!r}; {remedy}",
            code="LLC110",
        )

    # -- observation ------------------------------------------------------------------------------

    def spy(self, target: str) -> Spy:
        """Record the calls of ``"package.module.name"`` that phases make.

        The calls go through to the original.  Functions, classes (their construction) and methods
        can be spied on, in the function's modules and in shared libraries.  Calls of a Python
        function or a class are seen wherever somebody keeps it: in a table of routes, a registry, a
        default value.  A spy on any other object (a C function, a `functools.partial`) is in place
        before function code can bind the name, if it is placed before the first phase.  Raises
        `LifecycleError` if the target does not exist, or if something holds such an object already;
        for a module that is not loaded yet, Init raises it.
        """
        __tracebackhide__ = True
        self._require_open(f"spy on {target!r}")
        return self._parts.probes.spy(target)

    def patch(self, target: str, value: object) -> None:
        """Replace ``"package.module.name"`` by ``value`` until the environment ends.

        If it is called before the first phase, the patch is in place for Init as well, from the
        moment at which the module binds the name: Init uses the value.  Raises `LifecycleError`
        with the place if something else holds the original (Init has bound it, a decorator has
        registered it), or if the target does not exist; for a module that is not loaded yet, Init
        raises it.
        """
        __tracebackhide__ = True
        self._require_open(f"patch {target!r}")
        self._parts.probes.patch(target, value)
        self._prepared.append(lambda other: other.patch(target, value))

    def latency(self, target: str, ms: float) -> None:
        """Declare that a call of ``"package.module.name"`` by a phase takes ``ms`` of virtual time.

        The time passes before the call runs.  Raises `LifecycleError` without ``lambda_clock``.
        """
        __tracebackhide__ = True
        self._require_open(f"give {target!r} a latency")
        if LambdaTime.current is not self._clock:
            self._require_clock("declare a latency")
        clock = self._clock
        if clock is None:
            raise LifecycleError(
                f"cannot give {target!r} a latency: this environment runs in real time; "
                "make it under lambda_clock",
                code="LLC404",
            )
        span_us = microseconds(ms, f"cannot give {target!r} a latency of ms:") // 1000
        self._parts.probes.latency(target, functools.partial(clock.spend, span_us))

    def fault(
        self,
        operation: str,
        error: str | int,
        *,
        times: int | None = None,
        phase: str | None = None,
        latency_ms: float = 0,
        status: int | None = None,
        message: str | None = None,
    ) -> Fault:
        """Let attempts at an AWS operation, such as ``"dynamodb.PutItem"``, fail below the retries.

        ``error`` is an error code (``"ThrottlingException"``), an HTTP status, ``"reset"`` for a
        closed connection or ``"timeout"`` for an answer that does not come.  ``times`` is the
        number of attempts that fail, retries included; without it all do until `Fault.remove`.
        ``phase`` is ``"init"``, ``"restore"``, ``"invoke"`` or ``"shutdown"``.  The answer takes
        ``latency_ms``: virtual time under ``lambda_clock``.  ``status`` is the HTTP status of a
        code; any code is accepted with it.  Faults of one operation apply in order, to function
        code alone, and stay after a reset.  Raises `LifecycleError` for an operation or an error
        that AWS does not have; a call that a `Stubber` answers raises it as well.
        """
        __tracebackhide__ = True
        self._require_open(f"declare a fault of {operation!r}")
        # The tables of error codes and the wire forms: most environments have no fault.
        from pytest_lambda_lifecycle.observation.calls.fault_checks import make_fault

        fault = make_fault(
            operation,
            error,
            times=times,
            phase=phase,
            latency_ms=latency_ms,
            status=status,
            message=message,
            spend=spend_time,
        )
        self._parts.calls.faults.add(fault)
        self._prepared.append(lambda other: other._parts.calls.faults.add(fault))
        return fault

    def assert_reused(self, *targets: str) -> None:
        """Assert that each ``"package.module.name"`` is the very object that the latest init made.

        Raises `AssertionError` with both objects and the invoke that replaced it, and
        `LifecycleError` if nothing was invoked since init, or if the environment has ended, so that
        there is nothing to compare.
        """
        __tracebackhide__ = True
        parts = self._parts
        assert_reused(targets, parts.runtime.snapshot, parts.world, self._conductor)

    def assert_init_only(self, *targets: str) -> None:
        """Assert that each target was called in init, and in no invoke.

        A target is ``"package.module.name"`` with a spy that was placed before the first phase (by
        `spy`, or by the setting ``init_only``).  Without a spy these can be named:
        ``"boto3.client"``, ``"boto3.resource"``, ``"boto3.Session"``, ``"Session.client"`` and
        ``"Session.resource"``.  A restore or a shutdown may call a target.  Raises
        `AssertionError` with the calls, their phases and lines, and `LifecycleError` if calls could
        not be seen, or if no handler has run.
        """
        __tracebackhide__ = True
        parts = self._parts
        assert_init_only(
            targets, self.timeline, self._conductor.phases, parts.probes, parts.calls.sight
        )

    def assert_no_network(self, phase: str | Phase | None = None) -> None:
        """Assert that function code reached nothing outside its process.

        It fails for each recorded HTTP request and AWS call, whether a mock answered or not, and
        for each connection, allowed or refused.  Requests to the environment's own APIs do not
        count.  ``phase`` is ``"init"``, ``"restore"``, ``"invoke"`` or ``"shutdown"`` (all phases
        of that kind), a phase such as `init`, or None for all.  Raises `LifecycleError` for a phase
        that has not run.
        """
        __tracebackhide__ = True
        conductor, api = self._conductor, self._parts.api_address
        assert_no_network(phase, self.timeline, conductor.phases, api)

    def assert_calls(self, phase: str | Phase | None, *expected: str) -> None:
        """Assert the HTTP requests and AWS calls of a phase, in order.

        Each is ``str(call)``, such as ``"dynamodb.PutItem"`` or ``"GET https://config.example/v1"``;
        secrets in a URL are redacted on both sides.  ``phase`` is as in `assert_no_network`.
        Raises `AssertionError` with the difference call by call, and `LifecycleError` for a phase
        that has not run.
        """
        __tracebackhide__ = True
        assert_calls(phase, expected, self.timeline, self._conductor.phases)

    def assert_no_state_leaks(self, *, ignore: Iterable[str] = ()) -> None:
        """Assert that no invoke leaves other state to later ones than it found.

        It judges `Invocation.state_changes` from the third invoke of a process on: what the first
        two change is settled (a client, a lazy import, a cache without arguments).  ``ignore`` has
        paths such as ``"shop.app.STATS.*"``; each covers everything below it, and ``*`` stands for
        any text.  State that is meant to stay is declared in the setting ``allowed_state``.  Raises
        `AssertionError` with paths, values and lines, and `LifecycleError` without the setting
        ``audit``, or after fewer than three invokes.
        """
        __tracebackhide__ = True
        from pytest_lambda_lifecycle.state.leaks import assert_no_state_leaks

        changes = self.timeline.of(StateChange)
        assert_no_state_leaks(ignore, changes, self.config, self._parts.audit)

    def assert_no_growth(
        self,
        event: object | Callable[[int], object] = NO_EVENT,
        invokes: int = 50,
        *,
        tracemalloc: bool = False,
        ignore: Iterable[str] = (),
    ) -> None:
        """Invoke the function ``invokes`` times, and assert that nothing grows with that number.

        ``event`` is sent each time; a function gets the index of the invoke and returns its event.
        Lengths of containers, objects of each class, open descriptors and threads are counted, and
        with ``tracemalloc`` the bytes that lines of function code have allocated.  A number that
        rises in each of the last three fifths of the invokes is growth; one that levels off is not.
        Raises `AssertionError` with the path, the rate per invoke and the line.
        """
        __tracebackhide__ = True
        self._require_open("measure growth")
        from pytest_lambda_lifecycle.state.growth import assert_no_growth

        assert_no_growth(
            self._invoke_exactly,
            self._parts.make_scene(),
            self.config,
            event=event,
            invokes=invokes,
            trace_memory=tracemalloc,
            ignore=ignore,
        )

    def assert_isolates(
        self, event_a: object, event_b: object, *more: object, ignore: Iterable[str] = ()
    ) -> None:
        """Assert that the data of one event does not show in the invoke of another one.

        The events are sent in order, then all but the last one again.  The distinctive values of an
        event (texts of four characters or more, numbers of five digits or more, which no other
        event contains) are looked for in the response, the log, the HTTP and AWS calls and the
        files of the others' invokes, and at the end in all state that can be reached.  ``ignore``
        is as in `assert_no_state_leaks`.  Raises `AssertionError` with the value and its place, and
        `LifecycleError` if an event has no distinctive value.
        """
        __tracebackhide__ = True
        self._require_open("compare events")
        from pytest_lambda_lifecycle.state.isolates import assert_isolates

        calls = self._parts.calls
        sent: list[tuple[Any, object]] = []
        calls.sent = sent
        try:
            assert_isolates(
                self._invoke_exactly,
                self._parts.make_scene(),
                self.config,
                events=(event_a, event_b, *more),
                encode=encode_event,
                sent=sent,
                ignore=ignore,
            )
        finally:
            calls.sent = None

    def assert_snapshot_safe(self, *, ignore: Iterable[str] = ()) -> None:
        """Assert that copies of one SnapStart snapshot share no value that has to be unique.

        Two more environments of the function run Init: a value that differs from one to the other
        (a UUID, random numbers, a moment, a temporary name), and that a restore leaves as it is, is
        shared by all environments that are restored from one snapshot.  So are sockets,
        credentials, and the generator of `random` where function code uses it.  ``ignore`` is as in
        `assert_no_state_leaks`; ``"random"`` is the generator.  Time passes, as in `idle`.  Raises
        `AssertionError` with paths, sources and lines, and `InvalidTransition` without SnapStart.
        """
        __tracebackhide__ = True
        self._require_snap_start("assert that a snapshot is safe")
        self._require_open("assert that a snapshot is safe")
        # Most tests have no SnapStart.
        from pytest_lambda_lifecycle.environment.checks.snapshot_safety import assert_snapshot_safe

        assert_snapshot_safe(self._another, self.config.handler, ignore=ignore)

    def _require_open(self, asked: str) -> None:
        __tracebackhide__ = True
        self._conductor.environment_state.require_open(asked)

    # -- extensions -------------------------------------------------------------------------------

    def extension(
        self,
        name: str,
        events: Iterable[str] = EVENTS,
        *,
        internal: bool = False,
        delay_ms: float = 0,
        registers: bool = True,
    ) -> RecordingExtension:
        """Add an extension that records its events (`RecordingExtension.events`), before Init.

        ``delay_ms`` is how long each event keeps it busy: virtual time under ``lambda_clock``.
        With ``registers=False`` it starts and never registers.  An ``internal`` one lives in the
        runtime's process and gets no SHUTDOWN.  Raises `ConfigError` for an extension that Lambda
        would refuse.
        """
        if not name:
            raise ConfigError(f"name={name!r}: an extension has to have a name", code="LLC207")
        wanted = None if events is EVENTS else events
        made = RecordingExtension(
            name, wanted, internal=internal, delay_ms=delay_ms, registers=registers
        )
        return self.add_extension(made)

    def add_extension(self, extension: X) -> X:
        """Add an extension of your own (see `Extension`), or a class that each init makes anew.

        Returns the extension.  It has to be added before Init.  Raises `ConfigError` for one that
        Lambda would refuse.
        """
        given: object = extension
        is_class = isinstance(given, type) and issubclass(given, Extension)
        if not is_class and not isinstance(given, Extension):
            raise ConfigError(
                f"cannot add {given!r}: it has to be an Extension object or class", code="LLC207"
            )
        name = extension_name(extension)
        self._require_open(f"add the extension {name!r}")
        if self._conductor.state not in {State.NEW, State.RESET}:
            raise InvalidTransition(
                f"cannot add the extension {name!r}: Init is over, and extensions register in it; "
                "add it before the first phase, or after reset()",
                code="LLC601",
            )
        group = self._parts.extensions
        group.objects.add(extension, group.names)
        return extension

    @property
    def extensions(self) -> tuple[Extension | ExtensionProgram, ...]:
        """The extensions: the objects that the latest Init made, then the programs.

        Threads of function code that register themselves are not among them.
        """
        group, timeline = self._parts.extensions, self.timeline
        programs = [ExtensionProgram(name, path, timeline) for name, path in group.programs.files]
        return (*group.objects.made, *programs)

    def crash(self, participant: str = "runtime") -> None:
        """End a process of the frozen environment: the runtime's, or that of an extension by name.

        As on Lambda, the next invoke notices it: that invoke fails (`RuntimeExit`,
        `ExtensionError`) and resets the environment.  The exit status is 1; an extension that is a
        program gets SIGKILL.
        """
        self._require_frozen(f"crash {participant!r}")
        if participant == "runtime":
            self._endings.crash(Exited(1))
        else:
            self._endings.crash(self._parts.extensions.kill(participant, 1))

    def kill_extension(self, name: str) -> None:
        """Kill an extension (SIGKILL) while the environment is frozen; see `crash`."""
        self._require_frozen(f"kill the extension {name!r}")
        if name == "runtime":
            raise LifecycleError(
                "cannot kill the extension 'runtime': that is the runtime; use crash()",
                code="LLC602",
            )
        self._endings.crash(self._parts.extensions.kill(name, -9))

    def drop_telemetry(self, name: str) -> None:
        """Stop delivering telemetry to an extension, as if its listener had died.

        The timeline then has `LogsDropped`, ``platform.logsDropped`` in telemetry.
        """
        self._require_frozen(f"drop the telemetry of {name!r}")
        self._parts.extensions.drop_telemetry(name)

    def flush_telemetry(self) -> None:
        """Deliver to each subscriber the telemetry that waits for its batch, and wait for that.

        The extensions run meanwhile, and are frozen again; all of it is in real time, and takes no
        virtual time.  Raises `LifecycleError` if nobody has subscribed, or if records did not
        arrive.
        """
        self._require_frozen("flush the telemetry")
        parts = self._parts
        with self._conductor.environment_state.doing("flush the telemetry"):
            release = parts.process.hold_streams()
            try:
                parts.extensions.flush_telemetry()
            finally:
                release()

    def _require_frozen(self, asked: str) -> None:
        self._require_open(asked)
        if self._conductor.state not in {State.READY, State.CRASHED}:
            raise InvalidTransition(
                f"cannot {asked}: the environment is in state {self.state!r}, in which no process "
                "is frozen; call initialize() or invoke() first",
                code="LLC106",
            )

    def __repr__(self) -> str:
        handler, phases = self.config.handler, self.phases.names
        return f"<ExecutionEnvironment {handler!r}: {self.state}, phases {phases}>"
