"""The fidelity pages stay true: their tests exist, and their figures are those of the code.

``python docs/generate.py`` writes the figures of the index, ``docs/fidelity.md``, again.
"""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_lambda_lifecycle.function.config import FunctionConfig
from pytest_lambda_lifecycle.function.settings import MAX_ENVIRONMENT_BYTES, SETTINGS
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.processes.output import OUTPUT_LIMIT

ROOT = Path(__file__).resolve().parent.parent
INDEX = ROOT / "docs" / "fidelity.md"
PAGES = sorted((ROOT / "docs" / "fidelity").glob("*.md"))
CONFORMANCE = "tests/conformance/test_recorded_cases.py"
HEAD = ["Lambda", "here", "source", "tests"]
VERDICTS = ("exact", "approximated", "not simulated")
EXCEPTIONS = "Recorded cases that cannot hold"
LONGEST_CELL = 200


class Row(NamedTuple):
    """One behaviour."""

    page: str
    line: int
    section: str
    behaviour: str
    here: str
    source: str
    tests: str

    @property
    def verdict(self) -> str:
        return self.here.partition(":")[0]

    @property
    def remark(self) -> str:
        return self.here.partition(":")[2].strip()

    @property
    def recorded(self) -> list[str]:
        """Ids of recorded cases: they come last, after the word ``recorded``."""
        return re.findall("`([^`]+)`", self.tests.partition("recorded:")[2])

    @property
    def node_ids(self) -> list[str]:
        """Ids of tests; the column leaves out their folder."""
        names = re.findall("`([^`]+)`", self.tests.partition("recorded:")[0])
        return [f"tests/{name}" for name in names]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.strip()[1:-1].split("|")]


def _read() -> tuple[list[Row], list[str]]:
    """Return the rows of all pages, and the problems of their tables."""
    rows: list[Row] = []
    problems: list[str] = []
    for page in PAGES:
        head: list[str] | None = None
        lines = page.read_text(encoding="utf-8").splitlines()
        section = lines[0].removeprefix("# ")
        for number, text in enumerate(lines, start=1):
            cells = _cells(text) if text.startswith("|") else None
            if cells is None:
                head = None
            elif head is None:
                head = cells
                problems += [] if head == HEAD else [f"{page.name}:{number}: the head is {head}"]
            elif len(cells) != len(HEAD):
                problems.append(f"{page.name}:{number}: {len(cells)} columns")
            elif set("".join(cells)) != {"-"}:
                rows.append(Row(page.stem, number, section, *cells))
    return rows, problems


ROWS, PROBLEMS = _read()


