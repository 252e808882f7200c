"""Libraries that keep state of a process, beside the real runtime: ``tox -e libraries``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from .comparison import compare
from .table import LIBRARIES, Library
from .venvs import VenvError, make_venv

pytestmark = pytest.mark.skipif(
    "LAMBDA_LIFECYCLE_LIBRARIES" not in os.environ, reason="tox -e libraries runs these"
)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.id)
def test_each_cold_start_acts_as_a_process_of_the_real_runtime(library, tmp_path, record_property):
    record_property("library", library.id)
    try:
        python = make_venv(library.name, library.requirements, library.python)
    except VenvError as error:
        record_property("why", str(error))
        pytest.fail(str(error))
    notes = _run(python, library, tmp_path)
    real, here, differences = compare(notes)
    record_property("real", real)
    record_property("here", here)
    if library.differs:
        assert differences, f"it agrees now; the table says that it differs: {library.differs}"
        return
    assert not differences, "\n".join(differences)


def _run(python: Path, library: Library, folder: Path) -> dict[str, object]:
    (folder / "task").mkdir()
    for name, text in library.files.items():
        (folder / "task" / name).write_text(text, encoding="utf-8")
    (folder / "library.json").write_text(json.dumps(library.request), encoding="utf-8")
    variables = {name: one for name, one in os.environ.items() if not name.startswith("PYTEST_")}
    variables.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(python), str(Path(__file__).with_name("sides.py")), str(folder)],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "notes.json").read_text(encoding="utf-8"))
