"""Environments across setup, call and teardown of a test, and after it."""

from __future__ import annotations

import pytest


def test_an_environment_made_in_setup_is_entered_in_call_and_teardown(suite):
    suite.makepyfile(
        """
        import os, sys, logging, pytest

        def entered():
            return os.environ.get("TABLE"), "app" in sys.modules, len(logging.getLogger().handlers)

        @pytest.fixture
        def env(lambda_lifecycle):
            outside = entered()
            env = lambda_lifecycle("app.handler", environment={"TABLE": "orders"})
            env.initialize()
            inside = entered()
            assert inside[:2] == ("orders", True)
            yield env
            assert entered()[:2] == inside[:2]
            env.close()
            assert entered() == outside

        def test_call(env):
            assert entered()[:2] == ("orders", True)
            env.module.count = 41
            assert sys.modules["app"] is env.module
            assert env.invoke().payload["count"] == 42

        def test_nothing_is_left():
            assert entered()[:2] == (None, False)
        """
    )
    suite.runpytest().assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "end", ["pass", "env.reset(); env.invoke()", "env.recycle(); env.invoke()"]
)
def test_open_files_do_not_warn_in_a_later_test(suite, end):
    kept = {
        "loop": "asyncio.new_event_loop()",
        "file": "open(__file__)",
        "file_of_no_function": "open(__file__); from operator import is_ as handler",
        "log": "logging.FileHandler(tempfile.gettempdir() + '/log'); "
        "logging.getLogger('own').addHandler(kept)",
        "database": "sqlite3.connect(':memory:')",
        "child": "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(0.1)'])",
        "folder": "tempfile.TemporaryDirectory()",
    }
    for name, opened in kept.items():
        handler = "" if "as handler" in opened else "def handler(event, context): return 1"
        source = "import asyncio, logging, sqlite3, subprocess, sys, tempfile\n"
        source += f"kept = {opened}\n{handler}\n"
        suite.path.joinpath(f"{name}.py").write_text(source)
    suite.makepyfile(
        test_it=f"""
            import gc, pytest, warnings
            before = list(gc.callbacks), list(warnings.filters)

            @pytest.mark.parametrize("name", {list(kept)})
            class TestKept:
                def test_it(self, lambda_lifecycle, name):
                    env = lambda_lifecycle(name + ".handler")
                    env.invoke()
                    {end}

                def test_later(self, name):
                    gc.collect()

            def test_last():
                assert (gc.callbacks, warnings.filters) == before

            def test_own():
                class Own: pass
                own = Own()
                own.circle, own.file = own, open(__file__)
                del own
                gc.collect()
        """,
    )
    result = suite.runpytest_subprocess("-W", "error", "-p", "no:randomly", "-p", "no:asyncio")
    result.assert_outcomes(passed=2 * len(kept) + 1, failed=1)
    result.stdout.fnmatch_lines(["FAILED *::test_own *"])


@pytest.mark.parametrize("scope", ["", "session_"])
def test_temporary_files_of_the_test_outlive_the_environment(suite, scope):
    """pytest chooses its folder for the whole run when a test first uses one."""
    suite.makepyfile(
        writes="""
            import tempfile
            def handler(event, context): return tempfile.gettempdir()
        """,
        test_it=f"""
            import pytest, tempfile
            from pathlib import Path

            @pytest.fixture
            def env({scope}lambda_lifecycle):
                env = {scope}lambda_lifecycle("writes.handler")
                env.initialize()
                return env

            def test_it(env, tmp_path):
                assert env.invoke().payload == str(env.tmp)
                own = Path(tempfile.mkdtemp())
                assert env.tmp not in [*own.parents, *tmp_path.parents]
                env.close()
                assert tmp_path.exists() and own.exists()

            def test_after(tmp_path):
                assert tmp_path.exists()
        """,
    )
    suite.runpytest("-p", "no:randomly", "-p", "no:pytester").assert_outcomes(passed=2)


def test_a_session_environment_does_not_reach_an_unrelated_test(suite):
    suite.makepyfile(
        """
        import os, sys, pytest
        made = []

        @pytest.mark.parametrize("n", [1, 2])
        def test_uses(session_lambda_lifecycle, n):
            if not made:
                variables = {"TABLE": "orders"}
                made.append(session_lambda_lifecycle("app.handler", environment=variables))
            made[0].invoke()
            assert os.environ["TABLE"] == "orders"
            assert len(made[0].invocations) == n
            module = sys.modules["app"]

        def test_unrelated():
            assert "TABLE" not in os.environ
            assert "app" not in sys.modules
            assert "AWS_LAMBDA_FUNCTION_NAME" not in os.environ

        def test_uses_again(session_lambda_lifecycle):
            assert os.environ["TABLE"] == "orders"
            assert made[0].invoke().payload["count"] == 3
        """
    )
    suite.runpytest("-p", "no:randomly").assert_outcomes(passed=4)


