"""Sphinx builds the documentation into ``site/``: ``tox -e docs``, with warnings as errors.

The pages are plain Markdown (MyST), so GitHub shows them as well.  Material for MkDocs was the
other candidate: it reads the same pages, and its support ends in May 2027.
"""

from __future__ import annotations

from typing import Final

project = "pytest-lambda-lifecycle"
extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["__pycache__"]
nitpicky = True

# The anchors that GitHub gives to headings, down to those of the fourth level.
myst_heading_anchors = 4
# A code block that cannot be read in its language, such as a part of an ini file, is shown plain.
suppress_warnings = ["misc.highlighting_failure"]

smartquotes = False  # descriptions hold code

html_theme = "furo"
html_title = "pytest-lambda-lifecycle"
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {
    "source_repository": "https://github.com/pytest-lambda-lifecycle/pytest-lambda-lifecycle/",
    "source_branch": "main",
    "source_directory": "docs/",
}

SECTIONS: Final = {
    "Start": ["tutorial", "migration", "comparison", "troubleshooting"],
    "How-to": ["recipes", "how-to/*", "time", "calls", "state", "report", "extensions"],
    "Reference": ["reference", "errors"],
    "Explanation": [
        "lifecycle",
        "isolation",
        "fidelity",
        "libraries",
        "performance",
        "architecture",
    ],
    "Fidelity": ["fidelity/*"],
}
"""The pages under each heading of the navigation, which GitHub would show as code."""


def _add_navigation(app: object, page: str, source: list[str]) -> None:
    if page == "index":
        for heading, pages in SECTIONS.items():
            lines = ["", "```{toctree}", ":hidden:", ":glob:", f":caption: {heading}", "", *pages]
            source[0] += "\n".join([*lines, "```", ""])


def setup(app) -> None:  # noqa: ANN001  # only `tox -e docs` has Sphinx's types
    """Add the navigation when Sphinx reads the pages."""
    app.connect("source-read", _add_navigation)
