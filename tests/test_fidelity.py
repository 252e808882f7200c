"""``docs/fidelity.md`` cannot go stale: its tests exist, its figures are the code's, its exceptions
are complete.
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
PAGE = ROOT / "docs" / "fidelity.md"
CONFORMANCE = "tests/conformance/test_recorded_cases.py"
HEAD = ["Lambda", "source", "here", "test"]
VERDICTS = ("exact", "approximated", "not simulated")
EXCEPTIONS = "Recorded cases that cannot hold"


class Row(NamedTuple):
    """One behaviour."""

    line: int
    section: str
    behaviour: str
    source: str
    here: str
    tests: str

    @property
    def verdict(self) -> str:
        return self.here.partition(":")[0]

    @property
    def remark(self) -> str:
        return self.here.partition(":")[2].strip()

    @property
    def recorded(self) -> list[str]:
        """Ids of recorded cases: they stand last, after the word ``recorded``."""
        return re.findall("`([^`]+)`", self.tests.partition("recorded:")[2])

    @property
    def node_ids(self) -> list[str]:
        return re.findall("`([^`]+)`", self.tests.partition("recorded:")[0])

    def __str__(self) -> str:
        return f"{PAGE.name}:{self.line}"


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.strip()[1:-1].split("|")]


def _read() -> tuple[list[Row], list[str]]:
    """Return the rows of all tables below the first section, and what is wrong with the tables
    themselves.
    """
    rows: list[Row] = []
    problems: list[str] = []
    section, head = "", None
    for number, text in enumerate(PAGE.read_text(encoding="utf-8").splitlines(), start=1):
        cells = _cells(text) if text.startswith("|") else None
        if text.startswith("## "):
            section = text[3:]
        if cells is None or not section:  # the tables before the first section explain words
            head = None
        elif head is None:
            head = cells
            problems += [] if head == HEAD else [f"line {number}: the head is {head}"]
        elif len(cells) != len(HEAD):
            problems.append(f"line {number}: {len(cells)} columns")
        elif set("".join(cells)) != {"-"}:
            rows.append(Row(number, section, *cells))
    return rows, problems


ROWS, PROBLEMS = _read()


@cache
def _names(path: str) -> frozenset[str]:
    """Return the tests of a file as pytest names them below the file, without parameters."""
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


# --- the form --------------------------------------------------------------------------------------------------------


def test_every_table_has_the_four_columns():
    assert PROBLEMS == []
    assert len(ROWS) > 100


def test_no_behaviour_stands_there_twice():
    behaviours = [row.behaviour for row in ROWS]
    assert sorted(behaviours) == sorted(set(behaviours))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_says_what_where_from_and_how(row):
    assert row.behaviour
    assert row.source
    assert row.verdict in VERDICTS
    if row.verdict != "exact":
        assert row.remark, "say how, or why not"


# --- the tests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_names_tests_that_exist(row):
    left = re.sub("`[^`]+`|recorded:|[, ]", "", row.tests)
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


# --- the exceptions --------------------------------------------------------------------------------------------------


def test_all_recorded_cases_that_cannot_hold_are_there_with_their_reasons():
    listed = {row.behaviour.strip("`"): row.remark for row in ROWS if row.section == EXCEPTIONS}
    assert listed == _table_of_exceptions()
    assert all(row.verdict == "not simulated" for row in ROWS if row.section == EXCEPTIONS)


def test_the_number_of_recorded_cases_is_right():
    assert f"Of the {len(_case_ids())} recorded cases" in PAGE.read_text(encoding="utf-8")


# --- the figures -----------------------------------------------------------------------------------------------------


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
        f"{LONGEST} s",
        f"{FunctionConfig('app.handler').timeout} s",
    },
    "Shutdown without extensions": {f"{rules.shutdown_budget_ms():,} ms"},
    "Shutdown with extensions": {
        f"{rules.shutdown_budget_ms(internal_extensions=1):,} ms",
        f"{rules.shutdown_budget_ms(external_extensions=1):,} ms",
    },
    "The runtime's share of the shutdown": {f"{rules.runtime_share_ms(2000)} ms"},
    "What extensions write is logged": {f"{OUTPUT_LIMIT:,} bytes"},
    "`Billed Duration` is": {f"{rules.billed_ms(1, 0):,} ms"},
}
"""What stands in the rows that begin like this, from the code."""


@pytest.mark.parametrize("beginning", FIGURES)
def test_figures_are_those_of_the_code(beginning):
    (row,) = [row for row in ROWS if row.behaviour.startswith(beginning)]
    quoted = re.findall(r"\b\d[\d,]* (?:bytes|ms|s)\b", f"{row.behaviour} {row.here}")
    assert set(quoted) == FIGURES[beginning]


def test_no_other_row_quotes_a_size_or_a_time():
    """A figure has to be in `FIGURES`, or nobody would notice when it changes."""
    checked = tuple(FIGURES)
    others = [row for row in ROWS if not row.behaviour.startswith(checked)]
    found = {
        str(row): re.findall(r"\b\d[\d,]* (?:bytes|ms|s)\b", row.behaviour + row.here)
        for row in others
    }
    assert {row: figures for row, figures in found.items() if figures} == {}


def test_texts_are_those_of_the_code():
    page = PAGE.read_text(encoding="utf-8")
    assert rules.timeout_message(FunctionConfig("app.handler").timeout) in page
    assert str(rules.response_too_large().error["errorType"]) in page
