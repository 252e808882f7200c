"""Puts the functions that tell the time in place, everywhere, and takes them away again.

Names in modules are replaced (`captured`), and two methods of `datetime` itself: the class stays
the real one, and so do the values that it makes.  freezegun is not needed for that.  It is imported
because tests use it: our time is pushed on its stack of freezes, so one of the test that begins
inside ours is asked for the time while it lasts, and one outside has its names replaced by ours.
"""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, ClassVar, Final
from weakref import WeakSet

from pytest_lambda_lifecycle.clock import readings
from pytest_lambda_lifecycle.clock.c_types import replace_methods
from pytest_lambda_lifecycle.clock.captured import (
    add_to_tables,
    is_installed_module,
    put_into,
    put_into_tables,
    replace_captured,
)
from pytest_lambda_lifecycle.clock.readings import (
    PAIRS,
    READINGS,
    Source,
)
from pytest_lambda_lifecycle.clock.time_machine import keep_out_time_machine
from pytest_lambda_lifecycle.isolation.part import Part, nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo, note_later_patch
from pytest_lambda_lifecycle.isolation.real import RealDates

__all__ = ["Freeze", "FrozenNames", "source_of"]

_MENDED: Final[WeakSet[ModuleType]] = WeakSet()
"""Modules whose tables have been looked at."""
_MODULES_WITH_REAL_TIME: Final = ("_pytest.timing",)
_STAND_INS: Final = {id(real): stand_in for real, stand_in in PAIRS}
_REALS: Final = {id(stand_in): real for real, stand_in in PAIRS}


def source_of(
    now_ns: Callable[[], int], span_ns: Callable[[], int], for_thread: Callable[[], bool]
) -> Source:
    """Return a source of time, which freezes of the test may be around, or begin inside."""
    import freezegun.api

    return Source(now_ns, span_ns, for_thread, freezegun.api)


class Freeze:
    """The functions of one source of time, in place from the start until `stop`."""

    current: ClassVar[Freeze | None] = None

    def __init__(self, source: Source, sleep: Callable[[float], None] | None = None) -> None:
        """Put the functions in place; ``sleep`` stands in for `time.sleep`, if it is given."""
        self.source = source
        self._undo: list[Undo] = []
        self._modules = set(sys.modules)
        self._fakes = _fakes(source.freezegun)
        """Names of freezegun that are in force outside, by the id of the real thing."""
        try:
            self._start(sleep)
        except BaseException:
            # Starting takes milliseconds, and a timeout of the test may fall into them.
            self.stop(())
            raise

    def _start(self, sleep: Callable[[float], None] | None) -> None:
        self._undo.append(keep_out_time_machine())
        self._undo.append(_source_in_force(self.source, sleep))
        self._outer, Freeze.current = Freeze.current, self
        self._undo.append(self._forget)
        self._undo.append(replace_methods(*_METHODS))
        import queue

        # freezegun leaves its own function there, if a freeze was the first to import it.
        put_into(queue, {id(fake): real for real, fake in self._fakes})
        values = {**_STAND_INS, **{id(fake): new for fake, new in self._instead_of_fakes()}}
        self._undo.append(_put_names(values))
        self._undo.append(replace_captured(values, _MODULES_WITH_REAL_TIME))

    def _forget(self) -> None:
        Freeze.current = self._outer

    def _instead_of_fakes(self) -> list[tuple[Any, Any]]:
        """Return what stands in for each thing of freezegun: ours, or a real class."""
        return [(fake, _STAND_INS.get(id(real), real)) for real, fake in self._fakes]

    def stop(self, modules: Iterable[ModuleType]) -> None:
        """Restore real time everywhere, also in ``modules`` that are not in `sys.modules`.

        Inside a freeze of the test's own, names are as that freeze has them.
        """
        while self._undo:
            self._undo.pop()()
        outside = {id(real): fake for real, fake in self._fakes}
        names = {key: outside.get(id(real), real) for key, real in _REALS.items()}
        dates = (RealDates.date, RealDates.datetime)
        names.update({id(cls): outside[id(cls)] for cls in dates if id(cls) in outside})
        new = [module for name, module in list(sys.modules.items()) if name not in self._modules]
        for module in [*new, *modules]:
            if issubclass(type(module), ModuleType) and not _is_ours(module):
                put_into(module, _REALS, names=names)
                put_into_tables(module, _REALS)
        if getattr(time, "clock", 0) is None:
            del time.clock  # type: ignore[attr-defined]  # a freeze of the test leaves it behind


def _source_in_force(source: Source, sleep: Callable[[float], None] | None) -> Undo:
    """Let the stand-ins tell another time; the returned call makes it real again."""
    before = READINGS.source, READINGS.sleeper
    source.join_freezegun()
    READINGS.source, READINGS.sleeper = source, sleep

    def end() -> None:
        READINGS.source, READINGS.sleeper = before
        source.leave_freezegun()

    return end


