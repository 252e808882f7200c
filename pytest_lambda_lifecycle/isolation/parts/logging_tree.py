"""The logging tree, and the levels and handlers in it that a test changes between phases.

Loggers are global objects that everybody keeps, so they cannot be exchanged as modules are; their
contents are.  A snapshot of the tree is taken on entering and restored on leaving, and the same is
done the other way round for the tree of the environment.

A snapshot alone goes wrong where a test tool changes a logger, and restores it when it likes.  A
level that a test has set has to act on the function, but belongs to the test: see
`isolation/log_levels.py`.  Handlers of a test tool have to hear the function, which must not find
them: see `isolation/log_listeners.py`.  So the methods of `logging.Logger` that set levels and
handlers are watched while an environment is entered; a call between phases is a call of the test.

`logging.config` closes all handlers that exist in the process before it sets up its own.  Where
function code uses it, those of the test (pytest's ``--log-file``) must stay open.  So the module's
list of handlers is exchanged as well.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final
from weakref import WeakValueDictionary

from pytest_lambda_lifecycle.isolation.log_levels import LevelsOfTest
from pytest_lambda_lifecycle.isolation.log_listeners import Listeners, is_of_test, stand_in
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["LoggingTree"]

_LOGGER_ATTRIBUTES: Final = logging.Logger("any").__dict__.keys() | {"parent", "manager"}
_LOGGING: Final[Any] = logging
_KNOWN_HANDLERS: Final[list[Any]] = _LOGGING._handlerList
"""Weak references to all handlers; `logging.shutdown` has this list as a default argument."""
_NAMED_HANDLERS: Final[Any] = _LOGGING._handlers
"""The handlers that have a name."""
_getframe: Final = sys._getframe


class LoggingTree(Part):
    """The loggers that function code makes, and its changes to those that exist."""

    def __init__(
        self, runs_function_code: Callable[[], bool], held: Callable[[str, str], None]
    ) -> None:
        """``held`` is called where a level of the test holds in Init in the place of Lambda's."""
        self._own: _TreeSnapshot | None = None
        self._runs_function_code = runs_function_code
        self.listeners = Listeners(runs_function_code)
        """A part of its own, with a share in each phase."""
        self.levels = LevelsOfTest(held)

    def enter(self) -> Undo:
        new_process = self._own is None
        if new_process and _left_out.data:  # the length of such a dict takes longer
            _keep_those_of_libraries()
        outside = _TreeSnapshot()
        listeners, levels = self.listeners, self.levels
        captured = listeners.collect(outside.handlers())
        if self._own is None:
            _begin_process()
        else:
            self._own.restore()
        listeners.hide(new_process=new_process)
        levels.give(captured, new_process=new_process)
        cls = logging.Logger
        unwatch = patch_attributes(
            (cls, "callHandlers", stand_in(cls.callHandlers)),
            (cls, "setLevel", self._watched_level(cls.setLevel)),
            (cls, "addHandler", self._watched(cls.addHandler, self._add)),
            (cls, "removeHandler", self._watched(cls.removeHandler, self._remove)),
        )
        Listeners.entered = listeners

        def leave() -> None:
            Listeners.entered = None
            unwatch()
            listeners.begin_phase()
            given = levels.take_out()
            if not Part.ending:
                self._own = _TreeSnapshot()
            if logging.Logger.manager.loggerDict != outside.entries:
                _left_out.update(outside.later_loggers())
            outside.restore()
            listeners.restore()
            levels.put_in(given)

        return leave

    def discard(self) -> None:
        self._own = None

    # -- calls of the test -------------------------------------------------------------------------

    def _watched_level(
        self, original: Callable[[logging.Logger, Any], None]
    ) -> Callable[[logging.Logger, Any], None]:
        """Return a stand-in for `logging.Logger.setLevel`."""
        runs_function_code, listeners, levels = (
            self._runs_function_code,
            self.listeners,
            self.levels,
        )

        def setLevel(self: logging.Logger, level: int | str) -> None:
            before = self.level
            original(self, level)
            if runs_function_code():
                levels.set_by_function(self)
            else:
                levels.set_by_test(self, before, restores=listeners.level_set(self, _getframe(1)))

        return setLevel

    def _watched(
        self,
        original: Callable[[logging.Logger, logging.Handler], None],
        note: Callable[[logging.Logger, logging.Handler], bool],
    ) -> Callable[[logging.Logger, logging.Handler], None]:
        """Return a stand-in for a method that adds or removes a handler."""
        runs_function_code = self._runs_function_code

        def watched(self: logging.Logger, hdlr: logging.Handler) -> None:
            if runs_function_code() or not note(self, hdlr):
                original(self, hdlr)

        return watched

    def _add(self, logger: logging.Logger, handler: logging.Handler) -> bool:
        """Say whether a handler is one of a test tool, which function code must not find."""
        if not is_of_test(handler):
            return False
        self.listeners.add(logger, handler)
        return True

    def _remove(self, logger: logging.Logger, handler: logging.Handler) -> bool:
        self.listeners.remove(logger, handler)
        return False


