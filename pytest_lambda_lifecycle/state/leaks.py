"""``assert_no_state_leaks``: state that one invoke leaves for the next, again and again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.lifecycle.state_events import StateChange
from pytest_lambda_lifecycle.state.paths import Patterns, patterns_of
from pytest_lambda_lifecycle.state.settling import OF_LIBRARY

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.state.audit import StateAudit

__all__ = ["FIRST_JUDGED", "assert_no_state_leaks", "list_of"]

FIRST_JUDGED: Final = 3
"""The first invoke of a process that is judged: what the two before it have changed is settled."""
_MOST_SHOWN: Final = 20
_DESCRIPTORS: Final = "open file descriptors["


def assert_no_state_leaks(
    ignore: object, changes: Sequence[StateChange], config: FunctionConfig, audit: StateAudit | None
) -> None:
    """Assert that no invoke from the third one on has left other state than it found."""
    __tracebackhide__ = True
    asked = "cannot assert that no state leaks"
    if audit is None:
        raise LifecycleError(
            f"{asked}: the audit was not on (audit=False from {config.source_of('audit')})",
            f'Turn it on: lambda_lifecycle("{config.handler}", audit=True), or '
            "lambda_lifecycle_audit = true in the ini file.",
            code="LLC901",
        )
    if audit.most_invokes < FIRST_JUDGED:
        raise LifecycleError(
            f"{asked} after {audit.most_invokes} invokes of one process: what the first two change "
            "counts as settled (a client, a lazy import), so a third one has to follow",
            "Invoke the function once more, best with another event; a reset begins anew.",
            code="LLC903",
        )
    ignored = patterns_of(ignore, asked)
    _refuse_unknown(ignored, changes, audit, asked)
    allowed = Patterns(config.allowed_state)
    found: dict[str, list[StateChange]] = {}
    for change in _judged(changes):
        if not ignored.covering(change.path) and not allowed.covering(change.path):
            found.setdefault(change.path, []).append(change)
    if found:
        raise AssertionError(_text(found, config, audit.most_invokes))


def _judged(changes: Iterable[StateChange]) -> list[StateChange]:
    late = [change for change in changes if change.invoke >= FIRST_JUDGED]
    found = [
        change
        for change in late
        if not change.settles or (change.settles == OF_LIBRARY and change.where)
    ]
    descriptors = [one for one in found if one.path.startswith(_DESCRIPTORS)]
    leaking = {id(one) for one in _leaking_descriptors(descriptors)}
    return [one for one in found if one not in descriptors or id(one) in leaking]


def _leaking_descriptors(changes: list[StateChange]) -> list[StateChange]:
    """Return the descriptors that stay open.

    A pool closes one connection and opens another, and opens a second one when it needs it.  So a
    file counts at once, and anything else if the number grows in two invokes.
    """
    opened = [change for change in changes if change.kind == "added"]
    closed = [change for change in changes if change.kind == "removed"]
    files = [one for one in opened if one.new.startswith("</") and not one.new.startswith("</dev/")]
    growing = {
        one.invoke
        for one in opened
        if sum(other.invoke == one.invoke for other in opened)
        > sum(other.invoke == one.invoke for other in closed)
    }
    return [one for one in opened if one.invoke in growing and (one in files or len(growing) > 1)]


def list_of(lines: Iterable[str], shown: int = _MOST_SHOWN) -> str:
    """Return lines with an indent; of many, the first ones and the number of the others."""
    every = list(lines)
    more = [f"  ... and {len(every) - shown} more"] if len(every) > shown else []
    return "\n".join([*(f"  {line}" for line in every[:shown]), *more])


def _text(found: dict[str, list[StateChange]], config: FunctionConfig, invokes: int) -> str:
    lines: list[str] = []
    for changes in found.values():
        first = changes[0]
        later = len(changes) - 1
        again = f" and {later} later one{'s' if later > 1 else ''}" if later else ""
        where = first.where
        lines.append(f"{first} by invoke {first.invoke}{again}{f', at {where}' if where else ''}")
    paths = [path for path in found if not path.startswith(_OF_PROCESS)] or list(found)
    example = paths[0].partition("[")[0].partition("(")[0]
    if example.startswith("/tmp/"):
        example = "/tmp/*"
    return (
        f"{config.handler} leaves state for later invokes: what the first two of {invokes} invokes "
        "changed is settled, and later ones changed\n"
        f"{list_of(lines)}\n"
        "The next invoke, of any caller, finds it. Make it local to the invoke, or, if it is "
        f"meant to stay, declare it: lambda_lifecycle_allowed_state = {example}"
    )


# -- unknown paths --------------------------------------------------------------------------------

_OF_PROCESS: Final = (
    "os.", "sys.path", "warnings.", "ContextVar", "open file", "locale.", "decimal.", "asyncio ",
    "signal.", "logging.", "/", "threads", "timers", "executors", "processes", "tasks", "*",
)  # fmt: skip


def _refuse_unknown(
    ignored: Patterns, changes: Sequence[StateChange], audit: StateAudit, asked: str
) -> None:
    """Refuse a pattern that names nothing: a slip, or a name that has gone."""
    __tracebackhide__ = True
    for pattern in ignored.patterns:
        if pattern.startswith(_OF_PROCESS):
            continue
        one = Patterns([pattern])
        if any(one.covering(change.path) for change in changes) or audit.knows(pattern):
            continue
        import difflib

        near = difflib.get_close_matches(pattern, {change.path for change in changes}, n=1)
        hint = [f"Did you mean {near[0]!r}?"] if near else []
        raise LifecycleError(
            f"{asked}: ignore has {pattern!r}, and the function has no such name",
            *hint,
            "A path begins with the module, as in 'shop.app.STATS.*'.",
            code="LLC904",
        )
