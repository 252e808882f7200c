"""The audit hook: tells the entered environment of calls that change files.

It also hears of tools that function code uses to watch code objects, which may be kept ones.

`sys.addaudithook` is the one way to hear of every such call of Python: `open`, `os.open`,
`pathlib`, `shutil`, `tempfile` and `logging` all end there, under whatever name a module has bound
them.  Stand-ins for `open` and its like would miss names that were bound before.

A hook cannot be removed, so this one is installed by the first environment that needs it, and does
nothing unless a phase runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.modules import kept_code
from pytest_lambda_lifecycle.isolation.stage import stage

__all__ = ["EVENTS", "OPEN_FLAGS", "install"]

EVENTS: Final = frozenset(
    "open os.mkdir os.remove os.rmdir os.rename os.link os.symlink os.truncate os.chmod os.chown "
    "os.utime os.setxattr os.removexattr socket.bind sqlite3.connect "
    "sys.monitoring.register_callback".split()
)
OPEN_FLAGS: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
"""Flags of `os.open`; without any of them, a file is only read."""

_add_hook: Final = sys.addaudithook  # that of an entered environment is for function code
_installed: Final[list[bool]] = []


def install() -> None:
    """Install the hook, once."""
    if not _installed:
        _installed.append(True)
        _add_hook(_hear)


# What it refers to are defaults: when the interpreter ends, the names of this module are gone.
def _hear(
    event: str,
    arguments: tuple[Any, ...],
    running: Any = stage.running,  # noqa: ANN401  # a list of slices
    events: frozenset[str] = EVENTS,
    flags: int = OPEN_FLAGS,
    monitors: str = "sys.monitoring.register_callback",
    forget_code: Callable[[], None] = kept_code.forget,
) -> None:
    __tracebackhide__ = True
    if running and event in events:
        if event == monitors:
            forget_code()
            return
        if event == "open" and not arguments[2] & flags:
            return
        files = running[-1].files
        if files is None:
            return
        error = files(event, arguments)
        if error is not None:
            # The traceback of the error has this frame: without its locals, there is no circle.
            try:
                raise error
            finally:
                del error, files
