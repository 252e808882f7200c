"""The fixtures as suites use them: scopes, settings by precedence, and what belongs to pytest."""

from __future__ import annotations

from unittest import mock

import pytest

COUNTING = """
    import os
    inits = os.environ.get("INITS", "")
    count = 0
    def handler(event, context):
        global count
        count += 1
        return {"count": count, "timeout": context.get_remaining_time_in_millis() // 1000 + 1}
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(app=COUNTING)
    return pytester


class TestScopes:
    def test_each_form_lives_as_long_as_its_name_says(self, suite):
        suite.makepyfile(
            test_one="""
                import pytest

                ended = []

                def invoke(lifecycle, made={}):
                    if lifecycle not in made:
                        made[lifecycle] = lifecycle("app.handler")
                    return made[lifecycle].invoke().payload["count"]

                class TestIt:
                    @pytest.mark.parametrize("n", [1, 2])
                    def test_scopes(self, n, lambda_lifecycle, class_lambda_lifecycle, module_lambda_lifecycle,
                                    session_lambda_lifecycle):
                        assert invoke(lambda_lifecycle) == 1
                        assert invoke(class_lambda_lifecycle) == n
                        assert invoke(module_lambda_lifecycle) == n
                        assert invoke(session_lambda_lifecycle) == n

                def test_after(class_lambda_lifecycle, module_lambda_lifecycle, session_lambda_lifecycle):
                    assert invoke(class_lambda_lifecycle) == 1
                    assert invoke(module_lambda_lifecycle) == 3
                    assert invoke(session_lambda_lifecycle) == 3
            """,
            test_two="""
                from test_one import invoke

                def test_other_module(module_lambda_lifecycle, session_lambda_lifecycle):
                    assert invoke(module_lambda_lifecycle) == 1
                    assert invoke(session_lambda_lifecycle) == 4
            """,
        )
        suite.runpytest().assert_outcomes(passed=4)

    def test_environments_are_shut_down_with_their_scope_latest_first(self, suite):
        suite.makepyfile(
            """
            seen = []

            def test_makes_two(lambda_lifecycle):
                for number in range(2):
                    env = lambda_lifecycle("app.handler", function_name=f"f{number}")
                    env.invoke()
                    seen.append(env)
                assert lambda_lifecycle.environments == tuple(seen)

            def test_afterwards():
                assert [env.state for env in seen] == ["closed", "closed"]
                assert [env.phases[-1].reason for env in seen] == ["spindown", "spindown"]
                first, second = (env.phases[-1].started_at for env in seen)
                assert second <= first
            """
        )
        suite.runpytest("-p", "no:randomly").assert_outcomes(passed=2)

    def test_unittest_classes_can_use_them(self, suite):
        suite.makepyfile(
            """
            import unittest, pytest

            @pytest.mark.usefixtures("attach")
            class TestOrders(unittest.TestCase):
                @pytest.fixture
                def attach(self, lambda_lifecycle):
                    self.env = lambda_lifecycle("app.handler")

                def test_counts(self):
                    self.assertEqual(self.env.invoke().payload["count"], 1)
                    self.assertEqual(self.env.invoke().payload["count"], 2)
            """
        )
        suite.runpytest().assert_outcomes(passed=1)

    def test_a_session_environment_can_serve_function_fixtures(self, suite):
        suite.makepyfile(
            """
            import pytest

            @pytest.fixture(scope="session")
            def shared(session_lambda_lifecycle):
                env = session_lambda_lifecycle("app.handler")
                env.initialize()
                return env

            @pytest.fixture
            def warm(shared, tmp_path, capsys):
                return shared.invoke()

            @pytest.mark.parametrize("n", [1, 2, 3])
            def test_is_warm(warm, shared, n):
                assert not warm.cold_start
                assert shared.init_count == 1
            """
        )
        suite.runpytest().assert_outcomes(passed=3)

    def test_an_environment_that_outlives_its_scope_says_what_ended_it(self, suite):
        suite.makepyfile(
            test_kept="""
                import pytest
                from pytest_lambda_lifecycle import InvalidTransition

                kept = []

                class TestFirst:
                    def test_it(self, lambda_lifecycle, class_lambda_lifecycle):
                        kept.extend([lambda_lifecycle("app.handler"), class_lambda_lifecycle("app.handler")])

                def test_next():
                    for env, end in zip(kept, ["test_kept.py::TestFirst::test_it", "test_kept.py::TestFirst"]):
                        with pytest.raises(InvalidTransition) as caught:
                            env.invoke()
                        assert f"cannot invoke: this environment was closed at the end of {end};" in str(caught.value)
            """
        )
        suite.runpytest("-p", "no:randomly").assert_outcomes(passed=2)

    def test_a_problem_at_the_end_is_a_warning_and_the_others_still_end(self, suite):
        suite.makepyfile(
            """
            import pytest
            ended = []

            def test_it(lambda_lifecycle, monkeypatch):
                first, second = lambda_lifecycle("app.handler"), lambda_lifecycle("app.handler")
                close = second.close
                def fail():
                    close()
                    raise OSError("disk gone")
                second.close = fail
                ended.append(first)

            def test_of_the_session(session_lambda_lifecycle):
                env = session_lambda_lifecycle("app.handler")
                close = env.close
                def fail():
                    close()
                    raise OSError("session's disk gone")
                env.close = fail

            def test_afterwards():
                assert ended[0].state == "closed"
            """
        )
        result = suite.runpytest("-W", "default")
        result.assert_outcomes(passed=3)
        text = result.stdout.str()
        assert "could not be ended cleanly: OSError: disk gone" in text
        assert "could not be ended cleanly: OSError: session's disk gone" in text


class TestPrecedence:
    SOURCES = ("ini", "command line", "fixture", "hook", "module", "class", "function", "call")

    @pytest.mark.parametrize("highest", range(1, len(SOURCES) + 1))
    def test_each_source_wins_over_those_before_it(self, suite, highest):
        used = self.SOURCES[:highest]
        words = {
            "ini": "ini option lambda_lifecycle_timeout in tox.ini",
            "command line": "--lambda-lifecycle-timeout",
            "fixture": "the lambda_lifecycle_config fixture",
            "hook": "hook pytest_lambda_lifecycle_config of conftest.py",
            "module": "(pytestmark)",
            "class": "(class TestIt)",
            "function": "(TestIt.test_it)",
            "call": "the call at",
        }
        timeout = {source: index + 10 for index, source in enumerate(self.SOURCES)}
        variables = {
            source: {"STAGE": source, source.upper().replace(" ", "_"): "yes"}
            for source in self.SOURCES
        }

        def settings(source: str) -> str:
            return (
                f"timeout={timeout[source]}, environment={variables[source]!r}"
                if source in used
                else ""
            )

        ini = "[pytest]\n"
        if "ini" in used:
            ini += f"lambda_lifecycle_timeout={timeout['ini']}\nlambda_lifecycle_environment=\n  STAGE=ini\n  INI=yes"
        suite.makeini(ini)
        suite.makeconftest(f"""
            import pytest

            @pytest.fixture(scope="session")
            def lambda_lifecycle_config():
                return dict({settings("fixture")})

            def pytest_lambda_lifecycle_config(request, settings):
                return dict({settings("hook")}) or None
        """)
        suite.makepyfile(f"""
            import pytest
            pytestmark = pytest.mark.lambda_lifecycle({settings("module")})

            @pytest.mark.lambda_lifecycle({settings("class")})
            class TestIt:
                @pytest.mark.lambda_lifecycle({settings("function")})
                def test_it(self, lambda_lifecycle):
                    config = lambda_lifecycle("app.handler", {settings("call")}).config
                    assert config.timeout == {timeout[used[-1]]}
                    assert config.environment == {dict(pair for s in used for pair in variables[s].items())!r}
                    assert {words[used[-1]]!r} in config.source_of("timeout")
        """)
        arguments = []
        if "command line" in used:
            arguments = [
                "--lambda-lifecycle-timeout=11",
                "--lambda-lifecycle-environment=STAGE=command line",
            ]
            arguments += ["--lambda-lifecycle-environment=COMMAND_LINE=yes"]
        suite.runpytest(*arguments).assert_outcomes(passed=1)

    def test_the_sources_name_places(self, suite):
        suite.makepyfile(
            test_places="""
                import pytest

                @pytest.mark.lambda_lifecycle("app.handler", timeout=4)
                class TestIt:
                    @pytest.mark.lambda_lifecycle(memory_size=256)
                    def test_it(self, lambda_lifecycle):
                        config = lambda_lifecycle(region="eu-west-1").config
                        assert config.source_of("handler") == "the marker at test_places.py:3 (class TestIt)"
                        assert config.source_of("memory_size") == "the marker at test_places.py:5 (TestIt.test_it)"
                        assert config.source_of("region") == "the call at test_places.py:7"
                        assert config.source_of("code_dir") == "the search for the handler's module"
            """
        )
        suite.runpytest().assert_outcomes(passed=1)


class TestMarker:
    def test_the_closest_wins_also_when_stacked_or_inherited(self, suite):
        suite.makepyfile(
            """
            import pytest

            @pytest.mark.lambda_lifecycle(timeout=4, memory_size=200)
            @pytest.mark.lambda_lifecycle("app.handler", timeout=5)
            def test_stacked(lambda_lifecycle):
                config = lambda_lifecycle().config
                assert (config.timeout, config.memory_size) == (5, 200)

            @pytest.mark.lambda_lifecycle("app.handler", timeout=6, memory_size=300)
            class Base:
                def test_inherited(self, lambda_lifecycle):
                    config = lambda_lifecycle().config
                    assert (config.timeout, config.memory_size) == self.expected

            class TestPlain(Base):
                expected = (6, 300)

            @pytest.mark.lambda_lifecycle(timeout=7)
            class TestDerived(Base):
                expected = (7, 300)
            """
        )
        suite.runpytest().assert_outcomes(passed=3)

    def test_it_reaches_every_form_but_the_session_form(self, suite):
        suite.makepyfile(
            """
            import pytest
            pytestmark = pytest.mark.lambda_lifecycle("app.handler", timeout=4)

            @pytest.mark.lambda_lifecycle(timeout=5)
            class TestIt:
                @pytest.mark.lambda_lifecycle(timeout=6)
                def test_it(self, lambda_lifecycle, class_lambda_lifecycle, module_lambda_lifecycle,
                            session_lambda_lifecycle):
                    assert lambda_lifecycle().config.timeout == 6
                    assert class_lambda_lifecycle().config.timeout == 5
                    assert module_lambda_lifecycle().config.timeout == 4
                    assert session_lambda_lifecycle("app.handler").config.timeout == 3
                    with pytest.raises(ValueError, match="no handler"):
                        session_lambda_lifecycle()
            """
        )
        suite.runpytest().assert_outcomes(passed=1)

    def test_a_handler_in_a_marker_that_does_not_reach_the_session_form(self, suite):
        suite.makepyfile(
            """
            import pytest

            @pytest.mark.lambda_lifecycle("app.handler")
            def test_it(session_lambda_lifecycle):
                session_lambda_lifecycle()
            """
        )
        result = suite.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.re_match_lines(
            [r"E .*ConfigError: no handler .*::test_it has, does not reach session_lambda_"]
        )

    def test_parameters_may_carry_it(self, suite):
        suite.makepyfile(
            """
            import pytest

            @pytest.mark.parametrize("timeout", [
                pytest.param(n, marks=pytest.mark.lambda_lifecycle(timeout=n)) for n in (4, 5)])
            @pytest.mark.lambda_lifecycle(handler="app.handler")
            def test_it(lambda_lifecycle, timeout):
                assert lambda_lifecycle().config.timeout == timeout
            """
        )
        suite.runpytest("--strict-markers").assert_outcomes(passed=2)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                '"app.handler", 3',
                "takes one positional argument, the handler, and was given 2: 'app.handler', 3",
            ),
            ("timout=3", "unknown setting 'timout': did you mean 'timeout'?"),
            ('"a.b", handler="c.d"', "two handlers: 'a.b' and 'c.d'"),
        ],
    )
    def test_wrong_arguments_are_an_error_of_the_test_that_names_the_marker(
        self, suite, arguments, message
    ):
        suite.makepyfile(
            test_it=f"""
                import pytest

                @pytest.mark.lambda_lifecycle({arguments})
                def test_it(lambda_lifecycle):
                    pass
            """
        )
        result = suite.runpytest()
        result.assert_outcomes(errors=1)
        text = result.stdout.str()
        assert message in text
        assert "(from the marker at test_it.py:3 (test_it))" in text
        assert "fixtures.py" not in text

    def test_wrong_values_show_at_the_call(self, suite):
        suite.makepyfile(
            test_it="""
                import pytest

                @pytest.mark.lambda_lifecycle("app.handler", timeout=901)
                def test_it(lambda_lifecycle):
                    lambda_lifecycle()
            """
        )
        result = suite.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                ">*lambda_lifecycle()",
                "E*timeout=901 s is outside Lambda's range 1..900 s (from the marker at test_it.py:3 (test_it))",
                "test_it.py:5: ConfigError",
            ]
        )
        assert "config.py" not in result.stdout.str()

    def test_it_is_documented(self, suite):
        suite.runpytest("--markers").stdout.fnmatch_lines(
            ["@pytest.mark.lambda_lifecycle(handler=None, [*][*]settings): *"]
        )


class TestConfigFixture:
    def test_its_settings_are_the_suites_defaults(self, suite):
        suite.makeconftest(
            """
            import pytest

            @pytest.fixture(scope="session")
            def lambda_lifecycle_config():
                return {"handler": "app.handler", "timeout": 8}
            """
        )
        suite.makepyfile(
            """
            def test_it(lambda_lifecycle):
                config = lambda_lifecycle().config
                assert config.timeout == 8
                assert config.source_of("timeout") == "the lambda_lifecycle_config fixture"
            """
        )
        suite.runpytest().assert_outcomes(passed=1)

    def test_a_directory_or_module_may_have_its_own(self, suite):
        suite.makepyfile(
            """
            import pytest

            @pytest.fixture
            def lambda_lifecycle_config(lambda_lifecycle_config, request):
                return {**lambda_lifecycle_config, "function_name": request.node.name}

            def test_it(lambda_lifecycle):
                assert lambda_lifecycle("app.handler").config.function_name == "test_it"
            """
        )
        suite.runpytest().assert_outcomes(passed=1)

    def test_anything_but_a_mapping_is_refused(self, suite):
        suite.makepyfile(
            """
            import pytest

            @pytest.fixture
            def lambda_lifecycle_config():
                return [("timeout", 3)]

            def test_it(lambda_lifecycle):
                pass
            """
        )
        result = suite.runpytest()
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            ["*the lambda_lifecycle_config fixture has to return a mapping of settings, not*"]
        )


class TestTaskRoot:
    @pytest.mark.parametrize("place", [".", "src", "lib"])
    def test_it_is_found_where_tests_import_from(self, pytester, place):
        pytester.makeini("[pytest]\npythonpath = lib")
        directory = pytester.path / place
        directory.mkdir(exist_ok=True)
        (directory / "orders").mkdir()
        (directory / "orders" / "app.py").write_text(
            "import os\ndef handler(e, c): return os.environ['LAMBDA_TASK_ROOT']"
        )
        pytester.makepyfile(
            f"""
            from pathlib import Path

            def test_it(lambda_lifecycle):
                root = Path({str(directory)!r})
                assert Path(lambda_lifecycle("orders.app.handler").invoke().payload) == root
                assert Path(lambda_lifecycle("orders/app.handler").invoke().payload) == root
            """
        )
        pytester.runpytest().assert_outcomes(passed=1)

    def test_several_functions_side_by_side_each_with_its_tests(self, pytester):
        for name in ("billing", "orders"):
            folder = pytester.path / "functions" / name
            (folder / "tests").mkdir(parents=True)
            (folder / "handler.py").write_text("import utils\ndef handler(e, c): return utils.NAME")
            (folder / "utils.py").write_text(f"NAME = {name!r}")
            for test in (
                folder / f"test_{name}_beside.py",
                folder / "tests" / f"test_{name}_below.py",
            ):
                test.write_text(
                    f"def test_it(lambda_lifecycle):\n"
                    f"    assert lambda_lifecycle('handler.handler').invoke().payload == {name!r}\n"
                )
        pytester.runpytest().assert_outcomes(passed=4)

    def test_relative_paths_start_at_the_rootdir(self, pytester, monkeypatch):
        (pytester.mkdir("code") / "app.py").write_text("def handler(e, c): return 'code'")
        pytester.makeini("[pytest]")
        pytester.makepyfile(
            """
            import pytest

            @pytest.mark.lambda_lifecycle("app.handler", code_dir="code")
            def test_it(lambda_lifecycle, tmp_path, monkeypatch):
                monkeypatch.chdir(tmp_path)
                assert lambda_lifecycle().invoke().payload == "code"
            """
        )
        pytester.runpytest().assert_outcomes(passed=1)

    def test_a_module_that_exists_nowhere_fails_as_on_lambda_where_code_dir_is_given(self, suite):
        suite.makepyfile(
            """
            import pytest
            from pytest_lambda_lifecycle import ConfigError, InitError

            def test_it(lambda_lifecycle):
                with pytest.raises(InitError, match="Runtime.ImportModuleError: Unable to import module 'gone'"):
                    lambda_lifecycle("gone.handler", code_dir=".").invoke()
                with pytest.raises(ConfigError, match="no task root for the handler 'gone.handler'"):
                    lambda_lifecycle("gone.handler")

            @pytest.mark.parametrize("handler, error", [
                ("", "MalformedHandlerName"), ("app", "MalformedHandlerName"), ("sys.exit", "BuiltInModuleConflict")])
            def test_malformed(lambda_lifecycle, handler, error):
                with pytest.raises(InitError, match=f"Runtime.{error}"):
                    lambda_lifecycle(handler).invoke()
            """
        )
        suite.runpytest().assert_outcomes(passed=4)


MODES = [
    [],
    ["--import-mode=append"],
    ["--import-mode=importlib"],
    ["--assert=plain"],
    ["--assert=plain", "--import-mode=importlib"],
    ["-p", "no:logging"],
    ["-p", "no:capture", "-p", "no:logging"],
    ["-s"],
    ["-p", "xdist", "-n", "2"],
]


def run_in(mode: list[str], pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run in a mode.  Inside this process the hook of this run would rewrite what is not to be
    rewritten.
    """
    run = pytester.runpytest_subprocess if "--assert=plain" in mode else pytester.runpytest
    return run(*mode, *arguments)


