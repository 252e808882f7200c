"""The working directory."""

import os

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage

on_linux = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux's /proc")


def test_the_working_directory(environment, tmp_path):
    here = os.getcwd()
    env = environment("""
        import os
        def handler(event, context):
            if event: os.chdir(event)
            return os.getcwd()
    """)
    assert env.invoke("").payload == str(tmp_path / "task")
    assert os.getcwd() == here
    assert env.invoke("/").payload == "/"
    assert os.getcwd() == here
    assert env.invoke("").payload == "/"


def test_a_deleted_working_directory(environment, tmp_path):
    here = os.getcwd()
    env = environment("""
        import os
        def handler(event, context):
            os.mkdir("/tmp/gone-%d" % os.getpid()); os.chdir("/tmp/gone-%d" % os.getpid())
            os.rmdir(os.getcwd())
    """)
    env.invoke()
    assert os.getcwd() == here
    env.invoke()


def test_a_deleted_task_root(environment, tmp_path):
    import shutil

    env = environment("def handler(event, context): return 1")
    env.invoke()
    shutil.rmtree(tmp_path / "task")
    assert env.invoke().payload == 1  # the process still works in that directory
    stage.leave()
    with pytest.raises(FileNotFoundError):
        env.invoke()
    assert not stage.running
    (tmp_path / "task").mkdir()
    assert env.invoke().payload == 1


@on_linux
def test_a_function_that_closes_unknown_descriptors(environment, tmp_path):
    here = os.getcwd()
    env = environment("""
        import os
        def handler(event, context):
            for link in os.listdir("/proc/self/fd"):
                try: directory = os.path.isdir("/proc/self/fd/" + link)
                except OSError: continue
                if directory and int(link) > 2: os.close(int(link))
            return os.getcwd()
    """)
    assert env.invoke().payload == str(tmp_path / "task")
    assert os.getcwd() == here
    assert env.invoke().payload == str(tmp_path / "task")
    assert os.getcwd() == here


def test_the_directory_of_the_test_may_be_renamed_during_a_phase(
    environment, tmp_path, monkeypatch
):
    (tmp_path / "before").mkdir()
    monkeypatch.chdir(tmp_path / "before")
    env = environment(
        "import os\ndef handler(event, context): os.rename(event['from'], event['to'])"
    )
    env.invoke({"from": str(tmp_path / "before"), "to": str(tmp_path / "after")})
    assert os.getcwd() == str(tmp_path / "after")


@on_linux
def test_no_descriptor_stays_open(environment, tmp_path, monkeypatch):
    def directories():
        links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        return [os.readlink(link) for link in links if os.path.isdir(link)]

    before = directories()
    env = environment("""
        import os
        def handler(event, context): os.chdir("/")
    """)
    env.invoke()
    monkeypatch.chdir(tmp_path)
    env.invoke()
    env.reset()
    env.invoke()
    stage.leave()
    assert directories() == before
