"""Patches of a test that begin after an environment has been made."""

from __future__ import annotations

import pytest

APP = """
    class Client:
        def get(self): return "real"
    def connect(): return Client()
    def handler(event, context): return connect().get()
"""


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_patches_by_name_reach_a_shared_environment(pytester, scope):
    """In each test that uses it, wherever in the test the patch begins, and in no other test."""
    pytester.makepyfile(
        app=APP,
        test_it=f"""
            import pytest, sys
            from unittest import mock
            import app
            from pytest_lambda_lifecycle import LifecycleError

            @pytest.fixture(scope="{scope}")
            def env({scope}_lambda_lifecycle):
                env = {scope}_lambda_lifecycle("app.handler")
                assert env.invoke().payload == "real"
                return env

            @pytest.fixture
            def patched(monkeypatch):
                monkeypatch.setattr("app.Client.get", lambda self: "fake")

            @pytest.fixture
            def patched_first(monkeypatch):
                monkeypatch.setattr("app.connect", lambda: mock.Mock(get=lambda: "fake"))

            class TestIt:
                def test_not_at_all(self, env):
                    assert env.invoke().payload == "real"

                def test_with(self, env):
                    with mock.patch("app.Client.get", return_value="fake"):
                        assert env.invoke().payload == "fake"

                @mock.patch("app.Client.get", return_value="fake")
                def test_decorated(self, get, env):
                    assert env.invoke().payload == "fake"

                def test_unrelated(self):
                    assert sys.modules["app"] is app
                    with mock.patch("app.Client.get", return_value="fake"):
                        assert app.handler({{}}, None) == "fake"

                def test_monkeypatched(self, env, monkeypatch):
                    monkeypatch.setattr("app.Client.get", lambda self: "fake")
                    assert env.invoke().payload == "fake"

                def test_fixture(self, env, patched):
                    assert env.invoke().payload == "fake"

                def test_fixture_before(self, patched_first, env):
                    assert env.invoke().payload == "fake"

                def test_not_any_more(self, env):
                    assert env.invoke().payload == "real"
                    assert env.init_count == 1

                def test_of_the_next_environment(self, env, {scope}_lambda_lifecycle):
                    second = {scope}_lambda_lifecycle("app.handler")
                    assert second.invoke().payload == "real"

                def test_the_latest_is_in_place(self, env, {scope}_lambda_lifecycle):
                    second = {scope}_lambda_lifecycle.environments[-1]
                    with mock.patch("app.Client.get", return_value="fake"):
                        assert second.invoke().payload == "fake"
                        with pytest.raises(LifecycleError, match="another copy of that module"):
                            env.invoke()
                    assert env.invoke().payload == "real"
                    with mock.patch("app.Client.get", return_value="fake"):
                        assert env.invoke().payload == "fake"

                def test_made_too_late(self, env, {scope}_lambda_lifecycle):
                    third = {scope}_lambda_lifecycle("app.handler")
                    with mock.patch("app.Client.get", return_value="fake"):
                        with pytest.raises(LifecycleError, match="another copy of that module"):
                            third.invoke()
                    assert third.invoke().payload == "real"
        """,
    )
    pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=11)


def test_a_patch_of_another_function_is_not_an_error(pytester):
    """Two functions with modules of the same names; the test has imported those of one of them."""
    for name in ("orders", "bills"):
        folder = pytester.mkdir(name)
        (folder / "utils.py").write_text(f"def name(): return {name!r}")
        (folder / "app.py").write_text(
            "import utils\ndef handler(event, context): return utils.name()"
        )
    pytester.makepyfile(
        """
        import sys
        from unittest import mock
        sys.path.insert(0, "bills")
        import utils as outside

        def test_it(lambda_lifecycle, monkeypatch):
            orders = lambda_lifecycle("app.handler", code_dir="orders")
            bills = lambda_lifecycle("app.handler", code_dir="bills")
            bills.initialize()
            orders.initialize()
            monkeypatch.setattr("sys.argv", [])
            with mock.patch("utils.name", return_value="fake"), mock.patch.object(outside, "name"):
                assert orders.invoke().payload == "fake"
            with mock.patch("utils.name", return_value="fake"):
                assert orders.invoke().payload == "fake"
                assert bills.invoke().payload == "bills"
        """
    )
    pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "patch",
    [
        "mock.patch.object(app, 'connect')",
        "mock.patch.object(app.Client, 'get')",
        "mock.patch.multiple(app, connect=None)",
        "setting(app, 'connect')",
        "setting(app.Client, 'get')",
    ],
)
@pytest.mark.parametrize("scope", ["", "session_"])
def test_a_patch_of_the_copy_of_the_test_is_an_error(pytester, patch, scope):
    """Otherwise the function would run with the real object, unnoticed."""
    pytester.makepyfile(
        app=APP,
        test_it=f"""
            import contextlib, pytest
            from unittest import mock
            import app

            @contextlib.contextmanager
            def setting(*target):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(*target, None)
                    yield

            def test_it({scope}lambda_lifecycle):
                env = {scope}lambda_lifecycle("app.handler")
                env.invoke()
                with {patch}:
                    env.invoke()

            def test_afterwards(lambda_lifecycle):
                assert lambda_lifecycle("app.handler").invoke().payload == "real"
        """,
    )
    result = pytester.runpytest("-p", "no:randomly")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.re_match_lines(
        [r"E +.*app\.(connect|Client\.get) is patched on another copy", r"E +.*mock\.patch"]
    )
    result.stdout.no_fnmatch_line("*watched_runtime.py*")
