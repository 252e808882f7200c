"""The option ``filesystem``: read-only, report or open."""

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "filesystem", "report", "report")


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "filesystem", "open", "open")


def test_a_bad_value_ends_the_run(option_suite):
    message = "is not one of 'read-only', 'report', 'open'"
    check_bad_value(option_suite, "filesystem", "readonly", message)


WRITES = """
    def test_it(lambda_lifecycle, tmp_path):
        (tmp_path / "task").mkdir()
        (tmp_path / "task" / "app.py").write_text(
            "def handler(event, context):"
            " open(event['path'], 'w').close(); open('new', 'w').close()"
        )
        env = lambda_lifecycle("app.handler", code_dir=tmp_path / "task")
        env.invoke({"path": str(tmp_path / "file of the test")})
"""


def test_a_write_into_the_task_root_fails_and_one_below_tmp_path_does_not(pytester):
    pytester.makepyfile(test_it=WRITES)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * OSError: ?Errno 30? Read-only file system: 'new'",
            "E * function code tried to write *task/new at app.py:1.",
            "*lambda_lifecycle_filesystem = report*",
            "*Lambda lifecycle*",
            "*read-only file system: write *task/new, at app.py:1",
        ]
    )
    assert "refused: write" not in result.stdout.str()


def test_one_line_restores_what_was_before(pytester):
    pytester.makepyfile(test_it=WRITES)
    pytester.makeini("[pytest]\nlambda_lifecycle_filesystem = open")
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


def test_report_warns_at_the_end_of_the_test(pytester):
    pytester.makepyfile(test_it=WRITES)
    result = pytester.runpytest_subprocess("--lambda-lifecycle-filesystem", "report")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*LifecycleWarning: app.handler: function code tried to write *"])


def test_a_temporary_folder_inside_the_task_root_stays_writable(pytester):
    pytester.makepyfile(
        test_it="""
        def test_it(lambda_lifecycle, tmp_path):
            env = lambda_lifecycle("app.handler", code_dir=".")
            env.invoke(str(tmp_path / "new"))
            assert (tmp_path / "new").exists()
            assert env.invoke("new", check=False).error_type == "OSError"
        """,
        app="def handler(event, context): open(event, 'w').close()",
    )
    pytester.runpytest_subprocess("--basetemp=basetemp").assert_outcomes(passed=1)


def test_the_hook_is_installed_with_the_first_environment(pytester):
    """And not in a run that makes none: a hook cannot be removed."""
    pytester.makepyfile(
        test_it="""
        import sys

        def hooked():
            module = sys.modules.get("pytest_lambda_lifecycle.isolation.audit_hook")
            return module is not None and bool(module._installed)

        def test_it(lambda_lifecycle):
            lambda_lifecycle("app.handler", filesystem="open").invoke()
            env = lambda_lifecycle("app.handler")
            assert not hooked()
            env.invoke()
            assert hooked()
        """,
        app="def handler(event, context): ...",
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
