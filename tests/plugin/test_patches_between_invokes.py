"""Patches of a test that begin after an environment has been made."""

from __future__ import annotations

import textwrap

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


def test_a_patch_by_name_of_another_functions_module_is_an_error(pytester):
    """Two functions with modules of the same names; the test has imported those of one of them."""
    for name in ("orders", "bills"):
        folder = pytester.mkdir(name)
        (folder / "utils.py").write_text(f"def name(): return {name!r}")
        (folder / "app.py").write_text(
            "import utils\ndef handler(event, context): return utils.name()"
        )
    pytester.makepyfile(
        """
        import sys, pytest
        from unittest import mock
        from pytest_lambda_lifecycle import LifecycleError
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
                with pytest.raises(LifecycleError, match="utils.name is patched on another copy"):
                    bills.invoke()
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


TWO = {
    "one/app.py": APP + "    table = 'one'\n    SETTINGS = {}\n",
    "two/app.py": APP + "    table = 'two'\n    SETTINGS = {}\n    only_here = 1\n",
}


@pytest.fixture
def two_functions(pytester):
    """Run tests with the environments `one` and `two`, of functions that each have an `app`."""

    def run(test, passed=1, scope=""):
        for name, text in TWO.items():
            file = pytester.path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(textwrap.dedent(text))
        pytester.makepyfile(
            test_it=f"""
                import contextlib, pytest
                from unittest import mock
                from pytest_lambda_lifecycle import LifecycleError

                @pytest.fixture
                def one({scope}lambda_lifecycle):
                    env = {scope}lambda_lifecycle("app.handler", code_dir="one")
                    env.initialize()
                    return env

                @pytest.fixture
                def two({scope}lambda_lifecycle, one):
                    env = {scope}lambda_lifecycle("app.handler", code_dir="two")
                    env.initialize()
                    return env

                def missed(target):
                    return pytest.raises(LifecycleError, match=f"{{target}} is patched on another")

                {{test}}
            """.replace("{test}", textwrap.indent(textwrap.dedent(test), " " * 16).strip())
        )
        pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=passed)

    return run


@pytest.mark.parametrize(
    ("patch", "target"),
    [
        ("mock.patch('app.table', 1)", "app.table"),
        ("mock.patch('app.Client.get')", "app.Client.get"),
        ("mock.patch.multiple('app', table=1)", "app.table"),
        ("mock.patch.dict('app.SETTINGS', a=1)", "app.SETTINGS"),
        ("setting('app.table', 1)", "app.table"),
        ("setting(target='app.Client.get', name=None)", "app.Client.get"),
        ("deleting('app.table')", "app.table"),
        ("mock.patch.object(__import__('app'), 'table')", "app.table"),
    ],
)
def test_a_patch_that_reaches_the_newer_function_is_missed_by_the_older(
    two_functions, patch, target
):
    two_functions(
        f"""
        @contextlib.contextmanager
        def setting(*target, **named):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(*target, **named)
                yield

        @contextlib.contextmanager
        def deleting(target):
            with pytest.MonkeyPatch.context() as patch:
                patch.delattr(target)
                yield

        def test_it(one, two):
            with {patch}:
                with missed({target!r}):
                    one.invoke()
                two.idle(1)
                with missed({target!r}):
                    one.invoke()
            assert one.invoke().payload == two.invoke().payload == "real"
        """
    )


def test_a_patch_that_is_meant_for_the_newer_function_is_no_error(two_functions):
    """It is on the object that the test has asked for, on a name of that function, or on both."""
    two_functions(
        """
        def test_by_the_object(one, two):
            app = two.module
            with mock.patch.object(app, "table"), mock.patch.object(app.Client, "get"):
                assert one.invoke().payload == "real"

        def test_by_a_name_that_the_other_one_lacks(one, two):
            with mock.patch("app.only_here", 2):
                assert one.invoke().payload == "real"

        def test_on_both(one, two):
            with mock.patch("app.Client.get", return_value="two"):
                with mock.patch.object(one.module.Client, "get", return_value="one"):
                    assert (one.invoke().payload, two.invoke().payload) == ("one", "two")

        def test_replaced_for_the_older(one, two):
            one.patch("app.Client.get", lambda self: "mine")
            with mock.patch("app.Client.get", return_value="two"):
                assert (one.invoke().payload, two.invoke().payload) == ("mine", "two")

        def test_of_an_environment_that_has_ended(one, two):
            with mock.patch("app.table", 1):
                two.close()
                assert one.invoke().payload == "real"
        """,
        passed=5,
    )


def test_a_module_that_is_imported_under_the_patch_is_missed_as_well(two_functions):
    """In the init of another function, or by an import inside a handler."""
    two_functions(
        """
        def test_init(lambda_lifecycle, two):
            late = lambda_lifecycle("app.handler", code_dir="one")
            with mock.patch("app.table", 1), missed("app.table"):
                late.invoke()
            assert late.invoke().payload == "real"

        def test_invoke(lambda_lifecycle, tmp_path):
            for folder in ("a", "b"):
                (tmp_path / folder).mkdir()
                (tmp_path / folder / "util.py").write_text("def greet(): return 'real'")
                (tmp_path / folder / "index.py").write_text(
                    "def handler(event, context):\\n"
                    "    import util\\n"
                    "    return util.greet()"
                )
            a, b = (lambda_lifecycle("index.handler", code_dir=tmp_path / name) for name in "ab")
            a.initialize()
            assert b.invoke().payload == "real"
            with mock.patch("util.greet", return_value="fake"):
                with missed("util.greet"):
                    a.invoke()
            assert a.invoke().payload == "real"
        """,
        passed=2,
    )
