"""Semaphores and memory that processes share: Lambda has no ``/dev/shm``, so none can be made.

`multiprocessing.Lock`, ``Queue``, ``Pool``, ``Value`` and `ProcessPoolExecutor` make a semaphore
first, and that call fails on Lambda: `_multiprocessing.SemLock` raises `OSError` with the errno 38.
Here the class is replaced by one that raises the same for function code.  `Process`, ``Pipe`` and
the managers need no semaphore, and work in both places.

The replacements are the same objects in every environment, and they ask for the entered environment
when they are called.  A library may bind one when function code imports it, and go on using it in
the test, where it has to act as the original.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, ClassVar, Final

from pytest_lambda_lifecycle.isolation.frames import runs_for_observer
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["SharedMemory"]

_NOT_IMPLEMENTED: Final = (38, "Function not implemented")
"""The error of Linux, whatever system the test runs on."""


class SharedMemory(Part):
    """Refuses semaphores and shared memory to function code."""

    MODULES: Final = ("_multiprocessing", "_posixshmem", "multiprocessing.heap")

    _entered: ClassVar[SharedMemory | None] = None

    def __init__(
        self, runs_function_code: Callable[[], bool], refused: Callable[[str], None]
    ) -> None:
        """``refused`` is called with the name of each call that is refused."""
        self._runs_function_code = runs_function_code
        self._refused = refused
        self._undo: list[Undo] = []

    def enter(self) -> Undo:
        SharedMemory._entered = self
        for name in self.MODULES:
            if name in sys.modules:
                self.watch(sys.modules[name])
        return self._leave

    def _leave(self) -> None:
        SharedMemory._entered = None
        while self._undo:
            self._undo.pop()()

    def watch(self, module: ModuleType) -> None:
        """Replace the calls of one of `MODULES`, which a phase may be the first to import."""
        if SharedMemory._entered is self:
            owner, name, make = _CALLS[module.__name__]
            place = module if owner is None else getattr(module, owner, None)
            # On a system without semaphores there is no such class.
            if place is not None and type(vars(place).get(name)) in _REAL:
                self._undo.append(patch_attributes((place, name, make(vars(place)[name]))))

    @classmethod
    def is_lacking(cls) -> bool:
        """Say whether the caller is function code."""
        entered = cls._entered
        if entered is None or not entered._runs_function_code():
            return False
        return not runs_for_observer(sys._getframe())

    @classmethod
    def refuse(cls, call: str) -> None:
        """Record a refusal on the timeline."""
        if cls._entered is not None:
            cls._entered._refused(call)


@functools.lru_cache(maxsize=8)
def _semaphore(original: Any) -> type:  # noqa: ANN401  # a class written in C
    """Return a class that makes instances of ``original``, or raises in function code.

    It stays a class with the attributes of the original: libraries import it to find out whether
    there are semaphores, and read ``SEM_VALUE_MAX``.
    """

    class SemLock(original):  # type: ignore[misc]
        __module__ = original.__module__
        _rebuild = original._rebuild

        def __new__(cls, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401
            __tracebackhide__ = True
            if SharedMemory.is_lacking():
                SharedMemory.refuse("multiprocessing.SemLock")
                raise OSError(*_NOT_IMPLEMENTED)
            return original(*arguments, **keywords)

    return SemLock


@functools.lru_cache(maxsize=8)
def _open_memory(original: Callable[..., int]) -> Callable[..., int]:
    @functools.wraps(original)
    def shm_open(path: str, *arguments: Any, **keywords: Any) -> int:  # noqa: ANN401
        __tracebackhide__ = True
        if SharedMemory.is_lacking():
            SharedMemory.refuse("multiprocessing.shared_memory.SharedMemory")
            raise OSError(*_NOT_IMPLEMENTED, path)
        return original(path, *arguments, **keywords)

    return shm_open


@functools.lru_cache(maxsize=8)
def _choose_folder(original: Callable[[Any, int], str]) -> Callable[[Any, int], str]:
    """Return a method that passes over ``/dev/shm``: `RawArray` works on Lambda, in ``/tmp``."""

    @functools.wraps(original)
    def _choose_dir(self: Any, size: int) -> str:  # noqa: ANN401
        if SharedMemory.is_lacking():
            folder: str = sys.modules["multiprocessing.util"].get_temp_dir()
            return folder
        return original(self, size)

    return _choose_dir


_REAL: Final = (type, FunctionType, BuiltinFunctionType)
"""The types of the real calls; a test may have put a mock there, which makes no semaphores."""
_CALLS: Final[dict[str, tuple[str | None, str, Callable[[Any], Any]]]] = {
    "_multiprocessing": (None, "SemLock", _semaphore),
    "_posixshmem": (None, "shm_open", _open_memory),
    "multiprocessing.heap": ("Arena", "_choose_dir", _choose_folder),
}
"""By module: the class whose attribute is replaced, if it is one, the name, and what replaces."""
