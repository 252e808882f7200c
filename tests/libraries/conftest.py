"""The table of all libraries: printed at the end, and written into ``docs/libraries.md``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .page import page
from .table import LIBRARIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "libraries.md"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table; a whole run writes the page as well."""
    found: dict[str, dict[str, Any]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            properties = dict(report.user_properties)
            if "library" in properties:
                found[properties["library"]] = {**properties, "agrees": outcome == "passed"}
    if not found:
        return
    text = page(found)
    terminalreporter.write_sep("-", "libraries beside the real runtime")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    terminalreporter.write_line("\n".join(rows))
    if len(found) == len(LIBRARIES):
        PAGE.write_text(text, encoding="utf-8")
