"""Settings that limit a test, checked when the test has ended: the test fails in its call phase."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

TITLE = "Lambda lifecycle"
CONFTEST = """
    import pytest
    from pytest_lambda_lifecycle.lifecycle.call_events import AwsCall

    def let_it_reach(env):
        def reach():
            place = env._parts.calls.place()
            env._conductor.timeline.append(AwsCall(*place, "dynamodb", "GetItem", status=200))
        env.patch("net.reach", reach)
        return env

    @pytest.fixture
    def make(lambda_lifecycle):
        return lambda **settings: let_it_reach(lambda_lifecycle("app.handler", **settings))
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        net="def reach(): raise NotImplementedError",
        app="""
            import net
            def load():
                pass
            def handler(event, context):
                if event == "boom":
                    raise ValueError("boom")
                for _ in range(event):
                    net.reach()
                load()
        """,
    )
    return pytester


def test_the_failure_is_one_of_the_test_with_its_text_alone(suite):
    suite.makepyfile(
        test_it="""
            import pytest

            @pytest.mark.lambda_lifecycle(max_aws_calls=1)
            def test_fails(make):
                env = make()
                env.invoke(1)
                env.invoke(37)

            def test_passes(make):
                make(max_aws_calls=1).invoke(1)
        """
    )
    result = suite.runpytest("-rfE", "-p", "no:logging")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*= FAILURES =*",
            "*_ test_fails _*",
            "app.handler exceeded max_aws_calls=1 in 1 of 2 invokes (from the marker at "
            "test_it.py:3 (test_fails))",
            "  invoke 1 (warm, request *): 37 AWS calls",
            "    dynamodb.GetItem: 200, at app.py:8   x 37",
            f"*- {TITLE} -*",
            "*ms  Init (on-demand)",
            "*ms  Invoke (cold): request *",
            "*ms    dynamodb.GetItem: 200, at app.py:8",
            "*ms    runtime done: success",
            "*ms  Invoke (warm): request *",
            "*ms    dynamodb.GetItem: 200, at app.py:8   x 37",
            "*ms    runtime done: success",
            "*ms  Invoke ended: *",
            "FAILED test_it.py::test_fails - *app.handler exceeded*",
        ],
        consecutive=False,
    )
    text = result.stdout.str()
    assert "Traceback" not in text
    assert "hidden" not in text
    assert "failure_report.py" not in text


@pytest.mark.parametrize(
    ("body", "outcomes"),
    [
        ("make(max_aws_calls=0).invoke(1)", {"failed": 1}),
        ("make(max_aws_calls=0).invoke(1); assert False, 'needle'", {"failed": 1}),
        ("make(max_aws_calls=0).invoke(1); pytest.skip('needle')", {"skipped": 1}),
        ("make(max_aws_calls=0).invoke(1); pytest.xfail('needle')", {"xfailed": 1}),
        ("make(max_aws_calls=0).invoke(0)", {"passed": 1}),
        ("env = make(max_aws_calls=0); env.invoke(1); env.close()", {"failed": 1}),
        ("with make(max_aws_calls=0) as env: env.invoke(1)", {"failed": 1}),
        (
            "with make(max_aws_calls=0) as env, pytest.raises(KeyError): env.invoke(1); {}[1]",
            {"failed": 1},
        ),
    ],
)
def test_a_test_has_one_outcome(suite, body, outcomes):
    suite.makepyfile(test_it=f"import pytest\ndef test_it(make):\n    {body}")
    result = suite.runpytest("-ra", "-p", "no:logging")
    result.assert_outcomes(**outcomes)
    text = result.stdout.str()
    if "needle" in body:
        assert "needle" in text
        assert "exceeded" not in text
    elif "failed" in outcomes:
        assert text.count("  invoke 0 (cold") == 1
        assert "execution_environment.py" not in text


@pytest.mark.parametrize(
    ("mark", "outcomes"),
    [
        ("xfail", {"xfailed": 1}),
        ("xfail(strict=True)", {"xfailed": 1}),
        ("xfail(raises=pytest.fail.Exception)", {"xfailed": 1}),
        ("xfail(raises=KeyError)", {"failed": 1}),
    ],
)
def test_an_expected_failure(suite, mark, outcomes):
    suite.makepyfile(
        test_it=f"import pytest\n@pytest.mark.{mark}\n"
        "def test_it(make): make(max_aws_calls=0).invoke(1)"
    )
    suite.runpytest().assert_outcomes(**outcomes)


