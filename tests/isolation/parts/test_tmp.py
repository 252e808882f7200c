"""``tempfile``, /tmp, and other folders that function code writes to."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from unittest import mock

import pytest

from pytest_lambda_lifecycle import LifecycleError
from pytest_lambda_lifecycle.isolation.parts import tmp, tmp_folders


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


KILLED = """
    import pathlib, sys, time
    from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
    env = ExecutionEnvironment(FunctionConfig("app.handler", code_dir="task"))
    (env.tmp / "link").symlink_to(pathlib.Path("elsewhere").absolute())
    print(env.tmp, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def session(tmp_path, write):
    """Start a process that has an environment with a folder below ``temporary``, and waits."""
    write("app.py", "def handler(event, context): ...")
    (tmp_path / "temporary").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], Path]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(KILLED)],
                cwd=tmp_path,
                env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert started[-1].stdout is not None
        return started[-1], Path(started[-1].stdout.readline().strip())

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name != "posix", reason="needs flock")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_folders_of_a_killed_session_are_swept_by_the_next_one(session, tmp_path, number):
    killed, left = session()
    going_on, used = session()
    assert left.parent == used.parent == tmp_path / "temporary"
    killed.send_signal(number)
    killed.wait(10)
    assert left.is_dir()
    strange = tmp_path / "temporary" / "lambda-tmp-link"
    strange.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "temporary" / "lambda-tmp-file").touch()
    _, new = session()
    assert going_on.poll() is None
    assert sorted((tmp_path / "temporary").iterdir()) == sorted(
        [used, new, strange, strange.parent / "lambda-tmp-file"]
    )
    assert list(used.iterdir()) == [used / "link"]
    assert (tmp_path / "elsewhere" / "kept").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs users")
def test_folders_of_other_users_are_not_swept(tmp_path, monkeypatch):
    (tmp_path / "lambda-tmp-theirs").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    tmp_folders.sweep_folders(str(tmp_path))
    assert (tmp_path / "lambda-tmp-theirs").exists()
    monkeypatch.undo()
    tmp_folders.sweep_folders(str(tmp_path))
    assert not (tmp_path / "lambda-tmp-theirs").exists()


def test_no_descriptor_for_the_folder_is_no_fault_of_the_function(environment, monkeypatch):
    env = environment("import tempfile\ndef handler(event, context): tempfile.gettempdir()")
    env.initialize()
    full = OSError(errno.EMFILE, "Too many open files")
    with monkeypatch.context() as patches:
        patches.setattr(tmp_folders.RealOs, "open", mock.Mock(side_effect=full))
        with pytest.raises(LifecycleError, match="no fault of function code") as error:
            env.invoke()
    assert error.value.code == "LLC114"
    assert env.invoke().status == "success"


ENVIRONMENTS = """
    import resource
    from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
    config = FunctionConfig("app.handler", code_dir="task")
    with ExecutionEnvironment(config) as env:
        env.invoke()
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    opened = [ExecutionEnvironment(config) for _ in range(80)]
    print({env.invoke().payload for env in opened}, {env.invoke().payload for env in opened})
    for env in opened:
        env.close()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs limits")
def test_many_environments_under_a_small_limit_of_descriptors(write, tmp_path):
    write("app.py", "def handler(event, context): return 1")
    printed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ENVIRONMENTS)],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert printed == "{1} {1}\n"
