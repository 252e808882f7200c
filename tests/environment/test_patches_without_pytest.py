"""Patches that miss the function, where no fixture has made its environment."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

APP = """
    SETTINGS = {"stage": "real"}
    TABLE = "real"
    class Client:
        def get(self):
            return TABLE
    client = Client()
    def handler(event, context):
        return TABLE
"""
HEAD = """
    import sys, unittest
    from unittest import mock
    from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, LifecycleError
    sys.path.insert(0, "task")

    def told(env, target):
        try:
            print("ran unpatched", env.invoke().payload)
        except LifecycleError as error:
            assert target in str(error) and "env.patch" in str(error), error
            print("told")
"""


@pytest.fixture
def script(tmp_path):
    """Run a script beside two task roots, and return what it prints."""

    def run(text):
        for folder in ("task", "other"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "app.py").write_text(textwrap.dedent(APP))
        (tmp_path / "script.py").write_text(textwrap.dedent(HEAD) + textwrap.dedent(text))
        return subprocess.run(
            [sys.executable, "script.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.split("\n")[:-1]

    return run


@pytest.mark.parametrize(
    ("patch", "target"),
    [
        ("mock.patch('app.TABLE', 1)", "app.TABLE"),
        ("mock.patch('app.Client.get')", "app.Client.get"),
        ("mock.patch.object(__import__('app').client, 'get')", "app.client.get"),
    ],
)
def test_a_patch_before_init_is_an_error(script, patch, target):
    """Whether it begins before the environment is made or after it."""
    assert script(
        f"""
            config = FunctionConfig("app.handler", code_dir="task")
            with ExecutionEnvironment(config) as env:
                with {patch}:
                    told(env, {target!r})
                print(env.invoke().payload)
            with {patch}, ExecutionEnvironment(config) as env:
                told(env, {target!r})
            """
    ) == ["told", "real", "told"]


def test_a_patch_of_the_copy_of_the_test_is_an_error(script):
    assert script(
        """
            import app
            with ExecutionEnvironment(FunctionConfig("app.handler", code_dir="task")) as env:
                with mock.patch.dict("app.SETTINGS", stage=1):
                    told(env, "app.SETTINGS")
                env.invoke()
                with mock.patch.object(app, "TABLE", 1):
                    told(env, "app.TABLE")
                with mock.patch("app.TABLE", "patched"):
                    print(env.invoke().payload)
            """
    ) == ["told", "told", "patched"]


def test_two_functions_with_modules_of_one_name(script):
    """In a `unittest.TestCase`."""
    assert script(
        """
            class Test(unittest.TestCase):
                def test_it(self):
                    one, two = (
                        ExecutionEnvironment(FunctionConfig("app.handler", code_dir=folder))
                        for folder in ("task", "other")
                    )
                    with one, two:
                        one.initialize()
                        two.initialize()
                        with mock.patch("app.TABLE", "patched"):
                            told(one, "app.TABLE")
                            print(two.invoke().payload)

            unittest.main()
            """
    ) == ["told", "patched"]


def test_mock_is_as_before_once_the_last_environment_has_ended(script):
    assert script(
        """
            classes = mock.patch.object(sys, "argv").__class__, mock.patch.dict
            before = [dict(vars(cls)) for cls in classes]
            config = FunctionConfig("app.handler", code_dir="task")
            with ExecutionEnvironment(config) as env, ExecutionEnvironment(config) as other:
                env.invoke()
                print([dict(vars(cls)) for cls in classes] == before)
                env.close()
            print([dict(vars(cls)) for cls in classes] == before)
            """
    ) == ["False", "True"]
