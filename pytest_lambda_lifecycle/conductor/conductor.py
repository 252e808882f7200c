"""The platform: conducts runtime and extensions through the phases of the lifecycle.

The phases stand in files of their own, in the order of AWS's description (Developer Guide,
"Understanding the Lambda execution environment lifecycle"): `init`, `invoke`, `shutdown`; resets
and other ends in `ending`.  All of them change the state through `EnvironmentState.move`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.conductor.ending import Endings
from pytest_lambda_lifecycle.conductor.init import InitSequence, Start
from pytest_lambda_lifecycle.conductor.invoke import InvokeSequence
from pytest_lambda_lifecycle.conductor.runtime_turns import RuntimeTurns
from pytest_lambda_lifecycle.conductor.state import EnvironmentState
from pytest_lambda_lifecycle.errors import InvalidTransition
from pytest_lambda_lifecycle.isolation.held_signals import Held
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.rules import Limit, State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.dependencies import Dependencies
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
    from pytest_lambda_lifecycle.lifecycle.outcome import Request
    from pytest_lambda_lifecycle.lifecycle.phases import Init, Phase, Restore
    from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline

__all__ = ["Conductor"]


class Conductor:
    """One execution environment as the platform sees it."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self.config = deps.config
        self.timeline: WritableTimeline = deps.timeline
        self.clock: Clock = deps.clock
        self.environment_state = state = EnvironmentState(deps.clock.now_us())
        self.endings = Endings(deps, state)
        runtime_turns = RuntimeTurns(deps, state)
        self._init = InitSequence(deps, state, runtime_turns, self.endings)
        self._invoke = InvokeSequence(deps, state, runtime_turns, self.endings)
        self._timeout = Limit(deps.config.timeout * 1_000_000, deps.config.timeout)

    @property
    def state(self) -> State:
        """The state of the environment."""
        return self.environment_state.current

    @property
    def phases(self) -> list[Phase]:
        """The phases so far, also those that failed."""
        return self.environment_state.phases

    def initialize(self) -> Init:
        """Run Init ahead of the first invoke, once, whether it succeeds or not."""
        state = self.environment_state
        with state.doing("initialize"):
            if state.current is not State.NEW:
                ended = state.current is State.CLOSED
                raise InvalidTransition(
                    f"cannot initialize: {state.describe()}; "
                    "Init runs once, before the first invoke; after reset() the next invoke runs "
                    "it again",
                    code="LLC101" if ended else "LLC103",
                )
            return self._init.init()

    def initialize_anew(self) -> Init:
        """Run Init ahead of the next invoke after a reset; Lambda runs it inside that invoke."""
        with self.environment_state.doing("initialize"):
            return self._init.init()

    def restore(self) -> Restore:
        """Restore the snapshot: the after-restore hooks run."""
        state = self.environment_state
        with state.doing("restore"):
            if state.current is not State.SNAPSHOT:
                raise InvalidTransition(
                    f"cannot restore: {state.describe()}; a snapshot is taken by initialize() "
                    'or snapshot() with initialization_type="snap-start", and restored once',
                    code="LLC104",
                )
            return self._init.restore()

    def invoke(self, request: Request, remaining_us: int | None = None) -> Invocation:
        """Run Invoke, and before it Init or Restore where the environment is cold."""
        __tracebackhide__ = True
        state = self.environment_state
        current: object = stage.current
        if state.current is not State.READY or current is not self._deps.process or stage.hold:
            with Held():
                return self._run(state, request, remaining_us)
        return self._run(state, request, remaining_us)

    def _run(
        self, state: EnvironmentState, request: Request, remaining_us: int | None
    ) -> Invocation:
        __tracebackhide__ = True
        if not state.lock.acquire(False):  # by name takes longer
            raise state.busy("invoke")
        try:
            if self.config.max_lifetime is not None:
                self.endings.recycle_if_due()
            limit = self._timeout
            if remaining_us is not None:
                limit = Limit(remaining_us, limit.seconds)
            start = _WARM if state.current is State.READY else self._init.start_cold(limit)
            return self._invoke.run(request, limit, start)
        except BaseException:
            # An observer raised: the request is lost, and the environment stays as it is.
            if state.current is State.INVOKE:
                state.move(State.READY)
            raise
        finally:
            state.lock.release()


_WARM: Final = Start()
