"""The option ``audit``: the state that each invoke changes is recorded."""

import pytest

from .option_checks import check_bad_value, check_command_line, check_ini_option


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("false", False)])
def test_in_the_ini_file(option_suite, monkeypatch, text, value):
    check_ini_option(option_suite, monkeypatch, "audit", text, value)


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "audit", "true", True)


def test_a_bad_value_ends_the_run(option_suite):
    check_bad_value(option_suite, "audit", "perhaps", "True or False")


def test_the_marker_turns_the_audit_on(pytester):
    pytester.makepyfile(
        app="SEEN = []\ndef handler(event, context): SEEN.append(event)",
        test_it="""
            import pytest

            @pytest.mark.lambda_lifecycle("app.handler", audit=True)
            def test_marked(lambda_lifecycle):
                env = lambda_lifecycle()
                for number in range(3):
                    last = env.invoke(number)
                assert str(last.state_changes) == (
                    "[<app.SEEN[2]: added 2 by invoke 3, app.py:2>]"
                )
                with pytest.raises(AssertionError, match="app.SEEN"):
                    env.assert_no_state_leaks()

            def test_plain(lambda_lifecycle):
                assert not lambda_lifecycle("app.handler").invoke(1).state_changes
        """,
    )
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=2)
