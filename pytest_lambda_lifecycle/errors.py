"""Misuse of this library: `LifecycleError` and its subclasses, their codes, and the caller's line.

A failure of the *function* is no misuse: see `lifecycle/failures.py`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Final

__all__ = [
    "ConfigError",
    "InvalidTransition",
    "LifecycleError",
    "LifecycleWarning",
    "NetworkRefused",
]

_MODULE: Final = __name__.partition(".")[0]
"""Each class names the package as its module, from which users import it and as pytest shows it."""
_FOLDER: Final = str(Path(__file__).parent) + os.sep
_getcwd: Final = os.getcwd  # a test may replace it

CODES: Final = {
    "LLC101": "The environment has ended.",
    "LLC102": "The environment is inside a phase, and handles one event at a time.",
    "LLC103": "Init has run already.",
    "LLC104": "There is no snapshot to restore.",
    "LLC105": "A snapshot needs SnapStart.",
    "LLC106": "No process of the environment is frozen.",
    "LLC107": "The lifecycle has no such transition.",
    "LLC108": "Lambda has no such reason for a shutdown.",
    "LLC109": "Another environment is inside a phase on another thread.",
    "LLC110": "The function's modules are not loaded in this state.",
    "LLC111": "There was no Init yet.",
    "LLC112": "Not everything in the process could be restored.",
    "LLC113": "An environment needs a FunctionConfig.",
    "LLC114": "The environment itself has run out of what it needs.",
    "LLC201": "There is no such setting.",
    "LLC202": "A setting has a value that Lambda refuses.",
    "LLC203": "The handler is missing, or is not text.",
    "LLC204": "The handler's module was not found.",
    "LLC205": "Lambda refuses an environment variable.",
    "LLC206": "A path does not lead to a file or folder that the setting needs.",
    "LLC207": "Lambda refuses an extension.",
    "LLC208": "Two settings contradict each other.",
    "LLC209": "The marker was given arguments that it does not take.",
    "LLC210": "The configuration fixture or hook returned no mapping.",
    "LLC301": "The target of a spy or a patch does not exist.",
    "LLC302": "The target cannot be spied on or patched.",
    "LLC303": "Something else holds the target of the spy or the patch already.",
    "LLC304": "An assertion has nothing to check.",
    "LLC305": "A test patched its own copy of a module before Init.",
    "LLC306": "A test patched another copy of the function's module.",
    "LLC307": "The search for patches of the test raised an exception.",
    "LLC401": "A clock cannot take this moment or length of time.",
    "LLC402": "A clock cannot be started twice, or beside another one.",
    "LLC403": "The clock cannot be moved now, or not in this direction.",
    "LLC404": "The environment and the clock do not belong together.",
    "LLC405": "time-machine and virtual time exclude each other.",
    "LLC406": "Function code ran without moving the virtual clock.",
    "LLC501": "The event has no JSON form.",
    "LLC502": "An argument of invoke has a value that Lambda refuses.",
    "LLC503": "Lambda never sends such a header.",
    "LLC601": "An extension cannot be added any more.",
    "LLC602": "There is no such extension.",
    "LLC603": "The extension has not subscribed to telemetry.",
    "LLC604": "An extension that is a program cannot run here.",
    "LLC605": "The Extensions API refused an extension of the test.",
    "LLC606": "Telemetry did not reach its listener.",
    "LLC701": "An implementation of a hook failed, or did not return a result.",
    "LLC801": "AWS has no such operation.",
    "LLC802": "The AWS operation has no such error.",
    "LLC803": "A fault was given a value that it cannot take.",
    "LLC804": "A stub answers a call that a fault should meet.",
    "LLC805": "Faults need botocore.",
    "LLC811": "A mocked response cannot take this time.",
    "LLC812": "Function code has left a mock of requests in place.",
    "LLC821": "The network is closed to function code.",
    "LLC831": "An assertion could not have seen the calls of its target.",
    "LLC832": "An expected call is not text.",
    "LLC871": "A path to ignore cannot be read.",
    "LLC872": "Nothing of an answer can be compared.",
    "LLC873": "A comparison needs events.",
    "LLC874": "A machine of lifecycles needs Hypothesis.",
    "LLC875": "A machine of lifecycles was given something that it cannot take.",
    "LLC901": "The state audit was not on.",
    "LLC902": "A path of state to ignore is not text.",
    "LLC903": "There were too few invokes to tell what settles.",
    "LLC904": "The function has no state of this path.",
    "LLC905": "Two events have nothing by which they can be told apart.",
    "LLC906": "Growth cannot be told from this number of invokes.",
}
"""The code of each kind of misuse, and its meaning; ``docs/errors.md`` has an entry for each."""


class LifecycleWarning(UserWarning):
    """A remark for the author of a test, although nothing failed."""

    __module__ = _MODULE


class LifecycleError(Exception):
    """The library was asked for something that it cannot do.

    It is never caught on behalf of function code.  The first line of its text names the request;
    further lines have the state, the source of a value and the remedy.
    """

    __module__ = _MODULE

    code: str = ""
    """``"LLC101"`` and so on: the kind of misuse, explained in ``docs/errors.md``."""

    def __init__(self, *lines: str, code: str = "") -> None:
        """``lines`` are joined by line ends; ``code`` is one of `CODES`."""
        super().__init__(*lines)
        self.code = code

    def __str__(self) -> str:
        text = "\n".join(map(str, self.args))
        return f"{text} [{self.code}]" if self.code else text


class InvalidTransition(LifecycleError):
    """The state of the environment does not allow what was asked."""

    __module__ = _MODULE


class ConfigError(LifecycleError, ValueError):
    """A setting has a value that Lambda would refuse, or that contradicts another."""

    __module__ = _MODULE


class NetworkRefused(LifecycleError):
    """Function code tried to reach a host that the setting ``network`` does not let it reach.

    The class is no `OSError`: client libraries retry those, or hide them in errors of their own.
    """

    __module__ = _MODULE

    target: str = ""
    """``"host:port"``, or the name that was looked up."""
    asked: str = ""
    """The request in words, as in the event `NetworkRefusal`."""
    phase: str = ""
    """``"init"``, ``"restore"``, ``"invoke"`` or ``"shutdown"``; ``""`` between phases."""
    where: str = ""
    """The line of function code, as ``"shop/app.py:12"``."""
    reason: str = ""
    """The setting that refuses, and its source, in words."""
    _has_left: bool = False
    """It has left function code, so the test has met it."""


def no_attribute(owner: object, name: str, meant: Mapping[str, str]) -> AttributeError:
    """Return the error for an attribute that an object does not have.

    ``meant`` maps names that newcomers try to what they mean, as code; otherwise the nearest public
    name is proposed.
    """
    kind = type(owner).__name__
    text = f"{kind!r} object has no attribute {name!r}"
    if name[:1] != "_":
        import difflib

        near = [meant[name]] if name in meant else None
        public = [one for one in dir(type(owner)) if one[:1] != "_"]
        near = near or difflib.get_close_matches(name, public, n=1)
        text += f": did you mean {near[0]}?" if near else f"; it has {', '.join(public)}"
    return AttributeError(text, name=name, obj=owner)


def caller() -> str:
    """Return ``file:line`` of the nearest frame outside this library, for messages."""
    frame, _ = _nearest_outside()
    file = frame.f_code.co_filename
    # Texts and not paths: each environment that is closed asks for this.
    with contextlib.suppress(OSError):  # the working directory may be gone
        file = file.removeprefix(_getcwd() + os.sep)
    return f"{file}:{frame.f_lineno}"


def warn(text: str) -> None:
    """Warn with a `LifecycleWarning` at the nearest line outside this library."""
    _, level = _nearest_outside()
    warnings.warn(LifecycleWarning(text), stacklevel=level)


def _nearest_outside() -> tuple[FrameType, int]:
    """Return the nearest frame outside this library, and its `stacklevel` for the caller."""
    frame = sys._getframe(1)
    level = 1
    while frame.f_back is not None and _is_in_between(frame.f_code.co_filename):
        frame = frame.f_back
        level += 1
    return frame, level


def _is_in_between(filename: str) -> bool:
    """Say whether a frame is passed over: `contextlib` lies between this library and its caller."""
    return is_own_file(filename) or filename.endswith("contextlib.py")


def is_own_file(filename: str) -> bool:
    """Say whether a file of code belongs to this package."""
    return filename.startswith(_FOLDER)
