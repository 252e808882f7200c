"""Cold against warm: each event alone in an environment, then all events in one.

An event that is answered otherwise after others shows state that an earlier request has left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_lambda_lifecycle.environment.checks.observations import (
    Difference,
    Seen,
    compare,
    observe,
)
from pytest_lambda_lifecycle.environment.checks.paths import Ignored, Path, path_text
from pytest_lambda_lifecycle.environment.checks.sequences import Step, sequences
from pytest_lambda_lifecycle.errors import LifecycleError, warn
from pytest_lambda_lifecycle.lifecycle.argument_text import value_text
from pytest_lambda_lifecycle.lifecycle.progress import Progress

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment

__all__ = ["ColdAgainstWarm"]

_MOST_EVENTS: Final = 1000
_MOST_TRIALS: Final = 60
"""The number of shorter sequences that are tried before steps are left out one by one."""
_AGAIN: Final = 4
"""How often a difference has to be confirmed by further cold runs."""
_APART_S: Final = 86_400 + 3_600 + 60 + 1.001
"""The time between two cold runs, in seconds: all parts of a date and a time differ."""
_IDLE_HOURS: Final = 1
_MOST_SHOWN: Final = 10


class _Failure(NamedTuple):
    """A sequence whose last event is answered otherwise than in an environment of its own."""

    sequence: tuple[Step, ...]
    differences: list[Difference]


class _Expected:
    """The answer to one event in environments of its own."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.left_out: dict[Path, None] = {}
        self.is_confirmed = False


class ColdAgainstWarm:
    """Compares the answers of a function."""

    def __init__(
        self,
        events: object,
        make: Callable[[], ExecutionEnvironment],
        *,
        ignore: object = (),
        logs: bool = False,
        calls: bool = False,
    ) -> None:
        """``make`` returns another environment of the same function on each call."""
        self._events = _listed(events)
        self._make = make
        self._ignored = Ignored(ignore)
        self._logs = logs
        self._calls = calls
        self._expected: list[_Expected] = []
        self._handler = ""
        self._invokes = self._all_invokes = 0

    def run(self) -> tuple[str, ...]:
        """Compare; return the paths that were left out since two cold runs differ.

        Raises `AssertionError` with the shortest sequence that differs, and `LifecycleError` if
        nothing of an answer can be compared.
        """
        __tracebackhide__ = True
        orders = list(sequences(len(self._events), tuple(_ACTIONS)))
        warm = sum(isinstance(step, int) for order in orders for step in order)
        self._all_invokes = 2 * len(self._events) + warm
        # Nothing runs in this one: it lets time pass, which stays shifted while one is open.
        with closing(self._make()) as self._clock:
            self._handler = self._clock.config.handler
            for index in range(len(self._events)):
                self._expected.append(self._cold_twice(index))
            for sequence in orders:
                failure = self._first_failure(sequence)
                if failure is not None:
                    shortest = self._shortest(failure)
                    raise AssertionError("\n".join(self._report(shortest)))
        self._warn_of_unused()
        return tuple(f"event {number}: {path}" for number, path in self._left_out())

    # -- cold -------------------------------------------------------------------------------------

    def _cold_twice(self, index: int) -> _Expected:
        __tracebackhide__ = True
        expected = _Expected(self._cold(index))
        self._cold_again(index, expected)
        return expected

    def _cold_again(self, index: int, expected: _Expected) -> None:
        """Run an event in one more environment of its own; leave out the paths that differ."""
        __tracebackhide__ = True
        self._clock.idle(_APART_S)
        comparison = compare(expected.seen, self._cold(index), self._ignored, expected.left_out)
        for difference in comparison.differences:
            expected.left_out[difference.path] = None
        if comparison.compared == len(comparison.differences):
            self._refuse_blindness(index, expected)

    def _cold(self, index: int) -> Seen:
        __tracebackhide__ = True
        with closing(self._make()) as env:
            return self._invoke(env, index)

    def _invoke(self, env: ExecutionEnvironment, index: int) -> Seen:
        """Invoke; an Init that fails answers no event, so there is nothing to compare."""
        __tracebackhide__ = True
        invocation = env.invoke(self._events[index], check=False)
        self._invokes += 1
        Progress.tell("assert_warm_equals_cold", self._invokes, self._all_invokes)
        if env.init.status != "success":
            raise env._failure(env.init, not_ready=True)
        return observe(invocation, logs=self._logs, calls=self._calls)

    # -- warm -------------------------------------------------------------------------------------

    def _first_failure(self, sequence: Sequence[Step]) -> _Failure | None:
        """Run a sequence in one environment, up to the first answer that differs."""
        __tracebackhide__ = True
        with closing(self._make()) as env:
            for number, step in enumerate(sequence, 1):
                if isinstance(step, str):
                    _act(env, step)
                    continue
                differences = self._differences(step, self._invoke(env, step))
                if differences:
                    return _Failure(tuple(sequence[:number]), differences)
        return None

    def _differences(self, index: int, seen: Seen) -> list[Difference]:
        """Compare with the cold answer.

        Two cold runs may agree by chance, so a difference has to outlast further ones.
        """
        __tracebackhide__ = True
        expected = self._expected[index]
        found = compare(expected.seen, seen, self._ignored, expected.left_out).differences
        if found and not expected.is_confirmed:
            for _ in range(_AGAIN):
                self._cold_again(index, expected)
            expected.is_confirmed = True
            return self._differences(index, seen)
        return found

    def _shortest(self, failure: _Failure) -> _Failure:
        """Return the shortest sequence that fails: first by trying short ones, then by leaving out
        step by step.
        """
        trials = 0
        *before, last = failure.sequence
        for size in range(1, len(before)):
            for kept in combinations(reversed(range(len(before))), size):  # the latest first
                trials += 1
                if trials > _MOST_TRIALS:
                    return self._without_steps(failure)
                found = self._try([*(before[index] for index in sorted(kept)), last])
                if found is not None:
                    return found
        return failure

    def _without_steps(self, failure: _Failure) -> _Failure:
        position = 0
        while position < len(failure.sequence) - 1:
            shorter = [*failure.sequence]
            del shorter[position]
            found = self._try(shorter)
            if found is None:
                position += 1
            else:
                failure = found
                position = min(position, len(found.sequence) - 1)
        return failure

    def _try(self, sequence: Sequence[Step]) -> _Failure | None:
        if isinstance(sequence[0], str):  # nothing has run that it could act on
            return None
        return self._first_failure(sequence)

    # -- the report -------------------------------------------------------------------------------

    def _report(self, failure: _Failure) -> Iterator[str]:
        last = failure.sequence[-1]
        assert isinstance(last, int)
        yield (
            f"{self._handler} answers event {last + 1} of {len(self._events)} otherwise in an "
            "environment that has run before than in one of its own."
        )
        yield "The shortest sequence that differs:"
        for step in failure.sequence:
            yield f"  {_ACTIONS[step] if isinstance(step, str) else self._in_words(step)}"
        yield "Its last answer:"
        for difference in failure.differences[:_MOST_SHOWN]:
            yield f"  {_described(difference)}"
        yield from _more(len(failure.differences), "difference")
        kept = list(self._kept(failure))
        if kept:
            yield "State that differed before its last event:"
            yield from (f"  {line}" for line in kept[:_MOST_SHOWN])
            yield from _more(len(kept), "difference")
        left_out = [path for number, path in self._left_out() if number == last + 1]
        if left_out:
            shown = ", ".join(left_out[:_MOST_SHOWN])
            yield f"Left out, since cold runs differ there as well: {shown}"
        unused = self._ignored.unused()
        if unused:
            yield f"No answer has what ignore names: {', '.join(unused)}"

    def _kept(self, failure: _Failure) -> Iterator[str]:
        """Run the sequence again, up to its last event, and compare the state with a fresh one."""
        from pytest_lambda_lifecycle.environment.checks.kept_state import kept_state, values_of

        fresh: list[dict[str, str]] = []
        for _ in range(2):
            with closing(self._make()) as env:
                env.initialize()
                fresh.append(values_of(env))
            self._clock.idle(_APART_S)
        with closing(self._make()) as env:
            for step in failure.sequence[:-1]:
                if isinstance(step, str):
                    _act(env, step)
                else:
                    env.invoke(self._events[step], check=False)
            yield from kept_state(env, fresh)

    def _in_words(self, index: int) -> str:
        return f"invoke({value_text(self._events[index])})"

    def _left_out(self) -> Iterator[tuple[int, str]]:
        for number, expected in enumerate(self._expected, 1):
            for path in expected.left_out:
                yield number, path_text(path) or "the whole payload"

    def _warn_of_unused(self) -> None:
        unused = self._ignored.unused()
        if unused:
            warn(
                f"ignore has {', '.join(map(repr, unused))}, and no answer of {self._handler} has "
                "such a path: it may be misspelt, or not needed any more"
            )

    def _refuse_blindness(self, index: int, expected: _Expected) -> None:
        """Refuse to compare an answer of which nothing is left."""
        if expected.left_out:
            paths = ", ".join(path_text(path) or "the whole payload" for path in expected.left_out)
            why = f"two cold runs differ in all of it: {paths}"
        else:
            why = "ignore covers all of it"
        raise LifecycleError(
            f"cannot compare the answers of {self._handler} to event {index + 1}: {why}",
            f"The event is {value_text(self._events[index])}.",
            "Compare with logs=True or calls=True as well, or make the answer depend on the event "
            "alone: patch the source of what differs with env.patch in the hook "
            "pytest_lambda_lifecycle_environment.",
            code="LLC872",
        )