class TestKeptModules:
    """Tests, conftest files, helpers and plugins stay the same objects while an environment is
    entered.
    """

    @pytest.mark.parametrize("mode", MODES, ids=" ".join)
    def test_in_every_mode(self, pytester, mode):
        if "xdist" in mode:
            pytest.importorskip("xdist")
        pytester.makeini("[pytest]\npythonpath = .")
        pytester.makeconftest(
            "import sys\nSTATE = []\nME = sys.modules[__name__]\nimport myplugin\npytest_plugins = ['myplugin']"
        )
        pytester.makepyfile(myplugin="STATE = []")
        orders = pytester.mkpydir("orders")
        (orders / "app.py").write_text("from orders import db\ndef handler(e, c): return id(db)")
        (orders / "db.py").write_text("table = object()")
        tests = pytester.mkpydir("tests")
        (tests / "util.py").write_text("STATE = []")
        deep = tests / "unit"
        deep.mkdir()
        (deep / "conftest.py").write_text("")
        (deep / "__init__.py").touch()
        for number in (1, 2):
            (deep / f"test_{number}.py").write_text(
                """
import sys
import textwrap
import tests.util
from orders import db

NAMES = [__name__, "tests.util", "tests", "tests.unit", "myplugin"]

def test_it(lambda_lifecycle, request):
    before = {name: sys.modules.get(name) for name in NAMES}
    conftests = [plugin for plugin in request.config.pluginmanager.get_plugins()
                 if getattr(plugin, "__file__", None) and plugin.__file__.endswith("conftest.py")]
    present = [plugin for plugin in conftests if plugin in sys.modules.values()]
    assert conftests
    env = lambda_lifecycle("orders.app.handler")
    inside = env.invoke().payload
    assert inside != id(db)
    assert id(sys.modules["orders.db"]) == inside
    assert {name: sys.modules.get(name) for name in NAMES} == before
    assert [plugin for plugin in conftests if plugin in sys.modules.values()] == present
    env.close()
    assert sys.modules["orders.db"] is db
"""
            )
        run_in(mode, pytester).assert_outcomes(passed=2)

    @pytest.mark.parametrize(
        "mode", [[], ["--assert=plain"], ["--import-mode=importlib"]], ids=" ".join
    )
    def test_tests_beside_the_handler(self, pytester, mode):
        pytester.makeini("[pytest]\npythonpath = .")
        pytester.makepyfile(
            app="import db\ndef handler(e, c): db.calls.append(1); return len(db.calls)",
            db="calls = []",
            test_app="""
                import sys, db

                def test_fresh(lambda_lifecycle):
                    me = sys.modules[__name__]
                    for _ in range(2):
                        assert lambda_lifecycle("app.handler").invoke().payload == 1
                        assert sys.modules[__name__] is me
                    assert db.calls == []
            """,
        )
        run_in(mode, pytester).assert_outcomes(passed=1)

    def test_shared_function_code_with_tests_in_its_folder_is_fresh_all_the_same(self, pytester):
        pytester.makeini("[pytest]\npythonpath = functions")
        functions = pytester.mkdir("functions")
        for name in ("orders", "shared"):
            (functions / name).mkdir()
            (functions / name / "__init__.py").touch()
        (functions / "orders" / "app.py").write_text(
            "from shared import db\ndef handler(e, c): return db.connect()"
        )
        (functions / "shared" / "db.py").write_text(
            "n = 0\ndef connect():\n    global n\n    n += 1\n    return n"
        )
        (functions / "shared" / "test_db.py").write_text(
            "import sys\n"
            "from shared import db\n"
            "def test_db(lambda_lifecycle):\n"
            "    me = sys.modules[__name__]\n"
            "    assert db.connect() == 1\n"
            "    assert lambda_lifecycle('orders.app.handler').invoke().payload == 1\n"
            "    assert sys.modules[__name__] is me\n"
        )
        pytester.runpytest().assert_outcomes(passed=1)

    @pytest.mark.parametrize("mode", [[], ["--assert=plain"]], ids=" ".join)
    def test_names_that_the_function_has_as_well(self, pytester, mode):
        function = pytester.mkdir("function")
        (function / "app.py").write_text("import util\ndef handler(e, c): return util.NAME")
        (function / "util.py").write_text("NAME = 'function'")
        (function / "conftest.py").touch()
        (function / "tests").mkdir()
        (function / "tests" / "__init__.py").touch()
        (function / "tests" / "util.py").write_text("NAME = 'function tests'")
        tests = pytester.mkpydir("tests")
        pytester.makeconftest("")
        pytester.makepyfile(util="NAME = 'rootdir'")
        (tests / "helper.py").touch()
        (tests / "test_it.py").write_text(
            "import sys, util, tests.helper\n"
            "NAMES = ['tests', 'tests.helper', 'conftest', __name__]\n"
            "def test_it(lambda_lifecycle):\n"
            "    before = {name: sys.modules.get(name) for name in NAMES}\n"
            "    assert all(before.values())\n"
            "    assert lambda_lifecycle('app.handler', code_dir='function').invoke().payload == 'function'\n"
            "    assert {name: sys.modules.get(name) for name in NAMES} == before\n"
            "    assert util.NAME == 'rootdir'\n"
        )
        run_in(mode, pytester, "tests").assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        "mode", [[], ["--assert=plain"], ["--import-mode=importlib"]], ids=" ".join
    )
    @pytest.mark.parametrize("folder", [".", "tests", "others"])
    def test_a_test_module_whose_name_the_function_has_as_well(self, pytester, mode, folder):
        function, tests = pytester.mkdir("function"), pytester.path / folder
        tests.mkdir(exist_ok=True)
        (function / "app.py").write_text("import util\ndef handler(e, c): return util.NAME")
        (function / "util.py").write_text("NAME = 'function'")
        (function / "test_it.py").touch()
        (function / "myplugin.py").touch()
        (pytester.path / "myplugin.py").touch()
        (tests / "util.py").write_text("NAME = 'tests'")  # the tests' helper: it makes way
        (tests / "test_it.py").write_text(
            "import sys\n"
            f"sys.path.insert(0, {str(tests)!r})\n"
            "import util\n"
            "def test_it(lambda_lifecycle):\n"
            "    before = {name: sys.modules[name] for name in (__name__, 'myplugin')}\n"
            "    assert lambda_lifecycle('app.handler', code_dir='function').invoke().payload == 'function'\n"
            "    assert {name: sys.modules.get(name) for name in before} == before\n"
            "    assert util.NAME == 'tests'\n"
        )
        pytester.syspathinsert()
        run_in(mode, pytester, "-p", "myplugin", f"{folder}/test_it.py").assert_outcomes(passed=1)

    def test_python_files_that_match_everything_and_a_name_that_two_functions_have(self, pytester):
        pytester.makeini("[pytest]\npython_files = *.py")
        for name in ("one", "two"):
            folder = pytester.mkdir(name)
            (folder / "app.py").write_text("import util\ndef handler(e, c): return util.NAME")
            (folder / "util.py").write_text(f"NAME = {name!r}")
        pytester.makepyfile(
            checks="""
            import sys
            sys.path.insert(0, "one")
            import util

            def test_each_has_its_own(lambda_lifecycle):
                for name in ("one", "two"):
                    env = lambda_lifecycle("app.handler", code_dir=name)
                    assert env.invoke().payload == name
                    env.close()
                    assert sys.modules["util"] is util
            """
        )
        pytester.runpytest("checks.py").assert_outcomes(passed=1)

    def test_python_files_that_match_everything(self, pytester):
        pytester.makeini("[pytest]\npython_files = *.py\npythonpath = .")
        pytester.makepyfile(
            app="import db\ndef handler(e, c): db.calls.append(1); return len(db.calls)",
            db="calls = []",
            checks="""
                import sys
                def test_fresh(lambda_lifecycle):
                    me = sys.modules[__name__]
                    assert lambda_lifecycle("app.handler").invoke().payload == 1
                    assert lambda_lifecycle("app.handler").invoke().payload == 1
                    assert sys.modules[__name__] is me
            """,
        )
        pytester.runpytest().assert_outcomes(passed=1)


