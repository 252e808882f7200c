"""Patterns of paths: which state a test allows, or ignores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.function.state_kinds import is_state_path

__all__ = ["Patterns", "patterns_of"]

_BELOW: Final = r"(?=[.\[({/]|$)"


class Patterns:
    """Some patterns; each covers the state that it names, and everything below."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self._found = [(one, re.compile(_expression(one))) for one in self.patterns]

    def covering(self, path: str) -> str:
        """Return the first pattern that covers a path; ``""`` if there is none."""
        return next((one for one, expression in self._found if expression.match(path)), "")


def _expression(pattern: str) -> str:
    """Return a regular expression; ``shop.app.STATS.*`` covers entries as well as attributes."""
    bare = pattern.removesuffix(".*")
    text = ".*".join(map(re.escape, bare.split("*")))
    return text + (r"[.\[({/]" if bare != pattern else _BELOW)


def patterns_of(ignore: object, asked: str) -> Patterns:
    """Return the patterns of an argument ``ignore``; raise `LifecycleError` for anything else."""
    given: Sequence[object] = ()
    if isinstance(ignore, str):
        raise LifecycleError(
            f"{asked}: ignore={ignore!r} has to be a list of paths",
            f"In a list: ignore=[{ignore!r}].",
            code="LLC902",
        )
    if isinstance(ignore, Iterable):
        given = list(ignore)
    for one in given if isinstance(ignore, Iterable) else [ignore]:
        if not is_state_path(one):
            raise LifecycleError(
                f"{asked}: ignore has {one!r}, which is no path",
                "A path is text such as 'shop.app.CACHE' or 'os.environ.*'.",
                code="LLC902",
            )
    return Patterns(map(str, given))
