"""`faulthandler`: pytest's own, so that calls of function code are ignored."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.part import Part
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes
from pytest_lambda_lifecycle.isolation.stage import stage

__all__ = ["FaultHandler"]


class FaultHandler(Part):
    """Ignores calls of function code that would change `faulthandler`.

    Python cannot tell which file faulthandler writes to.  Its state could therefore not be restored
    once function code has changed it.
    """

    def enter(self) -> Undo:
        return patch_attributes(*_IGNORING)


def _ignoring(original: Callable[..., Any]) -> Callable[..., Any]:
    def ignored(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  # as the original
        return None if stage.on_phase_thread() else original(*arguments, **keywords)

    return ignored


_IGNORING: Final = tuple(
    (faulthandler, name, _ignoring(getattr(faulthandler, name)))
    for name in (
        "enable",
        "disable",
        "dump_traceback_later",
        "cancel_dump_traceback_later",
        "register",
        "unregister",
    )
    if hasattr(faulthandler, name)
)
