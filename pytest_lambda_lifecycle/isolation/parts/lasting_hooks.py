"""Hooks that Python keeps for good: `sys.addaudithook` and `os.register_at_fork`.

On Lambda, such a hook ends with its process.  Here it would hear of each file that pytest opens,
and an exception of it would end the session.  So what is registered for function code is a function
of this module, which calls the hook while function code of the same process runs, and else does
nothing.  It refers to the process weakly: an environment that is closed is freed all the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import count
from typing import Any, Final
from weakref import ref

from pytest_lambda_lifecycle.isolation.frames import is_step
from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["LastingHooks"]

_add_audit_hook: Final = sys.addaudithook
_register_at_fork: Final[Any] = getattr(os, "register_at_fork", None)
"""None on Windows."""
_getframe: Final = sys._getframe
_numbers: Final = count()


class LastingHooks(Part):
    """The hooks of one process of the function."""

    def __init__(self, runs_function_code: Callable[[], bool]) -> None:
        self._runs_function_code = runs_function_code
        self._hooks: dict[int, Callable[..., object]] = {}
        self._asking = False

    def enter(self) -> Undo:
        patches: list[tuple[Any, str, Any]] = [(sys, "addaudithook", self._add)]
        if _register_at_fork is not None:
            patches.append((os, "register_at_fork", self._register))
        return patch_attributes(*patches)

    def discard(self) -> None:
        self._hooks.clear()

    def _add(self, hook: Callable[[str, tuple[Any, ...]], object]) -> None:
        _add_audit_hook(self._in_process(hook) if self._runs_function_code() else hook)

    def _register(self, **hooks: Callable[[], object]) -> None:
        if self._runs_function_code():
            hooks = {name: self._in_process(hook) for name, hook in hooks.items()}
        _register_at_fork(**hooks)

    def _in_process(self, hook: Callable[..., object]) -> Callable[..., object]:
        owner, number = ref(self), next(_numbers)
        self._hooks[number] = hook
        del hook

        def call(*arguments: Any) -> object:  # noqa: ANN401
            part = owner()
            if part is None or number not in part._hooks or not part._may_call():
                return None
            return part._hooks[number](*arguments)

        return call

    def _may_call(self) -> bool:
        """Say whether function code runs, and not this package for it."""
        if self._asking or not self._runs_function_code():
            return False
        self._asking = True  # the look at the stack is an event itself
        try:
            return not is_step(_getframe(2))
        finally:
            self._asking = False
