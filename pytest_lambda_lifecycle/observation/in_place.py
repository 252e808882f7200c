"""Spies inside the spied function: its calls are seen wherever somebody keeps the function.

A framework keeps functions while a module runs: in a table of routes, a registry, a default value,
a bound method.  A wrapper under the name of the function would see none of their calls.  So the
function object itself gets another code, a *trampoline*, which records the call and then calls a
twin: a second function of the original code, globals, defaults and closure.

The trampoline cannot look anything up, since it runs with the globals of the spied function.  What
it needs are constants of its code.  The garbage collector does not follow the constants of a code
object, so a strong reference to the twin or to the environment would never be freed: the constant
has weak ones, and the function keeps its twins in its ``__dict__``.

The file of a trampoline is this one, so its frames count as frames of this package, and tracebacks
lead through the original code.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import ref

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.patching import Undo
    from pytest_lambda_lifecycle.lifecycle.events import SpyCall

__all__ = ["InPlace", "Instrument", "Recorder", "is_instrumented", "kind_of"]

_TWINS: Final = "__lambda_spy_twins__"


class Recorder(Protocol):
    """Records the calls of a target."""

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> SpyCall | None:
        """Record a call; return None for one that does not count."""
        ...


class Instrument:
    """The constant of a trampoline: where the calls are recorded, and the twin that runs."""

    __slots__ = ("_accepts", "_skip", "recorder", "twin")

    def __init__(
        self,
        recorder: Recorder,
        twin: FunctionType,
        skip: int,
        accepts: Callable[[tuple[Any, ...]], bool] | None,
    ) -> None:
        self.recorder = ref(recorder)
        self.twin = ref(twin)
        self._skip = skip
        self._accepts = accepts

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> SpyCall | None:
        """Record a call of the target; another object's method may share its function."""
        recorder = self.recorder()
        if recorder is None or (self._accepts is not None and not self._accepts(args)):
            return None
        call, twin = recorder.record(args[self._skip :], kwargs), self.twin()
        if call is not None and twin is not None:
            code = twin.__code__
            call.parameters = code.co_varnames[self._skip : code.co_argcount]
        return call


class InPlace:
    """The change of a function that instruments it."""

    everywhere = True

    def __init__(
        self,
        function: FunctionType,
        recorder: Recorder,
        *,
        skip: int = 0,
        accepts: Callable[[tuple[Any, ...]], bool] | None = None,
        beneath: InPlace | None = None,
    ) -> None:
        """``skip`` are the leading arguments that are not recorded (``self``).

        ``accepts`` says by the arguments whether a call counts.  ``beneath`` is the change of a
        function that this one wraps.
        """
        self.owner: Any = function
        self.name = "__code__"
        self._recorder = recorder
        self._skip = skip
        self._accepts = accepts
        self._beneath = beneath

    def make(self) -> Undo | None:
        """Instrument the function; the returned call undoes it.  None if it was done already."""
        undo_beneath = None if self._beneath is None else self._beneath.make()
        function = self.owner
        if any(one.recorder() is self._recorder for one in _instruments(function)):
            return None
        code, namespace = function.__code__, vars(function)
        before = {name: namespace.get(name, _MISSING) for name in (_TWINS, "__signature__")}
        twin = _twin_of(function)
        instrument = Instrument(self._recorder, twin, self._skip, self._accepts)
        trampoline = _trampoline(code, instrument)
        namespace[_TWINS] = (*namespace.get(_TWINS, ()), twin)
        if before["__signature__"] is _MISSING:
            namespace["__signature__"] = _LazySignature(twin)
        function.__code__ = trampoline

        def undo() -> None:
            if undo_beneath is not None:
                undo_beneath()
            if function.__code__ is trampoline:
                function.__code__ = code
            for name, value in before.items():
                if value is _MISSING:
                    namespace.pop(name, None)
                else:
                    namespace[name] = value

        return undo


def kind_of(function: FunctionType) -> int:
    """Return the flags that tell a coroutine, a generator and an ordinary function apart."""
    kinds = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
    return function.__code__.co_flags & kinds


def is_instrumented(function: FunctionType) -> bool:
    """Say whether the code of a function is a trampoline."""
    return _instrument(function) is not None


def _instrument(function: FunctionType) -> Instrument | None:
    code = function.__code__
    if code.co_filename != __file__:
        return None
    return next((value for value in code.co_consts if type(value) is Instrument), None)


def _instruments(function: FunctionType | None) -> Iterator[Instrument]:
    """Yield the instruments of a function, that of the outermost spy first."""
    while function is not None and (one := _instrument(function)) is not None:
        yield one
        function = one.twin()


_MISSING: Final = object()


