"""The end of a test: undo values that a tool has restored after the environments had left."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_lambda_lifecycle.isolation import log_levels, patching, unclosed
from pytest_lambda_lifecycle.isolation.modules import search_path, stand_ins, world
from pytest_lambda_lifecycle.isolation.parts import environ

__all__ = ["after_test"]


def after_test(variables: Mapping[str, str] | None, *, any_open: bool) -> None:
    """Let each kind of process state undo values that a tool has restored too late.

    A tool such as ``monkeypatch`` may have saved a value while an environment was entered, and
    restore it after the environment has left: then it restores a value of the environment.

    Call this when a test has ended and no environment is entered.  ``variables`` are `os.environ`
    as the test began; ``any_open`` says whether an environment goes on after the test.
    """
    environ.sweep(variables, any_open=any_open)
    search_path.sweep()
    stand_ins.sweep()
    world.sweep()
    log_levels.sweep()
    patching.sweep()
    unclosed.sweep()
