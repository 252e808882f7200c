"""Generated programs act alike on the real runtime and here; ``tox -e witness`` runs many more."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

from .differential.blocks import BLOCKS
from .differential.declared import DECLARED, declared_steps
from .differential.generator import generate
from .differential.notes import Note, differences, normal
from .differential.programs import Program, Step, Turn

PROGRAMS = range(1, 201)
"""The seeds of the programs that this suite runs."""
FOLLOWED = "4.2.2"
"""The version of `awslambdaric` that the package follows."""
PAGES = Path(__file__).resolve().parents[2] / "docs" / "fidelity"


def _installed() -> str:
    try:
        return importlib.metadata.version("awslambdaric")
    except importlib.metadata.PackageNotFoundError:
        return "none"


needs_the_real_runtime = [
    pytest.mark.skipif(sys.platform != "linux", reason="awslambdaric runs on Linux alone"),
    pytest.mark.skipif(
        _installed() != FOLLOWED, reason=f"needs awslambdaric {FOLLOWED}, found {_installed()}"
    ),
]


def _program(*codes: str) -> Program:
    steps = tuple(Step(f"block {number}", code) for number, code in enumerate(codes))
    return Program(1, {"environment": {"OWN": "own"}}, (), (Turn(steps),))


class TestPrograms:
    pytestmark = needs_the_real_runtime

    def test_no_difference_is_undeclared(self, tmp_path):
        from .differential.judging import Judge
        from .differential.sides import run_ours, run_real

        programs = [generate(seed) for seed in PROGRAMS]
        theirs = list(run_real(programs, tmp_path))
        mine = run_ours(programs, tmp_path, "without pytest")
        judge = Judge(tmp_path, "without pytest")
        undeclared = []
        for program, real, ours in zip(programs, theirs, mine, strict=True):
            fields = differences(real, ours)
            difference = judge.judge(program, fields) if fields else None
            if difference is not None and not difference.rows:
                undeclared.append(str(difference))
        assert not undeclared, "\n\n".join(undeclared)

    def test_a_difference_shows_with_the_smallest_program(self, tmp_path, monkeypatch):
        """The file descriptor of `sys.stdout` is another one here."""
        from .differential import judging

        monkeypatch.setattr(judging, "declared_steps", lambda program: (set(), []))
        program = _program("print(1)", "import sys\nprint(sys.stdout.fileno())", "print(2)")
        judge = judging.Judge(tmp_path, "without pytest")
        difference = judge.judge(program, ["any"])
        assert difference.smallest is not None
        assert [step.block for step in difference.smallest.steps] == ["block 1"]
        assert "turn 0, stdout:" in difference.fields[0]

    def test_a_declared_difference_does_not_hide_another_one(self, tmp_path, monkeypatch):
        from .differential import judging

        monkeypatch.setattr(judging, "declared_steps", lambda program: ({1}, ["a row"]))
        declared = "import sys\nprint(sys.stdout.fileno())"
        judge = judging.Judge(tmp_path, "without pytest")
        assert judge.judge(_program("print(1)", declared), ["any"]).rows == ["a row"]
        hidden = judge.judge(_program(declared.replace("stdout", "stderr"), declared), ["any"])
        assert hidden.rows == []


def test_a_seed_makes_the_same_program_each_time():
    assert generate(7) == generate(7)
    assert generate(7) != generate(8)


def test_a_program_survives_its_form_as_json():
    for seed in range(50):
        program = generate(seed)
        assert Program.from_json(program.to_json()) == program


@pytest.mark.parametrize("seed", range(40))
def test_generated_programs_are_python(seed):
    program = generate(seed)
    compile(program.source, "app.py", "exec", dont_inherit=True)
    for turn in range(len(program.turns)):
        assert f"def turn_{turn:02}(" in program.source


def test_names_of_blocks_are_unique():
    names = [block.name for block in BLOCKS]
    assert sorted(names) == sorted(set(names))
    assert len(names) >= 250


def test_each_declared_difference_is_a_row_of_the_fidelity_pages():
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES.glob("*.md"))
    rows = re.findall(r"^\| (.+?) \| (?:approximated|not simulated)", pages, re.MULTILINE)
    assert [row for row in DECLARED if row not in rows] == []


def test_each_pattern_matches_a_block():
    for row, patterns in DECLARED.items():
        for pattern in patterns:
            matched = [
                block
                for block in BLOCKS
                if re.search(pattern, "\n".join((block.init, block.code, *block.files.values())))
            ]
            assert matched, f"{row}: {pattern}"


def test_steps_with_a_declared_difference_are_found():
    program = _program("print(1)", "import sys\nprint(sys.stdout.fileno())")
    steps, rows = declared_steps(program)
    assert steps == {1}
    assert len(rows) == 1


def test_frames_outside_the_function_and_facts_of_the_run_are_left_out():
    text = (
        "Traceback (most recent call last):\n"
        '  File "/lib/bootstrap.py", line 1, in run\n    call()\n    ^^^^^^\n'
        '  File "/task/app.py", line 2, in handler\n    1 / 0\n    ~~^~~\n'
        "ZeroDivisionError: division by zero at 0x7f0123456789 on 2026-01-02T03:04:05.678Z\n"
    )
    assert normal(text, "/task") == (
        "Traceback (most recent call last):\n"
        '  File "{TASK_ROOT}/app.py", line 2, in handler\n    1 / 0\n    ~~^~~\n'
        "ZeroDivisionError: division by zero at {ADDRESS} on {TIME}\n"
    )


def test_notes_differ_by_field_and_by_number_of_phases():
    real = [Note("init"), Note("turn 0", stdout="a")]
    assert differences(real, real) == []
    (found,) = differences(real, [Note("init"), Note("turn 0", stdout="b")])
    assert found == "turn 0, stdout:\n  real 'a'\n  ours 'b'"
    assert differences(real, [Note("init")]) == ["phase 1: only the real runtime has it"]
