"""The fixture ``lambda_clock`` and its marker."""

from __future__ import annotations

import time

import pytest
from clock.projects import run


@pytest.mark.parametrize(
    "arguments", ["lambda_lifecycle, lambda_clock", "lambda_clock, lambda_lifecycle"]
)
def test_the_clock_runs_for_the_test_in_either_order_of_fixtures(project, arguments):
    test = f"""
def test({arguments}):
    env = lambda_lifecycle("app.handler")
    before = lambda_clock.now
    assert env.invoke(2).payload[0] == before.timestamp() + 2
    env.idle(hours=24)
    assert lambda_clock.now == before + timedelta(hours=24, seconds=2) == datetime.now(timezone.utc)

def test_real(): assert abs(time.time() - {time.time()}) < 3600
"""
    run(project, test, "-p", "no:randomly", passed=2)


def test_another_fixture_may_use_the_clock(project):
    test = """
@pytest.fixture
def env(lambda_clock, lambda_lifecycle):
    lambda_clock.advance(hours=1)
    yield lambda_lifecycle("app.handler")
    lambda_clock.advance(hours=1)

def test(env, lambda_clock): assert env.invoke(1).payload[0] == lambda_clock.now.timestamp()
def test_later(request): request.getfixturevalue("env").invoke(1)
"""
    run(project, test, passed=2)


def test_an_environment_of_the_session_runs_in_real_time(project):
    test = """
@pytest.fixture(scope="session")
def env(session_lambda_lifecycle):
    env = session_lambda_lifecycle("app.handler")
    env.invoke(0)
    return env

def test_before(env): env.invoke(0)
def test_under(env, lambda_clock):
    with pytest.raises(Exception, match="(?s)was made before lambda_clock .*'app.handler'"):
        env.invoke(0)
def test_after(env): env.invoke(0)
"""
    run(project, test, "-p", "no:randomly", passed=3)


def test_an_environment_of_the_session_made_under_a_clock_ends_with_it(project):
    test = """
kept = []
def test_makes(session_lambda_lifecycle, lambda_clock):
    kept.append(session_lambda_lifecycle("app.handler"))
    kept[0].invoke(1)

@pytest.mark.parametrize("clock", [True, False])
def test_uses(clock, request):
    if clock: request.getfixturevalue("lambda_clock")
    match = "the lambda_clock of this environment has ended; make both in one test"
    with pytest.raises(Exception, match=match):
        kept[0].invoke(1)
"""
    run(project, test, "-p", "no:randomly", passed=3)


def test_two_clocks_in_one_test(project):
    test = """
from pytest_lambda_lifecycle import LambdaClock
def test(lambda_clock):
    match = "cannot start a second clock: one runs already"
    with pytest.raises(Exception, match=match), LambdaClock(): pass
    lambda_clock.advance(1)
"""
    run(project, test)


def test_a_failing_test_shows_virtual_moments(project):
    test = """
def test(lambda_lifecycle, lambda_clock):
    lambda_lifecycle("app.handler").invoke(2)
    assert 0
"""
    result = run(project, test, failed=1)
    result.stdout.fnmatch_lines(["*2000.000 ms  Invoke ended: 2000.00 ms, billed 20?? ms"])


def test_the_list_of_fixtures_describes_it(project):
    result = project.runpytest("--fixtures", "-q")
    result.stdout.fnmatch_lines(
        ["lambda_clock -- *plugin*__init__.py:*", "    Virtual time for the test *"]
    )


def test_the_closest_marker_wins_and_needs_the_fixture(project):
    test = """
pytestmark = pytest.mark.lambda_clock("2031-01-01T00:00:00Z")
@pytest.mark.lambda_clock("2032-01-01T00:00:00Z")
class Base: pass
@pytest.mark.lambda_clock("2033-01-01T00:00:00Z")
class TestIt(Base):
    def test_of_the_class(self, lambda_clock): assert lambda_clock.now.year == 2033
    @pytest.mark.lambda_clock(start="2034-01-01T00:00:00Z")
    def test_its_own(self, lambda_clock): assert lambda_clock.now.year == 2034
def test_of_the_module(lambda_clock): assert lambda_clock.now.year == 2031
def test_real(): assert datetime.now().year < 2031
"""
    run(project, test, "--strict-markers", passed=4)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        (
            "start=datetime(2033, 1, 1)",
            "start=datetime.datetime(2033, 1, 1, 0, 0) has no time zone: it takes an",
        ),
        ("start='2033-01-01'", "start='2033-01-01' has no time zone: it takes"),
        (
            "start='tomorrow'",
            "start='tomorrow' is no moment: it takes an aware datetime, or text such as '2030-",
        ),
        ("2033", "start=2033 is no moment"),
        (
            "'9999-12-31T00:01Z'",
            "start='9999-12-31T00:01Z' is too late: Python's calendar ends with the year 9999",
        ),
        (
            "'2033-01-01T00:00Z', '2034-01-01T00:00Z'",
            "one argument, start, and was given '2033-01-01T00:00Z', '20",
        ),
        (
            "'2033-01-01T00:00Z', start=None",
            "one argument, start, and was given '2033-01-01T00:00Z', start=None",
        ),
        ("begin=1", "the marker takes one argument, start, and was given begin=1"),
    ],
)
def test_markers_that_are_refused(project, marker, message):
    result = run(
        project, f"@pytest.mark.lambda_clock({marker})\ndef test(lambda_clock): pass", errors=1
    )
    assert message in result.stdout.str()
    assert "(from the marker lambda_clock at test_it.py:3 (test))" in result.stdout.str()
    assert "clock_fixture.py" not in result.stdout.str()
