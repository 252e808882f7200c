"""Exceptions that belong to the test's machinery and must leave function code unchanged."""

from __future__ import annotations

from typing import Final

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.lifecycle.outcome import DeadlineReached

__all__ = ["passes_through"]

_CONTROL_FLOW: Final = {
    "_pytest.outcomes": ("OutcomeException", "Exit"),
    "hypothesis.errors": ("HypothesisException", "StopTest"),
    "bdb": ("BdbQuit",),
}


def passes_through(exception: BaseException, *, interrupted: bool) -> bool:
    """Say whether an exception belongs to the test, and must leave function code unchanged.

    Such exceptions are those of `pytest.fail` and its kin, pytest-timeout (which uses them) and
    Hypothesis, the quit of a debugger, a real Ctrl-C (``interrupted``), and misuse of this library.
    """
    if isinstance(exception, (LifecycleError, DeadlineReached)):
        return True
    if isinstance(exception, KeyboardInterrupt):
        return interrupted
    for module, names in _CONTROL_FLOW.items():
        loaded = held_module(module)
        if loaded is not None and isinstance(
            exception, tuple(getattr(loaded, name) for name in names)
        ):
            return True
    return False
