"""The runtime as an environment watches it: what each turn did to the function's modules goes on
the timeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.unclosed import freeing
from pytest_lambda_lifecycle.lifecycle.events import Leftover, Replaced, SharedChange, SharedModule
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, Loaded, Raised, Request, Returned
from pytest_lambda_lifecycle.observation.reuse import InitPhotograph

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.clock.clock import Clock
    from pytest_lambda_lifecycle.conductor.participants import Runtime
    from pytest_lambda_lifecycle.isolation.modules.shared_modules import SharedNamespaces
    from pytest_lambda_lifecycle.isolation.modules.world import World
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline
    from pytest_lambda_lifecycle.observation.leftovers import Leftovers

__all__ = ["WatchedRuntime"]

Tampered = Callable[[ModuleType], Iterable[str]]
Misplaced = Callable[["World"], Iterable[str]]


class WatchedRuntime:
    """Looks at the world before and after each turn of a runtime."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        world: World,
        namespaces: SharedNamespaces,
        timeline: Timeline,
        clock: Clock,
        tampered: Tampered,
        misplaced: Misplaced | None,
        leftovers: Leftovers,
        renew_credentials: Callable[[], None] | None,
    ) -> None:
        self.photograph: InitPhotograph | None = None
        self._runtime = runtime
        self._world = world
        self._namespaces = namespaces
        self._timeline = timeline
        self._clock = clock
        self._tampered = tampered
        self._misplaced = misplaced
        self._leftovers = leftovers
        self._renew_credentials = renew_credentials
        self._refusal: LifecycleError | None = None
        self._noted: set[str] = set()
        """Shared modules that the timeline names already."""
        world.hook.guard = self._refuse_patched

    def init(self) -> Loaded | Raised | Exited:
        """Watch function init: which shared names were replaced, which modules cannot be repeated,
        what was made.
        """
        __tracebackhide__ = True
        if self.photograph is not None:
            with freeing():
                self.photograph = None
        self._namespaces.photograph()
        try:
            outcome = self._runtime.init()
        except LifecycleError as error:
            if error is self._refusal:
                raise error.with_traceback(
                    None
                ) from None  # the frames are ours and the import system's
            raise
        finally:
            for target in self._namespaces.compare():
                self._timeline.append(SharedChange(self._clock.now_us(), target))
        own = self._world.adopt()
        self.photograph = InitPhotograph(
            {name: one for name, one in own.items() if self._world.is_source(name)}
        )
        self._note_shared()
        return outcome

    def before_snapshot(self) -> Loaded | Raised | Exited:
        """Pass on."""
        return self._runtime.before_snapshot()

    def after_restore(self) -> Loaded | Raised | Exited:
        """Pass on."""
        return self._runtime.after_restore()

    def terminate(self, hears: bool) -> Loaded | Exited:
        """Pass on."""
        __tracebackhide__ = True
        return self._runtime.terminate(hears)

    def invoke(self, request: Request) -> Returned | Raised | Exited:
        """Watch an invoke: which globals it bound anew, and what it left running."""
        __tracebackhide__ = True
        if self._renew_credentials is not None:
            self._renew_credentials()
        if self._misplaced is not None:
            _refuse_misplaced(self._misplaced(self._world))
        if self.photograph is not None:
            self.photograph.compare(_changed_by_the_test)
        self._leftovers.begin()
        outcome = self._runtime.invoke(request)
        if self.photograph is not None:
            self.photograph.compare(self._note_replaced)
        for kind, label, where in self._leftovers.end():
            self._timeline.append(Leftover(self._clock.now_us(), kind, label, where))
        return outcome

    def _note_replaced(self, target: str, before: object, after: object) -> None:
        self._timeline.append(Replaced(self._clock.now_us(), target, before, after))

    def _note_shared(self) -> None:
        for module, reason in self._world.shared.items():
            if module not in self._noted:
                self._noted.add(module)
                self._timeline.append(SharedModule(self._clock.now_us(), module, reason))

    def _refuse_patched(self, name: str) -> None:
        """Refuse to import a module afresh whose outside copy a test has patched: the patch would
        not be seen.
        """
        outside = self._world.parked.get(name)
        if outside is None:
            return
        try:
            patched = list(self._tampered(outside))
        except (
            Exception
        ) as problem:  # function code imports here: it would pass for the function's own failure
            raise LifecycleError(
                f"cannot tell whether a test has patched {name} before this environment existed: looking for patches "
                f"raised {problem!r}, which is no fault of the function's; please report it with its traceback"
            ) from problem
        if not patched:
            return
        target = f"{name}.{patched[0]}"
        self._refusal = LifecycleError(
            f"{target} was patched before this environment existed: the patch is on the test's own copy of {name}, "
            "while init imports the module afresh, so the function would run unpatched. Patch it after init "
            f"(env.initialize(), then patch), or for init as well with env.patch({target!r}, ...)"
        )
        raise self._refusal


def _refuse_misplaced(targets: Iterable[str]) -> None:
    """Refuse to run a function while a test has patched another copy of a module of the
    function's.
    """
    __tracebackhide__ = True
    for target in targets:
        raise LifecycleError(
            f"{target} is patched on another copy of that module, the test's own or another environment's: this "
            "environment would run unpatched. Patch it by its name while this environment is the one in force, after "
            f"its init or its latest invoke: mock.patch({target!r}, ...) or monkeypatch.setattr({target!r}, ...)"
        )


def _changed_by_the_test(target: str, before: object, after: object) -> None:
    """What a test binds anew between invokes is not the next invoke's doing."""