@pytest.mark.parametrize(
    "fixtures", ["monkeypatch, lambda_lifecycle", "lambda_lifecycle, monkeypatch"]
)
@pytest.mark.parametrize(
    "steps",
    [
        "monkeypatch.setenv('AWS_REGION', 'eu-west-1'); env.invoke()",
        "monkeypatch.setenv('TABLE', 'x'); env.invoke()",
        "monkeypatch.delenv('AWS_REGION'); env.invoke()",
        "env.invoke(); monkeypatch.setenv('AWS_REGION', 'eu-west-1'); env.invoke()",
        "env.invoke(); monkeypatch.setenv('WRITTEN', 'x'); env.invoke()",
        "env.invoke()\n    with mock.patch.dict(os.environ, {'A': 'b'}): env.invoke()",
        "with monkeypatch.context() as m: m.setenv('AWS_REGION', 'eu-west-1'); env.invoke()\n"
        "    env.invoke()",
        "with mock.patch.dict(os.environ, {'AWS_REGION': 'eu-west-1'}, clear=True): env.invoke()\n"
        "    env.invoke()",
    ],
)
def test_variables_that_a_tool_restores(suite, monkeypatch, fixtures, steps):
    """Also where the restored value equals that of the environment."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("TABLE", "orders")
    suite.makepyfile(
        writes="""
            import os
            def handler(event, context): os.environ["WRITTEN"] = context.aws_request_id
        """,
        test_it=f"""
            import os
            from unittest import mock

            def outside():
                names = [name for name in os.environ if not name.startswith("PYTEST_")]
                return {{name: os.environ[name] for name in names}}

            BEFORE = outside()

            def test_it({fixtures}):
                env = lambda_lifecycle("writes.handler", environment={{"TABLE": "orders"}})
                {steps.replace("    ", " " * 16)}

            def test_after():
                assert outside() == BEFORE
        """,
    )
    suite.runpytest("-p", "no:randomly").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "fixtures", ["monkeypatch, lambda_lifecycle", "lambda_lifecycle, monkeypatch"]
)
@pytest.mark.parametrize(
    "target", "os.kill os.chdir signal.signal atexit.register socket.getaddrinfo".split()
)
def test_functions_that_a_tool_restores_are_the_originals(suite, fixtures, target):
    """The tool has found a replacement, and restores it when the environment may have left."""
    suite.makepyfile(
        test_it=f"""
            import atexit, os, signal, socket
            BEFORE = {target}

            def test_it({fixtures}):
                env = lambda_lifecycle("app.handler")
                env.invoke()
                monkeypatch.setattr("{target}", lambda *arguments: None)
                env.invoke()

            def test_after():
                assert {target} is BEFORE
        """,
    )
    suite.runpytest("-p", "no:randomly").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "target", "os.kill os.chdir signal.signal atexit.register socket.getaddrinfo".split()
)
def test_functions_that_a_wider_fixture_restores_are_the_originals(suite, target):
    imports = f"import atexit, os, pytest, signal, socket\nBEFORE = {target}\n"
    suite.makepyfile(
        test_1=f"""
            {imports.strip().replace(chr(10), chr(10) + 12 * " ")}

            @pytest.fixture(scope="module")
            def env(session_lambda_lifecycle):
                env = session_lambda_lifecycle("app.handler")
                env.initialize()
                return env

            @pytest.fixture(scope="module")
            def patched(env):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("{target}", lambda *arguments: None)
                    yield

            def test_it(env, patched): env.invoke()
            def test_outside(patched): pass
        """,
        test_2=f"{imports}def test_after(): assert {target} is BEFORE",
    )
    suite.runpytest("-p", "no:randomly").assert_outcomes(passed=3)


@pytest.mark.parametrize(
    "tool", ["mock.patch(name)", "mock.patch(name, autospec=True)", "patched_by_hand(name)"]
)
def test_function_code_calls_a_mock_of_the_test(suite, tool):
    """Also where the mock was there first; once it is gone, calls are intercepted again."""
    suite.makepyfile(
        calls="""
            import atexit, gc, os, signal
            def handler(event, context): eval(event)
        """,
        test_it=f"""
            import atexit, contextlib, gc, os, signal
            from unittest import mock
            import pytest

            @contextlib.contextmanager
            def patched_by_hand(name):
                mocks = mock.Mock()
                with pytest.MonkeyPatch.context() as patch:
                    def call(*arguments, **keywords): return mocks(*arguments, **keywords)
                    patch.setattr(name, call)
                    yield mocks

            CALLS = [
                "os.abort()",
                "os._exit(3)",
                "os.kill(os.getpid(), 15)",
                "signal.raise_signal(15)",
                "signal.signal(15, print)",
                "signal.setitimer(0, 60)",
                "atexit.register(print)",
                "gc.freeze()",
                "os.umask(1)",
            ]

            @pytest.mark.parametrize("call", CALLS)
            def test_it(lambda_lifecycle, call):
                name = call.partition("(")[0]
                env = lambda_lifecycle("calls.handler")
                for mocked in True, False, True:
                    if mocked:
                        with {tool} as mocks:
                            env.invoke(call)
                        assert mocks.call_count == 1
                    else:
                        env.invoke(call, check=False)

            @pytest.mark.parametrize("call", CALLS)
            def test_nothing_is_left(call):
                assert "lambda" not in repr(eval(call.partition("(")[0]))
                assert signal.getsignal(15) == signal.SIG_DFL
        """,
    )
    suite.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=18)


@pytest.mark.parametrize("order", ["env, wide", "wide, env"])
@pytest.mark.parametrize(
    "change",
    [
        'mock.patch.dict(os.environ, {"AWS_REGION": "eu-west-1", "MINE": "1"})',
        'mock.patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": "mine"})',
        'mock.patch.dict(os.environ, {"MINE": "1"}, clear=True)',
        'setting("AWS_ACCESS_KEY_ID", "AWS_REGION", "MINE")',
        'setting("_HANDLER")',
    ],
)
def test_variables_that_a_wider_fixture_restores_late(suite, order, change):
    """The fixture begins while an environment is entered, and ends in another test, without one."""
    suite.makepyfile(
        conftest="""
            import contextlib, os, pytest
            from unittest import mock

            @contextlib.contextmanager
            def setting(*names):
                before = {name: os.environ.get(name) for name in names}
                os.environ.update(dict.fromkeys(names, "mine"))
                yield
                for name, value in before.items():
                    if value is None:
                        del os.environ[name]
                    else:
                        os.environ[name] = value

            @pytest.fixture(scope="session")
            def env(session_lambda_lifecycle):
                env = session_lambda_lifecycle("app.handler")
                env.initialize()
                return env

            @pytest.fixture(scope="module")
            def wide(): ...

            def outside():
                names = [name for name in os.environ if not name.startswith("PYTEST_")]
                return {name: os.environ[name] for name in names}

            BEFORE = outside()
        """,
        test_1=f"""
            import os, pytest
            from unittest import mock
            from conftest import setting

            @pytest.fixture(scope="module")
            def wide(env):
                with {change}:
                    yield

            def test_it({order}): env.invoke()
            def test_again({order}): env.invoke()
            def test_outside(wide): pass
        """,
        test_2="""
            from conftest import BEFORE, outside
            def test_after(): assert outside() == BEFORE
            def test_again(env): env.invoke()
            def test_after_all(): assert outside() == BEFORE
        """,
    )
    suite.runpytest("-p", "no:randomly").assert_outcomes(passed=6)


def test_log_capture_of_pytest_works_in_each_phase(suite):
    suite.makepyfile(
        app="""
            import logging
            def handler(event, context):
                logging.getLogger("app").warning("from %s", event)
        """,
        test_logs="""
            import logging, pytest

            @pytest.fixture
            def env(lambda_lifecycle, caplog):
                env = lambda_lifecycle("app.handler")
                env.invoke("setup")
                assert caplog.messages == ["from setup"]
                yield env
                env.invoke("teardown")
                assert caplog.messages == ["from teardown"]

            def test_it(env, caplog):
                env.invoke("call")
                assert caplog.messages == ["from call"]

            def test_outside(caplog):
                logging.getLogger().warning("outside")
                assert caplog.messages == ["outside"]
        """,
    )
    suite.runpytest().assert_outcomes(passed=2)
