"""freezegun, and the places that it leaves untouched.  The only module that imports it.

freezegun replaces time functions by name in the modules that are loaded when it starts, and
restores them in the modules that are loaded when it stops.  Five repairs are needed here, each for
a failure that was measured (freezegun 1.5).  A module may hold a time function where no name shows
it, as a default value or in a class: `captured` replaces those.  The function's modules leave
`sys.modules` between phases, and a parked module keeps ``FakeDatetime``, which raises IndexError
after the stop: `Freeze.stop` and `FreezegunNames` look through them.  freezegun's `monotonic` jumps
to the seconds of the epoch: `_let_spans_go_on` keeps spans continuous.  `queue` and `subprocess`
would wait for ever on a frozen clock, and pytest would report durations of days: they keep the real
one.

Threads need a list of their own.  With freezegun's default list, shallow code of a thread reads
real time.  With an empty list, ``queue.Queue().get(timeout=0.05)`` never returns.  With all of
pytest on the list, a test that calls `time.time` reads real time, since pytest's frames are above
it.  So the default list serves the scan of modules, and is replaced right after
(`_narrow_the_ignore_list`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, ClassVar, Final

from pytest_lambda_lifecycle.clock.captured import put_into, put_into_tables, replace_captured
from pytest_lambda_lifecycle.clock.pydantic_types import explain_to_pydantic
from pytest_lambda_lifecycle.clock.time_machine import keep_out_time_machine
from pytest_lambda_lifecycle.isolation.part import Part, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo
from pytest_lambda_lifecycle.lifecycle.moments import MICROSECOND

__all__ = ["Freeze", "FreezegunNames"]

_SPANS: Final = frozenset(("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"))
_FREEZEGUN_NAMES: Final = tuple(
    "date datetime gmtime localtime monotonic monotonic_ns perf_counter perf_counter_ns strftime "
    "time time_ns".split()
)


class Freeze:
    """freezegun, started once, with the repairs that virtual time needs."""

    outermost: ClassVar[Freeze | None] = None
    """The freeze that names in modules belong to; None inside a freeze of the test's own."""
    # These wait in real time, by clocks of their own: with a frozen clock they would wait for ever.
    _MODULES_WITH_REAL_TIME = ("_pytest.timing", "queue", "subprocess")
    _CALLERS_WITH_REAL_TIME = (
        "_pytest.timing",
        "concurrent.futures._base",
        "multiprocessing.connection",
        "multiprocessing.queues",
    )

    def __init__(self, at: datetime, *, tick: bool, also: Sequence[tuple[Any, Any]] = ()) -> None:
        """Replace the time functions in all modules; ``at`` is naive UTC.

        With ``tick`` time goes on from there.  ``also`` has pairs of a function and its replacement
        that freezegun does not know.
        """
        # Imported now, so that it captures the real clock.
        import queue  # noqa: F401

        import freezegun

        self._let_in = keep_out_time_machine()
        self._modules = set(sys.modules)
        self._api: Any = freezegun.api
        self._nested = bool(self._api.freeze_factories)
        freezer: Any = freezegun.freeze_time(
            at, tick=tick, ignore=list(self._MODULES_WITH_REAL_TIME), real_asyncio=True
        )
        self._freezer = freezer
        self._shift_ns = 0
        try:
            self._factory = freezer.start()
            self._replace(freezer.ignore, also, tick=tick)
        except BaseException:
            # Starting takes milliseconds, and a timeout of the test may fall into them.
            Freeze.outermost = None if Freeze.outermost is self else Freeze.outermost
            with contextlib.suppress(Exception):
                freezer.stop()
            self._let_in()
            raise

    def _replace(
        self, ignored: tuple[str, ...], also: Sequence[tuple[Any, Any]], *, tick: bool
    ) -> None:
        self._narrow_the_ignore_list(self._api)
        self.pairs = pairs = [*_freezegun_pairs(self._api), *also]
        for name in self._MODULES_WITH_REAL_TIME:
            # A module that was imported inside a freeze still has the fake clock.
            module = sys.modules.get(name)
            if module is not None:
                put_into(module, {id(fake): real for real, fake in pairs})
        if not self._nested:
            Freeze.outermost = self
            if tick:
                self._let_spans_go_on()
        self._real_names = {id(fake): real for real, fake in (also if self._nested else pairs)}
        self._reals = {id(fake): real for real, fake in pairs}
        self._put_captured = replace_captured({id(real): fake for real, fake in pairs}, ignored)
        self._forget_types = explain_to_pydantic(self._api.FakeDatetime, self._api.FakeDate)

    def _narrow_the_ignore_list(self, api: Any) -> None:  # noqa: ANN401
        """Freeze threads and pools too.

        freezegun looks at five callers of a time function, and finds `threading` below shallow
        code.  Its default list is right for the scan of modules, and was used for that.
        """
        lists = getattr(api, "ignore_lists", None)
        if lists:
            lists[-1] = self._CALLERS_WITH_REAL_TIME

    def _let_spans_go_on(self) -> None:
        """Let `time.monotonic` and its kin go on: those of freezegun jump to the epoch."""
        stand_ins = {
            id(real): self._going_on(real, fake)
            for real, fake in self.pairs
            if real.__name__ in _SPANS
        }
        self.pairs[:] = [(real, stand_ins.get(id(real), fake)) for real, fake in self.pairs]
        for owner, name, real in [
            *self._freezer.undo_changes,
            *((time, function.__name__, function) for function, _ in self.pairs),
        ]:
            if id(real) in stand_ins:
                setattr(owner, name, stand_ins[id(real)])

    def _going_on(self, real: Callable[[], Any], fake: Callable[[], Any]) -> Callable[[], Any]:
        unit = 1 if real.__name__.endswith("_ns") else 1_000_000_000

        def stand_in() -> Any:  # noqa: ANN401  # int or float, as the real one
            return (
                real() + (self._shift_ns if unit == 1 else self._shift_ns / unit)
                if self.innermost
                else fake()
            )

        return stand_in

    def move(self, span: timedelta) -> None:
        """Move time forward."""
        self._shift_ns += span // MICROSECOND * 1000
        self._factory.time_to_freeze += span

    @property
    def innermost(self) -> bool:
        """True if no other freeze was started since: those of freezegun have to end in turn."""
        factories = self._api.freeze_factories
        return bool(factories) and factories[-1] is self._factory

    @staticmethod
    def others(own: Freeze | None) -> list[Any]:
        """Return the factories of the freezes that are not ``own``."""
        factories = getattr(sys.modules.get("freezegun.api"), "freeze_factories", ())
        return [factory for factory in factories if own is None or factory is not own._factory]

    def stop(self, modules: Iterable[ModuleType]) -> None:
        """Restore real time everywhere, also in ``modules`` that are not in `sys.modules`.

        freezegun restores the globals of modules that are new by name.  Class attributes, default
        values and tables that were filled in the meantime would stay fake for ever, and so would
        modules that took an old name.  Inside a freeze of the test's own, names stay as that freeze
        has them.
        """
        Freeze.outermost = None if Freeze.outermost is self else Freeze.outermost
        self._freezer.stop()
        self._put_captured(self._reals)
        self._forget_types()
        new = [module for name, module in list(sys.modules.items()) if name not in self._modules]
        for module in [*new, *modules]:
            if issubclass(type(module), ModuleType) and not module.__name__.startswith("freezegun"):
                put_into(module, self._reals, names=self._real_names)
                put_into_tables(module, self._reals)
        if getattr(time, "clock", 0) is None:
            del time.clock  # type: ignore[attr-defined]  # freezegun leaves it behind
        self._let_in()


