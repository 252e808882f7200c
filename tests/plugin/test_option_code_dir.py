"""The option ``code_dir``: the directory that holds the code of the functions."""

from .option_checks import check_bad_value, shown


def test_in_the_ini_file_it_is_the_first_place_to_look(option_suite, monkeypatch):
    option_suite.mkdir("functions")
    (option_suite.path / "functions" / "app.py").write_text(
        "def handler(event, context): return 'functions'"
    )
    option_suite.makeini("[pytest]\nlambda_lifecycle_code_dir = functions")
    line = shown(option_suite, monkeypatch, "code_dir")
    assert (
        f"PosixPath('{option_suite.path / 'functions'}') from the search for the handler's module"
        in line
    )


def test_in_the_ini_file_it_is_not_the_only_place(option_suite, monkeypatch):
    option_suite.mkdir("functions")
    option_suite.makeini("[pytest]\nlambda_lifecycle_code_dir = functions")
    assert f"PosixPath('{option_suite.path}')" in shown(option_suite, monkeypatch, "code_dir")


def test_on_the_command_line_it_is_the_task_root(option_suite, monkeypatch):
    option_suite.mkdir("build")
    option_suite.makeini("[pytest]\nlambda_lifecycle_code_dir = .")
    line = shown(option_suite, monkeypatch, "code_dir", "--lambda-lifecycle-code-dir", "build")
    assert f"PosixPath('{option_suite.path / 'build'}') from --lambda-lifecycle-code-dir" in line


def test_the_places_are_listed_when_nothing_is_found(option_suite):
    option_suite.mkdir("functions")
    option_suite.mkdir("lib")
    option_suite.makeini("[pytest]\nlambda_lifecycle_code_dir = functions\npythonpath = lib")
    option_suite.makepyfile(
        test_suite="def test_it(lambda_lifecycle): lambda_lifecycle('gone.handler')"
    )
    result = option_suite.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*ConfigError: no task root for the handler 'gone.handler' (from the call at test_*): "
            "looked for gone.py and gone/__init__.py in",
            "*/functions  (ini option lambda_lifecycle_code_dir in tox.ini)",
            f"*{option_suite.path}  (rootdir)",
            "*/src  (rootdir/src; it does not exist)",
            "*/lib  (an entry of the ini option pythonpath)",
            "*code_dir=...*",
        ]
    )


def test_a_bad_value_ends_the_run(option_suite):
    check_bad_value(option_suite, "code_dir", "nowhere", "does not exist")
