"""The time that each import takes, from the look for the module to the end of its code.

The simple way is a loader that stands in for the module's own one and reads the clock around
``exec_module``.  Its frame lies between the import statement and the code of the module, so Python
no longer takes the frames of the import system out of the traceback when an import fails, and tools
find a strange loader in ``__spec__``.  But the import system tells each spec itself when the code
begins and has ended: it sets ``_initializing``, also if the code raises.  So the spec gets a class
that reads the clock then, until the import has ended.  A spec of another class is left alone, and
its module is missing from the list.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import ModuleSpec
from threading import get_ident
from typing import Final

from pytest_lambda_lifecycle.lifecycle.import_times import ImportSpan

__all__ = ["ImportClock"]

_SPAN: Final = "_lambda_lifecycle_span"
_NOBODY: Final = (None, None)
_OWN: Final = __name__.partition(".")[0]


class ImportClock:
    """Reads a clock around each import, for one Init."""

    def __init__(self, elapsed: Callable[[], int], spans: list[ImportSpan]) -> None:
        """``elapsed`` returns nanoseconds; the spans are added to the list as imports begin."""
        self.elapsed = elapsed
        self.spans = spans

    def watch(self, spec: ModuleSpec, began: int) -> None:
        """Add the time of an import to the list, once the module's code begins."""
        if type(spec) is ModuleSpec and not spec.name.startswith(_OWN):
            spec.__dict__[_SPAN] = self, began
            spec.__class__ = _TimedSpec

    def stop(self) -> None:
        """End the imports that are still running, on threads of the function."""
        now = self.elapsed()
        for span in self.spans:
            if span[2] < 0:
                span[2] = now
        self.spans = []  # for a spec that was found in Init, and is loaded later


class _TimedSpec(ModuleSpec):
    """The class of a spec from the moment it is found until its module has been imported."""

    __slots__ = ()

    @property
    def _initializing(self) -> bool:
        return bool(self.__dict__.get("_initializing"))

    @_initializing.setter
    def _initializing(self, now: bool) -> None:
        state = self.__dict__
        state["_initializing"] = now
        clock, moment = state.get(_SPAN, _NOBODY)
        if clock is None:
            return
        if now:
            span = ImportSpan((self.name, moment, -1, get_ident()))
            clock.spans.append(span)
            state[_SPAN] = clock, span
        else:
            del state[_SPAN]
            self.__class__ = ModuleSpec  # type: ignore[assignment]
            if type(moment) is ImportSpan and moment[2] < 0:
                moment[2] = clock.elapsed()


_TimedSpec.__name__ = ModuleSpec.__name__  # its repr is that of any spec
