"""The option ``max_duration_ms``: milliseconds that an invoke may take in a test."""

from .option_checks import check_bad_value, check_command_line, check_ini_option, shown


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "max_duration_ms", "5000", 5000.0)


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "max_duration_ms", "5000.5", 5000.5)


def test_none_on_the_command_line_lifts_the_limit_of_the_ini_file(option_suite, monkeypatch):
    option_suite.makeini("[pytest]\nlambda_lifecycle_max_duration_ms = 0.000001")
    flag = "--lambda-lifecycle-max-duration-ms"
    assert f"<None from {flag}>" in shown(
        option_suite, monkeypatch, "max_duration_ms", f"{flag}=None"
    )


def test_a_bad_value_ends_the_run(option_suite):
    message = "max_duration_ms=0.0 has to be a number of ms above 0"
    check_bad_value(option_suite, "max_duration_ms", "0", message)


def test_a_test_that_exceeds_it_fails(option_suite):
    option_suite.makepyfile(
        app="import time; time.sleep(0.002)\ndef handler(event, context): time.sleep(0.002)",
        test_suite="def test_it(lambda_lifecycle): lambda_lifecycle('app.handler').invoke()",
    )
    result = option_suite.runpytest("--lambda-lifecycle-max-duration-ms=1.5")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["app.handler exceeded max_duration_ms=1.5 in 1 of 1 * (from --lambda-lifecycle-*-ms)"]
    )
