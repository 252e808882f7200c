"""The tally of a test run: how many environments, cold starts and warm invokes, and what stood out.

An environment is counted when it is made, and its events when it has ended.  Texts and figures are
kept, no objects of function code, and only so many: a run of any length takes the same memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, TypedDict

from pytest_lambda_lifecycle.lifecycle.events import (
    Event,
    FunctionInit,
    InitReport,
    InvokeStart,
    Leftover,
)
from pytest_lambda_lifecycle.lifecycle.import_times import import_times
from pytest_lambda_lifecycle.lifecycle.plain_text import plain

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.import_times import ImportSpan

__all__ = ["KINDS", "RUNS", "SlowInit", "Tally", "TallyData", "empty", "merge"]

KINDS: Final = ("leftover", "refusal", "budget")
"""What stands out: leftovers, swallowed refusals, and budgets that were exceeded."""
_MOST_TEXTS: Final = 100
"""The different texts of a kind, and the handlers, that are kept."""
_MOST_IMPORTS: Final = 10
_LEAST_MS: Final = 0.01


class SlowInit(TypedDict):
    """The slowest Init of a function."""

    us: int
    place: str
    """The test, or the line, that ended the environment."""
    imports: list[tuple[str, float]]
    """The modules whose own import took longest, with that time in ms."""


class TallyData(TypedDict):
    """What was counted, as JSON can hold it: the workers of pytest-xdist send it."""

    environments: int
    cold: int
    warm: int
    slow: dict[str, SlowInit]
    """By the name of the handler."""
    texts: dict[str, dict[str, int]]
    """For each of `KINDS` the texts, and how often there was each."""
    more: dict[str, int]
    """For each of `KINDS` how often there were others, whose texts are not kept."""


def empty() -> TallyData:
    """Return what was counted when nothing has run."""
    return {
        "environments": 0,
        "cold": 0,
        "warm": 0,
        "slow": {},
        "texts": {kind: {} for kind in KINDS},
        "more": dict.fromkeys(KINDS, 0),
    }


class Tally:
    """What was counted in a run so far."""

    def __init__(self) -> None:
        self.data = empty()

    def made(self) -> None:
        """Count one more environment."""
        self.data["environments"] += 1

    def ended(self, handler: str, events: Iterable[Event], place: Callable[[], str]) -> None:
        """Count the events of an environment; ``place`` returns what has ended it."""
        data = self.data
        imports: list[ImportSpan] = []
        for event in events:
            kind = type(event)
            if kind is InvokeStart:
                data["warm"] += not event.cold_start  # type: ignore[attr-defined]
            elif kind is FunctionInit:
                imports = event.imports  # type: ignore[attr-defined]
            elif isinstance(event, InitReport):
                data["cold"] += 1
                slowest = data["slow"].get(plain(handler))
                if slowest is None or event.duration_us > slowest["us"]:
                    self._note_slow(handler, event.duration_us, place(), imports)
            elif isinstance(event, Leftover):
                at = f", started at {event.where}" if event.where else ""
                idle = " (idle)" if event.idle else ""
                self.note("leftover", f"{event.kind} {plain(event.label)}{idle}{at}")

    def _note_slow(self, handler: str, us: int, place: str, spans: list[ImportSpan]) -> None:
        longest = sorted(import_times(spans), key=lambda one: one.own_ms, reverse=True)
        imports = [
            (plain(one.name, 100), round(one.own_ms, 3))
            for one in longest[:_MOST_IMPORTS]
            if one.own_ms >= _LEAST_MS
        ]
        found: SlowInit = {"us": us, "place": plain(place), "imports": imports}
        _keep_slow(self.data["slow"], plain(handler), found)

    def note(self, kind: str, text: str, count: int = 1) -> None:
        """Note something that stands out; equal texts are counted."""
        _note(self.data, kind, plain(text), count)

    def note_verdict(self, kind: str, text: str) -> None:
        """Note the first two lines of a verdict; its kind stands above them in the summary."""
        first, *others = (line.strip() for line in text.splitlines())
        head = first.replace(" exceeded ", ": ", 1)
        if kind == "refusal":
            self.note(kind, " ".join(others[:1]) or head)
        else:
            self.note(kind, f"{head}: {others[0]}" if others else head)

    def count(self, kind: str) -> int:
        """Return how often there was something of a kind."""
        return sum(self.data["texts"][kind].values()) + self.data["more"][kind]

    def drain(self) -> TallyData | None:
        """Return what was counted, and begin anew; return None if that is nothing."""
        data = self.data
        if not (
            data["environments"] or data["cold"] or data["warm"] or any(data["texts"].values())
        ):
            return None
        self.data = empty()
        return data


def merge(into: TallyData, data: TallyData) -> None:
    """Add what was counted elsewhere."""
    into["environments"] += data["environments"]
    into["cold"] += data["cold"]
    into["warm"] += data["warm"]
    for handler, slow in data["slow"].items():
        _keep_slow(into["slow"], handler, slow)
    for kind in KINDS:
        into["more"][kind] += data["more"][kind]
        for text, count in data["texts"][kind].items():
            _note(into, kind, text, count)


def _keep_slow(slow: dict[str, SlowInit], handler: str, found: SlowInit) -> None:
    known = slow.get(handler)
    if known is None or found["us"] > known["us"]:
        slow[handler] = found
    if len(slow) > _MOST_TEXTS:
        del slow[min(slow, key=lambda name: slow[name]["us"])]


def _note(data: TallyData, kind: str, text: str, count: int) -> None:
    texts = data["texts"][kind]
    if text in texts or len(texts) < _MOST_TEXTS:
        texts[text] = texts.get(text, 0) + count
    else:
        data["more"][kind] += count


RUNS: Final = [Tally()]
"""The tally of this run, last; before it those of runs around it, as of one that tests a plugin."""
