"""The hooks, implemented in a conftest file as in a suite."""

from __future__ import annotations

import inspect

import pytest

from pytest_lambda_lifecycle.plugin import hookspecs


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(
        app="""
            def handler(event, context):
                print("got", event)
                if event == "boom":
                    raise ValueError("boom")
                return event
        """
    )
    return pytester


class TestConfig:
    def test_settings_of_the_hook_win_over_the_fixture_and_not_over_the_marker(self, suite):
        suite.makeini("[pytest]\nlambda_lifecycle_region = eu-west-1")
        suite.makeconftest(
            """
            def pytest_lambda_lifecycle_config(request, settings):
                print("settings", dict(settings))
                if settings["handler"] == "app.handler":
                    return {"function_name": request.node.name, "timeout": 9, "memory_size": 1024}
            """
        )
        suite.makepyfile(
            """
            import pytest

            @pytest.mark.lambda_lifecycle(timeout=4)
            def test_it(lambda_lifecycle):
                config = lambda_lifecycle("app.handler", environment={"STAGE": "test"}).config
                assert (config.function_name, config.timeout) == ("test_it", 4)
                assert config.memory_size == 1024
                source = config.source_of("memory_size")
                assert source == "hook pytest_lambda_lifecycle_config of conftest.py"
            """
        )
        result = suite.runpytest("-s")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(
            [
                "*settings {'region': 'eu-west-1', 'timeout': 4, 'handler': 'app.handler', "
                "'environment': *"
            ]
        )

    def test_the_nearest_conftest_wins(self, suite):
        hook = "def pytest_lambda_lifecycle_config():\n    return {'timeout': %d, '%s': %d}\n"
        suite.makeconftest(hook % (5, "memory_size", 500))
        for name, timeout in (("near", 6), ("other", 7)):
            folder = suite.mkdir(name)
            (folder / "conftest.py").write_text(hook % (timeout, "ephemeral_storage", 600))
        (suite.path / "near" / "test_near.py").write_text(
            "def test_it(lambda_lifecycle):\n"
            "    config = lambda_lifecycle('app.handler').config\n"
            "    assert (config.timeout, config.memory_size) == (6, 500)\n"
            "    assert config.ephemeral_storage == 600\n"
            "    source = config.source_of('timeout')\n"
            "    assert source.endswith('of conftest.py and near/conftest.py')\n"
        )
        (suite.path / "test_above.py").write_text(
            "def test_it(lambda_lifecycle):\n"
            "    assert lambda_lifecycle('app.handler').config.timeout == 5\n"
        )
        suite.runpytest().assert_outcomes(passed=2)

    @pytest.mark.parametrize(
        ("returned", "message"),
        [
            ("{'memory': 3}", "unknown setting 'memory': did you mean 'memory_size'?"),
            ("{'timeout': 0}", "timeout=0 s is outside Lambda's range 1..1800 s"),
            ("[1]", "has to return a mapping of settings, not [[]1]"),
        ],
    )
    def test_wrong_settings_name_the_hook(self, suite, returned, message):
        suite.makeconftest(f"def pytest_lambda_lifecycle_config(): return {returned}")
        suite.makepyfile("def test_it(lambda_lifecycle): lambda_lifecycle('app.handler')")
        result = suite.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"E*ConfigError: *{message}*"])
        result.stdout.fnmatch_lines(["E*hook pytest_lambda_lifecycle_config of conftest.py*"])


class TestEnvironment:
    def test_the_hook_is_called_for_each_environment_before_its_first_phase(self, suite):
        suite.makeconftest(
            """
            made = []
            def pytest_lambda_lifecycle_environment(environment, request):
                assert environment.state == "new"
                environment.patch("app.print", lambda *args: None)
                made.append((environment, request.node.name))
            """
        )
        suite.makepyfile(
            app="""
                import builtins
                print = builtins.print
                def handler(event, context): print("loud")
            """,
            test_it="""
                import conftest

                def test_it(lambda_lifecycle, module_lambda_lifecycle, capsys):
                    first = lambda_lifecycle("app.handler")
                    second = module_lambda_lifecycle("app.handler")
                    first.invoke()
                    second.invoke()
                    assert conftest.made == [(first, "test_it"), (second, "test_it.py")]
                    assert capsys.readouterr().out == ""
            """,
        )
        suite.runpytest().assert_outcomes(passed=1)


