"""Advice that follows the error of an extension, or of function code that cannot have a port."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.isolation.real import RealOs
from pytest_lambda_lifecycle.isolation.tracebacks import chain_of
from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionLog
from pytest_lambda_lifecycle.lifecycle.failures import ExtensionError, FunctionError
from pytest_lambda_lifecycle.processes.ports import (
    Listener,
    listeners_at,
    listeners_of_extensions,
)

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["clash_at", "hint_at_extension"]

_IN_USE: Final = re.compile(r"address (is )?(already )?in use|EADDRINUSE", re.IGNORECASE)
_PORT: Final = re.compile(r"(?:port[ =:]*|:|, )([1-9][0-9]{1,4})\b(?![.:])")
_UNRESOLVED: Final = re.compile(
    r"""
      name\ or\ service\ not\ known | name\ does\ not\ resolve | not\ resolve\ host
    | temporary\ failure\ in\ name\ resolution | no\ such\ host | nodename\ nor\ servname
    | ENOTFOUND | EAI_AGAIN | EAI_NONAME | gaierror | unknown\ ?host | host\ not\ found
    | failed\ to\ look\ ?up\ address
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LINES: Final = 200
"""Lines of a failed extension's output that are read, from the end."""


def hint_at_extension(
    error: FunctionError,
    cause: BaseException | None,
    timeline: Timeline,
    *,
    address: str,
    holder: Callable[[int], str],
) -> str:
    """Return advice for the failure of a phase, or ``""``.

    ``address`` is that of the environment's own APIs.  ``holder`` names the environment of this
    process whose function has a port, or returns ``""``.
    """
    if isinstance(error, ExtensionError):
        texts = [one.text for one in timeline.of(ExtensionLog) if one.extension == error.extension]
        text = "".join(texts[-_LINES:])
        if _IN_USE.search(text):
            return _hint_at_port(text, address, holder)
        if _UNRESOLVED.search(text):
            return _hint_at_names()
    refused = _refused_address(cause)
    return "" if refused is None else _hint_at_port(refused, address, holder)


def _refused_address(error: BaseException | None) -> str | None:
    """Return the text of an error of ``bind``, however often it was wrapped."""
    for one in chain_of(error):
        if isinstance(one, OSError) and one.errno == errno.EADDRINUSE:
            port = vars(one).get("refused_port", "")
            return f"port {port}" if port else str(one)
    return None


def _hint_at_names() -> str:
    # Objects in this process need no such advice.  Where there is no program, the import would
    # capture the watch on child processes instead of the original.
    opt = sys.modules.get("pytest_lambda_lifecycle.processes.opt")
    if opt is None or opt.has_own_hosts():
        return ""
    return (
        "Hint: the names sandbox and sandbox.localdomain are unknown to this program: here they "
        "are known to Python alone, since this system lets no process have an /etc/hosts of its "
        "own (Linux: unshare --user --map-root-user --mount).  Let the program use 127.0.0.1, or "
        "add the line '127.0.0.1 sandbox sandbox.localdomain' to /etc/hosts of this machine."
    )


def _hint_at_port(text: str, address: str, holder: Callable[[int], str]) -> str:
    own = address.rpartition(":")[2]
    # The last one first: that is nearest to the error.
    named = [int(port) for port in _PORT.findall(text) if port != own][::-1]
    for port in dict.fromkeys(named):
        found = [one for one in listeners_at(port) if not address or one.address != address]
        if found:
            here = any(one.pid == RealOs.getpid() for one in found) and holder(port)
            return f"Hint: {_clash(port, [here] if here else found)}"
    others = [] if named else listeners_of_extensions(address)
    for one in others:
        return f"Hint: {_clash(one.port, [one])}"
    return f"Hint: {_clash(named[0] if named else 0, ())}"


def clash_at(port: int, *, address: str) -> str:
    """Say that an extension of another environment listens at a port; ``""`` if there is none.

    ``address`` is that of the environment's own APIs.
    """
    found = [one for one in listeners_at(port) if one.address not in {"", address}]
    return _clash(port, found) if found else ""


def _clash(port: int, listeners: Iterable[Listener | str]) -> str:
    """Say who listens at a port (0 if it is unknown), and what to do about that."""
    name = f"port {port}" if port else "the port"
    who = " and ".join(map(str, listeners)) or "another process, which has ended since"
    group = f'"port-{port}"' if port else '"..."'
    return (
        f"{name} is in use by {who}.  Ports belong to the whole machine.  Close the other "
        "environment first; in a parallel run, keep the tests that need this port on one worker: "
        f"mark them all with @pytest.mark.xdist_group({group}) and run pytest with --dist "
        "loadgroup, or put them into one file and run it with --dist loadfile."
    )