@cache
def _names(path: str) -> frozenset[str]:
    """Return the names of a file's tests, as pytest writes them, without parameters."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            functions = (
                one for one in node.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))
            )
            found.update(f"{node.name}::{one.name}" for one in functions)
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test"))


def _exists(node_id: str) -> bool:
    path, _, name = node_id.partition("[")[0].partition("::")
    return (ROOT / path).is_file() and name in _names(path)


def _table_of_exceptions() -> dict[str, str]:
    """Return ``CANNOT_HOLD`` of the conformance tests."""
    for node in ast.parse((ROOT / CONFORMANCE).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CANNOT_HOLD":
            table: dict[str, str] = ast.literal_eval(node.value)
            return table
    raise AssertionError(f"{CONFORMANCE} has no CANNOT_HOLD")


@cache
def _case_ids() -> frozenset[str]:
    data: list[dict[str, Any]] = json.loads(
        (ROOT / "tests/conformance/data/cases-py3.12.json").read_text(encoding="utf-8")
    )
    return frozenset(case["id"] for case in data)


# -- the form


def test_every_table_has_the_four_columns():
    assert PROBLEMS == []
    assert len(ROWS) > 100


def test_cells_are_short():
    long = {
        f"{row}: {len(cell)} characters"
        for row in ROWS
        for cell in (row.behaviour, row.here, row.source, *row.tests.split("<br>"))
        if len(cell) > LONGEST_CELL
    }
    assert long == set()


def test_no_behaviour_is_listed_twice():
    behaviours = [row.behaviour for row in ROWS]
    assert sorted(behaviours) == sorted(set(behaviours))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_has_behaviour_verdict_and_source(row):
    assert row.behaviour
    assert row.source
    assert row.verdict in VERDICTS
    if row.verdict != "exact":
        assert row.remark, "say how it differs, or why it is missing"


# -- the tests


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_names_tests_that_exist(row):
    left = re.sub("`[^`]+`|recorded:|<br>|[, ]", "", row.tests)
    assert not left, f"neither a test nor a recorded case: {left!r}"
    assert [node_id for node_id in row.node_ids if not _exists(node_id)] == []
    assert set(row.recorded) <= _case_ids()
    if row.verdict != "not simulated":
        assert row.node_ids or row.recorded
        assert not _table_of_exceptions().keys() & set(row.recorded), "this case does not hold"


def test_a_test_that_does_not_exist_is_found():
    assert _exists("tests/test_fidelity.py::test_every_table_has_the_four_columns[some-parameter]")
    assert _exists("tests/conductor/test_timeouts.py::TestInit::test_limits")
    for missing in (
        "tests/test_fidelity.py::test_nothing",
        "tests/nothing.py::test_nothing",
        "tests/test_fidelity.py",
    ):
        assert not _exists(missing)


# -- the index


def test_the_index_counts_the_rows_of_each_page():
    """Independent of ``docs/generate.py``, which writes these figures."""
    counted = {}
    for page in PAGES:
        rows = [row for row in ROWS if row.page == page.stem]
        verdicts = [sum(row.verdict == verdict for row in rows) for verdict in VERDICTS]
        tested = sum(bool(row.node_ids or row.recorded) for row in rows)
        counted[page.stem] = [*verdicts, len(rows), tested]
    table = re.findall(r"^\| (.+) \|$", INDEX.read_text(encoding="utf-8"), re.MULTILINE)
    figures = {cells[0]: cells[1:] for cells in (line.split(" | ") for line in table)}
    listed = {
        re.findall(r"\(fidelity/(.+)\.md\)", name)[0]: list(map(int, cells))
        for name, cells in figures.items()
        if name.startswith("[")
    }
    assert listed == counted
    assert list(map(int, figures["all"])) == list(map(sum, zip(*counted.values(), strict=True)))


# -- the exceptions


def test_all_recorded_cases_that_cannot_hold_are_listed():
    listed = {row.behaviour.strip("`"): row.remark for row in ROWS if row.section == EXCEPTIONS}
    assert listed == _table_of_exceptions()
    assert all(row.verdict == "not simulated" for row in ROWS if row.section == EXCEPTIONS)


def test_the_number_of_recorded_cases_is_right():
    page = ROOT / "docs" / "fidelity" / "recorded-cases.md"
    assert f"Of the {len(_case_ids())} recorded cases" in page.read_text(encoding="utf-8")


# -- the figures


def _s(microseconds: int) -> str:
    return f"{microseconds // 1_000_000:,} s"


LONGEST = SETTINGS["timeout"].kind.high
FIGURES = {
    "An event may have": {f"{rules.EVENT_LIMIT:,} bytes"},
    "A response may have": {f"{rules.RESPONSE_LIMIT:,} bytes"},
    "Environment variables may have": {f"{MAX_ENVIRONMENT_BYTES:,} bytes"},
    "Init on demand may take": {_s(rules.init_limit_us("on-demand", LONGEST))},
    "Init with provisioned concurrency or SnapStart may take": {
        _s(rules.init_limit_us("provisioned-concurrency", 1)),
        _s(rules.init_limit_us("snap-start", 1)),
    },
    "Restore and its hooks may take": {_s(rules.RESTORE_LIMIT_US)},
    "An invoke may take the function timeout": {
        f"{LONGEST:,} s",
        f"{FunctionConfig('app.handler').timeout} s",
    },
    "Shutdown without extensions": {f"{rules.shutdown_budget_ms():,} ms"},
    "Shutdown with extensions": {
        f"{rules.shutdown_budget_ms(internal_extensions=1):,} ms",
        f"{rules.shutdown_budget_ms(external_extensions=1):,} ms",
    },
    "The share of the runtime in the shutdown": {f"{rules.runtime_share_ms(2000)} ms"},
    "Output of extensions is logged": {f"{OUTPUT_LIMIT:,} bytes"},
    "`Billed Duration` is": {f"{rules.billed_ms(1, 0):,} ms"},
}
"""Figures of the code, by the beginning of the row that quotes them."""


@pytest.mark.parametrize("beginning", FIGURES)
def test_figures_are_those_of_the_code(beginning):
    (row,) = [row for row in ROWS if row.behaviour.startswith(beginning)]
    quoted = re.findall(r"\b\d[\d,]* (?:bytes|ms|s)\b", f"{row.behaviour} {row.here}")
    assert set(quoted) == FIGURES[beginning]


def test_no_other_row_quotes_a_size_or_a_time():
    """A figure that is not in `FIGURES` could become wrong unnoticed."""
    checked = tuple(FIGURES)
    others = [row for row in ROWS if not row.behaviour.startswith(checked)]
    found = {
        str(row): re.findall(r"\b\d[\d,]* (?:bytes|ms|s)\b", row.behaviour + row.here)
        for row in others
    }
    assert {row: figures for row, figures in found.items() if figures} == {}


def test_texts_are_those_of_the_code():
    page = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert rules.timeout_message(FunctionConfig("app.handler").timeout) in page
    assert str(rules.response_too_large().error["errorType"]) in page
