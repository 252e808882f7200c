"""The declared differences: each is a row of the fidelity pages.

A program that differs has to agree without the building blocks whose text a pattern below matches;
otherwise it has another difference, which nothing declares.
"""

from __future__ import annotations

import re

from .programs import Program

__all__ = ["DECLARED", "declared_steps"]

DECLARED: dict[str, list[str]] = {
    "Function code may close or redirect file descriptors 1 and 2": [r"\.fileno\(\)"],
    "Runaway recursion ends at the limit of the interpreter": [
        r"return deeper\(\)",
        r"pong\(\)",
        r"return repr\(self\)",
    ],
    "Arguments, `__main__`, standard input and the process id are those of the runtime": [
        r"sys\.argv",
        r"modules\[.__main__.\]",
        r"\binput\(",
        r"sys\.stdin",
    ],
    "A new process has loaded the modules of the runtime alone": [
        r"\bin sys\.modules\b",
        r"sys\.meta_path = None|del sys\.path|sys\.path = None",
    ],
    "Installed packages and the standard library start without state": [r"builtins\.open = "],
    "Hooks that function code adds to `sys.path_hooks` are asked for new folders alone": [
        r"path_hooks\.(append|insert)"
    ],
    "A runtime that waits for events on a thread ends if function code has deleted `sys.stderr`": [
        r"del sys\.(stdout|stderr)"
    ],
    "The variables of function code that has raised, and its exception, live until garbage is "
    "collected": [
        r"def __del__",
        r"asyncio\.run\(asyncio\.sleep",
        r"return_exceptions=True",
    ],
    "A value that a turn takes out of a global name, or of `sys`, is freed at once": [
        r"HELD = Held\(\)",
        r"TextIOWrapper\(sys\.std",
    ],
    "Filters of function code that let each warning through show those of the runtime as well (its "
    "sockets are not closed)": [r"simplefilter\(.(error|always|default)"],
    "`warnings.warn` writes a line to stderr": [r"resetwarnings"],
    "The hooks of a new process are those of the interpreter": [
        r"hook is (sys|threading)\.__",
    ],
    "Function code finds the modules of the real client": [
        r"bootstrap\.run\b",
    ],
    "Function code may put another object in the place of `os.environ`": [r"os\.environ = "],
    "Tracing belongs to the process (`sys.settrace`, `sys.setprofile`)": [
        r"sys\.set(trace|profile)\("
    ],
    "`faulthandler` can be set up": [r"faulthandler\."],
    "Threads and child processes end with the function's process": [
        r"threading\.enumerate|active_count"
    ],
}
"""The first column of a row, and patterns of the text of building blocks."""


def declared_steps(program: Program) -> tuple[set[int], list[str]]:
    """Return the positions of steps with a declared difference, and the rows that declare them."""
    steps: set[int] = set()
    rows: list[str] = []
    for row, patterns in DECLARED.items():
        for number, step in enumerate(program.steps):
            text = "\n".join((step.init, step.text, *step.files.values()))
            if any(re.search(pattern, text) for pattern in patterns):
                steps.add(number)
                rows.append(row)
    return steps, list(dict.fromkeys(rows))
