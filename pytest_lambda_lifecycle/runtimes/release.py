"""The end of an invoke whose response has no JSON form: the response is released.

A handler that is a coroutine function returns a coroutine that nobody awaits.  Python warns when it
frees the object, in the name of the line that runs.  On Lambda that happens at once, in the
runtime, and once per process for each function.  Here the traceback of the error would keep the
object: its frames are cleared, and the object is freed in a function whose globals are those of one
process of the function.
"""

from __future__ import annotations

import builtins
import traceback
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.parts.warnings_filters import without_test
from pytest_lambda_lifecycle.isolation.tracebacks import chain_of

__all__ = ["Releaser"]

__stands_for__ = "bootstrap"


class Releaser:
    """Releases the responses of one process of the function."""

    def __init__(self) -> None:
        self._globals: dict[str, Any] = {
            "__name__": "awslambdaric.bootstrap",
            "__builtins__": builtins,
        }
        """Python notes there of which coroutines it has warned."""

    def __call__(self, responses: list[object], error: BaseException) -> None:
        """Release the one response in a list; *error* says why it has no JSON form."""
        __tracebackhide__ = __function_code_above__ = True
        for one in chain_of(error):
            traceback.clear_frames(one.__traceback__)
        with without_test():
            FunctionType(_RUN, self._globals)(_handle_event_request, responses.pop)


def _handle_event_request(response: object) -> None:
    """Stand for the function of the runtime in which the response is a local variable."""
    __function_code_above__ = True


def _run(handle_event_request: Callable[[object], None], response: Callable[[], object]) -> None:
    # Python shows the next line in the warning; it is that of the runtime.
    __function_code_above__ = True
    handle_event_request(
        response(),
    )


_RUN: Final = _run.__code__
