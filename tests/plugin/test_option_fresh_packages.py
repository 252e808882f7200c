"""The option ``fresh_packages``: shared packages that each cold start imports afresh."""

from .option_checks import check_bad_value, shown


def test_in_the_ini_file_and_on_the_command_line(option_suite, monkeypatch):
    option_suite.makeini("[pytest]\nlambda_lifecycle_fresh_packages = colorsys xml.dom")
    assert "<('colorsys', 'xml.dom') from ini" in shown(option_suite, monkeypatch, "fresh_packages")
    line = shown(
        option_suite, monkeypatch, "fresh_packages", "--lambda-lifecycle-fresh-packages", "*"
    )
    assert "<('*',) from --lambda-lifecycle-fresh-packages>" in line


def test_a_bad_value_ends_the_run(option_suite):
    check_bad_value(option_suite, "fresh_packages", "a-b", "did you mean 'a_b'")
