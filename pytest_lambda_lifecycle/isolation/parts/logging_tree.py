"""The logging tree, and the levels in it that a test sets while an environment is entered."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.stage import stage

__all__ = ["LoggingTree", "sweep"]


class LoggingTree(Part):
    """The logging tree: loggers that function code makes, and what it does to those that exist.

    pytest's own handlers stay on the root logger, so that `caplog` and the report sections hear the
    function.
    """

    def __init__(self) -> None:
        self._own: _Tree | None = None
        self._levels = _TestLevels()

    def enter(self) -> Undo:
        outside = _Tree.photograph()
        levels, given = self._levels, self._levels.still_given()
        handlers = _TestHandlers()
        tests_handlers = [handler for handler in logging.root.handlers if _is_tests(handler)]
        handlers.capture(logging.root)
        if self._own is None:
            logging.root.setLevel(logging.WARNING)
            logging.root.filters[:] = []
            logging.disable(logging.NOTSET)
            _forget_what_the_outside_did(handlers)
            own_handlers: list[logging.Handler] = []
        else:
            self._own.restore()
            own_handlers = [handler for handler in logging.root.handlers if not _is_tests(handler)]
        logging.root.handlers[:] = own_handlers + tests_handlers
        levels.give(given)
        unwatch = patch_attributes(
            (
                logging.Logger,
                "setLevel",
                levels.watch(handlers.watch_level(logging.Logger.setLevel)),
            ),
            (logging.Logger, "removeHandler", handlers.watch_removal(logging.Logger.removeHandler)),
        )

        def leave() -> None:
            unwatch()
            levels.take_out()
            self._own = _Tree.photograph()
            outside.restore()
            handlers.put_back()
            levels.put_in()

        return leave

    def discard(self) -> None:
        self._own = None
        self._levels = _TestLevels()


def _forget_what_the_outside_did(handlers: _TestHandlers) -> None:
    """Give loggers the state of a fresh process, unless they are a shared library's own.

    The test's copy of the function may have set them up at its import: Powertools would find its
    mark on the logger and not set it up again.  A shared library is not imported again, so what it
    did to its loggers has to stay.
    """
    for name, logger in logging.Logger.manager.loggerDict.items():
        if not isinstance(logger, logging.Logger) or handlers.capture(logger):
            continue
        if name.partition(".")[0] not in sys.modules:
            # pytest 9 puts its handlers on loggers that do not propagate; this one does again, to
            # those on the root.
            kept = [one for one in logger.handlers if type(one) is logging.NullHandler]
            for extra in logger.__dict__.keys() - _LOGGER_ATTRIBUTES:
                del logger.__dict__[extra]
            logger.setLevel(logging.NOTSET)
            logger.propagate, logger.disabled = True, False
            logger.handlers[:], logger.filters[:] = kept, []


_LOGGER_ATTRIBUTES: Final = logging.Logger("any").__dict__.keys() | {"parent", "manager"}


def _is_tests(handler: logging.Handler) -> bool:
    """Say whether a handler is a test tool's: pytest's, or that of ``assertLogs``."""
    return type(handler).__module__.startswith(("_pytest.", "unittest."))


class _TestHandlers:
    """What a test takes off loggers between phases that it had put there before the environment
    entered.

    ``unittest``'s ``assertLogs`` gives a logger another list of handlers for a while.  It is the
    function's for as long, and then what the tool puts back is the outside's again, and not the
    function's.
    """

    def __init__(self) -> None:
        self._captured: dict[logging.Logger, list[logging.Handler]] = {}
        self._ended: dict[logging.Logger, tuple[list[logging.Handler], bool, int]] = {}
        self._removed: list[tuple[logging.Logger, logging.Handler]] = []

    def capture(self, logger: logging.Logger) -> bool:
        """Say whether a tool has taken over the handlers of a logger, and remember it."""
        if not any(type(one).__module__.startswith("unittest.") for one in logger.handlers):
            return False
        self._captured[logger] = logger.handlers
        return True

    def watch_level(
        self, original: Callable[[logging.Logger, Any], None]
    ) -> Callable[[logging.Logger, Any], None]:
        """Return what stands in for `logging.Logger.setLevel`: that is how the tool ends."""

        def setLevel(logger: logging.Logger, level: int | str) -> None:
            original(logger, level)
            functions = captured.get(logger)
            if (
                functions is not None
                and logger.handlers is not functions
                and not stage.on_phase_thread()
            ):
                del captured[logger]
                ended[logger] = logger.handlers, logger.propagate, logger.level
                own = [one for one in functions if not _is_tests(one)]
                logger.handlers = [*own, *filter(_is_tests, logger.handlers)]

        captured, ended = self._captured, self._ended
        return setLevel

    def watch_removal(
        self, original: Callable[[logging.Logger, logging.Handler], None]
    ) -> Callable[[logging.Logger, logging.Handler], None]:
        """Return what stands in for `logging.Logger.removeHandler`."""

        def removeHandler(self: logging.Logger, hdlr: logging.Handler) -> None:
            original(self, hdlr)
            if not stage.on_phase_thread():
                removed.append((self, hdlr))

        removed = self._removed
        return removeHandler

    def put_back(self) -> None:
        """Give the outside's loggers what the test has made of them."""
        for logger, (handlers, propagate, level) in self._ended.items():
            logger.handlers, logger.propagate, logger.level = handlers, propagate, level
        for logger, handler in self._removed:
            if handler in logger.handlers:
                logger.handlers.remove(handler)