class TestInvoke:
    def test_a_wrapper_runs_around_each_invoke(self, suite):
        suite.makeconftest(
            """
            import pytest
            seen = []

            @pytest.hookimpl(wrapper=True)
            def pytest_lambda_lifecycle_invoke(environment, event):
                seen.append(event)
                invocation = yield
                seen.append(invocation.status)
                return invocation
            """
        )
        suite.makepyfile(
            """
            import conftest, pytest
            from pytest_lambda_lifecycle import FunctionError

            def test_it(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                assert env.invoke({"id": 1}).payload == {"id": 1}
                with pytest.raises(FunctionError, match="boom"):
                    env.invoke("boom")
                assert env.invoke("boom", check=False).status == "error"
                assert conftest.seen == [{"id": 1}, "success", "boom", "error", "boom", "error"]
            """
        )
        suite.runpytest().assert_outcomes(passed=1)

    def test_the_first_result_counts(self, suite):
        suite.makeconftest(
            """
            def pytest_lambda_lifecycle_invoke(environment, event, proceed):
                if event == "twice":
                    proceed()
                    return proceed()
            """
        )
        suite.makepyfile(
            """
            def test_it(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                assert env.invoke("once").payload == "once"
                assert env.invoke("twice").payload == "twice"
                assert len(env.invocations) == 3
            """
        )
        suite.runpytest().assert_outcomes(passed=1)

    def test_a_wrapper_that_returns_nothing_is_an_error(self, suite):
        suite.makeconftest(
            """
            import pytest

            @pytest.hookimpl(wrapper=True)
            def pytest_lambda_lifecycle_invoke():
                yield
            """
        )
        suite.makepyfile("def test_it(lambda_lifecycle): lambda_lifecycle('app.handler').invoke()")
        result = suite.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "E*LifecycleError: no implementation of the hook * returned an Invocation",
                "*A wrapper has to return the value that `yield` gave it. ?LLC701?",
            ]
        )

    def test_an_assertion_of_a_wrapper_fails_the_test(self, suite):
        suite.makeconftest(
            """
            import pytest

            @pytest.hookimpl(wrapper=True)
            def pytest_lambda_lifecycle_invoke(event):
                invocation = yield
                assert invocation.payload != event, "echo"
                return invocation
            """
        )
        suite.makepyfile("def test_it(lambda_lifecycle): lambda_lifecycle('app.handler').invoke(1)")
        result = suite.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["E*AssertionError: echo"])

    def test_without_an_implementation_the_hook_is_not_called(self, suite):
        suite.makepyfile(
            """
            def test_it(lambda_lifecycle):
                assert lambda_lifecycle("app.handler")._around_invoke is None
            """
        )
        suite.runpytest().assert_outcomes(passed=1)


class TestEvent:
    def test_the_hook_gets_each_event_as_it_happens(self, suite):
        suite.makeconftest(
            """
            import sys
            seen = []
            def pytest_lambda_lifecycle_event(environment, event):
                assert environment.timeline[-1] is event
                seen.append(event.name)
                print("observing", event.name)
                print("observing", event.name, file=sys.stderr)
            """
        )
        suite.makepyfile(
            """
            import conftest

            def test_it(lambda_lifecycle, capsys):
                env = lambda_lifecycle("app.handler")
                env.invoke(1)
                env.shutdown()
                assert conftest.seen == env.timeline.names
                expected = {"invoke_start", "function_log", "invoke_report", "shutdown_report"}
                assert expected <= set(conftest.seen)
                assert "observing" not in env.log
                printed = capsys.readouterr()
                assert "observing function_log" in printed.out
                assert "observing function_log" in printed.err
            """
        )
        suite.runpytest().assert_outcomes(passed=1)

    def test_an_exception_of_the_hook_fails_the_test(self, suite):
        suite.makeconftest(
            """
            def pytest_lambda_lifecycle_event(event):
                if event.name == "invoke_start":
                    raise KeyError("mine")
            """
        )
        suite.makepyfile("def test_it(lambda_lifecycle): lambda_lifecycle('app.handler').invoke()")
        result = suite.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "E*LifecycleError: an implementation of the hook pytest_lambda_lifecycle_event "
                "raised at*"
            ]
        )


def test_a_conftest_file_acts_on_its_directory_only(suite):
    folder = suite.mkdir("inner")
    (folder / "conftest.py").write_text(
        "seen = []\n"
        "def pytest_lambda_lifecycle_event(event): seen.append(event.name)\n"
        "def pytest_lambda_lifecycle_environment(environment): seen.append('made')\n"
    )
    (folder / "test_inner.py").write_text(
        "def test_it(lambda_lifecycle, request):\n"
        "    lambda_lifecycle('app.handler').invoke()\n"
        "    plugins = request.config.pluginmanager.get_plugins()\n"
        "    plugin = next(p for p in plugins if hasattr(p, 'seen'))\n"
        "    assert plugin.seen[0] == 'made' and 'invoke_start' in plugin.seen\n"
    )
    (suite.path / "test_outer.py").write_text(
        "def test_it(lambda_lifecycle, request):\n"
        "    plugins = request.config.pluginmanager.get_plugins()\n"
        "    plugin = next(p for p in plugins if hasattr(p, 'seen'))\n"
        "    before = list(plugin.seen)\n"
        "    lambda_lifecycle('app.handler').invoke()\n"
        "    assert plugin.seen == before\n"
    )
    suite.runpytest("inner", "test_outer.py").assert_outcomes(passed=2)


def test_a_misspelt_argument_is_refused(suite):
    suite.makeconftest("def pytest_lambda_lifecycle_event(evnt): pass")
    suite.makepyfile("def test_it(): pass")
    result = suite.runpytest()
    assert result.ret != 0
    assert "evnt" in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize(
    "name", [name for name in vars(hookspecs) if name.startswith("pytest_lambda")]
)
def test_each_hook_says_when_it_is_called_and_where_to_implement_it(name):
    text = inspect.getdoc(getattr(hookspecs, name))
    assert "Called " in text
    assert ":param " in text
    assert "Use in conftest plugins" in text