class TestPhasesOfPytest:
    def test_an_environment_made_in_setup_is_entered_in_call_and_teardown(self, suite):
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
    def test_what_the_function_keeps_open_is_no_fault_of_a_later_test(self, suite, end):
        kept = {
            "loop": "asyncio.new_event_loop()",
            "file": "open(__file__)",
            "file_of_no_function": "open(__file__); from operator import is_ as handler",
            "log": "logging.FileHandler(tempfile.gettempdir() + '/log'); logging.getLogger('own').addHandler(kept)",
            "database": "sqlite3.connect(':memory:')",
            "child": "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(0.1)'])",
            "folder": "tempfile.TemporaryDirectory()",
        }
        for name, opened in kept.items():
            handler = "" if "as handler" in opened else "def handler(event, context): return 1"
            source = f"import asyncio, logging, sqlite3, subprocess, sys, tempfile\nkept = {opened}\n{handler}\n"
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
    def test_temporary_files_of_the_test_do_not_end_with_the_environment(self, suite, scope):
        """pytest finds its folder for the whole run when a test first asks for one."""
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

    def test_a_session_environment_does_not_colour_an_unrelated_test(self, suite):
        suite.makepyfile(
            """
            import os, sys, pytest
            made = []

            @pytest.mark.parametrize("n", [1, 2])
            def test_uses(session_lambda_lifecycle, n):
                if not made:
                    made.append(session_lambda_lifecycle("app.handler", environment={"TABLE": "orders"}))
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
            "with monkeypatch.context() as m: m.setenv('AWS_REGION', 'eu-west-1'); env.invoke()\n    env.invoke()",
            "with mock.patch.dict(os.environ, {'AWS_REGION': 'eu-west-1'}, clear=True): env.invoke()\n    env.invoke()",
        ],
    )
    def test_variables_that_a_tool_puts_back_are_back(self, suite, monkeypatch, fixtures, steps):
        """Also where they are then what they are inside, so that nothing changes there."""
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
                    return {{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}}

                BEFORE = outside()

                def test_it({fixtures}):
                    env = lambda_lifecycle("writes.handler", environment={{"TABLE": "orders"}})
                    {steps.replace("    ", " " * 20)}

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
    def test_functions_that_a_tool_puts_back_are_the_originals(self, suite, fixtures, target):
        """The tool has found our stand-in, and puts it back when the environment may have left."""
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
    def test_functions_that_a_wider_fixture_puts_back_are_the_originals(self, suite, target):
        imports = f"import atexit, os, pytest, signal, socket\nBEFORE = {target}\n"
        suite.makepyfile(
            test_1=f"""
                {imports.strip().replace(chr(10), chr(10) + 16 * " ")}

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
    def test_function_code_calls_what_a_test_has_mocked(self, suite, tool):
        """Also where the mock was there first; and when it is gone, we watch again."""
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
                        patch.setattr(name, lambda *arguments, **keywords: mocks(*arguments, **keywords))
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
    def test_variables_that_a_wider_fixture_puts_back_late_are_back(self, suite, order, change):
        """It began while an environment was in force, and ends in another test, when none is."""
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
                    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

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

    def test_log_capture_of_each_phase_stays_pytests(self, suite):
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


class TestPatchedBetweenInvokes:
    APP = """
        class Client:
            def get(self): return "real"
        def connect(): return Client()
        def handler(event, context): return connect().get()
    """

    @pytest.mark.parametrize("scope", ["class", "module", "session"])
    def test_patches_by_name_reach_an_environment_of_several_tests(self, pytester, scope):
        """In each test that uses it, wherever in the test the patch begins; and nowhere else."""
        pytester.makepyfile(
            app=self.APP,
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

    def test_a_patch_of_another_function_is_no_concern(self, pytester):
        """Two functions with modules of one name; the test has imported those of one of them."""
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
    def test_a_patch_of_the_tests_own_copy_is_an_error(self, pytester, patch, scope):
        """Or else the function would run with the real thing, and the test would not know."""
        pytester.makepyfile(
            app=self.APP,
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
            [r"E +.*app\.(connect|Client\.get) is patched on another copy.*mock\.patch"]
        )
        result.stdout.no_fnmatch_line("*watching.py*")


class TestPatchedBefore:
    @pytest.mark.parametrize(
        "patch",
        [
            '@mock.patch("app.table")',
            '@mock.patch("app.table", new=5)',
            '@mock.patch("app.connect", new=lambda: None)',
            '@mock.patch("app.Client.get")',
            '@mock.patch.object(app.Client, "get", new=lambda self: None)',
            '@mock.patch("app.connect", autospec=True)',
            '@mock.patch.multiple("app", table=1, connect=2)',
            "@pytest.mark.usefixtures('started')",
            "@pytest.mark.usefixtures('monkeypatched')",
            "@pytest.mark.usefixtures('monkeypatched_value')",
            "@pytest.mark.usefixtures('monkeypatched_class')",
            "@pytest.mark.usefixtures('by_hand')",
        ],
    )
    def test_it_is_an_error_that_names_target_and_remedy(self, pytester, patch):
        mocks = "fake, " if patch.startswith("@mock.patch(") and "new=" not in patch else ""
        pytester.makepyfile(
            app="""
                class Client:
                    def get(self): return "real"
                def connect(): return Client()
                table = connect()
                LIMIT = 3
                def handler(event, context): return connect().get()
            """,
            test_it=f"""
                import pytest
                from unittest import mock
                import app

                @pytest.fixture
                def started():
                    patcher = mock.patch("app.LIMIT", 5)
                    patcher.start()
                    yield
                    patcher.stop()

                @pytest.fixture
                def monkeypatched(monkeypatch):
                    monkeypatch.setattr("app.connect", lambda: None)

                @pytest.fixture
                def monkeypatched_value(monkeypatch):
                    monkeypatch.setattr(app, "LIMIT", 5)

                @pytest.fixture
                def monkeypatched_class(monkeypatch):
                    monkeypatch.setattr(app.Client, "get", lambda self: "fake")

                @pytest.fixture
                def by_hand():
                    before, app.connect = app.connect, lambda: None
                    yield
                    app.connect = before

                {patch}
                def test_it({mocks}lambda_lifecycle):
                    lambda_lifecycle("app.handler").invoke()
            """,
        )
        result = pytester.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.no_fnmatch_line("*importlib*")  # the traceback ends at the line of the test
        result.stdout.re_match_lines(
            [
                r"E +.*LifecycleError: app\.(table|connect|Client\.get|LIMIT) was patched before.*env\.patch"
            ]
        )

    @pytest.mark.parametrize(
        "test",
        [
            "with mock.patch('app.LIMIT', 5): check(lambda_lifecycle)",
            "with mock.patch.object(app.Client, 'URL', None): check(lambda_lifecycle)",
            "with mock.patch.multiple(app, LIMIT=5, CACHE={'a': 1}): check(lambda_lifecycle)",
            "with contextlib.ExitStack() as s: s.enter_context(mock.patch('app.LIMIT', 5)); check(lambda_lifecycle)",
            "with pytest.MonkeyPatch.context() as own: own.setattr(app, 'LIMIT', 5); check(lambda_lifecycle)",
            "mock.patch('app.LIMIT', 5)(check)(lambda_lifecycle)",
            "request.getfixturevalue('patched'); check(lambda_lifecycle)",
            "request.getfixturevalue('monkeypatch').setattr(app, 'LIMIT', 5); check(lambda_lifecycle)",
            "request.getfixturevalue('mocker').patch('app.LIMIT', 5); check(lambda_lifecycle)",
        ],
    )
    def test_plain_values_wherever_the_patch_began(self, pytester, test):
        if "mocker" in test:
            pytest.importorskip("pytest_mock")
        pytester.makepyfile(
            app="""
                LIMIT, CACHE = 3, {}
                class Client: URL = "real"
                def handler(event, context): return LIMIT
            """,
            test_it=f"""
                import contextlib, pytest
                from unittest import mock
                import app
                from pytest_lambda_lifecycle import LifecycleError

                @pytest.fixture
                def patched():
                    with mock.patch("app.LIMIT", 5): yield

                def check(lambda_lifecycle):
                    with pytest.raises(LifecycleError, match="app.(LIMIT|CACHE|Client.URL) was patched before"):
                        lambda_lifecycle("app.handler").invoke()

                def test_it(lambda_lifecycle, request):
                    {test}

                def test_next(lambda_lifecycle, request, monkeypatch):
                    monkeypatch.setattr(app, "LIMIT", 5)
                    monkeypatch.undo()
                    with mock.patch("app.LIMIT", 5): pass
                    assert lambda_lifecycle("app.handler").invoke().payload == 3
            """,
        )
        plugins = ("-p", "pytest_mock") if "mocker" in test else ()
        pytester.runpytest("-p", "no:randomly", *plugins).assert_outcomes(passed=2)

    @pytest.mark.parametrize(
        "patcher", ["mock.patch('app.LIMIT', 5)", "pytest.MonkeyPatch.context()"]
    )
    def test_a_patch_that_began_before_the_first_use(self, pytester, patcher):
        before = mock._patch.__enter__, pytest.MonkeyPatch.__init__
        pytester.makepyfile(
            app="LIMIT = 3\ndef handler(event, context): return LIMIT",
            test_it=f"""
                import pytest
                from unittest import mock
                import app
                from pytest_lambda_lifecycle import LifecycleError

                @pytest.fixture(scope="module", autouse=True)
                def patched():
                    with {patcher} as patcher:
                        if patcher != 5: patcher.setattr("app.LIMIT", 5)
                        yield

                @pytest.mark.parametrize("n", range(2))
                def test_it(n, lambda_lifecycle):
                    with pytest.raises(LifecycleError, match="app.LIMIT was patched before"):
                        lambda_lifecycle("app.handler").invoke()
            """,
        )
        pytester.runpytest().assert_outcomes(passed=2)
        assert before == (mock._patch.__enter__, pytest.MonkeyPatch.__init__)

    @pytest.mark.parametrize(
        "change",
        [
            "app.handler({}, None)",
            "importlib.reload(app)",
            "app.CACHE['x'] = 1",
            "app.client = app.make()",
            "freezer.move_to('2020-01-01')",
            "monkeypatch.setattr('json.dumps', json.dumps)",
            "monkeypatch.setenv('TABLE', 'x')",
        ],
    )
    def test_what_a_module_does_to_itself_is_no_patch(self, pytester, change):
        if "freezer" in change:
            pytest.importorskip("pytest_freezer")
        pytester.makepyfile(
            app="""
                import json
                from datetime import datetime
                count = 0
                client = None
                CACHE = {}
                class Client: pass
                def make(): return Client()
                def handler(event, context):
                    global count, client
                    count += 1
                    client = client or make()
                    return count
            """,
            test_it=f"""
                import importlib, json, pytest
                import app

                @pytest.fixture
                def freezer():
                    from freezegun import freeze_time
                    with freeze_time("2021-01-01") as frozen:
                        yield frozen

                def test_it(lambda_lifecycle, monkeypatch, {"freezer" if "freezer" in change else "tmp_path"}):
                    {change}
                    assert lambda_lifecycle("app.handler").invoke().payload == 1
            """,
        )
        pytester.runpytest().assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        "patch",
        [
            "mock.patch.dict('os.environ', {'A': 'b'})",
            "mock.patch.dict(app.CACHE, {'A': 'b'})",
            "mock.patch.multiple('json', dumps=json.dumps)",
            "mock.patch('json.loads', json.loads)",
        ],
    )
    @pytest.mark.parametrize("decorates", [True, False])
    def test_other_patches_are_none_of_the_functions_modules(self, pytester, patch, decorates):
        pytester.makepyfile(
            app="CACHE = {}\ndef handler(event, context): return len(CACHE)",
            test_it=f"""
                import json
                from unittest import mock
                import pytest
                import app

                @pytest.fixture
                def started():
                    patcher = {patch}
                    patcher.start()
                    yield
                    patcher.stop()

                {"@" + patch if decorates else "@pytest.mark.usefixtures('started')"}
                def test_it(lambda_lifecycle):
                    assert lambda_lifecycle("app.handler").invoke().payload == 0
            """,
        )
        pytester.runpytest().assert_outcomes(passed=1)

    def test_a_fixture_asked_for_at_run_time_knows_of_this_tests_patches_alone(self, pytester):
        pytester.makepyfile(
            app="LIMIT = 3\ndef handler(event, context): return LIMIT",
            test_it="""
                import pytest
                import app
                from pytest_lambda_lifecycle import LifecycleError

                def test_first(lambda_lifecycle):
                    lambda_lifecycle("app.handler").invoke()

                def test_second(request, monkeypatch):
                    assert request.getfixturevalue("lambda_lifecycle")("app.handler").invoke().payload == 3

                def test_third(request, monkeypatch):
                    monkeypatch.setattr(app, "LIMIT", 5)
                    with pytest.raises(LifecycleError, match="app.LIMIT was patched before"):
                        request.getfixturevalue("lambda_lifecycle")("app.handler").invoke()

                def test_fourth(request):
                    request.getfixturevalue("session_lambda_lifecycle")("app.handler").invoke()
            """,
        )
        pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=4)

    def test_lazy_objects_in_a_module_are_left_asleep(self, pytester):
        pytester.makepyfile(
            app="""
                class Lazy:
                    @property
                    def __class__(self): raise RuntimeError("woken")
                table = Lazy()
                def handler(event, context): return 1
            """,
            test_it="""
                from unittest import mock
                import app
                def test_it(lambda_lifecycle): assert lambda_lifecycle("app.handler").invoke().payload == 1
            """,
        )
        pytester.runpytest().assert_outcomes(passed=1)

    def test_a_patch_after_init_acts_on_the_environment(self, pytester):
        pytester.makepyfile(
            app="""
                def connect(): return "real"
                def handler(event, context): return connect()
            """,
            test_it="""
                from unittest import mock
                import app

                def test_it(lambda_lifecycle, monkeypatch):
                    env = lambda_lifecycle("app.handler")
                    env.initialize()
                    with mock.patch("app.connect", return_value="mock"):
                        assert env.invoke().payload == "mock"
                    monkeypatch.setattr("app.connect", lambda: "monkey")
                    assert env.invoke().payload == "monkey"
                    assert app.connect() == "real"
            """,
        )
        pytester.runpytest().assert_outcomes(passed=1)


