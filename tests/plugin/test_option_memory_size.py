"""The option ``memory_size``: MB that context and REPORT line show."""

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "memory_size", "512", 512)


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "memory_size", "512", 512)


def test_a_bad_value_ends_the_run(option_suite):
    message = "memory_size=64 MB is outside Lambda's range 128..10240 MB"
    check_bad_value(option_suite, "memory_size", "64", message)
