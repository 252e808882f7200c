"""The logging tree, and the levels and handlers in it that a test changes between phases.

Loggers are global objects that everybody keeps, so they cannot be exchanged as modules are; their
contents are.  A snapshot of the tree is taken on entering and restored on leaving, and the same is
done the other way round for the tree of the environment.  Handlers of pytest and of ``assertLogs``
stay on the root logger, so that `caplog` and the sections of a report have the function's records.

A snapshot alone goes wrong where a test tool changes a logger between phases, and restores it when
it likes.  `caplog.set_level` has to act on the function at once, but belongs to the test: without
further care the level would be saved with the environment, and the outside would not get it.  If
`caplog` then restores the level that it has found, a level of the function, after the environment
has left, the outside would keep that for the rest of the run.  `unittest.TestCase.assertLogs` gives
a logger another list of handlers for a while, and puts the old list back, which may be the list of
outside, in the middle of the environment's life.  So `Logger.setLevel` and `Logger.removeHandler`
are watched while an environment is entered; a call between phases is a call of the test.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.stage import stage

__all__ = ["LoggingTree", "sweep"]

_FOUND: dict[logging.Logger, tuple[int, int]] = {}
"""Loggers whose level a test has set inside: the level outside, and the level of the function.

The test has found the level of the function, and may restore that later.
"""
_LOGGER_ATTRIBUTES: Final = logging.Logger("any").__dict__.keys() | {"parent", "manager"}


class LoggingTree(Part):
    """The loggers that function code makes, and its changes to those that exist."""

    def __init__(self) -> None:
        self._own: _TreeSnapshot | None = None
        self._levels = _TestLevels()

    def enter(self) -> Undo:
        outside = _TreeSnapshot()
        levels = self._levels
        given = levels.still_given()
        handlers = _TestHandlers()
        tests_handlers = list(filter(_is_of_test, logging.root.handlers))
        handlers.capture(logging.root)
        if self._own is None:
            _begin_process(handlers)
            own_handlers: list[logging.Handler] = []
        else:
            self._own.restore()
            own_handlers = [one for one in logging.root.handlers if not _is_of_test(one)]
        logging.root.handlers[:] = own_handlers + tests_handlers
        levels.give(given)
        cls = logging.Logger
        unwatch = patch_attributes(
            (cls, "setLevel", levels.watch(handlers.watch_level(cls.setLevel))),
            (cls, "removeHandler", handlers.watch_removal(cls.removeHandler)),
        )

        def leave() -> None:
            unwatch()
            levels.take_out()
            self._own = _TreeSnapshot()
            outside.restore()
            handlers.restore()
            levels.put_in()

        return leave

    def discard(self) -> None:
        self._own = None
        self._levels = _TestLevels()


def _begin_process(handlers: _TestHandlers) -> None:
    """Give loggers the state of a fresh process, unless they are a shared library's own.

    The test's copy of the function may have set them up at its import: Powertools would find its
    mark on the logger, and not set it up again.  A shared library is not imported again, so its
    settings of its own loggers have to stay.
    """
    logging.root.setLevel(logging.WARNING)
    logging.root.filters[:] = []
    logging.disable(logging.NOTSET)
    for name, logger in logging.Logger.manager.loggerDict.items():
        if not isinstance(logger, logging.Logger) or handlers.capture(logger):
            continue
        if name.partition(".")[0] not in sys.modules:
            # pytest 9 puts its handlers on loggers that do not propagate.  This logger propagates
            # again, to those on the root logger.
            kept = [one for one in logger.handlers if type(one) is logging.NullHandler]
            for extra in logger.__dict__.keys() - _LOGGER_ATTRIBUTES:
                del logger.__dict__[extra]
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
            logger.disabled = False
            logger.handlers[:] = kept
            logger.filters[:] = []


def _is_of_test(handler: logging.Handler) -> bool:
    """Say whether a handler belongs to a test tool: to pytest or to ``assertLogs``."""
    return type(handler).__module__.startswith(("_pytest.", "unittest."))


class _TestHandlers:
    """Handlers that a tool had put on loggers before the environment entered, and takes off inside.

    While the tool is at work, function code has its list of handlers as well.  The list that it
    puts back is the list of outside, and not that of the function.
    """

    def __init__(self) -> None:
        self._captured: dict[logging.Logger, list[logging.Handler]] = {}
        self._ended: dict[logging.Logger, tuple[list[logging.Handler], bool, int]] = {}
        self._removed: list[tuple[logging.Logger, logging.Handler]] = []

    def capture(self, logger: logging.Logger) -> bool:
        """Say whether ``assertLogs`` has taken over the handlers of a logger, and remember it."""
        if not any(type(one).__module__.startswith("unittest.") for one in logger.handlers):
            return False
        self._captured[logger] = logger.handlers
        return True

    def watch_level(
        self, original: Callable[[logging.Logger, Any], None]
    ) -> Callable[[logging.Logger, Any], None]:
        """Return a stand-in for `logging.Logger.setLevel`, which is the last call of the tool."""

        def setLevel(logger: logging.Logger, level: int | str) -> None:
            original(logger, level)
            functions = captured.get(logger)
            if functions is None or logger.handlers is functions or stage.on_phase_thread():
                return
            del captured[logger]
            ended[logger] = (logger.handlers, logger.propagate, logger.level)
            own = [one for one in functions if not _is_of_test(one)]
            logger.handlers = [*own, *filter(_is_of_test, logger.handlers)]

        captured = self._captured
        ended = self._ended
        return setLevel

    def watch_removal(
        self, original: Callable[[logging.Logger, logging.Handler], None]
    ) -> Callable[[logging.Logger, logging.Handler], None]:
        """Return a stand-in for `logging.Logger.removeHandler`."""

        def removeHandler(self: logging.Logger, hdlr: logging.Handler) -> None:
            original(self, hdlr)
            if not stage.on_phase_thread():
                removed.append((self, hdlr))

        removed = self._removed
        return removeHandler

    def restore(self) -> None:
        """Give the loggers, as they are outside, the changes of the test."""
        for logger, (handlers, propagate, level) in self._ended.items():
            logger.handlers = handlers
            logger.propagate = propagate
            logger.level = level
        for logger, handler in self._removed:
            if handler in logger.handlers:
                logger.handlers.remove(handler)


class _TreeSnapshot:
    """The contents of the logging tree when it was made."""

    _MODULE_VALUES = (
        "raiseExceptions",
        "lastResort",
        "_loggerClass",
        "_logRecordFactory",
        "_warnings_showwarning",
    )

    def __init__(self) -> None:
        manager = logging.Logger.manager
        self._entries = dict(manager.loggerDict)
        loggers = [entry for entry in self._entries.values() if isinstance(entry, logging.Logger)]
        self._loggers = [
            (one, dict(one.__dict__), tuple(one.handlers), tuple(one.filters))
            for one in [logging.root, *loggers]
        ]
        self._placeholders = [
            (entry.loggerMap, dict(entry.loggerMap))
            for entry in self._entries.values()
            if isinstance(entry, logging.PlaceHolder)
        ]
        self._disable = manager.disable
        self._module = {name: logging.__dict__.get(name) for name in self._MODULE_VALUES}
        self._level_to_name = dict(logging._levelToName)
        self._name_to_level = dict(logging._nameToLevel)
        self._converter: Any = vars(logging.Formatter)["converter"]

    def restore(self) -> None:
        manager = logging.Logger.manager
        _replace_contents(manager.loggerDict, self._entries)
        for logger, values, handlers, filters in self._loggers:
            if logger.__dict__ != values:
                _replace_contents(logger.__dict__, values)
            if tuple(logger.handlers) != handlers or tuple(logger.filters) != filters:
                logger.handlers[:] = handlers
                logger.filters[:] = filters
        for current, saved in self._placeholders:
            _replace_contents(current, saved)
        logging.__dict__.update(self._module)
        _replace_contents(logging._levelToName, self._level_to_name)
        _replace_contents(logging._nameToLevel, self._name_to_level)
        logging.Formatter.converter = self._converter
        manager.disable = self._disable
        manager._clear_cache()  # type: ignore[attr-defined]


def _replace_contents(mapping: dict[Any, Any], contents: dict[Any, Any]) -> None:
    mapping.clear()
    mapping.update(contents)


class _TestLevels:
    """Levels that a test sets between phases: they act at once, and belong to the test.

    A tool that had begun before the environment entered may also restore a level that the function
    has anyway: then nothing changes inside, but outside.
    """

    def __init__(self) -> None:
        self._functions: dict[logging.Logger, int] = {}
        """The levels of the function for those loggers that have a level of the test."""
        self._restored: dict[logging.Logger, int] = {}
        """Levels that a tool has restored where the function has the same."""
        self._given: dict[logging.Logger, int] = {}
        """The levels that loggers have got outside when the environment left."""

    def watch(
        self, original: Callable[[logging.Logger, Any], None]
    ) -> Callable[[logging.Logger, Any], None]:
        """Return a stand-in for `logging.Logger.setLevel`."""

        def setLevel(self: logging.Logger, level: int | str) -> None:
            before = self.level
            original(self, level)
            if stage.on_phase_thread():
                return
            if self.level != before or self in functions:
                functions.setdefault(self, before)
            else:
                restored[self] = before

        functions = self._functions
        restored = self._restored
        return setLevel

    def still_given(self) -> dict[logging.Logger, int]:
        """Return the levels that the test had set inside, and that loggers still have outside."""
        return {
            logger: level
            for logger, level in self._given.items()
            if logger in _FOUND and logger.level == level
        }

    def give(self, levels: dict[logging.Logger, int]) -> None:
        """Let these levels act inside again."""
        self._functions.clear()
        self._restored.clear()
        for logger, level in levels.items():
            self._functions[logger] = logger.level
            logger.setLevel(level)

    def take_out(self) -> None:
        """Give the loggers the levels of the function, and note those of the test."""
        self._given = dict(self._restored)
        for logger, functions in self._functions.items():
            if logger.level != functions:
                self._given[logger] = logger.level
                logger.level = functions
            elif logger in _FOUND:  # the test has restored the level that it had found
                self._given[logger] = _FOUND[logger][0]

    def put_in(self) -> None:
        """Give the loggers that exist outside the test's levels."""
        for logger, level in self._given.items():
            existing = logging.Logger.manager.loggerDict.get(logger.name)
            if logger is logging.root or existing is logger:
                if logger in self._functions:
                    _FOUND.setdefault(logger, (logger.level, self._functions[logger]))
                logger.setLevel(level)


def sweep() -> None:
    """Undo levels that a tool has restored after the environments had left.

    `caplog` restores the level that it has found, a level of the function.  Call this when a test
    has ended and no environment is entered.
    """
    for logger, (outside, functions) in _FOUND.items():
        if logger.level == functions:
            logger.setLevel(outside)
    _FOUND.clear()
