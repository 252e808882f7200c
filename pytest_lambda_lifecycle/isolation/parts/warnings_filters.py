"""`warnings`: filters and hooks of function code act in its phases, and warnings are in its log.

pytest records each warning, and prints none.  On Lambda a warning is a line on `sys.stderr`, which
function code may format or redirect.  So during a phase a function stands in the place of the
recorder, that of pytest, `pytest.warns` or `recwarn`: it writes the line, and hands the warning on.

pytest also records warnings that Python ignores, such as those about deprecated functions.  The log
has those that the filters of function code, and those of Python, let through.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from operator import is_not, itemgetter
from types import MethodType
from typing import Any, ClassVar, Final

from pytest_lambda_lifecycle.isolation.part import PhasePart
from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["WarningsFilters", "without_test"]

_WARNINGS: Final[Any] = warnings
_NAMESPACE: Final[dict[str, Any]] = warnings.__dict__
_NAMES: Final = ("showwarning", "formatwarning", "_showwarnmsg_impl")
_read: Final = itemgetter(*_NAMES)
_AT_START: Final = (_WARNINGS._showwarning_orig, _WARNINGS._formatwarning_orig)
_UNKNOWN: Final = ()
_IGNORED: Final = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
_OF_PYTHON: Final[list[Any]] = [
    ("default", None, DeprecationWarning, "__main__", 0),
    *(("ignore", None, category, None, 0) for category in _IGNORED),
]
"""The filters of a new process (CPython, ``Python/_warnings.c``)."""


class WarningsFilters(PhasePart):
    """Puts the filters of the function in front of those of the test, and its hooks in place."""

    entered: ClassVar[WarningsFilters | None] = None
    """Those of the entered environment."""

    def __init__(self) -> None:
        self._own: list[Any] = []
        self._alone = False
        """Function code has thrown the filters of the test away (`warnings.resetwarnings`)."""
        self._hooks: tuple[Any, Any] = _AT_START
        """The values that function code has left in `showwarning` and `formatwarning`."""
        self._left: Any = None
        """The recorder of a `catch_warnings` that function code has not left."""
        self._outside: Any = _UNKNOWN
        """The values of `_NAMES` for the test, as the latest phase has begun."""
        self._at_begin: Any = _UNKNOWN
        """The same for function code."""
        self._placed = False
        """They are not the same."""
        self._of_test: list[Any] = []
        """The filters of the test."""
        self._inside: list[Any] = []
        self._count = 0
        self._shown: set[tuple[object, ...]] = set()
        """The warnings in the log that pytest would record again and again."""

    def enter(self) -> Undo:
        WarningsFilters.entered = self
        return _leave

    def begin_phase(self) -> None:
        try:
            filters = self._of_test = warnings.filters  # type: ignore[assignment]
            if _read(_NAMESPACE) != self._outside:
                self._look()
        except Exception:  # one was deleted, or is an object that cannot be compared
            filters = self._of_test = getattr(warnings, "filters", [])
            self._look()
        inside = self._inside = [*self._own] if self._alone else [*self._own, *filters]
        self._count = len(inside)
        warnings.filters = inside
        if self._placed:
            _set(self._at_begin)

    def _look(self) -> None:
        """Find what function code is to have in the places of the hooks of the test."""
        self._outside = outside = _present()
        shows = outside[2]
        if self._left is not None:
            shows = self._left
        elif shows is not _SHOWS and not _is_of_python(shows):
            shows = self._show
        self._at_begin = (*self._hooks, shows)
        self._placed = any(map(is_not, self._at_begin, outside))

    def end_phase(self) -> None:
        try:
            filters: Any = warnings.filters
            same = _read(_NAMESPACE) == self._at_begin
        except Exception:
            filters, same = getattr(warnings, "filters", []), False
        if filters is not self._inside or len(filters) != self._count:
            self._keep_filters(filters)
        warnings.filters = self._of_test
        if not same:
            self._keep_hooks(*_present())
        elif self._placed:
            _set(self._outside)

    def _keep_filters(self, filters: Any) -> None:  # noqa: ANN401  # function code has set it
        if type(filters) is not list:  # not even Python could use it
            filters = self._inside
        of_test = set(map(id, self._of_test))
        self._own = [entry for entry in filters if id(entry) not in of_test]
        self._alone = bool(of_test) and len(self._own) == len(filters)
        self._shown.clear()
        _forget_registries()

    def _keep_hooks(self, showwarning: object, formatwarning: object, shows: object) -> None:
        """Keep what function code has put in the places of the hooks, and restore these."""
        if shows is not self._at_begin[2]:
            own = _is_of_python(shows) or _is_bound_to(self, shows)
            self._left = None if own else shows
        self._hooks = showwarning, formatwarning
        _set(self._outside)
        self._outside = _UNKNOWN

    def discard(self) -> None:
        self._own = []
        self._alone = False
        self._hooks = _AT_START
        self._left = None
        self._outside = _UNKNOWN
        self._shown.clear()

    @property
    def filters_of_test(self) -> list[Any]:
        """The filters of the test, during a phase."""
        return self._of_test

    # -- warnings that somebody records ------------------------------------------------------------

    def _show(self, message: Any) -> None:  # noqa: ANN401  # a `warnings.WarningMessage`
        __tracebackhide__ = True
        if self._is_for_log(message):
            _write(message)
        self._outside[2](_in_unicode(message))

    def _is_for_log(self, message: Any) -> bool:  # noqa: ANN401
        """Say whether Lambda would show a warning that the filters here have let through.

        They are those of function code, then those of the test.
        """
        of_test = set(map(id, self._of_test))
        entry = next((one for one in warnings.filters if _matches(one, message)), None)
        if entry is not None and id(entry) not in of_test:
            return True
        if issubclass(message.category, _IGNORED):
            return False
        if entry is None or entry[0] != "always":
            return True
        key = (str(message.message), message.category, message.filename, message.lineno)
        if key in self._shown:
            return False
        self._shown.add(key)
        return True


def _leave() -> None:
    WarningsFilters.entered = None


@contextmanager
def without_test() -> Iterator[None]:
    """Let warnings of the runtime go to the log alone, whatever the filters of the test are."""
    part = WarningsFilters.entered
    if part is None:
        yield
        return
    filters: Any = getattr(warnings, "filters", None)  # function code may have set anything
    before = filters, _WARNINGS._showwarnmsg_impl
    of_test = set(map(id, part.filters_of_test))
    present = filters if type(filters) is list else []
    own = [entry for entry in present if id(entry) not in of_test]
    warnings.filters = [*own, *_OF_PYTHON]
    if _is_bound_to(part, before[1]):
        _WARNINGS._showwarnmsg_impl = _write
    try:
        yield
    finally:
        warnings.filters, _WARNINGS._showwarnmsg_impl = before


def _present() -> Any:  # noqa: ANN401  # three values, which function code may have set
    """Return the values of `_NAMES`; where one was deleted, it is that of the start."""
    with suppress(KeyError):
        return _read(_NAMESPACE)
    at_start = dict(zip(_NAMES, (*_AT_START, _write), strict=True))
    return tuple(_NAMESPACE.get(name, at_start[name]) for name in _NAMES)


def _set(hooks: Any) -> None:  # noqa: ANN401
    _WARNINGS.showwarning, _WARNINGS.formatwarning, _WARNINGS._showwarnmsg_impl = hooks


def _is_bound_to(part: WarningsFilters, shows: object) -> bool:
    return type(shows) is MethodType and shows.__self__ is part


def _is_of_python(shows: object) -> bool:
    """Say whether a function is the one by which Python itself shows a warning."""
    return getattr(shows, "__name__", "") == "_showwarnmsg_impl"


_at_import: Any = _WARNINGS._showwarnmsg_impl
_SHOWS: Final[Any] = _at_import if _is_of_python(_at_import) else None
"""The function of Python, None where pytest records warnings as this module is imported."""


def _write(message: Any) -> None:  # noqa: ANN401  # a `warnings.WarningMessage`
    """Write a warning as Python does, through `warnings.formatwarning` of function code."""
    stream = getattr(sys, "stderr", None) if message.file is None else message.file
    if stream is not None:
        text = _WARNINGS._formatwarnmsg(message)
        with suppress(OSError):
            stream.write(text)


def _in_unicode(message: Any) -> Any:  # noqa: ANN401
    """Return a warning whose text has no lone surrogates: pytest-xdist could not send them."""
    text = str(message.message)
    escaped = text.encode("utf-8", "backslashreplace").decode()
    if escaped == text:
        return message
    return warnings.WarningMessage(
        Warning(escaped), message.category, message.filename, message.lineno
    )


def _matches(entry: Any, message: Any) -> bool:  # noqa: ANN401
    """Say whether an entry of `warnings.filters` applies to a warning."""
    _, text, category, module, line = entry
    return bool(
        issubclass(message.category, category)
        and line in (0, message.lineno)
        and (text is None or text.match(str(message.message)))
        and (module is None or _fits(module, _module_of(message.filename)))
    )


def _fits(pattern: Any, name: str) -> bool:  # noqa: ANN401
    """Compare the name of a module; the filters that Python begins with have a plain text."""
    return pattern == name if isinstance(pattern, str) else bool(pattern.match(name))


def _module_of(filename: str) -> str:
    """Return the name of the module in a file; a warning does not tell it."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) == filename:
            return name
    return filename.removesuffix(".py")


def _forget_registries() -> None:
    """Let modules show warnings again that other filters have let them show once."""
    mutated = getattr(warnings, "_filters_mutated", None)  # private: it may be missing
    if mutated is not None:
        mutated()
