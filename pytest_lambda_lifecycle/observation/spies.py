"""Spies: the probe that records calls, and the object that a test reads them from."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable, Sequence
from types import CodeType, FrameType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import ref

from pytest_lambda_lifecycle.errors import LifecycleError, is_own_file, warn
from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.lifecycle.events import SpyCall
from pytest_lambda_lifecycle.lifecycle.phases import PHASE_NAMES
from pytest_lambda_lifecycle.observation import in_place
from pytest_lambda_lifecycle.observation.in_place import InPlace, is_instrumented, kind_of
from pytest_lambda_lifecycle.observation.placements import Assignment, Change
from pytest_lambda_lifecycle.observation.targets import ONE_LOCAL

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["CallProbe", "RecordCall", "Spy"]


class Spy:
    """Records the calls of one target while phases run; the calls go through to the original."""

    def __init__(
        self,
        target: str,
        calls: Callable[[], Sequence[SpyCall]],
        unseen: Callable[[], str | bool] = bool,
    ) -> None:
        self.target = target
        self._calls = calls
        self._unseen = unseen
        """Returns the reason why no call can have been recorded; ``""`` if there is none."""
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
        """Return the number of calls in one phase, or in all.

        ``phase`` is ``"init"``, ``"restore"``, ``"invoke"`` or ``"shutdown"``.
        """
        if phase not in (None, *PHASE_NAMES):  # "no calls" would be true of every misspelled phase
            known = ", ".join(map(repr, PHASE_NAMES))
            raise LifecycleError(
                f"cannot count the calls of {self.target!r} in phase {phase!r}: the phases are "
                f"{known}",
                code="LLC304",
            )
        return len([call for call in self.calls if phase in (None, call.phase)])

    @property
    def one(self) -> SpyCall:
        """The only call; an `AssertionError` if there were none or several."""
        calls = self.calls
        if len(calls) != 1:
            found = self._summary()
            raise AssertionError(f"expected one call of {self.target}, there were {found}")
        return calls[0]

    @property
    def last(self) -> SpyCall:
        """The latest call; an `AssertionError` if there was none."""
        calls = self.calls
        if not calls:
            found = self._summary()
            raise AssertionError(f"expected a call of {self.target}, there were {found}")
        return calls[-1]

    def _summary(self) -> str:
        phases = [call.phase for call in self._recorded()]
        return f"{len(phases)} (phases: {', '.join(phases)})" if phases else "none"

    def __repr__(self) -> str:
        return f"<Spy {self.target}: {self._summary()} calls>"


RecordCall: TypeAlias = "Callable[[str, tuple[Any, ...], dict[str, Any]], SpyCall | None]"
"""Records a call of a target (its dotted name); returns None for a call that does not count."""

_get_ident: Final = threading.get_ident  # these two may be spied on
_getframe: Final = sys._getframe
_HERE: Final = globals()
_TRAMPOLINES: Final = in_place.__file__
_RECORDING: Final[set[int]] = set()
"""Threads that are recording a call; calls made while recording are not counted."""


def _anywhere(owner: object, function: FunctionType) -> bool:
    return True


class CallProbe:
    """Records each call of a target before it goes through to the original.

    A Python function or method is instrumented itself (`InPlace`).  Of a class ``__init__`` is
    wrapped, so that the class stays the same object for ``isinstance`` and subclasses.  Any other
    callable is wrapped under its name, which reaches nobody who has taken hold of it before.
    """

    def __init__(
        self,
        target: str,
        record: RecordCall,
        in_place: Callable[[object, FunctionType], bool] = _anywhere,
    ) -> None:
        """``in_place`` says whether a function, found in an owner, may be instrumented."""
        self._target = target
        self._record = record
        self._may_instrument = in_place
        self._is_standard = target.partition(".")[0] in sys.stdlib_module_names

    def wrap(self, owner: object, name: str, original: object) -> Change:
        """Return the change to make."""
        __tracebackhide__ = True
        if isinstance(original, type):
            wrapper = self._on_construction(original)
            return Assignment(original, "__init__", wrapper, everywhere=True)
        if not callable(original):
            kind = type(original).__name__
            raise LifecycleError(
                f"cannot spy on {self._target!r}: it is a {kind}, and not callable", code="LLC302"
            )
        raw = inspect.getattr_static(owner, name)
        change = self._in_place(owner, name, raw, original)
        if change is not None:
            return change
        if isinstance(raw, staticmethod):
            return Assignment(owner, name, staticmethod(self._on_function(raw.__func__)))
        if isinstance(raw, classmethod):
            return Assignment(owner, name, classmethod(self._on_function(raw.__func__, skip=1)))
        if isinstance(owner, type):
            return Assignment(owner, name, self._on_function(raw, skip=1))
        return Assignment(owner, name, self._on_function(original))

    def _in_place(self, owner: object, name: str, raw: Any, original: Any) -> InPlace | None:  # noqa: ANN401
        """Return the change of the function itself; None if there is none, or if it may not be."""
        function, skip, accepts = raw, 0, None
        if isinstance(owner, type):
            inherited = name not in vars(owner)
            if isinstance(raw, staticmethod):
                if inherited:  # a call does not tell the class
                    return None
                function = raw.__func__
            else:
                skip = 1
                function = raw.__func__ if isinstance(raw, classmethod) else raw
                accepts = _of_class(owner) if inherited else None
        elif isinstance(original, MethodType):
            function, skip = original.__func__, 1
            try:
                accepts = _of_object(original.__self__)
            except TypeError:  # it allows no weak reference
                return None
        if type(function) is not FunctionType:
            return None
        if is_own_file(function.__code__.co_filename) and not is_instrumented(function):
            return None  # a replacement by this package, which watches function code
        if not self._may_instrument(owner, function):
            return None
        beneath = self._beneath(owner, function, skip)
        return InPlace(function, self, skip=skip, accepts=accepts, beneath=beneath)

    def _beneath(self, owner: object, outer: FunctionType, skip: int) -> InPlace | None:
        """Return the change of a function that a decorator has wrapped, if others keep it as well.

        A registry has it where ``@app.get("/orders")`` stands beneath the other decorator.  A call
        that comes through the wrapper is recorded there.  That of a generator, or of another kind
        than its wrapper, cannot be told from others: it runs when the wrapper has returned.
        """
        inner = vars(outer).get("__wrapped__")
        while (
            type(inner) is FunctionType
            and kind_of(inner) == kind_of(outer)
            and kind_of(inner) in (0, inspect.CO_COROUTINE)
            and not is_own_file(inner.__code__.co_filename)
            and self._may_instrument(owner, inner)
        ):
            if sys.getrefcount(inner) > ONE_LOCAL + 2:  # a cell of the wrapper, and __wrapped__
                return InPlace(inner, self, skip=skip, accepts=_outside(outer))
            inner = vars(inner).get("__wrapped__")
        return None

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> SpyCall | None:
        """Record a call of function code.

        Two kinds of calls do not count: those of the standard library by this package itself, and
        those that are made while a call is being recorded.
        """
        thread = _get_ident()
        if thread in _RECORDING or (self._is_standard and _called_by_this_package(_getframe(1))):
            return None
        _RECORDING.add(thread)
        try:
            return self._record(self._target, args, kwargs)
        finally:
            _RECORDING.discard(thread)

    def _on_function(self, function: Any, *, skip: int = 0) -> Callable[..., Any]:  # noqa: ANN401
        if self._is_wrapper(function):
            return function  # type: ignore[no-any-return]
        record, parameters = self.record, _parameters(function)[skip:]

        @functools.wraps(function)
        def spy(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            call = record(args[skip:], kwargs)
            if call is None:
                return function(*args, **kwargs)
            call.parameters = parameters
            try:
                call.result = function(*args, **kwargs)
            except BaseException as exception:
                call.exception = exception
                raise
            return call.result

        return self._marked(spy)

    def _on_construction(self, cls: type) -> Callable[..., None]:
        original: Any = cls.__init__  # type: ignore[misc]
        if self._is_wrapper(original):
            return original  # type: ignore[no-any-return]
        record, parameters = self.record, _parameters(original)[1:]

        @functools.wraps(original)
        def __init__(self: object, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            __tracebackhide__ = __function_code_above__ = True
            call = record(args, kwargs)
            if call is not None:
                call.parameters = parameters
            try:
                if original is not object.__init__:  # it refuses arguments that __new__ took
                    original(self, *args, **kwargs)
            except BaseException as exception:
                if call is not None:
                    call.exception = exception
                raise
            if call is not None:
                call.result = self

        return self._marked(__init__)

    def _marked(self, wrapper: F) -> F:
        """Mark a wrapper: a second spy on the same target must not record each call twice.

        `functools.wraps` copies marks, so the identity tells the wrapper from a copy.
        """
        vars(wrapper)["_lambda_spy"] = self, id(wrapper)
        return wrapper

    def _is_wrapper(self, function: object) -> bool:
        mark: object = getattr(function, "_lambda_spy", None)
        return mark == (self, id(function))


F = TypeVar("F", bound=Callable[..., Any])


def _parameters(function: object) -> tuple[str, ...]:
    """Return the names of the positional parameters of a function written in Python."""
    code = getattr(function, "__code__", None)
    return code.co_varnames[: code.co_argcount] if isinstance(code, CodeType) else ()


def _of_class(cls: type) -> Callable[[tuple[Any, ...]], bool]:
    """Return a condition: a method that several classes inherit was called through this one."""
    of = ref(cls)

    def accepts(args: tuple[Any, ...]) -> bool:
        one, first = of(), args[0] if args else None
        return one is not None and issubclass(
            first if isinstance(first, type) else type(first), one
        )

    return accepts


def _outside(outer: FunctionType) -> Callable[[tuple[Any, ...]], bool]:
    """Return a condition: a function was not called by the wrapper around it."""
    of = ref(outer)

    def accepts(args: tuple[Any, ...]) -> bool:
        function, frame = of(), _getframe(1)
        while function is not None and frame is not None:
            if frame.f_code is function.__code__:
                return False
            frame = frame.f_back  # type: ignore[assignment]
        return True

    return accepts


def _of_object(value: object) -> Callable[[tuple[Any, ...]], bool]:
    """Return a condition: a method was called through this object."""
    of = ref(value)

    def accepts(args: tuple[Any, ...]) -> bool:
        return bool(args) and args[0] is of()

    return accepts


def _called_by_this_package(frame: FrameType | None) -> bool:
    while frame is not None and (  # a spy on a spy
        frame.f_globals is _HERE or frame.f_code.co_filename == _TRAMPOLINES
    ):
        frame = frame.f_back
    return frame is not None and is_own(frame)