def test_test_cases_of_unittest(suite):
    suite.makepyfile(
        test_it="""
            import unittest
            import pytest

            class TestIt(unittest.TestCase):
                @pytest.fixture(autouse=True)
                def _make(self, make):
                    self.env = make(max_aws_calls=0)

                def test_exceeds(self):
                    self.env.invoke(1)

                def test_fails_already(self):
                    self.env.invoke(1)
                    self.fail("needle")

                def test_passes(self):
                    self.env.invoke(0)

                @unittest.expectedFailure
                def test_expected(self):
                    self.env.invoke(1)
                    self.fail("expected")
        """
    )
    result = suite.runpytest("-p", "no:logging")
    result.assert_outcomes(failed=2, passed=1, xfailed=1)
    text = result.stdout.str()
    assert text.count("app.handler exceeded max_aws_calls=0") == 1
    assert "needle" in text


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_an_environment_of_several_tests_is_checked_for_each_test(suite, scope):
    suite.makepyfile(
        test_it=f"""
            import pytest
            from conftest import let_it_reach

            @pytest.fixture(scope="{scope}")
            def env({scope}_lambda_lifecycle):
                env = {scope}_lambda_lifecycle("app.handler", max_aws_calls=1)
                let_it_reach(env).invoke(2)
                return env

            @pytest.fixture
            def late(env):
                yield
                env.invoke(9)

            class TestIt:
                def test_is_blamed_for_the_setup_of_its_fixture(self, env):
                    env.invoke(1)

                def test_is_not_blamed_for_the_first(self, env):
                    env.invoke(1)

                def test_exceeds(self, env):
                    env.invoke(3)

                def test_fails_by_itself(self, env):
                    env.invoke(4)
                    assert False

                def test_is_not_blamed_for_the_failed_one(self, env):
                    env.invoke(0)

                def test_ends_before_its_fixture(self, env, late):
                    env.invoke(0)

                def test_is_not_blamed_for_the_teardown_of_another(self, env):
                    env.invoke(1)

                def test_does_not_use_it(self):
                    pass
        """
    )
    result = suite.runpytest("-rfp")
    result.assert_outcomes(passed=5, failed=3)
    passed = [line for line in result.outlines if line.startswith("PASSED")]
    assert [line.rpartition("::test_")[2] for line in passed] == [
        "is_not_blamed_for_the_first",
        "is_not_blamed_for_the_failed_one",
        "ends_before_its_fixture",
        "is_not_blamed_for_the_teardown_of_another",
        "does_not_use_it",
    ]
    result.stdout.fnmatch_lines(
        [
            "*exceeded max_aws_calls=1 in 1 of 2 invokes*",
            "  invoke 0 (cold, request *): 2 AWS calls",
            "*exceeded max_aws_calls=1 in 1 of 1 invoke *",
            "  invoke 3 (warm, request *): 3 AWS calls",
        ]
    )


def test_init_only_of_an_environment_of_several_tests(suite):
    suite.makepyfile(
        other="""
            from app import load, handler as once
            load()
            def handler(event, context):
                if event: once(0, context)
        """,
        test_it="""
            import pytest

            @pytest.fixture(scope="module")
            def env(module_lambda_lifecycle):
                return module_lambda_lifecycle("other.handler", init_only=["app.load"])

            def test_initializes(env):
                env.initialize()

            def test_passes(env):
                env.invoke(0)

            def test_fails(env):
                env.invoke(1)
                env.invoke(1)

            def test_passes_again(env):
                env.invoke(0)
        """,
    )
    result = suite.runpytest("-p", "no:logging")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        [
            "other.handler: app.load was called in 2 of 2 invokes, as well as in init "
            "(init_only, from the call at test_it.py:5)",
            "  init:",
            "    app.load, at other.py:2",
            "  invoke 1 (warm, request *):",
            "    app.load, at app.py:9",
            "  invoke 2 (warm, request *):",
            "    app.load, at app.py:9",
        ]
    )


