"""The option ``runtime``: the identifier of the runtime in the functions' variables."""

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "runtime", "python3.12", "python3.12")


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "runtime", "python3.12", "python3.12")


def test_a_bad_value_ends_the_run(option_suite):
    message = "runtime='python2.7' is not one of 'python3.10'"
    check_bad_value(option_suite, "runtime", "python2.7", message)
