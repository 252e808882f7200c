"""The runtime with its turns watched: changes of the function's modules go on the timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Final, TypeVar

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.held_signals import Held
from pytest_lambda_lifecycle.isolation.modules.timed_imports import ImportClock
from pytest_lambda_lifecycle.isolation.patchers import PATCHERS
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.isolation.unclosed import freeing
from pytest_lambda_lifecycle.lifecycle.events import (
    FunctionInit,
    Leftover,
    Replaced,
    SharedModule,
)
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, Loaded, Raised, Request, Returned
from pytest_lambda_lifecycle.observation.reuse import InitSnapshot

if TYPE_CHECKING:
    from typing import TypeAlias

    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.participants import Runtime
    from pytest_lambda_lifecycle.isolation.modules.essentials import Essentials
    from pytest_lambda_lifecycle.isolation.modules.shared_modules import SharedNamespaces
    from pytest_lambda_lifecycle.isolation.modules.world import World
    from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline
    from pytest_lambda_lifecycle.observation.leftovers import Leftovers
    from pytest_lambda_lifecycle.observation.misplaced import MisplacedPatches
    from pytest_lambda_lifecycle.observation.patches import Patches

__all__ = ["FindTampered", "WatchedRuntime"]

T = TypeVar("T")

OFTEN: Final = 4
"""The first invokes of an environment after which shared modules are compared."""
ESSENTIAL: Final = 16
"""Those after which `builtins` and the like are, without which not even a report is possible."""
SELDOM: Final = 256
"""After those, they are compared at each invoke of which the number is a multiple of this."""

FindTampered: TypeAlias = "Callable[[ModuleType], Iterable[str]]"
"""Returns the names in a module that a test has patched."""


class WatchedRuntime:
    """Looks at the function's modules before and after each turn of a runtime."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        world: World,
        namespaces: SharedNamespaces,
        essentials: Essentials,
        timeline: WritableTimeline,
        clock: Clock,
        tampered: FindTampered,
        misplaced: MisplacedPatches,
        leftovers: Leftovers,
        patches: Patches,
        renew_credentials: Callable[[], None] | None,
        is_observed: bool,
    ) -> None:
        """``is_observed`` says whether code of the test may run between Init and a first invoke."""
        self.snapshot: InitSnapshot | None = None
        """The function's modules at the end of the latest init."""
        self._runtime = runtime
        self._world = world
        self._namespaces = namespaces
        self._essentials = essentials
        self._timeline = timeline
        self._clock = clock
        self._tampered = tampered
        self._misplaced = misplaced
        self._leftovers = leftovers
        self._patches = patches
        self._placements = patches.watched
        """Spies that have to be in place in each invoke."""
        self.renew_credentials = renew_credentials
        self._is_observed = is_observed
        self._operation_of_init = 0
        """The number of the operation in which Init has run; see `Held.operation`."""
        self._turns = 0
        """The number of invokes, over all processes of the environment."""
        self._refusal: LifecycleError | None = None
        self._noted: set[str] = set()
        """Shared modules that are on the timeline already."""
        world.hook.guard = self._refuse_patched
        world.hook.add(self._refuse_imported, misplaced)

    def before_snapshot(self) -> Loaded | Raised | Exited:
        """Run the hooks before a snapshot."""
        __tracebackhide__ = True
        return self._watched(self._runtime.before_snapshot)

    def after_restore(self) -> Loaded | Raised | Exited:
        """Run the hooks after a restore."""
        __tracebackhide__ = True
        return self._watched(self._runtime.after_restore)

    def terminate(self, handles_signals: bool, /) -> Loaded | Exited:
        """Let the runtime receive SIGTERM."""
        __tracebackhide__ = True
        return self._watched(partial(self._runtime.terminate, handles_signals))

    def init(self) -> Loaded | Raised | Exited:
        """Run function init; record shared modules, and the names in them that it changes."""
        __tracebackhide__ = True
        if self.snapshot is not None:
            with freeing():
                self.snapshot = None
        hook, clock = self._world.hook, self._import_clock()
        self._before()
        hook.began = clock.begin
        try:
            with clock:
                outcome = self._runtime.init()
        except LifecycleError as error:
            if error is self._refusal:
                # Its frames belong to this package and to the import system.
                raise error.with_traceback(None) from None
            raise
        finally:
            hook.began = None
            self._after()
            self._operation_of_init = 0 if self._is_observed else Held.operation
        own = self._world.adopt()
        self.snapshot = InitSnapshot(
            {name: module for name, module in own.items() if self._world.is_source(name)}
        )
        self._note_shared()
        return outcome

    def _import_clock(self) -> ImportClock:
        """Return what reads the time of each import for the Init that has just begun."""
        events = self._timeline
        begun = next((one for one in reversed(events) if type(one) is FunctionInit), None)
        return ImportClock(self._clock.elapsed, [] if begun is None else begun.imports)

    def invoke(self, request: Request) -> Returned | Raised | Exited:
        """Run an invoke; record the globals that it binds anew, and its leftovers."""
        __tracebackhide__ = True
        if self.renew_credentials is not None:
            self.renew_credentials()
        if self._misplaced.clean != PATCHERS.version:
            _refuse_misplaced(self._misplaced.targets())
        snapshot = self.snapshot
        if snapshot is not None:
            snapshot.compare(_changed_by_the_test)
        for placement in self._placements:
            placement.look()
        self._leftovers.begin()
        self._turns = turns = self._turns + 1
        if turns > OFTEN and turns % SELDOM and not self._essentials.has_own:
            self._namespaces.unseen = True
            if turns > ESSENTIAL:
                outcome = self._runtime.invoke(request)
            else:
                self._essentials.before_turn()
                try:
                    outcome = self._runtime.invoke(request)
                finally:
                    self._essentials.after_turn()
        elif self._operation_of_init and self._operation_of_init == Held.operation:
            # A cold start: nothing of the test has run since Init.
            self._namespaces.go_on()
            self._essentials.go_on()
            try:
                outcome = self._runtime.invoke(request)
            finally:
                self._after()
        else:
            outcome = self._watched(partial(self._runtime.invoke, request))
        if snapshot is not None:
            snapshot.compare(self._note_replaced)
        for found in self._leftovers.end():
            self._timeline.append(Leftover(self._clock.now_us(), *found))
        return outcome

    def _watched(self, turn: Callable[[], T]) -> T:
        """Run a turn of function code: changes of shared modules in it are attributed to it."""
        __tracebackhide__ = True
        self._before()
        try:
            return turn()
        finally:
            self._after()

    def _before(self) -> None:
        self._world.before_turn()
        self._namespaces.before_turn()
        self._essentials.before_turn()

    def _after(self) -> None:
        self._essentials.after_turn()
        self._world.after_turn()
        self._namespaces.after_turn()

    def _note_replaced(self, target: str, before: object, after: object) -> None:
        self._timeline.append(Replaced(self._clock.now_us(), target, before, after))

    def _note_shared(self) -> None:
        for module, reason in self._world.shared.items():
            if module not in self._noted:
                self._noted.add(module)
                self._timeline.append(SharedModule(self._clock.now_us(), module, reason))

    def _refuse_patched(self, name: str) -> None:
        """Refuse to import a module afresh if a test has patched its own copy of that module.

        The patch would not reach the function.
        """
        outside = self._world.parked.get(name)
        if outside is None or self._world.foreign(name) is not None:
            return
        try:
            patched = list(self._tampered(outside))
        except Exception as problem:
            # Function code imports here: another exception would look like a failure of that code.
            raise LifecycleError(
                f"cannot tell whether a test has patched {name} before this environment existed: "
                f"looking for patches raised {problem!r}",
                "This is no fault of function code; please report it with its traceback.",
                code="LLC307",
            ) from problem
        targets = [f"{name}.{one}" for one in patched]
        targets = [target for target in targets if not self._patches.replaces(target)]
        if not targets:
            return
        several = f"; so are {', '.join(targets[1:])}" if targets[1:] else ""
        self._refusal = LifecycleError(
            f"{targets[0]} is patched on the test's own copy of {name}, while init imports the "
            f"module afresh, so the function would run unpatched{several}.",
            f"Ask before init for env.patch({targets[0]!r}, ...): it acts in init as well, and "
            "takes the place of a patch that a fixture of conftest.py makes.",
            "Or begin the patch after init: env.initialize(), then mock.patch or monkeypatch.",
            code="LLC305",
        )
        raise self._refusal

    def _refuse_imported(self, module: ModuleType) -> None:
        """Refuse a module, once executed, that a test has patched in another environment."""
        if not stage.running:
            return
        try:
            _refuse_misplaced(self._misplaced.of_imported(module))
        except LifecycleError as error:
            self._refusal = error
            raise


def _refuse_misplaced(targets: Iterable[str]) -> None:
    """Refuse to run a function while a test has patched another copy of one of its modules."""
    __tracebackhide__ = True
    for target in targets:
        raise LifecycleError(
            f"{target} is patched on another copy of that module, the test's own or another "
            "environment's: this environment would run unpatched.",
            "Patch it by its name while this environment is the one in force, after its init or "
            f"its latest invoke: mock.patch({target!r}, ...) or "
            f"monkeypatch.setattr({target!r}, ...).",
            f"Or ask this environment for env.patch({target!r}, ...), which takes its place.",
            code="LLC306",
        )


def _changed_by_the_test(target: str, before: object, after: object) -> None:
    """Ignore a global that the test has bound anew since the last invoke."""
