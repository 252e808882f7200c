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
from pytest_lambda_lifecycle.lifecycle.rules import Limit, State

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.dependencies import Dependencies
    from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
    from pytest_lambda_lifecycle.lifecycle.outcome import Request
    from pytest_lambda_lifecycle.lifecycle.phases import Init, Phase, Restore
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["Conductor"]


class Conductor:
    """One execution environment as the platform sees it."""

    def __init__(self, deps: Dependencies) -> None:
        self.config = deps.config
        self.timeline: Timeline = deps.timeline
        self.clock: Clock = deps.clock
        self.standing = state = EnvironmentState(deps.clock.now_us())
        self.endings = Endings(deps, state)
        runtime_turns = RuntimeTurns(deps, state)
        self._init = InitSequence(deps, state, runtime_turns, self.endings)
        self._invoke = InvokeSequence(deps, state, runtime_turns, self.endings)
        self._timeout = Limit(deps.config.timeout * 1_000_000, deps.config.timeout)

    @property
    def state(self) -> State:
        """The state of the environment."""
        return self.standing.current

    @property
    def phases(self) -> list[Phase]:
        """The phases so far, also those that failed."""
        return self.standing.phases

    def initialize(self) -> Init:
        """Run Init ahead of the first invoke, once, whether it succeeds or not."""
        standing = self.standing
        with standing.doing("initialize"):
            if standing.current is not State.NEW:
                ended = standing.current is State.CLOSED
                raise InvalidTransition(
                    f"cannot initialize: {standing.describe()}; "
                    "Init runs once, before the first invoke",
                    code="LLC101" if ended else "LLC103",
                )
            return self._init.init()

    def restore(self) -> Restore:
        """Restore the snapshot: the after-restore hooks run."""
        standing = self.standing
        with standing.doing("restore"):
            if standing.current is not State.SNAPSHOT:
                raise InvalidTransition(
                    f"cannot restore: {standing.describe()}; a snapshot is taken by initialize() "
                    'or snapshot() with initialization_type="snap-start", and restored once',
                    code="LLC104",
                )
            return self._init.restore()

    def invoke(self, request: Request, remaining_us: int | None = None) -> Invocation:
        """Run Invoke, and before it Init or Restore where the environment is cold."""
        __tracebackhide__ = True
        standing = self.standing
        if not standing.lock.acquire(blocking=False):
            raise standing.busy("invoke")
        try:
            if self.config.max_lifetime is not None:
                self.endings.take_away_if_due()
            limit = self._timeout
            if remaining_us is not None:
                limit = Limit(remaining_us, limit.seconds)
            start = _WARM if standing.current is State.READY else self._init.start_cold(limit)
            return self._invoke.run(request, limit, start)
        except BaseException:
            # An observer raised: the request is lost, and the environment stays as it is.
            if standing.current is State.INVOKE:
                standing.move(State.READY)
            raise
        finally:
            standing.lock.release()


_WARM: Final = Start()
