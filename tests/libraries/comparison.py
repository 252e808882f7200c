"""What the notes of both sides have in common, and how they differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from conformance.differential.notes import Note, differences

__all__ = ["Result", "compare"]

_FACTS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "{UUID}"),
    (re.compile(r"\b[0-9]-[0-9a-f]{8}-[0-9a-f]{24}\b"), "{TRACE}"),
    (re.compile(r"\{TIME\}\.\d+"), "{TIME}"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d+(Z|[+-]\d\d:\d\d)?"), "{TIME}"),
    (re.compile(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\]"), "[{TIME}]"),
    (re.compile(r"\d\d:\d\d:\d\d\.\d+"), "{TIME}"),
    (re.compile(r"\b[0-9a-fA-F]{12,}\b"), "{HEX}"),
    (re.compile(r"\b\d{9,}\b"), "{NUMBER}"),
    (re.compile(r"[A-Za-z0-9+/=]{100,}"), "{BASE64}"),
    (re.compile(r"-?\b\d+\.\d+(e[-+]?\d+)?"), "{NUMBER}"),
    # The name of the program is a row of the fidelity pages: `sys.argv` is that of the tests.
    (re.compile(r"(entrypoint\.basedir:|svc\.auto:)\w+"), r"\1{PROGRAM}"),
    (re.compile(r'(duration"?: |"process_id": |size: |p#|" 0/)\d+'), r"\1{NUMBER}"),
)
"""Facts of a run that libraries write on their logs: ids, moments, and times that were measured."""


_STREAMS = ("stdout", "stderr")
PROCESSES = ("first", "after a reset", "second environment", "second test")


class Result(NamedTuple):
    """One library on both sides."""

    real: str
    """What the invokes of a process return, as short as a cell of a table."""
    here: str
    differences: list[str]


def compare(notes: Mapping[str, Any]) -> Result:
    """Compare all processes with the first one of the real runtime."""
    real, again = (_read(one) for one in notes["real"])
    ours = {name: _read(one) for name, one in notes["ours"].items()}
    found = [f"the real runtime itself differs: {one}" for one in differences(real, again)]
    if notes["failure"]:
        found.append(f"the session of pytest failed:\n{notes['failure'][-3000:]}")
    for name in PROCESSES:
        theirs = _suppressed(real) if name == "after a reset" else real
        theirs = theirs if name == "first" else theirs[: 3 + (theirs[0].phase == "init")]
        mine = ours.get(name, [])
        if real[0].posted:  # Init fails, and so would each later one
            mine = mine[:1]
        found += [f"{name}: {one}" for one in differences(theirs, mine)]
    texts = {name: _text(mine) for name, mine in ours.items()}
    short = _text(real)
    others = [f"{name}: {text}" for name, text in texts.items() if not short.startswith(text)]
    return Result(short, "; ".join(others) or "the same", found)


def _read(notes: list[dict[str, Any]]) -> list[Note]:
    read = [Note(**note) for note in notes]
    for note in read:
        for stream in _STREAMS:
            text = getattr(note, stream)
            for pattern, name in _FACTS:
                text = pattern.sub(name, text)
            # `print` writes a line and its end by two calls, between which threads write.
            setattr(note, stream, "\n".join(filter(None, text.split("\n"))))
    return read


def _suppressed(notes: list[Note]) -> list[Note]:
    """Return the notes of a process whose Init is part of its first invoke."""
    init, *others = notes
    if not others:
        return [replace(init, phase="turn 0")]
    streams = {
        name: "\n".join(filter(None, (getattr(init, name), getattr(others[0], name))))
        for name in _STREAMS
    }
    return [replace(others[0], **streams), *others[1:]]


def _text(notes: list[Note]) -> str:
    """Return what a process answers, in a line."""
    if notes and notes[0].posted == "init/error":
        return f"Init fails: {json.loads(notes[0].body)['errorType']}"
    return ", ".join(_answer(note) for note in notes if note.phase != "init")


def _answer(note: Note) -> str:
    if note.posted == "error":
        return str(json.loads(note.body)["errorType"])
    return short_answer(note.body) or note.broken or "nothing"


def short_answer(body: str) -> str:
    """Return a payload, without what a proxy integration has around it."""
    value = json.loads(body) if body else None
    if isinstance(value, dict) and {"statusCode", "body"} <= value.keys():
        return str(value["body"]).strip()
    return body
