"""The option ``section``: how much the report of a failed test shows, and what it takes over."""

import re

import pytest

TITLE = "Lambda lifecycle"
APP = """
    import logging, sys
    print("module level")
    def handler(event, context):
        for number in range(40): print(f"line {number}")
        print("to stderr", file=sys.stderr)
        logging.warning("a record of %s\\nwith two lines", "mine")
"""
FAILS = """
    import logging
    def test_it(lambda_lifecycle):
        print("line 39")
        print("of the test")
        logging.warning("a record of the test")
        lambda_lifecycle("app.handler").invoke()
        assert False
    def test_passes(lambda_lifecycle):
        lambda_lifecycle("app.handler").invoke()
"""


@pytest.fixture
def suite(pytester):
    pytester.makepyfile(app=APP, test_it=FAILS)
    return pytester


def counts(text):
    words = ["line 3\n", "line 38\n", "to stderr", "a record of mine", "with two lines"]
    return [text.count(word) for word in words]


def run(suite, *arguments):
    result = suite.runpytest_subprocess("-p", "no:randomly", *arguments)
    result.assert_outcomes(passed=1, failed=1)
    return result.stdout.str()


def test_each_line_of_the_function_stands_once(suite):
    text = run(suite)
    assert TITLE in text
    assert "lines before these" in text
    assert counts(text) == [1, 1, 1, 1, 1]
    assert text.count("module level") == 1  # pytest's own section has it: ours is too short
    assert "of the test" in text
    assert "a record of the test" in text
    assert text.count("line 39\n") == 2  # of the test, and of the function


@pytest.mark.parametrize("arguments", [["-vv"], ["--lambda-lifecycle-section=full"]])
def test_all_of_it(suite, arguments):
    text = run(suite, *arguments)
    assert "lines before these" not in text
    assert counts(text) == [1, 1, 1, 1, 1]
    captured = text.partition("Captured stdout call")[2]
    assert "line 3\n" not in captured
    assert "of the test" in captured


def test_off(suite):
    text = run(suite, "--lambda-lifecycle-section", "off")
    assert TITLE not in text
    assert counts(text)[:3] == [1, 1, 1]


def test_the_ini_file_and_short_with_verbose_output(suite):
    suite.makeini("[pytest]\nlambda_lifecycle_section = short")
    text = run(suite, "-vv")
    assert "lambda_lifecycle: section=short" in text
    assert "lines before these" in text


@pytest.mark.parametrize("letters", ["-rA", "-rP"])
def test_passed_tests_are_shown_where_pytest_shows_their_output(suite, letters):
    text = run(suite, letters)
    passes = re.split(r"=+ PASSES =+", text)[1]
    assert TITLE in passes
    assert counts(passes) == [1, 1, 1, 1, 1]
    text = run(suite, letters, "--lambda-lifecycle-section=off")
    assert TITLE not in re.split(r"=+ PASSES =+", text)[1]


def test_under_xdist(suite):
    assert counts(run(suite, "-p", "xdist", "-n1")) == [1, 1, 1, 1, 1]


def test_output_that_capsys_has_read_is_left_alone(pytester):
    pytester.makepyfile(
        app=APP,
        test_it="""
            def test_it(lambda_lifecycle, capsys, caplog):
                lambda_lifecycle("app.handler").invoke()
                assert "line 38" in capsys.readouterr().out
                assert len(caplog.messages) == 1
                assert False
            def test_passes(): pass
        """,
    )
    assert counts(run(pytester, "-vv")) == [1, 1, 1, 1, 1]


def test_logs_of_init_in_a_fixture(pytester):
    pytester.makepyfile(
        app="import logging\nlogging.warning('in init')\ndef handler(event, context): pass\n",
        test_it="""
            import pytest
            @pytest.fixture
            def env(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                env.initialize()
                return env
            def test_it(env): assert False
            def test_passes(): pass
        """,
    )
    assert run(pytester).count("in init") == 1


def test_a_bad_value_ends_the_run(pytester):
    flag = "--lambda-lifecycle-section"
    result = pytester.runpytest(f"{flag}=none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{flag}: 'none' is not one of short, full, off" in result.stderr.str()
    pytester.makeini("[pytest]\nlambda_lifecycle_section = none")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ini option lambda_lifecycle_section in tox.ini: 'none'" in result.stderr.str()


def test_the_traceback_of_a_failing_import_has_frames_of_the_function_alone(pytester):
    pytester.makepyfile(
        app="import helper\n",
        helper="import not_there\n",
        test_it="""
            def test_it(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke()
        """,
    )
    text = pytester.runpytest("-p", "no:logging").stdout.str()
    assert "importlib" not in text
    assert "pytest_lambda_lifecycle/" not in text
    shown = re.findall(r"^(\w+\.py):\d+: ", text, re.MULTILINE)
    assert shown == ["app.py", "helper.py", "test_it.py"]
    assert text.count("LAMBDA_WARNING") == 2
