"""Budgets: settings that limit the time and the calls of a phase, checked when a test has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall, Call, HttpCall
from pytest_lambda_lifecycle.lifecycle.invocation import Invocation
from pytest_lambda_lifecycle.lifecycle.numbers import in_words
from pytest_lambda_lifecycle.lifecycle.phases import Init, Phase
from pytest_lambda_lifecycle.lifecycle.platform_lines import in_ms
from pytest_lambda_lifecycle.observation.calls.tally import (
    MOST,
    counted,
    described,
    invoke_in_words,
    shortened,
)
from pytest_lambda_lifecycle.observation.evidence import Evidence, Verdict

__all__ = ["check_budgets"]


class _Budget(NamedTuple):
    """A setting that limits something in each phase of one kind."""

    setting: str
    kind: type[Phase]
    spent: Callable[[Phase], float]
    in_words: Callable[[float], str]
    calls: tuple[type[Call], ...]
    """The calls that the text shows, as they take the time or are counted."""
    shown: Callable[[Iterable[Call]], Iterable[str]]
    """Returns the lines about these calls."""


def _milliseconds(phase: Phase) -> float:
    return phase.duration_ms


def _in_ms(spent: float) -> str:
    return f"{spent:.2f} ms"


def _with_counts(calls: Iterable[Call]) -> Iterable[str]:
    return counted(calls, described)


def _with_times(calls: Iterable[Call]) -> Iterable[str]:
    """Return each line once, with the number of its calls and the time that all of them took."""
    spent: Counter[str] = Counter()
    for call in calls:
        spent[described(call)] += call.duration_us
    lines = _with_counts(calls)
    return [f"{line}   ({in_ms(us)})" for line, us in zip(lines, spent.values(), strict=True)]


_BOTH: Final = (HttpCall, AwsCall)


_BUDGETS: Final = (
    _Budget("max_init_ms", Init, _milliseconds, _in_ms, _BOTH, _with_times),
    _Budget("max_duration_ms", Invocation, _milliseconds, _in_ms, _BOTH, _with_times),
    _Budget(
        "max_http_calls",
        Invocation,
        lambda phase: len(phase.http_calls),
        lambda count: in_words(int(count), "HTTP request"),
        (HttpCall,),
        _with_counts,
    ),
    _Budget(
        "max_aws_calls",
        Invocation,
        lambda phase: len(phase.aws_calls),
        lambda count: in_words(int(count), "AWS call"),
        (AwsCall,),
        _with_counts,
    ),
)


def check_budgets(evidence: Evidence) -> Iterator[Verdict]:
    """Yield a verdict for each budget that phases of the test have exceeded."""
    for budget in _BUDGETS:
        limit: float | None = getattr(evidence.config, budget.setting)
        if limit is not None:
            phases = [phase for phase in evidence.phases if isinstance(phase, budget.kind)]
            exceeding = [phase for phase in phases if budget.spent(phase) > limit]
            if exceeding:
                lines = _lines(budget, limit, exceeding, len(phases), evidence)
                yield Verdict("\n".join(lines), fails=True, kind="budget")


def _lines(
    budget: _Budget, limit: float, exceeding: Sequence[Phase], of: int, evidence: Evidence
) -> Iterator[str]:
    config, setting = evidence.config, budget.setting
    noun = "Init" if budget.kind is Init else "invoke"
    source = config.source_of(setting)
    yield (
        f"{config.handler} exceeded {setting}={limit:.10g} in {len(exceeding)} of "
        f"{in_words(of, noun)} (from {source})"
    )
    for phase in exceeding[:MOST]:
        yield f"  {_label(phase, evidence)}: {budget.in_words(budget.spent(phase))}"
        calls = [event for event in phase.events if isinstance(event, budget.calls)]
        yield from (f"    {line}" for line in budget.shown(calls))
    yield from shortened(len(exceeding), noun)


def _label(phase: Phase, evidence: Evidence) -> str:
    if not isinstance(phase, Invocation):
        return "Init"
    before = [past for past in evidence.history if past.began_at_index < phase.began_at_index]
    return invoke_in_words(sum(isinstance(past, Invocation) for past in before), phase)
