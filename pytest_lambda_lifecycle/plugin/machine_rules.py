"""The rules of `lifecycle_machine`.  This module alone imports Hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import datetime, timezone
from typing import Any, ClassVar, Final, cast

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from pytest_lambda_lifecycle.clock.lambda_time import LambdaTime
from pytest_lambda_lifecycle.clock.public_clock import LambdaClock
from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
from pytest_lambda_lifecycle.environment.request import ordinary_request
from pytest_lambda_lifecycle.function.config import FunctionConfig
from pytest_lambda_lifecycle.isolation.parts.random_numbers import Seed
from pytest_lambda_lifecycle.isolation.real import RealTime
from pytest_lambda_lifecycle.lifecycle.progress import Progress
from pytest_lambda_lifecycle.plugin.fixtures import LambdaLifecycle

__all__ = ["LifecycleMachine", "make_machine"]

_MOST_ENVIRONMENTS: Final = 3
_STEPS: Final = 20
_DAY_MINUTES: Final = 24 * 60
_PAST_DEADLINE_US: Final = -1
"""The time that is left for an invoke that times out, whatever the handler does."""

environments: Final[Bundle[ExecutionEnvironment]] = Bundle("environments")


class _TestCases:
    """Gives each machine its test: pytest then makes environments by the settings of the suite."""

    def __get__(self, instance: object, owner: type[LifecycleMachine]) -> type[Any]:
        made = owner.__dict__.get("_test_case")
        if made is None:
            made = owner._test_case = _test_case(owner, super(LifecycleMachine, owner).TestCase)
        return made


class LifecycleMachine(RuleBasedStateMachine):
    """Invokes a function through lifecycles; made by `lifecycle_machine`.

    Each run of it is in virtual time, from the same moment on.
    """

    environments = environments
    """The open environments, for rules of a subclass: ``@rule(env=Machine.environments)``."""
    TestCase = _TestCases()
    """A test that runs the machine."""

    _call: ClassVar[Mapping[str, object]] = {}
    _made_at: ClassVar[str] = ""
    _invariants_of_test: ClassVar[list[Callable[[ExecutionEnvironment], object]]] = []
    _lifecycle: ClassVar[LambdaLifecycle | None] = None
    """The fixture of the test that runs, if pytest runs it."""
    _runs: ClassVar[int] = 0
    """How often Hypothesis has run the machine in this test; while it shrinks, it runs it more."""
    _test_case: ClassVar[type[Any] | None] = None
    _starts_at: ClassVar[datetime | None] = None

    def __init__(self) -> None:
        super().__init__()
        owner = type(self)
        owner._runs += 1
        Progress.tell("lifecycle_machine", owner._runs, owner.TestCase.settings.max_examples)
        self._open: list[ExecutionEnvironment] = []
        self._made = 0
        self._stack = ExitStack()
        cls = LifecycleMachine
        if cls._starts_at is None:
            cls._starts_at = datetime.fromtimestamp(int(RealTime.time()), timezone.utc)
        if LambdaTime.current is None:
            self._stack.enter_context(LambdaClock(cls._starts_at))

    def teardown(self) -> None:
        """End the environments and virtual time."""
        self._stack.close()

    def _new(self) -> ExecutionEnvironment:
        self._made += 1
        seed = Seed(cast("int", self._call.get("seed") or 0), f"machine {self._made}")
        lifecycle = self._lifecycle
        if lifecycle is None:
            config = FunctionConfig(**cast("Any", dict(self._call)))
            made = ExecutionEnvironment._of_plugin(config, seed=seed)
        else:
            made = lifecycle._maker(self._call, self._made_at)(seed)
        self._stack.enter_context(closing(made))
        self._open.append(made)
        return made

    # -- rules ------------------------------------------------------------------------------------

    @initialize(target=environments)
    def begin(self) -> ExecutionEnvironment:
        """Make the first environment."""
        return self._new()


def _holds(self: LifecycleMachine) -> None:
    """Check the invariants of the test in each environment that has handled an event."""
    __tracebackhide__ = True
    for env in self._open:
        if env.invocations:
            for check in self._invariants_of_test:
                if check(env) is False:
                    name = getattr(check, "__name__", repr(check))
                    raise AssertionError(f"the invariant {name} does not hold for {env!r}")


def _invoke(self: LifecycleMachine, env: ExecutionEnvironment, event: object) -> None:
    __tracebackhide__ = True
    crashed = env.state == "crashed"  # this invoke finds the end of a process, and fails by it
    env.invoke(event, check=not crashed)


def _idle(self: LifecycleMachine, env: ExecutionEnvironment, minutes: int) -> None:
    env.idle(minutes=minutes)


def _time_out(self: LifecycleMachine, env: ExecutionEnvironment, event: object) -> None:
    """Let the handler run, and its time be over before it answers."""
    __tracebackhide__ = True
    if env.state == "new":
        env.initialize()
    env._conductor.invoke(ordinary_request(event, env._arn), _PAST_DEADLINE_US)


def _reset(self: LifecycleMachine, env: ExecutionEnvironment) -> None:
    if env.state != "new":
        env.reset()


def _recycle(self: LifecycleMachine, env: ExecutionEnvironment) -> None:
    if env.state != "new":
        env.recycle()


def _crash(self: LifecycleMachine, env: ExecutionEnvironment) -> None:
    if env.state in ("ready", "crashed"):
        env.crash()


def _shut_down(self: LifecycleMachine, env: ExecutionEnvironment) -> ExecutionEnvironment:
    """End an environment; another one takes its place."""
    env.shutdown()
    self._open.remove(env)
    return self._new()


def _another(self: LifecycleMachine) -> ExecutionEnvironment:
    return self._new()


def _has_room(self: LifecycleMachine) -> bool:
    return len(self._open) < _MOST_ENVIRONMENTS


def make_machine(
    call: Mapping[str, object],
    events: st.SearchStrategy[Any],
    actions: Iterable[str | Callable[[ExecutionEnvironment], object]],
    invariants: list[Callable[[ExecutionEnvironment], object]],
    *,
    module: str,
    made_at: str,
) -> type[LifecycleMachine]:
    """Return the machine of one function."""
    namespace: dict[str, Any] = {
        "__module__": module,
        "_call": call,
        "_made_at": made_at,
        "_invariants_of_test": invariants,
        "invoke": _named(rule(env=environments, event=events), _invoke, "invoke"),
    }
    if invariants:
        namespace["holds"] = _named(invariant(), _holds, "holds")
    for name, made in _rules(events, actions):
        namespace[name] = made
    return type("LifecycleMachine", (LifecycleMachine,), namespace)


def _rules(
    events: st.SearchStrategy[Any],
    actions: Iterable[str | Callable[[ExecutionEnvironment], object]],
) -> Iterator[tuple[str, Any]]:
    """Yield the rules of the actions, by the names under which Hypothesis shows them."""
    on_one = rule(env=environments)
    replaces = rule(target=environments, env=consumes(environments))
    known: dict[str, tuple[Any, Callable[..., object], str]] = {
        "idle": (rule(env=environments, minutes=st.integers(1, _DAY_MINUTES)), _idle, "idle"),
        "timeout": (rule(env=environments, event=events), _time_out, "time_out"),
        "reset": (on_one, _reset, "reset"),
        "recycle": (on_one, _recycle, "recycle"),
        "crash": (on_one, _crash, "crash"),
        "shutdown": (replaces, _shut_down, "shut_down"),
        "new": (rule(target=environments), _another, "another"),
    }
    taken = {"invoke", *(name for _, _, name in known.values()), *vars(RuleBasedStateMachine)}
    for number, action in enumerate(actions, 1):
        if isinstance(action, str):
            decorate, function, name = known[action]
            made = _named(decorate, function, name)
            yield name, precondition(_has_room)(made) if action == "new" else made
            continue
        name = getattr(action, "__name__", "")
        if not name.isidentifier() or name in taken:
            name = f"action_{number}"
        taken.add(name)
        yield name, _named(on_one, _acting(action), name)


def _acting(action: Callable[[ExecutionEnvironment], object]) -> Callable[..., None]:
    def act(self: LifecycleMachine, env: ExecutionEnvironment) -> None:
        __tracebackhide__ = True
        action(env)

    return act


def _named(decorate: Any, function: Callable[..., object], name: str) -> Any:  # noqa: ANN401
    """Return a rule, which Hypothesis shows by the name of its function."""

    def copy(self: LifecycleMachine, **drawn: Any) -> object:  # noqa: ANN401
        __tracebackhide__ = True
        return function(self, **drawn)

    copy.__name__ = copy.__qualname__ = name
    return decorate(copy)


def _test_case(owner: type[LifecycleMachine], base: type[Any]) -> type[Any]:
    """Return a test case that hands the machine the fixture of the running test.

    It leaves out the phase in which Hypothesis explains a failure by the lines that only failures
    run: that traces every line of this package, and takes ten times as long as all other phases.
    A lifecycle of 20 steps takes less than half the time of one of 50, which is the default of
    Hypothesis.
    """

    @pytest.fixture(autouse=True)
    def _hand_over(self: object, lambda_lifecycle: LambdaLifecycle) -> Iterator[None]:
        owner._lifecycle = lambda_lifecycle
        owner._runs = 0
        yield
        owner._lifecycle = None

    phases = [phase for phase in base.settings.phases if phase is not Phase.explain]
    steps = base.settings.stateful_step_count
    attributes = {
        "__module__": owner.__module__,
        "_hand_over": _hand_over,
        "settings": settings(base.settings, phases=phases, stateful_step_count=min(steps, _STEPS)),
    }
    return type(base.__name__, (base,), attributes)
