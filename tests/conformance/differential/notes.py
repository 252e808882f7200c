"""What one phase did, as either side notes it, without facts that depend on the run."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Note", "differences", "normal"]


@dataclass
class Note:
    """One phase."""

    phase: str
    posted: str = ""
    """``response``, ``error``, ``init/error``, or nothing."""
    body: str = ""
    content_type: str = ""
    """The content type of a response."""
    error_type: str = ""
    """The header of that name, of an init error."""
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    broken: str = field(default="", compare=False)
    """What went wrong on this side besides: a hang, an error of the test itself."""

    def as_json(self) -> dict[str, Any]:
        """Return the note as JSON has it."""
        return asdict(self)


# -- the entries of a stack

_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_JSON_ENTRY = re.compile(r'"  File \\"([^"]*)\\", line \d+, in ')
_CR_ENTRY = re.compile(  # in Latin-1, the no-break spaces are no UTF-8
    '\r[\xa0\ufffd]{2}File "([^"\r\n]*)", line \\d+, in [^\r\n]*(?:\r[\xa0\ufffd]{4}[^\r\n]*)*'
)
# The entry of a traceback: file, source line, and marks below it.
_ENTRY = re.compile(
    r'^([ |+-]*)  File "([^"\n]*)", line \d+, in [^\n]*\n(?:\1    [^\n]*\n)*', re.MULTILINE
)


def _is_foreign(path: str) -> bool:
    return not path.startswith("{TASK_ROOT}")


def _own_entries_alone(text: str) -> str:
    def in_json(found: re.Match[str]) -> str:
        entry = _JSON_ENTRY.match(found[0])
        return '"<frames>"' if entry and _is_foreign(entry[1]) else found[0]

    text = _JSON_STRING.sub(in_json, text)
    text = re.sub('"<frames>"(, "<frames>")*(?:, |(?=]))', "", text).replace(", ]", "]")
    text = _CR_ENTRY.sub(lambda found: "" if _is_foreign(found[1]) else found[0], text)
    return _ENTRY.sub(lambda found: "" if _is_foreign(found[2]) else found[0], text)


# -- facts of the run

_FACTS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z"), "{TIME}"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(,\d{3})?"), "{TIME}"),
    (re.compile(r"\b0x[0-9a-f]{6,}"), "{ADDRESS}"),
    (re.compile(r"\d{4}/\d\d/\d\d/\[\$LATEST\]\w+"), "{LOG_STREAM}"),
    (re.compile(r"repeated \d+ more times"), "repeated N more times"),
    (re.compile(r"^object refcount : \d+", re.MULTILINE), "object refcount : N"),
    # A warning names the line of the runtime, or of a library, that freed an object.
    (
        re.compile(
            r"^(?:/[^\n]*|sys|<[^\n]*>):\d+: (\w+Warning: [^\n]*\n)(?:  [^\n]*\n)?", re.MULTILINE
        ),
        r"{ELSEWHERE}: \1",
    ),
)


def normal(text: str, task_root: str) -> str:
    """Return *text* without paths, moments, addresses and entries outside the function's code."""
    if "\0" in text:  # in UTF-16, each letter has a byte 0 behind it
        text = "{WITH ZEROS}" + text.replace("\0", "")
    text = text.replace(task_root, "{TASK_ROOT}")
    for pattern, name in _FACTS:
        text = pattern.sub(name, text)
    return _own_entries_alone(text)


def differences(real: list[Note], ours: list[Note]) -> list[str]:
    """Return the fields that differ, each with both values."""
    found = []
    for number in range(max(len(real), len(ours))):
        if number >= len(ours) or number >= len(real):
            side = "the real runtime" if number < len(real) else "the environment"
            found.append(f"phase {number}: only {side} has it")
            break
        theirs, mine = asdict(real[number]), asdict(ours[number])
        for name, value in theirs.items():
            if name != "broken" and value != mine[name]:
                found.append(
                    f"{real[number].phase}, {name}:\n  real {value!r}\n  ours {mine[name]!r}"
                )
        if mine["broken"] or theirs["broken"]:
            found.append(f"{real[number].phase}: {mine['broken'] or theirs['broken']}")
    return found
