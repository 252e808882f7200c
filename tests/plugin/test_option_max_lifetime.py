"""The option ``max_lifetime``: seconds until environments are recycled."""

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "max_lifetime", "7200.5", 7200.5)


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "max_lifetime", "7200.5", 7200.5)


def test_a_bad_value_ends_the_run(option_suite):
    message = "max_lifetime=nan has to be a number of seconds above 0"
    check_bad_value(option_suite, "max_lifetime", "nan", message)
