"""Handlers of the test (`caplog`, the sections of a report, ``assertLogs``) that hear the function.

Function code finds Lambda's one handler on the root logger.  It may remove that one and set up
logging anew, look at the list, or clear it.  So the handlers of the test lie elsewhere while an
environment is entered, and each record goes to them once the loggers of the function have had it.

``assertLogs`` puts its handler in the place of all others of a logger, for a while, and lets the
logger propagate no more.  It restores the list of handlers that it has found: that of outside, if
the environment has entered since, or that of the function, if the environment leaves before.  So
each such logger is remembered, with the values that the function has there, and with the object of
``assertLogs`` if it has begun inside.  That object is found in the frame that calls `setLevel`,
because nothing else refers to it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Final, cast

from pytest_lambda_lifecycle.isolation.log_levels import registered
from pytest_lambda_lifecycle.isolation.part import PhasePart

__all__ = ["Listeners", "is_of_test"]

_TOOLS: Final = ("_pytest.", "unittest.", "testfixtures.")
_ASSERT_LOGS: Final = "unittest."


def is_of_test(handler: logging.Handler) -> bool:
    """Say whether a handler belongs to a test tool: to pytest or to ``assertLogs``."""
    return type(handler).__module__.startswith(_TOOLS)


def _is_capturing(handler: logging.Handler) -> bool:
    """Say whether a handler is one of ``assertLogs``."""
    return type(handler).__module__.startswith(_ASSERT_LOGS)


_CARRIED: Final[list[Any]] = []
"""Objects of ``assertLogs`` on loggers that no longer exist, as their environment has left."""


def _handler_of(context: Any) -> logging.Handler | None:  # noqa: ANN401
    """Return the handler of an ``assertLogs`` that has not ended."""
    for handler in context.logger.handlers:
        if getattr(handler, "watcher", None) is context.watcher:
            return cast("logging.Handler", handler)
    return None


class _Covered:
    """A logger on which ``assertLogs`` is at work, and the values of the function there."""

    def __init__(self, logger: logging.Logger | None) -> None:
        """``logger`` is None as long as the function has no logger of that name."""
        self.logger = logger
        self.handlers = [] if logger is None else logger.handlers
        self.propagate = logger is None or logger.propagate
        self.contexts: list[Any] = []
        """The objects of ``assertLogs`` that have begun inside."""
        self.settled = True
        """False as long as the logger has the value of ``assertLogs`` for ``propagate``."""


class Listeners(PhasePart):
    """The handlers of the test in one environment, by the name of the logger that they listen to.

    The environment may have another logger of that name than the test.
    """

    entered: Listeners | None = None
    """Those of the entered environment."""

    def __init__(
        self, runs_function_code: Callable[[], bool], is_of_test: Callable[[], bool]
    ) -> None:
        """``is_of_test`` says whether the current thread is one of the test's own."""
        self._runs_function_code = runs_function_code
        self.is_of_test = is_of_test
        self._others: dict[str, list[logging.Handler]] = {}
        """The other handlers of the test, which hear its own threads alone."""
        self._by_name: dict[str, list[logging.Handler]] = {}
        self._covered: dict[str, _Covered] = {}
        self._added: list[tuple[str, logging.Handler]] = []
        self._removed: list[tuple[str, logging.Handler]] = []
        self._ended: dict[logging.Logger, tuple[list[logging.Handler], bool]] = {}

    # -- entering and leaving ----------------------------------------------------------------------

    def collect(
        self, loggers: Iterable[tuple[logging.Logger, tuple[logging.Handler, ...]]]
    ) -> dict[str, int]:
        """Take over the handlers of the test from loggers, as they are outside.

        Return the levels of the loggers on which ``assertLogs`` is at work.
        """
        self._by_name = {}
        self._others = {}
        self._covered = {}
        self._added = []
        self._removed = []
        self._ended = {}
        levels: dict[str, int] = {}
        for logger, handlers in loggers:
            tools = list(filter(is_of_test, handlers))
            if len(tools) < len(handlers):
                self._others[logger.name] = [one for one in handlers if not is_of_test(one)]
            if tools:
                self._by_name[logger.name] = tools
                if any(map(_is_capturing, tools)):
                    self._covered[logger.name] = _Covered(None)
                    levels[logger.name] = logger.level
        while _CARRIED:
            context = _CARRIED.pop(0)
            handler, name = _handler_of(context), context.logger.name
            if handler is not None:
                self._by_name.setdefault(name, []).append(handler)
                self._covered.setdefault(name, _Covered(None)).contexts.append(context)
                levels[name] = context.level
        return levels

    def hide(self, *, new_process: bool) -> None:
        """Take the handlers of the test off the loggers, which have the function's values now.

        In a new process these are the values of outside.
        """
        for name in self._by_name:
            logger = registered(name)
            if logger is None:
                continue
            if any(map(is_of_test, logger.handlers)):
                logger.handlers = [one for one in logger.handlers if not is_of_test(one)]
            if name in self._covered:
                if new_process:
                    logger.propagate = True
                covered = _Covered(logger)
                covered.contexts = self._covered[name].contexts
                self._covered[name] = covered

    def restore(self) -> None:
        """Give the loggers, as they are outside, the changes of the test."""
        for logger, (handlers, propagate) in self._ended.items():
            logger.handlers = handlers
            logger.propagate = propagate
        for name, handler in self._removed:
            outside = registered(name)
            if outside is not None and handler in outside.handlers:
                outside.handlers.remove(handler)
        for name, handler in self._added:
            outside = registered(name)
            if outside is not None and handler not in outside.handlers:
                outside.handlers.append(handler)
        for name, covered in self._covered.items():
            for context in covered.contexts:
                self._cover_outside(context, self._by_name[name])

    def _cover_outside(self, context: Any, handlers: Iterable[logging.Handler]) -> None:  # noqa: ANN401
        """Let an ``assertLogs`` that has begun inside go on outside, and restore its values."""
        logger: logging.Logger = context.logger
        if registered(logger.name) is logger:
            context.old_handlers = logger.handlers
            context.old_propagate = logger.propagate
            context.old_level = logger.level
        else:
            _CARRIED.append(context)
        logger.handlers = [one for one in handlers if getattr(one, "watcher", 0) is context.watcher]
        logger.propagate = False

    # -- records -----------------------------------------------------------------------------------

    def deliver(
        self, logger: logging.Logger, record: logging.LogRecord, *, of_test: bool = False
    ) -> None:
        """Let the handlers of the test have a record that was logged with this logger.

        A record ``of_test`` is one of its own threads: all of its handlers hear it.
        """
        heard: list[logging.Handler] = []
        current: logging.Logger | None = logger
        while current is not None:
            name = current.name
            others = self._others.get(name, ()) if of_test else ()
            for handler in (*others, *self._by_name.get(name, ())):
                if handler not in heard:
                    heard.append(handler)
                    self._handle(handler, record)
            current = current.parent if current.propagate and name not in self._covered else None

    def _handle(self, handler: logging.Handler, record: logging.LogRecord) -> None:
        """Let one handler have a record.

        pytest's handlers raise where a record cannot be formatted, so that a test fails of it.  On
        Lambda there is no such handler, so none may raise into function code.
        """
        try:
            if record.levelno >= handler.level:
                handler.handle(record)
        except Exception:
            if not self._runs_function_code():
                raise

    # -- changes of the test between phases --------------------------------------------------------

    def add(self, logger: logging.Logger, handler: logging.Handler) -> None:
        """Add a handler of the test."""
        handlers = self._by_name.setdefault(logger.name, [])
        if handler not in handlers:
            handlers.append(handler)
            self._added.append((logger.name, handler))

    def remove(self, logger: logging.Logger, handler: logging.Handler) -> None:
        """Remove a handler that the test has removed from a logger."""
        handlers = self._by_name.get(logger.name, [])
        if handler in handlers:
            handlers.remove(handler)
        self._added = [one for one in self._added if one != (logger.name, handler)]
        self._removed.append((logger.name, handler))

    def level_set(self, logger: logging.Logger, frame: FrameType) -> bool:
        """Look at a frame that has set a level: ``assertLogs`` may begin or end with that.

        Say whether it ends.
        """
        if not str(frame.f_globals.get("__name__")).startswith(_ASSERT_LOGS):
            return False
        context = frame.f_locals.get("self")
        if hasattr(context, "old_handlers") and hasattr(context, "old_propagate"):
            if any(map(_is_capturing, logger.handlers)):
                self._begins(logger, context)
            elif logger.name in self._covered:
                self._ends(logger, context)
                return True
        return False

    def _begins(self, logger: logging.Logger, context: Any) -> None:  # noqa: ANN401
        (handler,) = logger.handlers
        logger.handlers = context.old_handlers
        covered = self._covered.get(logger.name)
        if covered is None:
            covered = self._covered[logger.name] = _Covered(logger)
        covered.contexts.append(context)
        covered.settled = False
        self._by_name.setdefault(logger.name, []).append(handler)

    def _ends(self, logger: logging.Logger, context: Any) -> None:  # noqa: ANN401
        covered = self._covered[logger.name]
        if context in covered.contexts:
            covered.contexts.remove(context)
        else:
            self._ended[logger] = (logger.handlers, logger.propagate)
        handlers = self._by_name[logger.name]
        handlers[:] = [one for one in handlers if getattr(one, "watcher", 0) is not context.watcher]
        if logger is covered.logger:
            logger.handlers = covered.handlers
            logger.propagate = covered.propagate
        if not any(map(_is_capturing, handlers)):
            del self._covered[logger.name]

    # -- phases ------------------------------------------------------------------------------------

    def begin_phase(self) -> None:
        """Give loggers the function's value of ``propagate``, which ``assertLogs`` has changed."""
        for covered in self._covered.values():
            if covered.logger is not None and not covered.settled:
                covered.logger.propagate = covered.propagate
                covered.settled = True

    def end_phase(self) -> None:
        """Remember the values that function code has left."""
        for covered in self._covered.values():
            if covered.logger is not None:
                covered.handlers = covered.logger.handlers
                covered.propagate = covered.logger.propagate


@functools.lru_cache(maxsize=1)
def stand_in(original: Callable[..., None]) -> Callable[..., None]:
    """Return the stand-in for `logging.Logger.callHandlers`, the same in each environment.

    Function code may wrap it in Init, as Sentry does.  Its wrapper comes back with the environment,
    and goes on calling the stand-in of the first time.
    """

    def callHandlers(self: logging.Logger, record: logging.LogRecord) -> None:
        __tracebackhide__ = __function_code_above__ = True
        listeners = Listeners.entered
        if listeners is not None and listeners.is_of_test():
            # The handlers of the function must not hear it: one that sends what it hears to a
            # server of the test would never end.
            listeners.deliver(self, record, of_test=True)
            return
        original(self, record)
        listeners = Listeners.entered
        if listeners is not None:
            listeners.deliver(self, record)

    return callHandlers
