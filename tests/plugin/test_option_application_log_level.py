"""The option ``application_log_level``: the lowest level that functions log."""

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "application_log_level", "DEBUG", "DEBUG")


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "application_log_level", "DEBUG", "DEBUG")


def test_a_bad_value_ends_the_run(option_suite):
    message = "'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'"
    check_bad_value(option_suite, "application_log_level", "LOUD", message)
