"""README, docs/ and examples/ agree: snippets are tested, links work, indexes are complete."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(EXAMPLES.glob("*.md")),
    *sorted(EXAMPLES.glob("*/*.md")),
]
SOURCE = re.compile(
    r"https://github\.com/pytest-lambda-lifecycle/pytest-lambda-lifecycle/(?:blob|tree)/main/"
)
"""Links of the README are absolute: package indexes show it without the files beside it."""
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _snippets(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [page for page in PAGES if _snippets(page)], ids=_name)
def test_each_snippet_is_part_of_an_example(page: Path) -> None:
    """Word for word; only the indentation may differ, for a part of a function."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in EXAMPLES.rglob("*.py"))
    for snippet in _snippets(page):
        assert any(textwrap.indent(snippet, " " * depth) in code for depth in (0, 4)), snippet


def test_each_test_of_a_readme_is_in_the_readme_or_the_docs() -> None:
    published = "\n".join(snippet for page in PAGES for snippet in _snippets(page))
    for path in EXAMPLES.glob("*/tests/test_readme.py"):
        source = path.read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef):
                assert str(ast.get_source_segment(source, node)) in published, node.name


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_each_link_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        inside = SOURCE.sub("", target)
        if inside.startswith(("https://", "http://")):
            continue
        path, _, anchor = inside.partition("#")
        folder = page.parent if inside == target else ROOT
        linked = (folder / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in _anchors(linked), target


def test_the_links_of_the_readme_are_absolute() -> None:
    text = FENCE.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert len(targets) > 10
    assert not [target for target in targets if not target.startswith(("https://", "#"))]


def test_the_index_lists_each_example() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[`(\w+)`\]\((\w+)\) \|", text, flags=re.MULTILINE)
    projects = {path.parent.name for path in EXAMPLES.glob("*/pyproject.toml")}
    assert sorted(listed) == sorted((name, name) for name in projects)


def test_the_script_refuses_names_that_are_no_examples() -> None:
    command = [sys.executable, str(EXAMPLES / "run.py"), "orders", "order", "-q"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "no example is called order: there are async_client, " in result.stdout


def test_pytest_in_the_folder_of_examples_runs_each_as_its_own_project() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "-p", "no:cacheprovider"]
    result = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, check=False)
    projects = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))
    assert result.stdout.count("project") == len(projects), result.stdout
    assert result.returncode == 0
