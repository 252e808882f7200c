"""Levels of loggers that a test asks for: they act on the function, and belong to the test.

`caplog.set_level` and `assertLogs` call `logging.Logger.setLevel`, and so may the test.  That is
watched during a test, and while an environment is entered, because the level alone does not tell
who has set it.  A level of the root logger may be that of pytest's setting ``log_level``, which
Lambda's own replaces in Init.  A level of a named logger may be that of the test's copy of the
function.  What the running test has asked for holds: in Init, and in each later phase until the
test asks for another level, or restores the one that it has found.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.stage import stage

__all__ = ["LevelsOfTest", "registered", "sweep", "watch_test"]

_getframe: Final = sys._getframe


class _Ask(NamedTuple):
    """A level that the running test asks for."""

    found: int | None
    """The level that the test has found, and restores; None if it is not known."""
    level: int


_ASKED: Final[dict[str, _Ask]] = {}
"""The levels by the name of the logger: each process has a logger of its own of that name."""
_UNWATCH: Final[list[Undo]] = []
"""Ends the watch for the running test, if there is one."""
_ROOT_AT_START: Final[list[int]] = []
"""The level of the root logger when the watch for the running test began."""
_FOUND: Final[dict[logging.Logger, tuple[int, int]]] = {}
"""Loggers whose level a test has set inside: the level outside, and the level of the function.

