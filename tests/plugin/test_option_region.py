"""The option ``region``: the AWS region of the functions."""

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "region", "eu-west-1", "eu-west-1")


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "region", "eu-west-1", "eu-west-1")


def test_a_bad_value_ends_the_run(option_suite):
    message = "region='mars' has to be the name of a region"
    check_bad_value(option_suite, "region", "mars", message)
