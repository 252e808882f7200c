"""The option ``foreign_imports``: imports of code that is not deployed with the function."""

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "foreign_imports", "warn", "warn")


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "foreign_imports", "allow", "allow")


def test_a_bad_value_ends_the_run(option_suite):
    check_bad_value(option_suite, "foreign_imports", "ignore", "'error'")


def test_the_three_modes(pytester):
    """An import that Lambda could not do fails, or is warned of, or is nothing special."""
    for name, text in {
        "common/__init__.py": "",
        "common/cache.py": "SEEN = []",
        "task/app.py": (
            "from common import cache\n"
            "def handler(event, context):\n"
            "    cache.SEEN.append(event)\n"
            "    return cache.SEEN"
        ),
    }.items():
        (pytester.path / name).parent.mkdir(exist_ok=True)
        (pytester.path / name).write_text(text)
    pytester.makeini("[pytest]\npythonpath = .")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("event", [1, 2])
        def test_it(lambda_lifecycle, event):
            env = lambda_lifecycle("app.handler", code_dir="task")
            assert env.invoke(event).payload == [event]
            env.reset()
            assert env.invoke(event).payload == [event]
        """
    )
    flag = "--lambda-lifecycle-foreign-imports"
    pytester.runpytest("-W", "error", "-W", "ignore:Module already imported").assert_outcomes(
        failed=2
    )
    result = pytester.runpytest(
        flag, "warn", "-W", "default", "-W", "ignore:Module already imported"
    )
    result.assert_outcomes(passed=2, warnings=2)
    result.stdout.fnmatch_lines(
        [
            "*LifecycleWarning: app.handler: function code imported 'common' at app.py:1. Here it "
            f"was found at {pytester.path}/common by the sys.path entry {pytester.path} "
            f"(foreign_imports='warn' from {flag})*"
        ]
    )
    pytester.runpytest(
        flag, "allow", "-W", "error", "-W", "ignore:Module already imported"
    ).assert_outcomes(passed=2)