_ACTIONS: Final = {
    "idle": f"idle(hours={_IDLE_HOURS})",
    "reset": "reset()",
    "recycle": "recycle()",
}


def _act(env: ExecutionEnvironment, action: str) -> None:
    if action == "idle":
        env.idle(hours=_IDLE_HOURS)
    elif action == "reset":
        env.reset()
    else:
        env.recycle()


def _listed(events: object) -> list[Any]:
    takes = "it takes a list of events, at least one: assert_warm_equals_cold([{...}, {...}])"
    if isinstance(events, (str, bytes, Mapping)) or not isinstance(events, Iterable):
        raise LifecycleError(
            f"cannot compare cold and warm with events={value_text(events)}: {takes}",
            code="LLC873",
        )
    listed = list(islice(events, _MOST_EVENTS + 1))
    if not listed or len(listed) > _MOST_EVENTS:
        count = f"more than {_MOST_EVENTS}" if listed else "no"
        raise LifecycleError(
            f"cannot compare cold and warm with {count} events: {takes}, at most {_MOST_EVENTS}",
            code="LLC873",
        )
    return listed


def _described(difference: Difference) -> str:
    path = path_text(difference.path)
    name = difference.path[-1] if difference.path else ""
    secret = name if isinstance(name, str) else ""
    warm, cold = value_text(difference.warm, secret), value_text(difference.cold, secret)
    return f"{path or 'payload'}: {warm}, and cold {cold}"


def _more(count: int, noun: str) -> Iterator[str]:
    if count > _MOST_SHOWN:
        yield f"  ({count - _MOST_SHOWN} more {noun}s)"
