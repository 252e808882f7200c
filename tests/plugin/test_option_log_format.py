"""The option ``log_format``: Text or JSON."""

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "log_format", "JSON", "JSON")


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "log_format", "JSON", "JSON")


def test_a_bad_value_ends_the_run(option_suite):
    message = "did you mean 'JSON'"
    check_bad_value(option_suite, "log_format", "json", message)
