"""Rewrite what is generated from the code: parts of the documentation, and the plugin's options.

Run ``python docs/generate.py`` where the package of this checkout can be imported.  A generated
part stands between two comments, ``<generated: name>`` and ``</generated: name>``; everything else
is written by hand.  A test compares each part with the code.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pytest_lambda_lifecycle.function.settings import SETTINGS, Setting

ROOT: Final = Path(__file__).resolve().parent.parent
LINE_LENGTH: Final = 100


def options() -> str:
    """Return the rows of ``OPTIONS``, as the formatter would write them."""
    rows = [_option(name, setting) for name, setting in SETTINGS.items() if setting.metavar]
    return "\n".join(["OPTIONS: Final = (", *rows, ")"])


def _option(name: str, setting: Setting) -> str:
    limits = f": {setting.kind.limits}" if setting.kind.limits else ""
    default = f" (default: {setting.default_in_words})" if setting.default_in_words else ""
    values = [name, setting.metavar, f"{setting.help}{limits}{default}"]
    if setting.kind.ini_type != "string":
        values.append(setting.kind.ini_type)
    row = f"    Option({', '.join(map(_literal, values))}),"
    if len(row) <= LINE_LENGTH:
        return row
    return "\n".join(
        ["    Option(", *(f"        {_literal(value)}," for value in values), "    ),"]
    )


def _literal(text: str) -> str:
    """Return the literal of an argument that has a line of its own, or several if it is long."""
    lines = textwrap.wrap(text, LINE_LENGTH - 12)
    return "\n        ".join(f'"{line} "' for line in lines)[:-2] + '"'


PARTS: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    "pytest_lambda_lifecycle/plugin/options.py": {"options": options},
}
"""The generated parts of each file, by their names."""


def regenerated(file: str) -> str:
    """Return the text of a file with its parts as the code has them now."""
    text = (ROOT / file).read_text(encoding="utf-8")
    for name, make in PARTS[file].items():
        part = re.compile(
            rf"(<generated: {name}>[^\n]*\n).*?(\n[^\n]*</generated: {name}>)", re.DOTALL
        )
        body = make()
        text, found = part.subn(lambda match, body=body: f"{match[1]}{body}{match[2]}", text)
        if found != 1:
            raise SystemExit(f"{file} has to have one part <generated: {name}>, and has {found}")
    return text


def main() -> None:
    """Rewrite all files."""
    for file in PARTS:
        (ROOT / file).write_text(regenerated(file), encoding="utf-8")


if __name__ == "__main__":
    main()
