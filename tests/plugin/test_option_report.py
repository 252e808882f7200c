"""The option ``report``: a page or Markdown about the run, from all its processes."""

from __future__ import annotations

import os

import pytest

from .run_files import APP, SUITE, data_of, outcomes, usage_error

REPORT = "--lambda-lifecycle-report"


@pytest.fixture
def suite(pytester):
    pytester.makepyfile(app=APP, test_it=SUITE)
    return pytester


def test_a_page_and_markdown_in_folders_that_are_made(suite):
    result = suite.runpytest(f"{REPORT}=out/deep/run.html", f"{REPORT}=out/run.md")
    result.assert_outcomes(passed=3, failed=1)
    page = suite.path / "out" / "deep" / "run.html"
    result.stdout.fnmatch_lines([f"*Lambda lifecycle: {page} written*"])
    assert os.listdir(page.parent) == ["run.html"]
    data = data_of(page)
    assert outcomes(page) == [
        ("test_first", "passed"),
        ("test_names[</script>]", "passed"),
        ("test_names[b]", "failed"),
    ]
    assert data["footer"].startswith("4 tests ended")
    totals = data["totals"]
    counts = [totals[name] for name in ("tests", "failed", "environments", "cold", "warm")]
    assert counts == [3, 1, 2, 2, 2]
    failed = data["tests"][2]
    assert failed["error"].endswith("assert 'b' != 'b'")
    # The environment of the module: the first test has made it, and the last one ends it.
    first, last = (data["tests"][index]["environments"][0] for index in (1, 2))
    assert first["number"] == last["number"] == 2
    assert [phase["kind"] for phase in first["phases"]] == ["init", "invoke"]
    assert [phase["kind"] for phase in last["phases"]] == ["invoke", "shutdown"]
    assert "hunter2" not in page.read_text()
    assert "3 tests, 1 of them failed" in (suite.path / "out" / "run.md").read_text()


def test_the_ini_file_names_a_path_beside_it(suite):
    suite.makeini("[pytest]\nlambda_lifecycle_report = run.html")
    folder = suite.mkdir("elsewhere")
    suite.makepyfile(**{"elsewhere/test_other": "def test_it(): pass"})
    os.chdir(folder)
    suite.runpytest("-q").assert_outcomes(passed=1)
    assert "No test of this run" in (suite.path / "run.html").read_text()


