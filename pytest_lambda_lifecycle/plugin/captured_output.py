"""The output of function code in the sections of pytest, which repeat the section of the plugin.

pytest captures the output of function code as that of the test, and its log records as well, so
that `capsys` and `caplog` have them.  In the report of a test each line stands once: lines that the
plugin's section shows are taken out of the captured ones.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest

__all__ = ["records_of_function", "take_out"]


def take_out(
    report: pytest.TestReport,
    shown: Sequence[str],
    output: dict[str, str],
    records: Sequence[logging.LogRecord],
    config: pytest.Config,
) -> None:
    """Take lines out of the captured sections of a report.

    ``shown`` are the lines of the log that the plugin's section has, and ``output`` is what
    function code wrote to ``"stdout"`` and ``"stderr"``; ``records`` are what it logged.
    """
    for stream, text in output.items():
        lines = _among(text.splitlines(), shown)
        for index in reversed(_sections(report, f"Captured {stream}")):
            title, captured = report.sections[index]
            report.sections[index] = title, _without_lines(captured, lines)
    if records:
        formatted = _formatted(config, records, shown)
        for index in _sections(report, "Captured log"):
            title, captured = report.sections[index]
            report.sections[index] = title, _without_texts(captured, formatted)
    report.sections[:] = [one for one in report.sections if one[1] or one[0][:8] != "Captured"]


def _sections(report: pytest.TestReport, begin: str) -> list[int]:
    return [index for index, (title, _) in enumerate(report.sections) if title.startswith(begin)]


def _among(lines: list[str], shown: Iterable[str]) -> list[str]:
    """Return the last of the lines, as far as they are shown."""
    left = Counter(shown)
    found: list[str] = []
    for line in reversed(lines):
        if not left[line]:
            break
        left[line] -= 1
        found.append(line)
    return found[::-1]


def _without_lines(captured: str, lines: list[str]) -> str:
    """Remove lines, the last ones first; those that are found are taken from ``lines`` as well."""
    kept = captured.splitlines(keepends=True)
    bare = captured.splitlines()
    end = len(kept)
    for number in reversed(range(len(lines))):
        index = next((i for i in reversed(range(end)) if bare[i] == lines[number]), None)
        if index is not None:
            kept[index] = ""
            end = index
            del lines[number]
    return "".join(kept)


def records_of_function(config: pytest.Config) -> list[logging.LogRecord]:
    """Return the records of the phase of the item that the runtime's handler has seen.

    Its filter marks them with the id of the request.
    """
    handler = _report_handler(config)
    records: list[logging.LogRecord] = getattr(handler, "records", [])
    return [record for record in records if hasattr(record, "aws_request_id")]


def _report_handler(config: pytest.Config) -> logging.Handler | None:
    """Return the handler from which pytest makes its section; None with ``-p no:logging``."""
    handler = getattr(config.pluginmanager.get_plugin("logging-plugin"), "report_handler", None)
    return handler if isinstance(handler, logging.Handler) else None


def _formatted(
    config: pytest.Config, records: Iterable[logging.LogRecord], shown: Sequence[str]
) -> list[str]:
    """Return the records that are shown, as pytest formats them in its section."""
    handler = _report_handler(config)
    if handler is None:
        return []
    text = "\n".join(shown)
    found: list[str] = []
    for record in records:
        first = (record.getMessage().splitlines() or [""])[0]
        if first and first in text:
            found.append(handler.format(record))
    return found


def _without_texts(captured: str, texts: Iterable[str]) -> str:
    for text in texts:
        # pytest strips the text of the section.
        for part in (f"{text}\n", f"\n{text.rstrip()}", text.rstrip()):
            if part in captured:
                captured = captured.replace(part, "", 1)
                break
    return captured
