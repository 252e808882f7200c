"""``tempfile``, /tmp, and other folders that function code writes to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest import mock

import pytest

from pytest_lambda_lifecycle.isolation.parts import tmp


def test_tempfile_uses_the_folder_of_the_environment(environment):
    env = environment("""
        import tempfile
        def handler(event, context):
            with tempfile.NamedTemporaryFile(delete=False) as file: return file.name
    """)
    assert env.invoke().payload.startswith(str(env.tmp) + os.sep)
    env.close()
    assert not env.tmp.exists()


def test_the_folder_is_made_on_first_use(environment, monkeypatch, tmp_path):
    machine = tmp_path / "machine"
    machine.mkdir()
    monkeypatch.setattr(tmp, "OUTSIDE_TMP", str(machine))
    env = environment("""
        import tempfile
        def handler(event, context):
            return tempfile.tempdir, event and tempfile.gettempdir(), tempfile.tempdir
    """)
    # As in any process that has not used tempfile yet.
    assert env.invoke(False).payload == [None, False, None]
    assert list(machine.iterdir()) == []
    with (
        mock.patch("os.mkdir", side_effect=AssertionError),
        mock.patch("tempfile.mkdtemp", side_effect=OSError),
    ):
        [before, asked, after] = env.invoke(True).payload
    assert (before, Path(asked), after) == (None, env.tmp, asked)
    assert env.invoke(False).payload == [asked, False, asked]
    assert list(machine.iterdir()) == [env.tmp]
    assert env.tmp.stat().st_mode & 0o077 == 0
    env.reset()
    assert env.invoke(False).payload == [None, False, None]
    assert list(machine.iterdir()) == [env.tmp]
    env.close()
    assert list(machine.iterdir()) == []


def test_the_folder_of_an_environment_that_has_ended(environment):
    env = environment("def handler(event, context): pass")
    env.invoke()
    env.close()
    assert not env.tmp.exists()


def test_tempfile_between_phases_is_that_of_the_test(environment, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    env = environment("def handler(event, context): pass")
    env.invoke()
    assert Path(tempfile.gettempdir()) not in [env.tmp, *env.tmp.iterdir()]


def test_read_only_folders_are_removed(environment, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o500)
    env = environment(f"""
        import os, tempfile
        def handler(event, context):
            os.makedirs(tempfile.gettempdir() + "/a/b/c")
            os.symlink({str(tmp_path / "elsewhere")!r}, tempfile.gettempdir() + "/a/link")
            os.chmod(tempfile.gettempdir() + "/a/b", 0o500)
            os.chmod(tempfile.gettempdir() + "/a", 0o500)
    """)
    env.invoke()
    tmp = env.tmp
    env.recycle()
    assert list(tmp.iterdir()) == []
    env.invoke()
    env.close()
    assert not tmp.exists()
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o500


@pytest.mark.skipif(os.name != "posix", reason="needs /tmp")
def test_a_literal_tmp_is_that_of_the_machine(environment):
    env = environment("import os\ndef handler(event, context): return os.path.realpath('/tmp')")
    assert env.invoke().payload == os.path.realpath("/tmp") != os.path.realpath(env.tmp)
