"""``assert_init_only``: targets that init calls, and no invoke.

Calls of a restore and of a shutdown are allowed: both happen once in the life of an environment,
and an after-restore hook has to make connections again, which a snapshot cannot hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.errors import ConfigError, LifecycleError
from pytest_lambda_lifecycle.lifecycle.call_events import AwsClient
from pytest_lambda_lifecycle.lifecycle.events import Event, SpyCall
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.numbers import in_words
from pytest_lambda_lifecycle.lifecycle.phases import Init, Phase, Restore
from pytest_lambda_lifecycle.observation.calls.tally import by_phase
from pytest_lambda_lifecycle.observation.evidence import Evidence, Verdict

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline
    from pytest_lambda_lifecycle.observation.calls.client_sight import ClientSight
    from pytest_lambda_lifecycle.observation.probes import Probes

__all__ = ["MAKERS", "assert_init_only", "check_init_only", "place_spies"]

MAKERS: Final = (
    "boto3.client",
    "boto3.resource",
    "boto3.Session",
    "Session.client",
    "Session.resource",
)
"""Targets that need no spy: the timeline has the clients that they make (`AwsClient.made_by`)."""


def place_spies(config: FunctionConfig, spy: Callable[[str], object]) -> None:
    """Place the spies that the setting ``init_only`` asks for, before the first phase."""
    for target in config.init_only:
        if target not in MAKERS:
            try:
                spy(target)
            except LifecycleError as problem:
                source = config.source_of("init_only")
                raise ConfigError(
                    f"init_only has {target!r}, on which no spy can be placed (from {source})",
                    str(problem.args[0]),
                    code=problem.code,
                ) from None


def assert_init_only(
    targets: Sequence[str],
    timeline: Timeline,
    phases: Sequence[Phase],
    probes: Probes,
    sight: ClientSight,
) -> None:
    """Assert that each target was called in init and in no invoke."""
    __tracebackhide__ = True
    if not targets:
        raise LifecycleError(
            "cannot say whether nothing is called in init alone: name targets, as 'boto3.client' "
            "or 'package.module.name'",
            code="LLC304",
        )
    asked = f"cannot say whether {', '.join(map(str, targets))} is called in init alone"
    for target in targets:
        _require_spy(asked, target, probes)
    invocations = _with_handler(phases)
    if not invocations:
        ran = "the handler has not run in any invoke" if phases else "no phase has run"
        raise LifecycleError(f"{asked}: {ran}; invoke first", code="LLC304")
    failures: list[str] = []
    for target in targets:
        spied = probes.watches(target)
        if why := probes.unseen(target) if spied else sight.unseen(target):
            raise LifecycleError(
                f"{asked}: calls of {target!r} could not be seen: {why}", code="LLC831"
            )
        calls = _calls(target, timeline, spied=spied)
        failures += _offence(target, calls, invocations, phases)
    if failures:
        raise AssertionError("\n".join(failures))


def check_init_only(evidence: Evidence) -> Iterator[Verdict]:
    """Yield a verdict for each target of the setting ``init_only`` that an invoke has called.

    A target that init has not called counts as well.  A test in which no handler ran passes.
    """
    config, timeline = evidence.config, evidence.timeline
    invocations = _with_handler(evidence.phases) if config.init_only else []
    if not invocations:
        return
    earlier, of_this_test = timeline[: evidence.first], timeline[evidence.first :]
    for target in config.init_only:
        spied = target not in MAKERS
        inits = [call for call in _calls(target, earlier, spied=spied) if call.phase == "init"]
        calls = [*inits, *_calls(target, of_this_test, spied=spied)]
        lines = _offence(target, calls, invocations, evidence.history)
        if why := evidence.unseen(target):
            lines = [f"calls of {target} could not be seen: {why}"]
        if lines:
            source = config.source_of("init_only")
            head, *rest = lines
            text = "\n".join([f"{config.handler}: {head} (init_only, from {source})", *rest])
            yield Verdict(text, fails=True, kind="budget")


def _calls(target: str, events: Iterable[Event], *, spied: bool) -> list[SpyCall] | list[AwsClient]:
    """Return the calls of a target among events."""
    if spied:
        return [call for call in events if type(call) is SpyCall and call.target == target]
    return [made for made in events if type(made) is AwsClient and made.made_by == target]


def _offence(
    target: str,
    calls: Sequence[SpyCall | AwsClient],
    invocations: Sequence[Invocation],
    history: Sequence[Phase],
) -> list[str]:
    """Return the lines about a target that is not called in init alone; none if it is."""
    in_init = [call for call in calls if call.phase == "init"]
    late = [call for call in calls if call.phase == "invoke"]
    if in_init and not late:
        return []
    if not calls:
        return [f"{target} was not called in init, nor in an invoke"]
    if not late:
        return [f"{target} was not called in init", *by_phase(calls, history)]
    calling = len({call.invocation for call in late})
    where = f"in {calling} of {in_words(len(invocations), 'invoke')}"
    init = "as well as in init" if in_init else "and not in init"
    return [f"{target} was called {where}, {init}", *by_phase([*in_init, *late], history)]


def _with_handler(phases: Sequence[Phase]) -> list[Invocation]:
    """Return the invokes whose handler ran; the init or restore before it may have failed."""
    before = [phase.outcome for phase in phases if isinstance(phase, Init | Restore)]
    return [
        phase
        for phase in phases
        if isinstance(phase, Invocation) and not any(phase.outcome is outcome for outcome in before)
    ]


def _require_spy(asked: str, target: object, probes: Probes) -> None:
    """Refuse a target whose calls are not recorded from the first phase on."""
    __tracebackhide__ = True
    if not isinstance(target, str):
        raise LifecycleError(
            f"{asked}: a target is text such as 'boto3.client' or 'package.module.name'",
            code="LLC831",
        )
    if target in MAKERS or probes.watches(target):
        return
    known = ", ".join(MAKERS)
    raise LifecycleError(
        f"{asked}: no spy on {target!r} was in place when the first phase began",
        f"Call env.spy({target!r}) before the first phase, or name it in the setting init_only.",
        f"Without a spy, these can be asked for: {known}.",
        code="LLC831",
    )
