"""Patches of the test that begin before the environment enters and end before it leaves."""

import os
import pkgutil
from unittest import mock

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage

HANDLER = """
    import os
    def handler(event, context):
        return [os.environ.get("AWS_REGION"), os.environ.get("MINE")]
"""


TARGETS = (
    "os.kill os.chdir os.putenv os.umask gc.freeze signal.signal threading.Thread.start "
    "subprocess.Popen.__init__ atexit.register socket.socket.connect sys.setrecursionlimit"
)


@pytest.mark.parametrize("target", TARGETS.split())
@pytest.mark.parametrize("until", ["inside", "after"])
def test_the_genuine_function_is_restored(environment, target, until):
    path, _, name = target.rpartition(".")
    owner = pkgutil.resolve_name(path)
    before = vars(owner).get(name)

    def stand_in(*arguments, **keywords):
        return None

    env = environment(HANDLER)
    with mock.patch(target, stand_in):
        env.invoke()
        if until == "after":
            stage.leave()
    stage.leave()
    assert vars(owner).get(name) is before


@pytest.mark.parametrize("until", ["inside", "after"])
def test_another_mapping_in_place_of_os_environ(environment, until, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "mine")
    before = dict(os.environ)
    theirs = {"MINE": "1", "AWS_PROFILE": "theirs"}
    env = environment(HANDLER)
    with mock.patch("os.environ", theirs):
        assert env.invoke().payload == ["us-east-1", "1"]
        if until == "after":
            stage.leave()
            assert theirs == {"MINE": "1", "AWS_PROFILE": "theirs"}
    stage.leave()
    assert dict(os.environ) == before
    assert theirs == {"MINE": "1", "AWS_PROFILE": "theirs"}


@pytest.mark.parametrize("target", ["os.getpid", "os.open", "os.close", "os.getcwd"])
def test_functions_that_the_library_needs(environment, target):
    env = environment("def handler(event, context): return 1")
    here = os.getcwd()
    with mock.patch(target):
        assert env.invoke().payload == 1
    assert env.invoke().payload == 1
    assert os.getcwd() == here


def test_the_default_session_of_boto3_is_restored(environment, monkeypatch):
    boto3 = pytest.importorskip("boto3")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", outside := object())
    env = environment("import boto3\ndef handler(event, context): boto3.DEFAULT_SESSION = event")
    for event in (1, None):
        env.invoke(event)
        stage.leave()
        assert boto3.DEFAULT_SESSION is outside


def test_an_observer_that_raises_as_init_starts(environment):
    failing = [True]

    def observe(event):
        if failing and event.name == "init_start":
            failing.clear()
            raise ZeroDivisionError

    env = environment("def handler(event, context): return 1", observer=observe)
    with pytest.raises(ZeroDivisionError):
        env.invoke()
    assert env.invoke().payload == 1
