"""The time that each import takes, from the look for the module to the end of its code.

The simple way is a loader that stands in for the module's own one and reads the clock around
``exec_module``.  Its frame lies between the import statement and the code of the module, so Python
no longer takes the frames of the import system out of the traceback when an import fails, and tools
find a strange loader in ``__spec__``.  Another class for the spec, which sees the import system set
``_initializing``, has no frame there, but makes each access to the spec slower: 4 us a module.

The import system locks each module by its name while it looks for it and runs its code, also if
that raises.  So the clock is read when the import hook is asked, and when that lock is released,
which takes 1 us.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count
from threading import get_ident
from types import TracebackType
from typing import Any, Final

from pytest_lambda_lifecycle.lifecycle.import_times import ImportSpan

__all__ = ["ImportClock"]

_LOCKS: Final[Any] = getattr(sys.modules["_frozen_importlib"], "_ModuleLockManager", None)
"""The context manager around each import; a Python without it gives no times."""
_EXIT: Final = "__exit__"


class ImportClock:
    """Reads a clock around each import, for one Init: the context of a ``with`` statement."""

    def __init__(self, elapsed: Callable[[], int], spans: list[ImportSpan]) -> None:
        """``elapsed`` returns nanoseconds; a span is added to the list when an import has ended."""
        self._elapsed = elapsed
        self._spans = spans
        self._numbers = count()
        self._began: dict[str, tuple[int, int]] = {}
        self._exit: Any = None

    def begin(self, name: str) -> None:
        """Note that the import system looks for a module."""
        self._began[name] = self._elapsed(), next(self._numbers)

    def __enter__(self) -> None:
        if _LOCKS is None:
            return
        self._exit = original = vars(_LOCKS)[_EXIT]
        began, elapsed, spans = self._began, self._elapsed, self._spans

        def released(
            lock: Any,  # noqa: ANN401  # a class of the import system
            kind: type[BaseException] | None = None,
            error: BaseException | None = None,
            traceback: TracebackType | None = None,
        ) -> None:
            original(lock, kind, error, traceback)  # first, whatever interrupts the rest
            name = lock._name
            begin = began.pop(name, None)
            if begin is not None and not (kind is not None and _is_missing(name, error)):
                spans.append(ImportSpan((name, begin[0], elapsed(), get_ident(), begin[1])))

        setattr(_LOCKS, _EXIT, released)

    def __exit__(self, *_: object) -> None:
        if _LOCKS is not None:
            setattr(_LOCKS, _EXIT, self._exit)
        self._began.clear()  # a thread may still import something, with the exit that it found


def _is_missing(name: str, error: BaseException | None) -> bool:
    """Say whether there is no such module, so that nothing was imported."""
    return isinstance(error, ModuleNotFoundError) and error.name == name
