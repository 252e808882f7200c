"""The option ``account_id``: the AWS account of the functions."""

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "account_id", "000000000001", "000000000001")


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "account_id", "000000000001", "000000000001")


def test_a_bad_value_ends_the_run(option_suite):
    message = "a string of 12 digits"
    check_bad_value(option_suite, "account_id", "12", message)
