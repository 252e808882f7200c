"""The scene of an environment: takes photographs of the state that its function code can reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, TypeVar

from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.state.buffers import Summary
from pytest_lambda_lifecycle.state.changes import Change
from pytest_lambda_lifecycle.state.differences import MISSING
from pytest_lambda_lifecycle.state.kinds import NAMESPACE
from pytest_lambda_lifecycle.state.photograph import Camera, Node, Photograph, Root
from pytest_lambda_lifecycle.state.places import Places, target_of
from pytest_lambda_lifecycle.state.process_state import ProcessState

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World

__all__ = ["Scene"]


T = TypeVar("T")


class _Runs(Protocol):
    def run(self, function: Callable[[], T], /) -> T: ...


class Scene:
    """The state of one environment's process, and the camera in front of it."""

    def __init__(
        self, world: World, process: _Runs, tmp: str, written: Collection[str], folders: list[str]
    ) -> None:
        """``tmp`` is the folder that is ``/tmp``, ``folders`` are those of the function's code.

        ``written`` are the paths in the machine's temporary folder that function code writes to.
        """
        self._world = world
        self._process = process
        self._tmp = tmp
        self._written = written
        self._own: frozenset[str] = frozenset()
        self._file_of: dict[str, str] = {}
        self.places = Places(self._files, folders)
        self.discard()

    def discard(self) -> None:
        """Forget the objects of a process that has ended."""
        self._camera = Camera(lambda name: name in self._own)
        self.process_state = ProcessState(lambda: self._tmp, self._written)

    def take(self) -> Photograph:
        """Return a photograph of the present state, as function code finds it."""
        return self._process.run(self._take)

    def _take(self) -> Photograph:
        roots = list(self._roots())  # which also tells whose modules are whose
        return self._camera.take(roots)

    def _roots(self) -> Iterator[Root]:
        modules = self._world.own_modules()
        own = {name for name in modules if self._world.is_source(name)}
        if own != self._own:
            self._own = frozenset(own)
            self._note_files(modules)
        for name in [one for one in modules if one in own]:
            namespace = namespace_of(modules[name])
            if namespace is not None:
                yield Root(name, namespace, NAMESPACE)
        yield from self.process_state.look()

    def _note_files(self, modules: Mapping[str, ModuleType]) -> None:
        for name, module in modules.items():
            file = (namespace_of(module) or {}).get("__file__")
            if type(file) is str and file.endswith(".py") and self._world.is_source(name):
                self._file_of[name] = file

    def knows(self, pattern: str) -> bool:
        """Say whether a pattern names a global of a module, or may: once all is unloaded."""
        modules = self._world.own_modules()
        bare = re.split(r"[\[({]", pattern.removesuffix(".*"))[0]
        if "*" in bare:
            return True
        module, rest = bare, ""
        while module and module not in modules:
            module, _, last = module.rpartition(".")
            rest = f"{last}.{rest}"
        if module:
            first = rest.split(".")[0]
            return not first or first in (namespace_of(modules[module]) or {})
        return not modules

    def is_own(self, module: str) -> bool:
        """Say whether a module, by its name, is function code."""
        return module in self._own

    def where(self, node: Node, label: object) -> str:
        """Return the line of function code that sets an entry of a container, if it can be told."""
        change = Change("", MISSING, None, node.place.is_library, label, node)
        return self.places.find(target_of(change), strict=node.place.is_library)

    def sources(self) -> list[str]:
        """Return the source of function code."""
        return [self.places.source(file) for file in self._files().values()]

    def files(self) -> dict[str, Summary]:
        """Return the present files of function code in ``/tmp``, by their names on Lambda."""
        return self.process_state.files()

    def text_of_file(self, name: str) -> str:
        """Return the beginning of such a file as text."""
        return self.process_state.text_of_file(name)

    def _files(self) -> dict[str, str]:
        """Return the source files of the function's modules, also once these are unloaded."""
        self._note_files(self._world.own_modules())
        return self._file_of