The test has found the level of the function, and may restore that later.
"""


def _set_level(logger: logging.Logger, level: int) -> None:
    """Set a level behind the back of those who watch."""
    if logger.level != level:
        logger.level = level
        logger.manager._clear_cache()  # type: ignore[attr-defined]


def watch_test() -> None:
    """Note the levels that the test asks for from now on, until `sweep`."""
    if _UNWATCH:
        return
    original: Any = logging.Logger.setLevel
    _ROOT_AT_START.append(logging.root.level)

    def setLevel(self: logging.Logger, level: int | str) -> None:
        before = self.level
        original(self, level)
        if not stage.running and _is_ask():
            _note(self, before)

    # Environments put a stand-in of their own on top, and do not take this one for a mock.
    setLevel.__module__ = original.__module__
    _UNWATCH.append(patch_attributes((logging.Logger, "setLevel", setLevel)))


def _is_ask() -> bool:
    """Say whether the test itself sets a level, now.

    pytest sets that of its setting ``log_level`` in each phase of a test, through methods of
    `catching_logs`, which other plugins use as well.  A module that is being
    imported may be the test's copy of the function.
    """
    frame = _getframe(2)
    while frame.f_back is not None and is_own(frame):
        frame = frame.f_back
    caller = frame.f_back
    if caller is not None and _is_of_pytest(caller) and frame.f_code.co_name in _METHODS:
        return False
    while frame.f_back is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return False
        frame = frame.f_back
    return True


_METHODS: Final = ("__enter__", "__exit__")


def _is_of_pytest(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") == "_pytest.logging"


def registered(name: str) -> logging.Logger | None:
    """Return the logger of a name, if there is one now."""
    if name == logging.root.name:
        return logging.root
    logger = logging.Logger.manager.loggerDict.get(name)
    return logger if isinstance(logger, logging.Logger) else None


def _note(logger: logging.Logger, before: int) -> None:
    name = logger.name
    ask = _ASKED.get(name)
    if ask is None:
        _ASKED[name] = _Ask(before, logger.level)
    elif logger.level == ask.found and before != ask.found:
        del _ASKED[name]  # the test restores the level that it has found
    else:
        _ASKED[name] = ask._replace(level=logger.level)


def sweep() -> None:
    """Forget what the test has asked for, and undo levels that it has restored too late.

    `caplog` restores the level that it has found, which is one of the function if it was set while
    an environment was entered.  Call this when a test has ended and no environment is entered.
    """
    while _UNWATCH:
        _UNWATCH.pop()()
    _ASKED.clear()
    for logger, (outside, functions) in _FOUND.items():
        # The level outside may have been one for a while, which a tool has taken back since.
        is_passing = logger is logging.root and outside not in _ROOT_AT_START
        if logger.level == functions and not is_passing:
            logger.setLevel(outside)
    _FOUND.clear()
    _ROOT_AT_START.clear()


def _outside(logger: logging.Logger, found: int) -> int:
    """Return the level outside of a logger whose level the test has found to be ``found``."""
    return _FOUND[logger][0] if logger in _FOUND else found


class LevelsOfTest:
    """The levels of the test in one environment, and those of the function below them."""

    def __init__(self, held: Callable[[str, str], None]) -> None:
        """``held`` is called with the level that holds in Init and the level of Lambda."""
        self._held = held
        self._functions: dict[logging.Logger, int] = {}
        """The levels of the function for those loggers that have a level of the test."""
        self._set_in_init: set[logging.Logger] = set()
        self._found_outside: set[str] = set()
        """The names of loggers that had the level of the test when the environment entered."""
        self._restored: dict[logging.Logger, int] = {}
        """Levels that the test has restored inside, and that loggers are to get outside."""

    def give(self, captured: Mapping[str, int], *, new_process: bool) -> None:
        """Let the levels that the test asks for act inside.

        ``captured`` has the levels of loggers on which ``assertLogs`` has begun.  In a new process,
        named loggers have the levels of outside.
        """
        self._functions.clear()
        self._restored.clear()
        for name, level in captured.items():
            _ASKED.setdefault(name, _Ask(None, level))
        for name, ask in _ASKED.items():
            logger = registered(name) or logging.getLogger(name)
            below = logger.level
            if new_process and logger is not logging.root:
                below = _outside(logger, ask.found or logging.NOTSET)
            self._functions[logger] = below
            _set_level(logger, ask.level)
        self._found_outside = {logger.name for logger in self._functions}

    def after_preset(self) -> None:
        """Let the test's level of the root logger hold, which Lambda has just set to its own."""
        root = logging.root
        ask = _ASKED.get(root.name)
        self._set_in_init.clear()
        if ask is not None and ask.level != root.level:
            self._held(logging.getLevelName(ask.level), logging.getLevelName(root.level))
            _set_level(root, ask.level)

    def after_init(self) -> None:
        """Let a level of the test count again where function code has set a higher one in Init.

        Then the test wants to see more than the function logs.  A lower level of the function stays
        as it is: its log has all that it has on Lambda, and handlers of the test have levels of
        their own.
        """
        for logger in self._set_in_init:
            ask = _ASKED.get(logger.name)
            if ask is not None and 0 < ask.level < logger.level:
                _set_level(logger, ask.level)
        self._set_in_init.clear()

    def set_by_function(self, logger: logging.Logger) -> None:
        """Note a level that function code has set: it counts at once."""
        if logger in self._functions:
            self._functions[logger] = logger.level
            self._set_in_init.add(logger)

    def set_by_test(self, logger: logging.Logger, before: int, *, restores: bool) -> None:
        """Note a level that the test has set between phases.

        With ``restores`` it is known that the test restores the level that it has found.
        """
        if not _UNWATCH and _is_ask():
            _note(logger, before)
        if restores:
            _ASKED.pop(logger.name, None)
        if logger.name in _ASKED:
            self._functions.setdefault(logger, before)
            return
        restored = logger.level
        inside = registered(logger.name)
        if inside in self._functions:
            _set_level(inside, self._functions.pop(inside))
        if logger.name in self._found_outside:
            self._restored[logger] = _outside(logger, restored)

    def take_out(self) -> dict[logging.Logger, int]:
        """Give the loggers the levels of the function; return the levels for `put_in`."""
        given = dict(self._restored)
        self._set_in_init.clear()
        for logger, functions in self._functions.items():
            ask = _ASKED.get(logger.name)
            if ask is not None:
                given[logger] = ask.level
            _set_level(logger, functions)
        return given

    def put_in(self, given: Mapping[logging.Logger, int]) -> None:
        """Give the loggers the test's levels, also those that do not exist outside.

        A tool that has set the level of such a logger restores it there, and is noticed by that.
        """
        for logger, level in given.items():
            if logger in self._functions and logger.name not in self._found_outside:
                _FOUND.setdefault(logger, (logger.level, self._functions[logger]))
            _set_level(logger, level)
