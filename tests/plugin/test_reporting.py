"""The section "Lambda lifecycle" of a failed test, tracebacks, and comparisons."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

TITLE = "Lambda lifecycle"


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(
        app="""
            print("module level")

            def fail(depth):
                secret = "needle"
                if depth:
                    fail(depth - 1)
                raise ValueError("boom")

            def handler(event, context):
                print("got", event)
                if event == "boom":
                    fail(1)
                return event
        """
    )
    return pytester


FAILING = """
    def test_fails(lambda_lifecycle):
        env = lambda_lifecycle("app.handler", timeout=7, memory_size=256)
        env.invoke(1)
        env.invoke("boom")
"""


class TestSection:
    def test_the_section_shows_phases_and_the_log(self, suite):
        suite.makepyfile(test_it=FAILING)
        result = suite.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                f"*- {TITLE} -*",
                "app.handler (function, python3.*, 256 MB, timeout 7 s), made at test_it.py:2",
                "*ms  Init (on-demand)",
                "*ms  Init ended: success, * ms",
                "*ms  Invoke (cold): request *",
                "*ms  Invoke (warm): request *",
                "*ms *error ValueError",
                "log:",
                "  module level",
                "  got 1",
                "  REPORT RequestId: *Init Duration: *",
                "repeat the random numbers: --lambda-lifecycle-seed=*",
            ]
        )

    def test_the_traceback_hides_the_library(self, suite):
        suite.makepyfile(test_it=FAILING)
        text = suite.runpytest("-p", "no:logging").stdout.str()
        before, _, _ = text.partition(TITLE)
        assert "app.py:7: ValueError" in before
        assert "test_it.py:4: FunctionError" in before
        assert "env.invoke" in before
        assert "pytest_lambda_lifecycle/" not in before

    @pytest.mark.parametrize(
        "misuse",
        [
            "env.invoke({1, 2})",
            "env.shutdown(); env.invoke()",
            "env.shutdown(); env.spy('app.handler')",
            "env.spy('app')",
            "env.spy('nowhere.connect')",
            "env.spy('app.nothing'); env.invoke()",
            "env.spy('json.nothing')",
            "env.patch('app.nothing', 1); env.invoke()",
            "env.invoke(1); env.spy('app.nothing')",
            "env.invoke(1); env.assert_reused('app.nothing')",
            "env.invoke(1); env.assert_init_only('app.fail')",
            "env.assert_no_network()",
            "env.assert_calls('init')",
        ],
    )
    @pytest.mark.parametrize("style", ["long", "short", "line"])
    def test_the_traceback_of_misuse_ends_at_the_test(self, suite, misuse, style):
        suite.makepyfile(
            test_it="def test_it(lambda_lifecycle):\n"
            f"    env = lambda_lifecycle('app.handler')\n    {misuse}"
        )
        text = suite.runpytest(f"--tb={style}", "-p", "no:logging").stdout.str()
        # An error of Init is raised below frames of importlib.
        raised_by_init = "nothing" in misuse and "env.invoke()" in misuse
        assert "test_it.py:3: " in text or (style == "line" and raised_by_init)
        assert "Error: cannot " in text.replace("InvalidTransition", "Error")
        assert "pytest_lambda_lifecycle/" not in text

    @pytest.mark.parametrize(
        "assertion",
        [
            "assert_init_only('boto3.client')",
            "assert_calls('invoke', 's3.GetObject')",
            "assert_reused('app.fail')",
        ],
    )
    def test_the_traceback_of_an_assertion_ends_at_the_test(self, suite, assertion):
        suite.makepyfile(
            test_it="def test_it(lambda_lifecycle):\n"
            "    env = lambda_lifecycle('app.handler')\n"
            f"    env.invoke(1); env.module.fail = None; env.{assertion}"
        )
        result = suite.runpytest("-p", "no:logging")
        result.stdout.fnmatch_lines(["E  * AssertionError: *", "test_it.py:3: AssertionError"])
        assert "pytest_lambda_lifecycle/" not in result.stdout.str()

    @pytest.mark.parametrize(
        ("phase", "where"),
        [("setup", "ERROR at setup"), ("teardown", "ERROR at teardown")],
    )
    def test_failures_of_setup_and_teardown_have_the_section(self, suite, phase, where):
        suite.makepyfile(
            f"""
            import pytest

            @pytest.fixture
            def env(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                env.invoke("{phase}")
                {"assert False" if phase == "setup" else "yield; assert False"}

            def test_it(env):
                pass
            """
        )
        result = suite.runpytest()
        result.stdout.fnmatch_lines(
            [f"*{where} of test_it*", f"*- {TITLE} -*", "app.handler (*", f"  got {phase}"]
        )

    def test_a_closed_environment_is_shown_at_teardown(self, suite):
        suite.makepyfile(
            """
            import pytest

            @pytest.fixture
            def outer():
                yield
                assert False

            def test_it(outer, lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke(1)
            """
        )
        suite.runpytest().stdout.fnmatch_lines([f"*- {TITLE} -*", "*Shutdown (spindown)*"])

    @pytest.mark.parametrize(
        "test",
        [
            "def test_it(): assert False",
            "def test_it(lambda_lifecycle): assert False",
            "import pytest\n"
            "def test_it(lambda_lifecycle):\n"
            "    lambda_lifecycle('app.handler').invoke(); pytest.skip()",
            "import pytest\n@pytest.mark.xfail\n"
            "def test_it(lambda_lifecycle): lambda_lifecycle('app.handler').invoke('boom')",
        ],
    )
    def test_without_failure_or_environment_there_is_no_section(self, suite, test):
        suite.makepyfile(test)
        assert TITLE not in suite.runpytest("-rA").stdout.str()

    def test_the_section_has_only_events_of_the_failed_test(self, suite):
        suite.makepyfile(
            """
            import pytest

            @pytest.fixture(scope="session")
            def env(session_lambda_lifecycle):
                return session_lambda_lifecycle("app.handler")

            def test_first(env):
                env.invoke("first")

            def test_second(env):
                env.invoke("second")
                assert False

            def test_third():
                assert False
            """
        )
        result = suite.runpytest()
        result.assert_outcomes(passed=1, failed=2)
        text = result.stdout.str()
        assert text.count(f"- {TITLE} -") == 1
        section = text.partition(TITLE)[2].partition("test_third")[0]
        assert "events of earlier tests are not shown" in section
        assert "got second" in section
        assert "got first" not in section

    def test_each_environment_has_its_part(self, suite):
        suite.makepyfile(
            """
            def test_it(lambda_lifecycle):
                for name in ("one", "two"):
                    lambda_lifecycle("app.handler", function_name=name).invoke(name)
                assert False
            """
        )
        suite.runpytest().stdout.fnmatch_lines(
            ["app.handler (one, *", "  got one", "app.handler (two, *", "  got two"]
        )

    def test_an_environment_without_a_phase(self, suite):
        suite.makepyfile(
            "def test_it(lambda_lifecycle): lambda_lifecycle('app.handler'); assert False"
        )
        suite.runpytest().stdout.fnmatch_lines(["app.handler (*", "  no phase has run"])

    def test_long_sections_are_shortened(self, suite):
        suite.makepyfile(
            """
            def test_it(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                for n in range(100):
                    env.invoke(n)
                assert False
            """
        )
        result = suite.runpytest("--show-capture=no")
        result.stdout.fnmatch_lines(["*lines left out)", "*lines before these)", "  got 99"])
        assert "got 50" not in result.stdout.str()
        assert len(result.outlines) < 130

    def test_calls_stand_between_start_and_end_and_a_run_of_equal_ones_is_one_line(self, suite):
        suite.makepyfile(
            app="""
                import requests
                def handler(event, context):
                    requests.get("https://config.example/v1?api_key=needle")
                    for number in range(200):
                        print("page", number)
                        requests.get("https://pages.example/")
            """,
            test_it="""
                import responses
                def test_fails(lambda_lifecycle):
                    with responses.RequestsMock() as mocked:
                        mocked.get("https://config.example/v1")
                        mocked.get("https://pages.example/", status=404)
                        lambda_lifecycle("app.handler").invoke()
                    assert False
            """,
        )
        result = suite.runpytest_subprocess("--show-capture=no")
        result.stdout.fnmatch_lines(
            [
                "*ms  Invoke (cold): request *",
                "*ms    GET https://config.example/v1?api_key=[*][*][*]: 200 (mocked), at app.py:3",
                "*ms    GET https://pages.example/: 404 (mocked), at app.py:6   x 200",
                "*ms    runtime done: success",
                "*ms  Invoke ended: *",
            ],
            consecutive=True,
        )
        assert "needle" not in result.stdout.str()

    def test_pytest_fail_without_traceback_has_the_section(self, suite):
        suite.makepyfile(
            """
            import pytest
            def test_it(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke(1)
                pytest.fail("plainly", pytrace=False)
            """
        )
        suite.runpytest().stdout.fnmatch_lines(["plainly", f"*- {TITLE} -*", "  got 1"])

    @pytest.mark.parametrize("style", ["short", "long", "line", "native", "no"])
    def test_traceback_styles(self, suite, style):
        suite.makepyfile(test_it=FAILING)
        suite.runpytest(f"--tb={style}").assert_outcomes(failed=1)

    @pytest.mark.parametrize("workers", ["", "2"])
    @pytest.mark.parametrize("statement", ["raise RuntimeError", r"return 'caf\udce9'"])
    def test_a_repr_of_function_code_does_not_end_the_run(self, pytester, statement, workers):
        pytester.makepyfile(
            app=f"""
                class Mistake(Exception):
                    def __repr__(self): {statement}

                def help():
                    raise Mistake

                def handler(event, context):
                    try: help()
                    except Mistake: return 1
            """,
            test_it="""
                def test_fails(lambda_lifecycle):
                    env = lambda_lifecycle("app.handler")
                    env.spy("app.help")
                    assert env.invoke().payload == 2

                def test_passes(): pass
            """,
        )
        options = ["-p", "xdist", "-n", workers] if workers else []
        result = pytester.runpytest_subprocess(*options)
        result.assert_outcomes(failed=1, passed=1)
        shown = "*spy: app.help() raised <Mistake instance at *>"
        if "return" in statement:
            shown = r"*spy: app.help() raised caf\udce9"
        result.stdout.fnmatch_lines([f"*{TITLE}*", shown])


class TestReports:
    def test_junit_xml(self, suite):
        suite.makepyfile(test_it=FAILING)
        suite.runpytest("--junitxml=report.xml")
        failure = ElementTree.parse(suite.path / "report.xml").find(".//failure")
        assert TITLE in failure.text
        assert "Invoke (warm)" in failure.text

    def test_xdist(self, suite):
        pytest.importorskip("xdist")
        suite.makepyfile(test_it=FAILING)
        result = suite.runpytest("-p", "xdist", "-n", "2")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"*- {TITLE} -*", "*Invoke (warm)*", "  got 1"])

    @pytest.mark.parametrize(
        "mode",
        [
            ["-p", "no:logging"],
            ["--assert=plain"],
            ["--import-mode=importlib"],
            ["-s"],
            ["-p", "no:terminal"],
            ["-q"],
        ],
        ids=" ".join,
    )
    def test_modes_of_pytest(self, suite, mode):
        suite.makepyfile(test_it=FAILING)
        result = suite.runpytest(*mode)
        assert result.ret == 1
        assert (TITLE in result.stdout.str()) == ("no:terminal" not in mode)


class TestDebugger:
    def test_post_mortem_reaches_the_frame_of_the_handler(self, suite):
        suite.makepyfile(test_it=FAILING)
        suite.makepyfile(
            typed="""
                from pdb import Pdb

                class Typist(Pdb):
                    def interaction(self, frame, traceback=None):
                        import sys, types
                        raised = isinstance(traceback, BaseException)
                        tb = traceback.__traceback__ if raised else traceback
                        names = []
                        while tb is not None:
                            last, tb = tb, tb.tb_next
                            names.append(last.tb_frame.f_code.co_name)
                        sys.__stdout__.write("frames: " + " ".join(names) + "\\n")
                        secret = last.tb_frame.f_locals.get("secret")
                        sys.__stdout__.write(f"secret: {secret}\\n")
            """
        )
        result = suite.runpytest_subprocess(
            "--pdb", "--pdbcls=typed:Typist", "-p", "no:logging", "-s"
        )
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["frames: * test_fails *handler fail fail", "secret: needle"])

    def test_the_debugger_does_not_change_the_report(self, suite):
        suite.makepyfile(test_it=FAILING)
        result = suite.runpytest()
        result.stdout.fnmatch_lines(["test_it.py:4: FunctionError"])

    def test_other_failures_are_unchanged(self, suite):
        suite.makeconftest(
            """
            import pytest

            @pytest.hookimpl(trylast=True)
            def pytest_exception_interact(call):
                entries = [entry.name for entry in call.excinfo.traceback]
                print("last frame:", entries[-1])
            """
        )
        suite.makepyfile(
            """
            def test_it(lambda_lifecycle):
                try:
                    lambda_lifecycle("app.handler").invoke("boom")
                except Exception as error:
                    raise RuntimeError("mine") from error
            """
        )
        suite.runpytest("-s").stdout.fnmatch_lines(["*last frame: test_it"])


class TestComparisons:
    def compare(self, suite, expression, *arguments):
        suite.makepyfile(
            f"""
            def test_it(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                env.invoke(1)
                env.invoke(2)
                assert {expression}
            """
        )
        result = suite.runpytest(*arguments)
        result.assert_outcomes(failed=1)
        return result.stdout

    def test_phases_against_a_list_of_names(self, suite):
        self.compare(suite, "env.phases == ['init', 'invoke', 'shutdown']").fnmatch_lines(
            [
                "E*assert phases == expected",
                "E*At index 2: invoke (warm, success), not shutdown",
                "E*actual * expected",
                "E * 1  invoke (cold, success) * invoke",
                "E*> * 2  invoke (warm, success) * shutdown",
            ]
        )

    def test_a_timeline_against_a_list(self, suite):
        self.compare(suite, "env.timeline == ['init_start', 'invoke_start']").fnmatch_lines(
            [
                "E*assert timeline == expected",
                "E*At index 1: *, not invoke_start",
                "E*> * 1 *",
                "E*more; -vv shows all)",
            ]
        )

    def test_a_longer_and_a_shorter_side(self, suite):
        self.compare(suite, "env.phases == ['init', 'invoke']").fnmatch_lines(
            [
                "E*The actual side goes on where the expected side ends, at index 2, "
                "with invoke (warm, success)"
            ]
        )
        self.compare(suite, "env.phases == ['init', 'invoke', 'invoke', 'reset']").fnmatch_lines(
            ["E*The expected side goes on where the actual side ends, at index 3, with reset"]
        )

    def test_the_timeline_on_the_right(self, suite):
        self.compare(suite, "[] == env.timeline").fnmatch_lines(["E*assert expected == timeline"])

    def test_event_classes(self, suite):
        self.compare(
            suite, "env.timeline == [__import__('pytest_lambda_lifecycle').Reset]"
        ).fnmatch_lines(["E*At index 0: init_start, not Reset"])

    def test_verbose_shows_everything(self, suite):
        text = self.compare(suite, "env.timeline == ['x']", "-vv").str()
        assert "more; -vv shows all" not in text
        assert text.count("  invoke_report ") >= 2

    def test_comparison_with_another_type(self, suite):
        self.compare(suite, "env.phases == 3").fnmatch_lines(
            ["E*phases can be compared with a list, not with int: 3"]
        )

    def test_other_values_are_explained_by_pytest(self, suite):
        text = self.compare(suite, "[1, 2] == [1, 3]").str()
        assert "At index 1 diff: 2 != 3" in text
