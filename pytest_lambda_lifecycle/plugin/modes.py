"""Modes of a whole suite, which act on the environments of tests that do not expect it.

``--lambda-lifecycle-cold`` lets each invoke run in a fresh environment, ``-warm=N`` sends the first
event of a test N times before, and ``-chaos`` resets, recycles and idles between invokes.  Without
one of the options pytest does not import this module, and an invoke does not ask for it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from pytest_lambda_lifecycle.conductor.warm_up import make_ready, warm_up
from pytest_lambda_lifecycle.environment.request import another_request
from pytest_lambda_lifecycle.isolation.patchers import PATCHERS
from pytest_lambda_lifecycle.lifecycle.events import SuiteMode
from pytest_lambda_lifecycle.lifecycle.progress import Progress
from pytest_lambda_lifecycle.observation.calls.faults import Faults
from pytest_lambda_lifecycle.observation.misplaced import paths_to
from pytest_lambda_lifecycle.plugin import options

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
    from pytest_lambda_lifecycle.lifecycle.events import Event
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
    from pytest_lambda_lifecycle.lifecycle.outcome import Request
    from pytest_lambda_lifecycle.plugin.failure_report import FailureReports

__all__ = ["Modes", "ModesOfEnvironment", "modes_of", "pass_to_worker", "show_on"]

_key: Final[pytest.StashKey[Modes]] = pytest.StashKey()
"""On the config: the modes of this run."""
_MOST_WARM_UPS: Final = 10_000
_IDLE_HOURS: Final = 12
RANDOM: Final = "random"
"""The value of the option ``chaos`` for another seed in each run."""


class Modes(NamedTuple):
    """The modes of a run."""

    cold: bool
    warm: int
    chaos: int | None
    """The seed; None without chaos."""

    def shown(self) -> list[str]:
        """Return the modes as the report header shows options."""
        found = ["cold"] if self.cold else []
        found += [f"warm={self.warm}"] if self.warm else []
        return [*found, *([] if self.chaos is None else [f"chaos={self.chaos}"])]

    def in_words(self) -> str:
        """Return the options that repeat these modes."""
        return " ".join(f"--lambda-lifecycle-{shown}" for shown in self.shown())


def modes_of(config: pytest.Config) -> Modes | None:
    """Return the modes of a run, or None; raise `pytest.UsageError` for values they do not take."""
    modes = config.stash.get(_key, None)
    if modes is None:
        modes = config.stash[_key] = _read(config)
    return modes if any((modes.cold, modes.warm, modes.chaos is not None)) else None


def _read(config: pytest.Config) -> Modes:
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for option, on_command_line, value in options.given(config, options.MODES):
        values[option.setting] = value
        sources[option.setting] = (
            option.flag if on_command_line else options.ini_source(config, option)
        )
    cold = bool(values.get("cold"))
    warm = _number("warm", values, sources, 0, _MOST_WARM_UPS) if "warm" in values else 0
    chaos: int | None = None
    if "chaos" in values:
        values["chaos"] = _of_controller(config) or values["chaos"]
        if values["chaos"] == RANDOM:
            values["chaos"] = random.SystemRandom().getrandbits(32)
        chaos = _number("chaos", values, sources, 0, sys.maxsize)
    if cold and (warm or chaos is not None):
        other = "warm" if warm else "chaos"
        raise pytest.UsageError(
            f"{sources['cold']} and {sources[other]} exclude each other: with the first, each "
            "invoke runs in a fresh environment; run the suite once with each"
        )
    return Modes(cold, warm, chaos)


def pass_to_worker(workerinput: dict[str, object], config: pytest.Config) -> None:
    """Give a worker of pytest-xdist the seed that was chosen for the run.

    A worker reads the command line again, and would choose a seed of its own.
    """
    modes = modes_of(config)
    if modes is not None and modes.chaos is not None:
        workerinput[options.CHAOS.ini] = str(modes.chaos)


def _of_controller(config: pytest.Config) -> object:
    return getattr(config, "workerinput", {}).get(options.CHAOS.ini)


def _number(
    name: str, values: dict[str, object], sources: dict[str, str], low: int, high: int
) -> int:
    text = str(values[name])
    try:
        number = int(text)
    except ValueError:
        number = -1
    if low <= number <= high:
        return number
    takes = f"a whole number from {low} to {high}"
    if name == "chaos":
        takes = (
            f"a seed, which is a whole number of {low} or more, or {RANDOM}; put the option "
            "behind the paths, or give it a value with =, so that it takes no path for its seed"
        )
    raise pytest.UsageError(f"{sources[name]}: {text!r} is not {takes}")


def show_on(report: pytest.TestReport, item: pytest.Item, failure_reports: FailureReports) -> None:
    """Show the modes in the report of a failed test on whose environments they have acted."""
    modes = modes_of(item.config)
    if modes is not None and not _is_exact(item):
        failure_reports.show_modes_on(report, modes.in_words())


class ModesOfEnvironment:
    """Acts on one environment before its invokes."""

    def __init__(
        self,
        modes: Modes,
        *,
        name: str,
        item: Callable[[], pytest.Item | None],
        proceed: Callable[[object, Callable[[], Invocation]], Invocation] | None,
        unobserved: Callable[[Callable[[], list[Event]]], None],
    ) -> None:
        """``name`` tells the environment from others of its node.

        ``item`` returns the running item, ``proceed`` runs the hook around an invoke if somebody
        implements it, and ``unobserved`` runs a call whose events are not announced.
        """
        self.environment: ExecutionEnvironment | None = None
        self._modes = modes
        self._name = name
        self._item = item
        self._proceed = proceed
        self._unobserved = unobserved
        self._latest: pytest.Item | None = None
        self._invokes = 0
        """The number of invokes in the latest item."""

    def around_invoke(self, event: object, proceed: partial[Invocation]) -> Invocation:
        """Act, and run an invoke."""
        __tracebackhide__ = True
        item = self._item()
        environment = self.environment
        if item is not self._latest:
            self._latest, self._invokes = item, 0
        self._invokes += 1
        if self._modes.chaos is not None:
            Progress.tell("chaos: invoke", self._invokes)
        is_exact = environment is None or environment._is_exact
        if environment is not None and not is_exact and (item is None or not _is_exact(item)):
            self._act(environment, "" if item is None else item.nodeid, proceed)
        return proceed() if self._proceed is None else self._proceed(event, proceed)

    def _act(
        self, environment: ExecutionEnvironment, node_id: str, proceed: partial[Invocation]
    ) -> None:
        __tracebackhide__ = True
        modes = self._modes
        if modes.cold and _has_invoked(environment):
            self._renew(environment, "cold", "recycle")
        if modes.chaos is not None and _has_invoked(environment):
            chance = random.Random(f"{modes.chaos} {node_id} {self._name} {self._invokes}")
            action = chance.choice(("", "", "", "reset", "recycle", "idle"))
            if action == "idle":
                hours = chance.randint(1, _IDLE_HOURS)
                _note(environment, "chaos", f"idle for {hours} h")
                environment.idle(hours=hours)
            elif action:
                self._renew(environment, "chaos", action)
        if modes.warm and self._invokes == 1:
            self._warm_up(environment, *proceed.args)

    def _renew(self, environment: ExecutionEnvironment, mode: str, action: str) -> None:
        """Reset or recycle, unless the test would lose a patch on the function's modules by it."""
        __tracebackhide__ = True
        patched = _patched(environment)
        if patched:
            _note(environment, mode, f"no {action}, since the test has patched {patched}")
            return
        _note(environment, mode, action)
        if action == "reset":
            environment.reset()
        else:
            environment.recycle()

    def _warm_up(
        self, environment: ExecutionEnvironment, request: Request, limit_us: int | None
    ) -> None:
        __tracebackhide__ = True
        if not make_ready(environment._conductor):
            return
        times = self._modes.warm
        marked = SuiteMode(0, "warm", f"the event was sent before, {_times(times)}")
        requests = (another_request(request) for _ in range(times))
        parts = environment._parts
        http = sys.modules.get("pytest_lambda_lifecycle.observation.calls.lambda_http")
        forget_requests = None if http is None else http.note_requests()
        faults, parts.calls.faults = parts.calls.faults, Faults()  # they wait for the test's events
        try:
            self._unobserved(partial(warm_up, parts.conductor, requests, limit_us, marked))
        finally:
            parts.calls.faults = faults
            if forget_requests is not None:
                forget_requests()


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _is_exact(item: pytest.Item) -> bool:
    return item.get_closest_marker("lambda_lifecycle_exact") is not None


def _has_invoked(environment: ExecutionEnvironment) -> bool:
    """Say whether the latest phase was an invoke after which the environment is warm."""
    phases = environment._conductor.phases
    return environment.state == "ready" and bool(phases) and phases[-1].name == "invoke"


def _note(environment: ExecutionEnvironment, mode: str, action: str) -> None:
    conductor = environment._conductor
    conductor.timeline.append(SuiteMode(conductor.clock.now_us(), mode, action))


def _patched(environment: ExecutionEnvironment) -> str:
    """Return a name of the function's modules that the test has patched now; ``""`` without one."""
    for patch in PATCHERS.noted():
        for name, module in environment._parts.world.own_modules().items():
            for path in paths_to(patch, module):
                return f"{name}.{path}"
    return ""