def test_the_summary_of_a_job_is_added_to(suite, monkeypatch):
    job = suite.path / "summary_0"
    job.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(job))
    suite.runpytest(f"{REPORT}={job}")
    assert job.read_text().startswith("before\n## Lambda lifecycle")


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("app.py/run.html", "run.html cannot be written"),
        ("folder.html", "folder.html cannot be written"),
        ("run.txt", "the ending of 'run.txt' says no format"),
        ("", "the path is empty"),
        ("\0.html", "cannot be written"),
    ],
)
def test_a_path_that_cannot_be_written_ends_the_run_before_its_tests(suite, path, error):
    suite.mkdir("folder.html")
    assert error in usage_error(suite, f"{REPORT}={path}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(suite):
    suite.mkdir("locked").chmod(0o500)
    assert "cannot be written" in usage_error(suite, f"{REPORT}=locked/run.html")


def test_an_interrupted_run_has_what_ran(suite):
    suite.makepyfile(
        test_it="""
            def test_first(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke({})

            def test_second(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke({})
                raise KeyboardInterrupt

            def test_third(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke({})
        """
    )
    suite.runpytest(f"{REPORT}=run.html", no_reraise_ctrlc=True)
    page = suite.path / "run.html"
    assert outcomes(page) == [("test_first", "passed"), ("test_second", "interrupted")]
    assert data_of(page)["tests"][1]["environments"][0]["cold"] == 1
    assert "The run was interrupted: KeyboardInterrupt" in page.read_text()


def test_an_interrupted_setup_and_a_fixture_that_raises_at_the_end_lose_nothing(suite):
    suite.makepyfile(
        test_it="""
            import pytest

            @pytest.fixture(scope="module")
            def env(module_lambda_lifecycle):
                yield module_lambda_lifecycle("app.handler")
                raise RuntimeError("teardown")

            @pytest.fixture
            def interrupted(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke({})
                raise KeyboardInterrupt

            def test_first(env):
                env.invoke({})

            def test_second(interrupted):
                pass
        """
    )
    with pytest.raises(RuntimeError, match="teardown"):  # pytest itself lets it through
        suite.inline_run(f"{REPORT}=run.html", no_reraise_ctrlc=True)
    page = suite.path / "run.html"
    assert outcomes(page) == [("test_first", "passed"), ("test_second", "interrupted")]
    kinds = [
        [phase["kind"] for phase in one["phases"]]
        for one in data_of(page)["tests"][1]["environments"]
    ]
    assert kinds == [["shutdown"], ["init", "invoke", "shutdown"]]


def test_an_interruption_between_tests_interrupts_none(suite):
    suite.makeconftest(
        """
        def pytest_runtest_logfinish(nodeid):
            if "first" in nodeid:
                raise KeyboardInterrupt
        """
    )
    suite.runpytest(f"{REPORT}=run.html", no_reraise_ctrlc=True)
    assert outcomes(suite.path / "run.html") == [("test_first", "passed")]


def test_a_file_that_could_not_be_written_is_told_with_q_as_well(suite):
    suite.makepyfile(test_it="def test_it(): __import__('os').rmdir('out')")
    result = suite.runpytest("-q", f"{REPORT}=out/run.html", f"{REPORT}=run.md")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*run.html could not be written: *"])
    result.stdout.no_fnmatch_line("*run.md written*")


def test_a_page_stays_as_it_is_where_no_test_runs(suite):
    page = suite.path / "run.html"
    page.write_text("earlier")
    suite.runpytest("--collect-only", f"{REPORT}=run.html")
    assert page.read_text() == "earlier"


@pytest.mark.parametrize(
    ("phase", "outcome"),
    [
        ("assert 0", "failed"),
        ("pytest.skip('not now')", "skipped"),
        ("pytest.xfail('known')", "xfailed"),
        ("request.addfinalizer(lambda: 1 / 0)", "error"),
    ],
)
def test_the_outcome_is_that_of_all_phases(suite, phase, outcome):
    suite.makepyfile(
        test_it=f"""
            import pytest
            def test_it(lambda_lifecycle, request):
                lambda_lifecycle("app.handler").invoke({{}})
                {phase}
        """
    )
    suite.runpytest(f"{REPORT}=run.html")
    assert outcomes(suite.path / "run.html") == [("test_it", outcome)]


def test_an_object_whose_repr_raises_does_not_end_the_run(suite):
    suite.makepyfile(
        app="""
            class Bad:
                def __str__(self): raise RuntimeError("no text")
            def handler(event, context): return 1
        """,
        test_it="""
            from pytest_lambda_lifecycle import ExtensionLog
            def test_it(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                env.invoke({})
                env.timeline._events.append(ExtensionLog(0, "x", None))
        """,
    )
    suite.runpytest(f"{REPORT}=run.html").assert_outcomes(passed=1)
    (test,) = data_of(suite.path / "run.html")["tests"]
    assert "the timeline cannot be shown: AttributeError" in test["environments"][0]["facts"]


REPLACES_REPORTS = """
    import pytest

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(item):
        old = yield
        names = ("nodeid", "location", "keywords", "outcome", "longrepr", "when")
        return pytest.TestReport(**{name: getattr(old, name) for name in names})
"""
CRASHES = """
    import os, pytest

    @pytest.mark.parametrize("number", range(6))
    def test_it(lambda_lifecycle, number):
        lambda_lifecycle("app.handler").invoke({"text": "\\ud800"} if number == 1 else {})
        if number == 3:
            os.kill(os.getpid(), 9)
"""


def test_workers_are_merged_in_the_order_of_the_tests_although_one_crashes(suite):
    suite.makepyfile(app="def handler(event, context): print(event)", test_it=CRASHES)
    suite.runpytest("-p", "xdist", "-n", "2", f"{REPORT}=run.html")
    page = suite.path / "run.html"
    expected = [(f"test_it[{n}]", "crashed" if n == 3 else "passed") for n in range(6)]
    assert outcomes(page) == expected
    tests = data_of(page)["tests"]
    assert {test["worker"] for test in tests} <= {"gw0", "gw1", "gw2"}
    assert [len(test["environments"]) for test in tests] == [1, 1, 1, 0, 1, 1]


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "1")])
def test_a_hook_that_replaces_reports_loses_nothing(suite, workers):
    suite.makeconftest(REPLACES_REPORTS)
    result = suite.runpytest(f"{REPORT}=run.html", *workers)
    names = ["test_first", "test_names[</script>]", "test_names[b]"]
    assert [name for name, _ in outcomes(suite.path / "run.html")] == names
    result.stdout.fnmatch_lines(["2 environments, 2 cold starts, 2 warm invokes"])


def test_without_the_option_nothing_of_it_is_imported(pytester):
    pytester.makepyfile(
        app=APP,
        test_it="""
            import sys
            def test_it(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke({})
                names = [name for name in sys.modules if name.startswith("pytest_lambda")]
                assert not [name for name in names if "report." in name + "."
                            and "failure" not in name]
        """,
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_report_of_a_test_keeps_nothing(suite):
    """Neither terminal nor other plugins see what was sent."""
    suite.makeconftest(
        """
        def pytest_runtest_logreport(report):
            assert not [name for name in vars(report) if "lambda" in name]
        """
    )
    suite.runpytest(f"{REPORT}=run.html").assert_outcomes(passed=3, failed=1)
