"""The page ``docs/libraries.md``, made of the results of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .table import LIBRARIES, Library

__all__ = ["page"]

LONGEST: Final = 110
HEAD: Final = """\
# Libraries that keep state of a process

`tox -e libraries` runs a function with each of these libraries, as its documentation shows it, on the real runtime (awslambdaric
4.2.2) and here. On the real runtime each environment is a process of its own. Here four cold starts follow one another in one
session of pytest: that of the first environment, the one after its `reset()`, a second environment in the same test, and an
environment in a second test. Each serves three invokes; the first one goes on with idle time and a fourth invoke. What the
invokes return, their errors with the frames of the library, and what is on the log in each phase has to be the same.

The column "real" has what the four invokes of a process return. "the same" says that all four cold starts here returned that,
and wrote the same on the log. Times, ids and numbers that are measured are left out of the comparison.

[Modules](fidelity/modules.md) says how it is done, and [troubleshooting](troubleshooting.md) what to do for a library that is not
in the list.

| library | version | Python | what the function returns | real | here | agrees |
|---|---|---|---|---|---|---|
"""
TAIL: Final = """\

Facts that the runs have shown:

* `ddtrace`, `logfire` and others are plugins of pytest as well, so that pytest loads them at its start, without the variables of a
  function. ddtrace then sends its spans to an agent instead of the log: its row was made with `-p no:ddtrace`. logfire and
  OpenTelemetry are shared with the tests where logfire is installed.
* Packages with compiled parts (ddtrace, newrelic, SQLAlchemy) are imported once and stay. What a tracer has replaced in them is
  undone when an environment leaves.
* `appdynamics-lambda-tracer`, `safe-init` and datadog's cold start traces write lines from threads, in no certain order: their
  settings leave these lines out.
* `safe-init` finds its files in `/tmp` after a reset, and says so, as on Lambda: its row was made without that check.
"""


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page for the results of a run, by the name of the function."""
    rows = [_row(library, found[library.id]) for library in LIBRARIES if library.id in found]
    return HEAD + "".join(f"{row}\n" for row in rows) + TAIL


def _row(library: Library, result: Mapping[str, Any]) -> str:
    agrees = "yes" if result["agrees"] else f"no: {result.get('why', 'see the run')}"
    if library.differs:
        agrees = f"no: {library.differs}"
    cells = [
        library.name,
        library.version,
        library.python,
        library.shows,
        f"`{_short(result.get('real', ''))}`",
        _short(result.get("here", "")) if result.get("here") == "the same" else "differs",
        agrees,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _short(text: str) -> str:
    text = text.replace("`", "'")
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
