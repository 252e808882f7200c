"""Process state that a phase alone changes is restored, whatever raises."""

import asyncio
import logging
import os
import shutil
import sys
import tempfile
import warnings

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def snapshot():
    return {
        "streams": (sys.stdout, sys.stderr),
        "filters": (warnings.filters, list(warnings.filters)),
        "tempdir": tempfile.tempdir,
        "directory": os.getcwd(),
        "policy": asyncio.events._event_loop_policy,
    }


class TestPhaseThatCannotBegin:
    """The task root is gone, so the working directory is the part that raises."""

    @pytest.fixture
    def env(self, environment, tmp_path):
        env = environment("def handler(event, context): return 1")
        env.invoke()
        stage.leave()
        shutil.rmtree(tmp_path / "task")
        with pytest.raises(FileNotFoundError):
            env.invoke()
        assert not stage.running
        return env

    def test_a_variable_that_the_test_sets_afterwards_stays(self, env, monkeypatch):
        monkeypatch.setenv("SET_BY_THE_TEST", "1")
        stage.leave()
        assert os.environ["SET_BY_THE_TEST"] == "1"

    def test_a_folder_that_the_test_adds_afterwards_stays(self, env):
        sys.path.append("/added/by/the/test")
        stage.leave()
        assert "/added/by/the/test" in sys.path
        sys.path.remove("/added/by/the/test")

    def test_a_stub_that_the_test_adds_afterwards_stays(self, env, monkeypatch):
        monkeypatch.setitem(sys.modules, "stub_of_the_test", logging)
        stage.leave()
        assert sys.modules.get("stub_of_the_test") is logging

    def test_the_phase_begins_once_the_task_root_is_back(self, env, tmp_path):
        (tmp_path / "task").mkdir()
        assert env.invoke().payload == 1


def test_asyncio_raises_as_the_phase_begins(environment, monkeypatch):
    env = environment("def handler(event, context): return 1")
    env.invoke()
    before = snapshot()

    def fail():
        raise OSError("no loops")

    monkeypatch.setattr(asyncio.events, "_get_running_loop", fail)
    with pytest.raises(OSError, match="no loops"):
        env.invoke()
    assert snapshot() == before
    monkeypatch.undo()
    assert env.invoke().payload == 1


@on_linux
def test_a_directory_of_the_test_that_is_gone_when_the_phase_ends(
    environment, tmp_path, monkeypatch
):
    """Changing back to it raises; all other state is restored."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    env = environment("""
        import os, sys, tempfile, warnings
        def handler(event, context):
            for link in os.listdir("/proc/self/fd"):
                try: directory = os.path.isdir("/proc/self/fd/" + link)
                except OSError: continue
                if directory and int(link) > 2: os.close(int(link))
            os.rmdir(event)
            sys.stdout = sys.stderr
            tempfile.tempdir = "/functions/own"
            warnings.simplefilter("ignore")
    """)
    env.initialize()
    before = snapshot()
    with pytest.raises(FileNotFoundError):
        env.invoke(str(tmp_path / "gone"))
    monkeypatch.undo()
    assert snapshot() == before | {"directory": os.getcwd()}
    monkeypatch.setenv("SET_BY_THE_TEST", "1")
    stage.leave()
    assert os.environ["SET_BY_THE_TEST"] == "1"