def _freezegun_pairs(api: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401
    """Return pairs of the real functions and classes and those that freezegun puts there."""
    fakes = {"date": "FakeDate", "datetime": "FakeDatetime"}
    names = [(f"real_{name}", fakes.get(name, f"fake_{name}")) for name in _FREEZEGUN_NAMES]
    return [(getattr(api, real), getattr(api, fake)) for real, fake in names if hasattr(api, fake)]


class FreezegunNames(Part):
    """Keeps names that modules have captured in step with a freeze of the test's own.

    freezegun replaces and restores names only in the modules that `sys.modules` holds when it
    starts and stops.  An environment that is not entered then would keep a dead fake, or real time,
    in ``from datetime import datetime``.
    """

    def __init__(self, modules: Callable[[], dict[str, ModuleType]]) -> None:
        self._modules = modules

    def enter(self) -> Undo:
        """Replace fakes by the real things, or the other way round."""
        api = sys.modules.get("freezegun.api")
        if api is not None:
            pairs = _freezegun_pairs(api) if Freeze.outermost is None else Freeze.outermost.pairs
            wanted = {id(real): fake for real, fake in pairs} if api.freeze_factories else {}
            wanted = wanted or {id(fake): real for real, fake in pairs}
            for module in self._modules().values():
                put_into(module, wanted)
        return nothing_to_undo
