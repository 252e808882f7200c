"""Spies: what is set in place of a target, and what a test reads of it."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pytest_lambda_lifecycle.errors import LifecycleError, warn
from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.lifecycle.events import SpyCall

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.observation.replacements import Place, Replace

__all__ = ["Record", "Spy", "recording", "spying"]

_PHASES: Final = ("init", "restore", "invoke", "shutdown")


class Spy:
    """Records the calls of one target while phases run; the calls go through to the real thing."""

    def __init__(
        self,
        target: str,
        calls: Callable[[], Sequence[SpyCall]],
        unseen: Callable[[], str | bool] = bool,
    ) -> None:
        self.target = target
        self._calls = calls
        self._unseen = unseen
        """Says why no call can have been seen, if that is so."""
        self._warned = False

    @property
    def calls(self) -> list[SpyCall]:
        """The calls so far, in order: phase, invocation index, arguments, result or exception."""
        calls = self._recorded()
        if not calls and not self._warned and (why := self._unseen()):
            self._warned = True
            warn(f"no call of {self.target!r} could be seen: {why}")
        return calls

    def _recorded(self) -> list[SpyCall]:
        return [call for call in self._calls() if call.target == self.target]

    @property
    def phases(self) -> list[str]:
        """For each call the phase it was made in: ``connect.phases == ["init"]``."""
        return [call.phase for call in self.calls]

    def count(self, *, phase: str | None = None) -> int:
        """Return the number of calls: of one phase (``"init"``, ``"restore"``, ``"invoke"``,
        ``"shutdown"``) or all.
        """
        if phase not in (None, *_PHASES):  # "no calls" would be true of every misspelled phase
            raise LifecycleError(
                f"cannot count the calls of {self.target!r} in phase {phase!r}: the phases are "
                f"{', '.join(map(repr, _PHASES))}"
            )
        return len([call for call in self.calls if phase in (None, call.phase)])

    @property
    def one(self) -> SpyCall:
        """The only call; an `AssertionError` if there were none or several."""
        calls = self.calls
        if len(calls) != 1:
            raise AssertionError(
                f"expected one call of {self.target}, there were {self._summary()}"
            )
        return calls[0]

    @property
    def last(self) -> SpyCall:
        """The latest call; an `AssertionError` if there was none."""
        calls = self.calls
        if not calls:
            raise AssertionError(f"expected a call of {self.target}, there were {self._summary()}")
        return calls[-1]

    def _summary(self) -> str:
        phases = [call.phase for call in self._recorded()]
        return f"{len(phases)} (phases: {', '.join(phases)})" if phases else "none"

    def __repr__(self) -> str:
        return f"<Spy {self.target}: {self._summary()} calls>"


Record = Callable[[tuple[Any, ...], dict[str, Any]], "SpyCall | None"]


def spying(target: str, record: Record) -> Replace:
    """Return how to wrap a target: functions and methods are wrapped, classes have their
    ``__init__`` wrapped.
    """

    def replace(owner: object, name: str, original: object) -> Place:
        __tracebackhide__ = True
        if isinstance(original, type):
            return original, "__init__", _spy_on_construction(original, record)
        if not callable(original):
            raise LifecycleError(
                f"cannot spy on {target!r}: it is a {type(original).__name__}, and not callable"
            )
        raw = inspect.getattr_static(owner, name)
        if isinstance(raw, staticmethod):
            return owner, name, staticmethod(_spy_on_function(raw.__func__, record))
        if isinstance(raw, classmethod):
            return owner, name, classmethod(_spy_on_function(raw.__func__, record, skip=1))
        if isinstance(owner, type):
            return owner, name, _spy_on_function(raw, record, skip=1)
        return owner, name, _spy_on_function(original, record)

    return replace


_get_ident, _getframe = threading.get_ident, sys._getframe  # they may be spied on
_HERE: Final = globals()
_RECORDING: Final[set[int]] = set()
"""Threads that record a call: what they call for that is not the function's."""


def recording(target: str, record: Record) -> Record:
    """Return ``record`` without what our own code calls of the standard library: that is no doing
    of the function's.
    """
    standard = target.partition(".")[0] in sys.stdlib_module_names

    def recorded(args: tuple[Any, ...], kwargs: dict[str, Any]) -> SpyCall | None:
        thread = _get_ident()
        if thread in _RECORDING or (standard and _called_by_us(_getframe(1))):
            return None
        _RECORDING.add(thread)
        try:
            return record(args, kwargs)
        finally:
            _RECORDING.discard(thread)

    return recorded


def _called_by_us(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_globals is _HERE:  # a spy on a spy
        frame = frame.f_back
    return frame is not None and is_own(frame)


def _spy_on_function(function: Any, record: Record, *, skip: int = 0) -> Callable[..., Any]:  # noqa: ANN401
    if _is_spy(function, record):
        return function  # type: ignore[no-any-return]

    @functools.wraps(function)
    def spy(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        call = record(args[skip:], kwargs)
        if call is None:
            return function(*args, **kwargs)
        try:
            call.result = function(*args, **kwargs)
        except BaseException as exception:
            call.exception = exception
            raise
        return call.result

    return _marked(spy, record)


def _spy_on_construction(cls: type, record: Record) -> Callable[..., None]:
    original: Any = cls.__init__  # type: ignore[misc]
    if _is_spy(original, record):
        return original  # type: ignore[no-any-return]

    @functools.wraps(original)
    def __init__(self: object, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        __tracebackhide__ = __function_code_above__ = True
        call = record(args, kwargs)
        try:
            if original is not object.__init__:  # it refuses arguments that __new__ took
                original(self, *args, **kwargs)
        except BaseException as exception:
            if call is not None:
                call.exception = exception
            raise
        if call is not None:
            call.result = self

    return _marked(__init__, record)


F = TypeVar("F", bound=Callable[..., Any])


def _marked(spy: F, record: Record) -> F:
    """Mark a spy, so that a second one on the same target (a hook's and the test's) does not record
    each call twice.
    """
    vars(spy)["_lambda_spy"] = (
        record,
        id(spy),
    )  # `functools.wraps` copies marks: the id tells the spy from a copy
    return spy


def _is_spy(function: object, record: Record) -> bool:
    mark: object = getattr(function, "_lambda_spy", None)
    return mark == (record, id(function))
