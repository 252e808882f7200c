"""`lifecycle_machine`: a state machine of Hypothesis over the lifecycles of a function."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pytest_lambda_lifecycle.errors import LifecycleError

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy
    from typing_extensions import Unpack

    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
    from pytest_lambda_lifecycle.function.settings import FunctionSettings
    from pytest_lambda_lifecycle.plugin.machine_rules import LifecycleMachine

__all__ = ["lifecycle_machine"]

ACTIONS: Final = ("idle", "timeout", "reset", "recycle", "crash", "shutdown", "new")
"""The actions beside invoke, by their names."""


def lifecycle_machine(
    handler: str | None = None,
    *,
    events: SearchStrategy[Any],
    actions: Iterable[str | Callable[[ExecutionEnvironment], object]] = ACTIONS,
    invariants: Iterable[Callable[[ExecutionEnvironment], object]] = (),
    **settings: Unpack[FunctionSettings],
) -> type[LifecycleMachine]:
    """Return a rule-based state machine that invokes a function through lifecycles.

    ``TestLifecycles = lifecycle_machine("app.handler", events=...).TestCase`` is a test.
    Hypothesis draws sequences of invokes and actions, in virtual time, and shrinks one that fails.
    ``events`` is a strategy.  ``actions`` are some of ``"idle"``, ``"timeout"``, ``"reset"``,
    ``"recycle"``, ``"crash"``, ``"shutdown"`` and ``"new"`` (another environment beside), and
    callables that take an environment.  Each of ``invariants`` is called after each step with each
    open environment that has handled an event; it fails the machine by an exception, or by
    returning False.  So does an error of the handler; an error that an action has caused does not.
    The other keywords are settings.
    Raises `LifecycleError` where Hypothesis is not installed.
    """
    __tracebackhide__ = True
    machine_rules = _rules()
    strategy = _strategy(events)
    chosen = list(_listed("actions", actions))
    for action in chosen:
        _check_action(action)
    checks = list(_listed("invariants", invariants))
    for check in checks:
        if not callable(check):
            _refuse("invariants", check, "each is a callable that takes an environment")
    frame = sys._getframe(1)
    machine: type[LifecycleMachine] = machine_rules.make_machine(
        {"handler": handler, **settings},
        strategy,
        chosen,
        checks,
        module=str(frame.f_globals.get("__name__")),
        made_at=f"{frame.f_code.co_filename}:{frame.f_lineno}",
    )
    return machine


def _rules() -> Any:  # noqa: ANN401  # the module, which needs Hypothesis
    try:
        importlib.import_module("hypothesis.stateful")
    except ImportError as problem:
        raise LifecycleError(
            f"cannot make a lifecycle_machine: Hypothesis cannot be imported ({problem})",
            "It is optional: pip install 'pytest-lambda-lifecycle[hypothesis]'",
            code="LLC874",
        ) from problem
    from pytest_lambda_lifecycle.plugin import machine_rules

    return machine_rules


def _strategy(events: object) -> object:
    from hypothesis.strategies import SearchStrategy

    if not isinstance(events, SearchStrategy):
        takes = "it takes a strategy, such as st.fixed_dictionaries({'id': st.integers()})"
        _refuse("events", events, takes)
    return events


def _listed(name: str, given: object) -> Iterable[Any]:
    if isinstance(given, (str, bytes)) or callable(given) or not isinstance(given, Iterable):
        _refuse(name, given, "it takes a list")
    return given


def _check_action(action: object) -> None:
    if callable(action) or action in ACTIONS:
        return
    near = difflib.get_close_matches(str(action), ACTIONS, n=1)
    known = f"the actions are {', '.join(ACTIONS)}, and callables that take an environment"
    _refuse("actions", action, f"did you mean {near[0]!r}?  {known}" if near else known)


def _refuse(name: str, given: object, takes: str) -> NoReturn:
    raise LifecycleError(
        f"cannot make a lifecycle_machine with {name}={given!r}: {takes}", code="LLC875"
    )