def test_every_fixture_has_a_short_first_line(suite):
    result = suite.runpytest("--fixtures")
    lines = result.outlines
    for name in ("", "class_", "module_", "session_"):
        index = next(
            i for i, line in enumerate(lines) if line.split(" ")[0] == f"{name}lambda_lifecycle"
        )
        assert lines[index + 1].strip().startswith("Call it to make a Lambda environment")
        assert len(lines[index + 1].strip()) <= 80
    assert any(line.startswith("lambda_lifecycle_config [session scope]") for line in lines)


def test_asked_for_by_name_at_run_time(suite):
    suite.makepyfile(
        """
        def test_it(request):
            assert request.getfixturevalue("lambda_lifecycle")("app.handler").invoke().cold_start
        """
    )
    suite.runpytest().assert_outcomes(passed=1)


def test_without_the_terminal_plugin(suite):
    suite.makepyfile(
        "def test_it(lambda_lifecycle): assert lambda_lifecycle('app.handler').invoke().cold_start"
    )
    assert suite.runpytest("-p", "no:terminal").ret == 0


class TestLevelsOfLoggers:
    """`caplog` and the like belong to the test, whenever they begin and end; no later test sees
    anything of them.
    """

    FUNCTION = """
        import logging
        logging.getLogger("named").setLevel("ERROR")
        logging.root.setLevel("INFO")
        def handler(event, context):
            logging.debug("quiet")
            return [logging.root.level, logging.getLogger("named").level]
    """
    WITNESS = """
        import logging, pytest
        @pytest.fixture
        def env(lambda_lifecycle): return lambda_lifecycle("app.handler")
        @pytest.fixture(scope="session")
        def shared(session_lambda_lifecycle): return session_lambda_lifecycle("app.handler")
        @pytest.fixture(autouse=True, scope="session")
        def late():
            before = logging.root.level, logging.getLogger("named").level
            yield
            assert before == (logging.root.level, logging.getLogger("named").level)
        def pytest_runtest_logfinish():
            levels = logging.root.level, logging.getLogger("named").level
            if levels != (30, 0) or logging.Logger.setLevel.__module__ != "logging": print("LEAK", *levels)
    """

    @pytest.mark.parametrize(
        "test",
        [
            "(env, caplog):\n    with caplog.at_level('DEBUG'): env.invoke({})",
            "(env, caplog):\n    with caplog.at_level('DEBUG', 'named'): env.invoke({})",
            "(env, caplog):\n    caplog.set_level('DEBUG'); env.invoke({})",
            "(caplog, env):\n    caplog.set_level('DEBUG'); caplog.set_level('DEBUG', 'named'); env.invoke({})",
            "(caplog, env):\n    env.invoke({}); caplog.set_level('DEBUG'); env.invoke({})\n"
            "    assert caplog.messages == ['quiet']",
            "(env, caplog):\n    env.invoke({}); caplog.set_level('DEBUG'); caplog.set_level('DEBUG', 'named')\n"
            "    assert env.invoke({}).payload == [10, 10]",
            "(caplog, env):\n    env.invoke({}); caplog.set_level('DEBUG'); env.close()\n"
            "    assert logging.root.level == 10",
            "(env, caplog):\n    env.invoke({})\n    with caplog.at_level('DEBUG'): env.invoke({})\n"
            "    assert env.invoke({}).payload == [20, 40]",
            "(env, caplog, monkeypatch):\n    env.invoke({}); caplog.set_level('DEBUG'); env.reset(); env.invoke({})",
            "(shared, caplog):\n    caplog.set_level('DEBUG'); shared.invoke({}); caplog.set_level('DEBUG')\n"
            "    assert shared.invoke({}).payload == [10, 40]",
            "(shared, deep):\n    assert shared.invoke({}).payload == [10, 40]",
            "(shared, caplog):\n    assert shared.invoke({}).payload == [20, 40]",
        ],
    )
    def test_nothing_stays(self, pytester, test):
        pytester.makepyfile(app=self.FUNCTION)
        pytester.makeconftest(self.WITNESS)
        pytester.makepyfile(
            "import logging, pytest\n"
            "@pytest.fixture\n"
            "def deep(shared, caplog): shared.invoke({}); caplog.set_level('DEBUG')\n"
            f"def test_first{test}\n"
            "def test_second(): assert (logging.root.level, logging.getLogger('named').level) == (30, 0)\n"
            "def test_third(shared): assert shared.invoke({}).payload == [20, 40]\n"
        )
        result = pytester.runpytest_subprocess("-q", "-s", "-p", "no:randomly")
        result.assert_outcomes(passed=3)
        result.stdout.no_fnmatch_line("*LEAK*")
