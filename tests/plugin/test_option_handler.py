"""The option ``handler``: the handler of a suite whose tests are all about one function."""

import pytest

from .option_checks import check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    option_suite.makepyfile(test_suite=SHOWS, app=APP)
    check_ini_option(option_suite, monkeypatch, "handler", "app.handler", "app.handler")


def test_on_the_command_line(option_suite, monkeypatch):
    option_suite.makepyfile(test_suite=SHOWS, app=APP)
    check_command_line(option_suite, monkeypatch, "handler", "app.handler", "app.handler")


APP = """
    def handler(event, context): return "handler"
    def other(event, context): return "other"
"""
SHOWS = """
    import os
    def test_shows(lambda_lifecycle):
        config = lambda_lifecycle().config
        print(f"<{config.handler!r} from {config.source_of('handler')}>")
"""


def test_markers_and_calls_win_over_it(pytester):
    pytester.makeini("[pytest]\nlambda_lifecycle_handler = app.handler")
    pytester.makepyfile(
        app=APP,
        test_it="""
            import pytest
            def test_of_the_suite(session_lambda_lifecycle, lambda_lifecycle):
                assert session_lambda_lifecycle().invoke().payload == "handler"
                assert lambda_lifecycle().invoke().payload == "handler"
            def test_of_the_call(lambda_lifecycle):
                assert lambda_lifecycle("app.other").invoke().payload == "other"
            @pytest.mark.lambda_lifecycle("app.other")
            def test_of_the_marker(lambda_lifecycle):
                assert lambda_lifecycle(timeout=5).invoke().payload == "other"
        """,
    )
    pytester.runpytest("--strict-markers").assert_outcomes(passed=3)


@pytest.mark.parametrize("text", ["nothing.handler", "app:handler"])
def test_one_that_does_not_exist_names_the_option(pytester, text):
    pytester.makepyfile(app=APP, test_it="def test_it(lambda_lifecycle): lambda_lifecycle()")
    result = pytester.runpytest(f"--lambda-lifecycle-handler={text}")
    if text == "nothing.handler":
        result.stdout.fnmatch_lines(["*(from --lambda-lifecycle-handler)*"])
    else:
        result.assert_outcomes(passed=1)  # the runtime has its own error for it, in Init