def _twin_of(function: Any) -> FunctionType:  # noqa: ANN401
    twin: Any = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    twin.__qualname__ = function.__qualname__
    twin.__module__ = function.__module__
    if hasattr(function, "__annotate__"):  # since 3.14; it evaluates them when somebody asks
        twin.__annotate__ = function.__annotate__
    else:
        twin.__annotations__ = function.__annotations__
    if hasattr(function, "__type_params__"):
        twin.__type_params__ = function.__type_params__
    return twin  # type: ignore[no-any-return]


def _trampoline(code: CodeType, instrument: Instrument) -> CodeType:
    """Return the code of a trampoline that is of the same kind as ``code``."""
    flags = code.co_flags
    if flags & inspect.CO_COROUTINE:
        model = _coroutine.__code__
    elif flags & inspect.CO_ASYNC_GENERATOR:
        model = _asynchronous_generator.__code__
    elif flags & inspect.CO_GENERATOR:
        model = _generator.__code__
    else:
        model = _function.__code__
    constants: Mapping[object, object] = {
        "<instrument>": instrument,
        "<BaseException>": BaseException,
        "<GeneratorExit>": GeneratorExit,
        "<StopAsyncIteration>": StopAsyncIteration,
    }
    changes: dict[str, Any] = {
        "co_consts": tuple(
            constants.get(value, value) if type(value) is str else value
            for value in model.co_consts
        ),
        "co_name": code.co_name,
        "co_freevars": code.co_freevars,  # as many as there are cells in the function's closure
        "co_flags": model.co_flags | flags & inspect.CO_ITERABLE_COROUTINE,
    }
    if sys.version_info >= (3, 11):
        changes["co_qualname"] = code.co_qualname
    return model.replace(**changes)


# -- the models: strings in angle brackets are replaced by the constants of the same name ----------


def _function(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    __tracebackhide__ = __function_code_above__ = True
    instrument: Any = "<instrument>"
    any_exception: Any = "<BaseException>"
    function = instrument.twin()
    call = instrument.record(args, kwargs)
    if call is None:
        return function(*args, **kwargs)
    try:
        call.result = function(*args, **kwargs)
    except any_exception as exception:
        call.exception = exception
        raise
    return call.result


async def _coroutine(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    __tracebackhide__ = __function_code_above__ = True
    instrument: Any = "<instrument>"
    any_exception: Any = "<BaseException>"
    closing: Any = "<GeneratorExit>"
    function = instrument.twin()
    call = instrument.record(args, kwargs)
    if call is None:
        return await function(*args, **kwargs)
    try:
        call.result = await function(*args, **kwargs)
    except closing:
        raise
    except any_exception as exception:
        call.exception = exception
        raise
    return call.result


def _generator(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    __tracebackhide__ = __function_code_above__ = True
    instrument: Any = "<instrument>"
    any_exception: Any = "<BaseException>"
    closing: Any = "<GeneratorExit>"
    function = instrument.twin()
    call = instrument.record(args, kwargs)
    if call is None:
        return (yield from function(*args, **kwargs))
    try:
        call.result = yield from function(*args, **kwargs)
    except closing:
        raise
    except any_exception as exception:
        call.exception = exception
        raise
    return call.result


async def _asynchronous_generator(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    __tracebackhide__ = __function_code_above__ = True
    instrument: Any = "<instrument>"
    any_exception: Any = "<BaseException>"
    closing: Any = "<GeneratorExit>"
    exhausted: Any = "<StopAsyncIteration>"
    function = instrument.twin()
    call = instrument.record(args, kwargs)
    generator = function(*args, **kwargs)
    try:
        value = await generator.__anext__()
        while True:
            try:
                sent = yield value
            except closing:
                await generator.aclose()
                raise
            except any_exception as thrown:
                value = await generator.athrow(thrown)
            else:
                value = await generator.asend(sent)
    except exhausted:
        return
    except closing:
        raise
    except any_exception as exception:
        if call is not None:
            call.exception = exception
        raise


class _LazySignature(inspect.Signature):
    """The signature of a spied function, which is looked at when somebody asks for it.

    `inspect.signature` takes any `inspect.Signature` from ``__signature__``.  To make one at once
    would evaluate annotations that may not be evaluated yet.
    """

    def __init__(self, twin: FunctionType) -> None:
        self._twin = twin

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401
        return type(self) if name == "__class__" else getattr(_present(self), name)

    def __eq__(self, other: object) -> bool:
        return _present(self) == other

    def __hash__(self) -> int:
        return hash(_present(self))

    def __repr__(self) -> str:
        return repr(_present(self))

    def __str__(self) -> str:
        return str(_present(self))

    def __reduce__(self) -> Any:  # noqa: ANN401
        return _present(self).__reduce__()


def _present(signature: _LazySignature) -> inspect.Signature:
    return inspect.signature(object.__getattribute__(signature, "_twin"))
