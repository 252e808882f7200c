"""The comparison of both sides sees what differs."""

import copy

import pytest

from .comparison import PROCESSES, compare
from .conftest import PAGE
from .page import page
from .table import LIBRARIES

PHASES = ("init", "turn 0", "turn 1", "turn 2", "turn 3")
PROCESS = [
    {
        "phase": phase,
        "posted": "" if phase == "init" else "response",
        "body": "" if phase == "init" else phase[-1:],
        "stdout": f"{phase} at 2026-11-28T19:00:00.000Z\n",
    }
    for phase in PHASES
]


def _notes():
    first, rest = copy.deepcopy(PROCESS), copy.deepcopy(PROCESS[:4])
    after_reset = copy.deepcopy(PROCESS[1:4])
    after_reset[0]["stdout"] = PROCESS[0]["stdout"] + PROCESS[1]["stdout"]
    ours = dict(zip(PROCESSES, (first, after_reset, rest, copy.deepcopy(rest)), strict=True))
    return {"real": [copy.deepcopy(PROCESS), copy.deepcopy(PROCESS)], "ours": ours, "failure": ""}


def test_equal_sides_have_no_difference():
    assert compare(_notes()) == ("0, 1, 2, 3", "the same", [])


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize(
    ("field", "value"), [("body", "9"), ("stdout", "more"), ("posted", "error")]
)
def test_a_difference_in_any_process_is_seen(process, field, value):
    notes = _notes()
    notes["ours"][process][-1][field] = value
    if field == "posted":
        notes["ours"][process][-1]["body"] = '{"errorType": "ValueError"}'
    found = compare(notes).differences
    assert found
    assert all(one.startswith(f"{process}: turn") for one in found)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_that_has_not_run_is_seen(process):
    notes = _notes()
    del notes["ours"][process]
    assert compare(notes).differences


def test_a_real_runtime_that_differs_from_itself_is_seen():
    notes = _notes()
    notes["real"][1][2]["body"] = "9"
    assert "the real runtime itself differs" in compare(notes).differences[0]


def test_each_library_has_a_function_and_a_row():
    names = [library.id for library in LIBRARIES]
    assert sorted(names) == sorted(set(names))
    text = page({name: {"outcome": "passed", "real": "1", "here": "the same"} for name in names})
    committed = PAGE.read_text(encoding="utf-8")
    for library in LIBRARIES:
        assert "app.py" in library.files
        row = f"| {library.name} | {library.version} | {library.python} | {library.shows} |"
        assert row in text
        assert row in committed  # a whole run of tox -e libraries writes it