def test_init_only_of_a_target_that_a_test_has_mocked(suite):
    suite.makepyfile(
        other="from app import load, handler\nload()",
        test_it="""
            from unittest import mock
            import pytest

            @pytest.fixture(scope="module")
            def env(module_lambda_lifecycle):
                env = module_lambda_lifecycle("other.handler", init_only=["app.load"])
                env.initialize()
                return env

            def test_mocks(env):
                with mock.patch.object(env.import_module("app"), "load"):
                    env.invoke(0)

            def test_is_not_blamed(env):
                with pytest.raises(Exception, match="boom"):
                    env.invoke("boom")
        """,
    )
    result = suite.runpytest("-p", "no:logging")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "other.handler: calls of app.load could not be seen: app.load had been replaced by a "
            "MagicMock when an invoke began; replace it with env.patch, whose value a spy sees "
            "(init_only, from the call at test_it.py:6)",
        ]
    )


def test_each_environment_of_a_test_is_named(suite):
    suite.makepyfile(
        other="from app import handler",
        test_it="""
            from conftest import let_it_reach
            def test_it(lambda_lifecycle):
                for handler in ("app.handler", "other.handler"):
                    let_it_reach(lambda_lifecycle(handler, max_aws_calls=0)).invoke(1)
        """,
    )
    suite.runpytest().stdout.fnmatch_lines(
        ["app.handler exceeded max_aws_calls=0 *", "other.handler exceeded max_aws_calls=0 *"]
    )


def test_the_run_stops_at_the_first_failure(suite):
    suite.makepyfile(
        test_it="""
            def test_fails(make): make(max_aws_calls=0).invoke(1)
            def test_is_not_run(make): make(max_aws_calls=0).invoke(1)
        """
    )
    result = suite.runpytest("-x")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])


def test_under_xdist(suite):
    pytest.importorskip("xdist")
    suite.makepyfile(
        test_it="""
            def test_fails(make): make(max_aws_calls=0).invoke(1)
            def test_passes(make): make(max_aws_calls=1).invoke(1)
        """
    )
    result = suite.runpytest("-p", "xdist", "-n", "2")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*exceeded max_aws_calls=0 *", f"*- {TITLE} -*"])


def test_junit_xml_has_a_failure_and_no_error(suite):
    suite.makepyfile(test_it="def test_fails(make): make(max_aws_calls=0).invoke(1)")
    suite.runpytest("--junitxml=report.xml")
    tree = ElementTree.parse(suite.path / "report.xml")
    assert tree.find(".//error") is None
    assert "exceeded max_aws_calls=0" in tree.find(".//failure").text


@pytest.mark.parametrize("style", ["auto", "short", "long", "line", "native", "no"])
def test_traceback_styles(suite, style):
    suite.makepyfile(test_it="def test_fails(make): make(max_aws_calls=0).invoke(1)")
    result = suite.runpytest(f"--tb={style}")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    if style == "line":  # before pytest 9 it shows the first line alone
        assert "exceeded max_aws_calls=0" in text
    else:
        assert ("  invoke 0 (cold, request" in text) == (style != "no")


def test_durations_are_virtual_under_lambda_clock(suite):
    suite.makepyfile(
        sleeping="import time\ndef handler(event, context): time.sleep(event)",
        test_it="""
            import pytest
            pytestmark = pytest.mark.lambda_lifecycle("sleeping.handler", max_duration_ms=1500)
            def test_fails(lambda_lifecycle, lambda_clock): lambda_lifecycle().invoke(2)
            def test_passes(lambda_lifecycle, lambda_clock): lambda_lifecycle().invoke(1.5)
        """,
    )
    result = suite.runpytest()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["  invoke 0 (cold, request *): 2000.00 ms"])


def test_the_call_wins_over_the_marker_and_the_ini_file(suite):
    suite.makeini("[pytest]\nlambda_lifecycle_max_aws_calls = 0")
    suite.makepyfile(
        test_it="""
            import pytest
            def test_by_the_ini_file(make): make().invoke(1)
            @pytest.mark.lambda_lifecycle(max_aws_calls=1)
            def test_by_the_marker(make): make().invoke(2)
            @pytest.mark.lambda_lifecycle(max_aws_calls=1)
            def test_by_the_call(make): make(max_aws_calls=None).invoke(2)
        """
    )
    result = suite.runpytest()
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*max_aws_calls=0 in 1 of 1 invoke (from ini option lambda_lifecycle_max_aws_calls in*",
            "*max_aws_calls=1 in 1 of 1 invoke (from the marker at test_it.py:*",
        ]
    )
