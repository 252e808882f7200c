"""Calls that change files get the answers of a real read-only mount."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from . import read_only_mount

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the answers are those of Linux")

RECORDED = json.loads(Path(__file__).with_name("read_only_mount.json").read_text(encoding="utf-8"))
if sys.version_info >= (3, 13):
    RECORDED |= {
        "utime(file)": "OSError: [Errno 30] Read-only file system: 'file'",
        "utime(new)": "FileNotFoundError: [Errno 2] No such file or directory: 'new'",
        "rmtree(folder)": "OSError: [Errno 30] Read-only file system: 'folder'",
    }


@pytest.fixture
def folders(tmp_path):
    """A task root and a folder of the test, with the files that the calls are about."""
    root, tmp = tmp_path / "task", tmp_path / "tmp"
    root.mkdir()
    tmp.mkdir()
    read_only_mount.prepare(str(root), str(tmp))
    return str(root), str(tmp)


@pytest.fixture
def answers(folders, write, environment):
    """Return a call that runs one of the calls in function code."""
    source = Path(read_only_mount.__file__).read_text(encoding="utf-8")
    write("calls.py", source)
    env = environment("import calls\ndef handler(event, context): return calls.answer(*event)")
    return lambda name: env.invoke([name, *folders]).payload


def contents(root):
    return {
        os.path.join(folder, name): os.lstat(os.path.join(folder, name)).st_mode
        for folder, folders, files in os.walk(root)
        for name in (*folders, *files)
        if "__pycache__" not in os.path.join(folder, name)  # Python itself may write there
    }


@pytest.mark.parametrize("name", RECORDED)
def test_a_call_gets_the_answer_of_a_read_only_mount(name, answers, folders):
    before = contents(folders[0])
    assert answers(name) == RECORDED[name]
    assert contents(folders[0]) == before


def test_the_answers_are_those_of_a_mount(folders):
    actual = read_only_mount.answers_of_a_mount(*folders)
    if actual is None:
        pytest.skip("this user may not mount a folder")
    assert actual == RECORDED


def test_every_call_is_recorded():
    assert list(RECORDED) == list(read_only_mount.CALLS)
