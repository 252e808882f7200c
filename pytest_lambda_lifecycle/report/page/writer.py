"""Puts the page together: its HTML, its style and script by their hashes, and the tests as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path

from pytest_lambda_lifecycle.lifecycle.numbers import in_words
from pytest_lambda_lifecycle.report.run import Run, summary, texts_of, totals_of

__all__ = ["page"]

_HERE = Path(__file__).parent


def page(run: Run) -> str:
    """Return the page of a run, in ASCII but for what its own parts have."""
    tests = run.tests()
    head = {
        "title": run.title,
        "totals": totals_of(tests),
        "footer": f"{in_words(run.all_tests, 'test')} ended in this run. Secrets appear as ***, "
        "and variables of the environment do not appear.",
        "nothing": summary(run),
    }
    data = f'{json.dumps(head)[:-1]},"tests":[{",".join(texts_of(tests))}]}}'
    style = _read("page.css")
    script = _read("page.js") + _read("chart.js")
    parts = {
        "STYLE_HASH": _hash(style),
        "SCRIPT_HASH": _hash(script),
        "STYLE": style,
        "SUMMARY": escape(summary(run)),
        # In JSON these three stand in strings alone, where an escape means the same.
        "DATA": data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
        "SCRIPT": script,
    }
    pieces = re.split(r"@([A-Z_]+)@", _read("page.html"))
    pieces[1::2] = [parts[name] for name in pieces[1::2]]
    return "".join(pieces)


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
