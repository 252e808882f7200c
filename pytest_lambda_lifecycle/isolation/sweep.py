"""The end of a test: undo what came back after its environments had left."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_lambda_lifecycle.isolation import patching, unclosed
from pytest_lambda_lifecycle.isolation.modules import search_path
from pytest_lambda_lifecycle.isolation.parts import environ, logging_tree

__all__ = ["after_test"]


def after_test(variables: Mapping[str, str] | None, *, any_open: bool) -> None:
    """Give each kind of process state the chance to undo what a tool has put back too late.

    Call it when a test has ended and no environment is entered.  ``variables`` are `os.environ` as
    the test began; ``any_open`` says whether an environment goes on after the test.
    """
    environ.sweep(variables, any_open=any_open)
    search_path.sweep()
    logging_tree.sweep()
    patching.sweep()
    unclosed.sweep()
