"""Paths into a payload, and the patterns that name them: a small part of JMESPath.

A pattern is ``headers.date``, ``items[0].id``, ``items[*].id`` (also ``items[].id``), ``*.id``,
``headers."x-request-id"`` or ``**.requestId``, where ``**`` stands for any number of steps.  It
covers what it names and everything beneath.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias

from pytest_lambda_lifecycle.errors import LifecycleError

__all__ = ["Ignore", "Ignored", "Index", "Path", "path_text"]


class Index(NamedTuple):
    """A step into a list."""

    at: int
    of: int
    """The length of the list."""


Path: TypeAlias = "tuple[str | Index, ...]"
"""The steps from the payload to a value in it."""
Ignore: TypeAlias = "str | Callable[..., object]"
"""What a test ignores: a pattern, or a callable that takes the path as text, and the value."""

_TOKEN: Final = re.compile(
    r"""
    (?P<dot>\.)
    | (?P<deep>\*\*)
    | (?P<star>\*)
    | \[\s*(?P<every>\*?)\s*\]
    | \[\s*(?P<index>-?\d+)\s*\]
    | \[?"(?P<quoted>(?:[^"\\]|\\.)*)"\]?
    | \[?'(?P<single>(?:[^'\\]|\\.)*)'\]?
    | (?P<name>[^\s.\[\]"'*|&(){}?@`,:]+)
    """,
    re.VERBOSE,
)
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_TAKES: Final = (
    'A path is such as requestId, headers.date, items[0].id, items[*].id, *.id, **.id or headers."'
    'x-request-id": names, indexes and wildcards, without filters, functions or slices of JMESPath.'
)


class _Every:
    """One step of any kind, or into any item of a list."""

    def __init__(self, *, of_list: bool) -> None:
        self.of_list = of_list


_STAR: Final = _Every(of_list=False)
_ITEMS: Final = _Every(of_list=True)
_DEEP: Final = object()


def path_text(path: Sequence[str | Index]) -> str:
    """Return a path as a test would write it; ``""`` for the whole payload."""
    text = ""
    for step in path:
        if isinstance(step, Index):
            text += f"[{step.at}]"
            continue
        name = step if _PLAIN.fullmatch(step) else '"' + step.replace('"', '\\"') + '"'
        text += f".{name}" if text else name
    return text


class Ignored:
    """The paths that a test ignores."""

    def __init__(self, ignore: object) -> None:
        """Raise `LifecycleError` for anything but patterns and callables."""
        self._rules = [_Rule(one) for one in _listed(ignore)]

    def covers(self, path: Path, value: object) -> bool:
        """Say whether a value is left out; ask each rule, so that unused ones are known."""
        return any([rule.covers(path, value) for rule in self._rules])

    def unused(self) -> list[str]:
        """Return the patterns that have covered nothing."""
        return [rule.text for rule in self._rules if rule.text and not rule.used]


def _listed(ignore: object) -> Iterable[object]:
    if isinstance(ignore, str) or callable(ignore):
        return [ignore]
    if isinstance(ignore, Iterable) and not isinstance(ignore, bytes):
        return list(ignore)
    _refuse(ignore, "it takes a list of paths and of callables")


class _Rule:
    """One entry of ``ignore``."""

    def __init__(self, given: object) -> None:
        self.used = False
        self.text = ""
        self._call: Callable[..., object] | None = None
        self._takes_value = True
        self._steps: list[object] = []
        if isinstance(given, str):
            self.text = given
            self._steps = _parsed(given)
        elif callable(given):
            self._call = given
            self._takes_value = _takes_two(given)
        else:
            _refuse(given, "it is neither text nor callable")

    def covers(self, path: Path, value: object) -> bool:
        if self._call is None:
            found = _matches(self._steps, path)
        else:
            found = self._ask(self._call, path_text(path), value)
        self.used = self.used or found
        return found

    def _ask(self, call: Callable[..., object], path: str, value: object) -> bool:
        try:
            return bool(call(path, value) if self._takes_value else call(path))
        except Exception as problem:
            raise LifecycleError(
                f"cannot ignore by {call!r}: it raised {type(problem).__name__} for the path "
                f"{path!r}: {problem}",
                "A callable in ignore takes the path as text, and the value if it has a second "
                "parameter, and returns whether to leave it out.",
                code="LLC871",
            ) from problem


def _takes_two(call: Callable[..., object]) -> bool:
    try:
        inspect.signature(call).bind("path", "value")
    except TypeError:
        return False
    except ValueError:  # a built-in function without a signature
        return False
    return True


def _parsed(text: str) -> list[object]:
    steps: list[object] = []
    position, dotted = 0, True
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            _refuse(text, f"{text[position:]!r} in it is not understood")
        position = token.end()
        if token.lastgroup == "dot":
            if dotted:
                _refuse(text, "it has a dot without a name before it")
            dotted = True
            continue
        if not dotted and text[token.start()] != "[":
            _refuse(text, f"there is no dot before {token.group()!r}")
        dotted = False
        steps.append(_step(token))
    if dotted:
        _refuse(text, "it ends in a dot" if steps else "it is empty")
    return steps


def _step(token: re.Match[str]) -> object:
    kind = token.lastgroup
    if kind == "deep":
        return _DEEP
    if kind == "star":
        return _STAR
    if kind == "every":
        return _ITEMS
    if kind == "index":
        return int(token["index"])
    if kind == "name":
        return token["name"]
    return re.sub(r"\\(.)", r"\1", token[kind or "quoted"])


def _matches(steps: Sequence[object], path: Sequence[Any]) -> bool:
    """Say whether a pattern names a path, or one above it."""
    if not steps:
        return True
    first, rest = steps[0], steps[1:]
    if first is _DEEP:
        return any(_matches(rest, path[begin:]) for begin in range(len(path) + 1))
    if not path:
        return False
    return _is_step(first, path[0]) and _matches(rest, path[1:])


def _is_step(wanted: object, step: str | Index) -> bool:
    if isinstance(wanted, _Every):
        return isinstance(step, Index) or not wanted.of_list
    if isinstance(step, Index):
        return wanted in (step.at, step.at - step.of)
    return wanted == step


def _refuse(given: object, why: str) -> NoReturn:
    raise LifecycleError(f"cannot ignore {given!r}: {why}", _TAKES, code="LLC871")