def _put_names(values: dict[int, Any]) -> Undo:
    """Replace the names of `time`, and of `datetime` where a freeze of the test is around us."""
    changes: list[tuple[ModuleType, str, Any, Any]] = []

    def restore() -> None:
        for owner, name, value, original in reversed(changes):
            if vars(owner).get(name) is value:
                setattr(owner, name, original)
            elif owner is time:
                note_later_patch(owner, name, value, original)

    owners = [time, datetime]
    import uuid

    # `uuid1` asks C code for the time, which cannot be told another one.
    for name in ("_generate_time_safe", "_uuid_generate_time", "_UuidCreate"):
        if name in vars(uuid):
            changes.append((uuid, name, None, vars(uuid)[name]))
    for owner in owners:
        for name, held in list(vars(owner).items()):
            if id(held) in values:
                changes.append((owner, name, values[id(held)], held))
    for owner, name, value, _ in changes:
        setattr(owner, name, value)
    return restore


def _is_ours(module: ModuleType) -> bool:
    return module.__name__.startswith(("freezegun", __name__.partition(".")[0]))


def _fakes(api: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401  # freezegun's module
    """Return pairs of real things and those that freezegun puts in their places now."""
    if not api.freeze_factories:
        return []
    pairs = [(RealDates.date, api.FakeDate), (RealDates.datetime, api.FakeDatetime)]
    for real, _ in PAIRS:
        fake = getattr(api, f"fake_{real.__name__}", None)
        if fake is not None:
            pairs.append((real, fake))
    return pairs


class FrozenNames(Part):
    """Keeps names that modules of the function have captured in step with the time in force.

    Names are replaced and restored only in the modules that `sys.modules` holds at that moment, by
    us and by freezegun.  An environment that is not entered then would keep real time, or that of a
    freeze that has ended.

    Inside a freeze of the test, function code and the libraries that it is the first to import find
    the real classes of dates as well: with those of freezegun, a model of pydantic with a date
    fails, and a class that derives from `date` and another one may have two metaclasses.
    """

    def __init__(self, modules: Callable[[], dict[str, ModuleType]]) -> None:
        self._modules = modules

    def enter(self) -> Undo:
        """Replace the names of another time by those of the time in force."""
        api = sys.modules.get("freezegun.api")
        if api is None:
            return nothing_to_undo
        modules = self._modules()
        if modules:
            wanted = _names_in_force(api)
            for module in modules.values():
                put_into(module, wanted)
        if api.freeze_factories:
            _mend_tables(api)
        if Freeze.current is not None or not api.freeze_factories:
            return nothing_to_undo
        return _real_classes(api)


def _mend_tables(api: Any) -> None:  # noqa: ANN401
    """Add the real classes of dates to the tables that libraries have filled inside a freeze.

    To begin, freezegun reads all names of all modules, and so imports what packages import at first
    use.  Those parts have its classes in their tables for ever (pydantic's, of what it validates).
    """
    values = {id(api.FakeDate): RealDates.date, id(api.FakeDatetime): RealDates.datetime}
    for module in list(sys.modules.values()):
        if issubclass(type(module), ModuleType) and module not in _MENDED:
            _MENDED.add(module)
            if is_installed_module(module):
                add_to_tables(module, values)


def _real_classes(api: Any) -> Undo:  # noqa: ANN401
    """Let the real classes tell the time of a freeze of the test, instead of freezegun's."""
    restore = replace_methods(*_METHODS)
    before = datetime.date, datetime.datetime
    datetime.date, datetime.datetime = RealDates.date, RealDates.datetime  # type: ignore[misc]

    def undo() -> None:
        restore()
        if api.freeze_factories:  # or else freezegun has restored the real ones as well
            datetime.date, datetime.datetime = before  # type: ignore[misc]

    return undo


def _names_in_force(api: Any) -> dict[int, Any]:  # noqa: ANN401
    """Return what modules of the function are to have in the place of each function and class."""
    names = [(real, f"fake_{real.__name__}") for real, _ in PAIRS]
    pairs = [(real, getattr(api, name)) for real, name in names if hasattr(api, name)]
    dates = {id(api.FakeDate): RealDates.date, id(api.FakeDatetime): RealDates.datetime}
    if Freeze.current is not None:
        return {**_STAND_INS, **{id(fake): _STAND_INS[id(real)] for real, fake in pairs}, **dates}
    if api.freeze_factories:
        fakes = {id(real): fake for real, fake in pairs}
        return {**fakes, **{id(new): fakes.get(id(real), real) for real, new in PAIRS}, **dates}
    return {**_REALS, **{id(fake): real for real, fake in pairs}, **dates}


_METHODS: Final = (
    (RealDates.datetime, "now", classmethod(readings.now)),
    (RealDates.datetime, "utcnow", classmethod(readings.utcnow)),
)
