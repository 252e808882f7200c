"""The option ``ephemeral_storage``: MB of /tmp."""

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "ephemeral_storage", "1024", 1024)


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "ephemeral_storage", "1024", 1024)


def test_a_bad_value_ends_the_run(option_suite):
    message = "512..10240 MB"
    check_bad_value(option_suite, "ephemeral_storage", "1", message)