class _Tree:
    """A photograph of the logging tree.  Loggers are shared objects, so their contents are put
    back, not they.
    """

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
        self._levels = (dict(logging._levelToName), dict(logging._nameToLevel))
        self._converter = logging.Formatter.converter

    @classmethod
    def photograph(cls) -> _Tree:
        return cls()

    def restore(self) -> None:
        manager = logging.Logger.manager
        manager.loggerDict.clear()
        manager.loggerDict.update(self._entries)
        for logger, values, handlers, filters in self._loggers:
            if logger.__dict__ != values:
                logger.__dict__.clear()
                logger.__dict__.update(values)
            if tuple(logger.handlers) != handlers or tuple(logger.filters) != filters:
                logger.handlers[:] = handlers
                logger.filters[:] = filters
        for current, saved in self._placeholders:
            current.clear()
            current.update(saved)
        logging.__dict__.update(self._module)
        level_to_name, name_to_level = self._levels
        logging._levelToName.clear()
        logging._levelToName.update(level_to_name)
        logging._nameToLevel.clear()
        logging._nameToLevel.update(name_to_level)
        logging.Formatter.converter = self._converter
        manager.disable = self._disable
        manager._clear_cache()  # type: ignore[attr-defined]


class _TestLevels:
    """What a test sets between phases (`caplog.set_level`): it acts at once, and is the test's, not
    the function's.

    A tool that had begun before the environment entered may also put a level back that the function
    has anyway: then nothing changes inside, but outside.
    """

    def __init__(self) -> None:
        self._functions: dict[logging.Logger, int] = {}
        """The function's levels, of those loggers that have the test's."""
        self._put_back: dict[logging.Logger, int] = {}
        self._given: dict[logging.Logger, int] = {}
        """What the outside has got."""

    def watch(
        self, original: Callable[[logging.Logger, Any], None]
    ) -> Callable[[logging.Logger, Any], None]:
        """Return what stands in for `logging.Logger.setLevel`."""

        def setLevel(self: logging.Logger, level: int | str) -> None:
            before = self.level
            original(self, level)
            if stage.on_phase_thread():
                return
            if self.level != before or self in functions:
                functions.setdefault(self, before)
            else:
                put_back[self] = before

        functions, put_back = self._functions, self._put_back
        return setLevel

    def still_given(self) -> dict[logging.Logger, int]:
        """Return what the test has set before the environment left, and not taken back since."""
        return {
            logger: level
            for logger, level in self._given.items()
            if logger in _FOUND and logger.level == level
        }

    def give(self, levels: dict[logging.Logger, int]) -> None:
        """Let them act inside again."""
        self._functions.clear()
        self._put_back.clear()
        for logger, level in levels.items():
            self._functions[logger] = logger.level
            logger.setLevel(level)

    def take_out(self) -> None:
        """Give the loggers the function's levels."""
        self._given = dict(self._put_back)
        for logger, functions in self._functions.items():
            if logger.level != functions:
                self._given[logger] = logger.level
                logger.level = functions
            elif logger in _FOUND:  # the test has put back what it had found
                self._given[logger] = _FOUND[logger][0]

    def put_in(self) -> None:
        """Give the loggers that there are outside the test's levels."""
        for logger, level in self._given.items():
            if (
                logger is logging.root
                or logging.Logger.manager.loggerDict.get(logger.name) is logger
            ):
                if logger in self._functions:
                    _FOUND.setdefault(logger, (logger.level, self._functions[logger]))
                logger.setLevel(level)


_FOUND: dict[logging.Logger, tuple[int, int]] = {}
"""Loggers that a test has given a level while inside: the outside's own, and the function's, which
the test found.
"""


def sweep() -> None:
    """Undo what was put back too late: `caplog` puts back what it found, which was the function's.

    To be called when a test has ended and no environment is entered.
    """
    for logger, (outside, functions) in _FOUND.items():
        if logger.level == functions:
            logger.setLevel(outside)
    _FOUND.clear()
