"""The option ``max_http_calls``: HTTP requests that an invoke may make in a test."""

from .option_checks import check_bad_value, check_command_line, check_ini_option, shown


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "max_http_calls", "0", 0)


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "max_http_calls", "3", 3)


def test_none_on_the_command_line_lifts_the_limit_of_the_ini_file(option_suite, monkeypatch):
    option_suite.makeini("[pytest]\nlambda_lifecycle_max_http_calls = 3")
    flag = "--lambda-lifecycle-max-http-calls"
    assert f"<None from {flag}>" in shown(
        option_suite, monkeypatch, "max_http_calls", f"{flag}=None"
    )


def test_a_bad_value_ends_the_run(option_suite):
    message = "max_http_calls=-1 has to be a whole number, 0 or more, or None for no limit"
    check_bad_value(option_suite, "max_http_calls", "-1", message)
