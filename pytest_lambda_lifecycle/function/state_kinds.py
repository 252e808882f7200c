"""The kinds of settings of the state audit: a switch, and paths of state."""

from __future__ import annotations

import re
from typing import Any, Final

from pytest_lambda_lifecycle.function.kinds import Given, Kind

__all__ = ["StatePaths", "Switch", "is_state_path"]

_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_PATH: Final = re.compile(r"(?=.*[\w*])\S(.*\S)?")


class Switch(Kind):
    """True or False."""

    ini_type = "bool"
    takes = "True or False"
    limits = "true or false"

    def read(self, text: Any, source: str) -> object:  # noqa: ANN401
        """Return the value of a word such as ``true``; any other text as it is."""
        return _WORDS.get(str(text).strip().lower(), text)  # in the ini file pytest has read it

    def check(self, given: Given) -> bool:
        """Return the value, or raise `ConfigError`."""
        if isinstance(given.value, bool):
            return given.value
        meant = _WORDS.get(str(given.value).strip().lower()) if given.value != "" else None
        hint = f"Write {given.name}={meant}." if meant is not None else ""
        raise given.error(f" has to be {self.takes}", hint)


def is_state_path(path: object) -> bool:
    """Say whether a value is text that can stand for state: not empty, without outer spaces."""
    return isinstance(path, str) and _PATH.fullmatch(path) is not None


class StatePaths(Kind):
    """Paths of state, each of which covers everything below it."""

    ini_type = "linelist"
    takes = "a list of paths such as 'shop.app.CACHE', in which * stands for any text"
    limits = "one in each line"

    def check(self, given: Given) -> tuple[str, ...]:
        """Return the paths, or raise `ConfigError`."""
        paths = given.items("paths of state")
        for path in paths:
            if not is_state_path(path):
                problem = f" has {path!r}: a path is text such as 'shop.app.CACHE'"
                raise given.error(problem)
        return tuple(map(str, paths))