def _begin_process() -> None:
    """Give loggers the state of a fresh process, unless they are a shared library's own.

    The test's copy of the function may have set them up at its import: Powertools would find its
    mark on the logger, and not set it up again.  A shared library is not imported again, so its
    settings of its own loggers have to stay.  Levels stay as well: a function sets those of its
    loggers again, and any other is one that the suite has set.
    """
    root = logging.root
    root.handlers = []
    root.setLevel(logging.WARNING)
    root.filters[:] = []
    logging.disable(logging.NOTSET)
    logging.Logger.manager.emittedNoHandlerWarning = False
    last_resort = logging.lastResort
    _KNOWN_HANDLERS[:] = [one for one in _KNOWN_HANDLERS if one() is last_resort]
    if _NAMED_HANDLERS:
        _NAMED_HANDLERS.clear()
    for name, logger in logging.Logger.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and name.partition(".")[0] not in sys.modules:
            # pytest 9 puts its handlers on loggers that do not propagate.  This logger propagates
            # again, to those on the root logger.
            kept = [one for one in logger.handlers if type(one) is logging.NullHandler]
            for extra in logger.__dict__.keys() - _LOGGER_ATTRIBUTES:
                del logger.__dict__[extra]
            logger.propagate = True
            logger.disabled = False
            logger.handlers[:] = kept
            logger.filters[:] = []


_left_out: Final[Any] = WeakValueDictionary()
"""Loggers that have left the tree together with the environment in which they were made."""


def _keep_those_of_libraries() -> None:
    """Put loggers of shared libraries back into the tree, without settings of a function.

    A library that function code imports first makes its loggers in the tree of that environment.
    The library stays, and so do the loggers that it holds.  Out of the tree they would go on with
    the levels that they have found there (a logger remembers whether it is enabled), and a level
    that a later function sets, by name, would act on another logger.  Modules of the function are
    not imported at this moment: what is in `sys.modules` is shared.
    """
    manager: Any = logging.Logger.manager
    for name, logger in list(_left_out.items()):
        known = manager.loggerDict.get(name)
        if name.partition(".")[0] not in sys.modules or isinstance(known, logging.Logger):
            continue
        logger.level = logging.NOTSET
        logger.propagate, logger.disabled = True, False
        logger.handlers[:] = [one for one in logger.handlers if type(one) is logging.NullHandler]
        logger.filters[:] = []
        manager.loggerDict[name] = logger
        if known is not None:
            manager._fixupChildren(known, logger)
        manager._fixupParents(logger)
    _left_out.clear()
    manager._clear_cache()


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
        self.entries = dict(manager.loggerDict)
        loggers = [entry for entry in self.entries.values() if isinstance(entry, logging.Logger)]
        self._loggers = [
            (one, dict(one.__dict__), tuple(one.handlers), tuple(one.filters))
            for one in [logging.root, *loggers]
        ]
        self._placeholders = [
            (entry.loggerMap, dict(entry.loggerMap))
            for entry in self.entries.values()
            if isinstance(entry, logging.PlaceHolder)
        ]
        self._disable = manager.disable
        self._warned = manager.emittedNoHandlerWarning
        self._module = {name: logging.__dict__.get(name) for name in self._MODULE_VALUES}
        self._known = [ref for ref in _KNOWN_HANDLERS if ref() is not None]
        self._named = dict(_NAMED_HANDLERS) if _NAMED_HANDLERS else {}
        self._level_to_name = dict(logging._levelToName)
        self._name_to_level = dict(logging._nameToLevel)
        self._converter: Any = vars(logging.Formatter)["converter"]

    def handlers(self) -> Iterator[tuple[logging.Logger, tuple[logging.Handler, ...]]]:
        """Return the loggers that have handlers, with these."""
        return ((one, handlers) for one, _, handlers, _ in self._loggers if handlers)

    def later_loggers(self) -> dict[str, logging.Logger]:
        """Return the loggers that are in the tree now and were not, by name."""
        now, before = logging.Logger.manager.loggerDict, self.entries
        return {
            name: entry
            for name, entry in now.items()
            if isinstance(entry, logging.Logger) and entry is not before.get(name)
        }

    def restore(self) -> None:
        manager = logging.Logger.manager
        _replace_contents(manager.loggerDict, self.entries)
        for logger, values, handlers, filters in self._loggers:
            if logger.__dict__ != values:
                _replace_contents(logger.__dict__, values)
            if tuple(logger.handlers) != handlers or tuple(logger.filters) != filters:
                logger.handlers[:] = handlers
                logger.filters[:] = filters
        for current, saved in self._placeholders:
            _replace_contents(current, saved)
        logging.__dict__.update(self._module)
        _KNOWN_HANDLERS[:] = self._known
        if self._named or _NAMED_HANDLERS:
            _replace_contents(_NAMED_HANDLERS, self._named)
        _replace_contents(logging._levelToName, self._level_to_name)
        _replace_contents(logging._nameToLevel, self._name_to_level)
        logging.Formatter.converter = self._converter
        manager.disable = self._disable
        manager.emittedNoHandlerWarning = self._warned
        manager._clear_cache()  # type: ignore[attr-defined]


def _replace_contents(mapping: dict[Any, Any], contents: dict[Any, Any]) -> None:
    mapping.clear()
    mapping.update(contents)
