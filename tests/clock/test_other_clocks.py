"""``lambda_clock`` beside freezegun, pytest-freezer, time-machine and moto."""

from __future__ import annotations

import pytest
from freezegun import freeze_time

from pytest_lambda_lifecycle.isolation.stage import stage

from .projects import run


def test_freeze_time_outside(project):
    test = """
from freezegun import freeze_time
@pytest.fixture(autouse=True)
def frozen():
    with freeze_time("2040-01-01"): yield
def test(lambda_lifecycle, lambda_clock):
    assert lambda_lifecycle("app.handler").invoke(1).payload[1] == 2040 == lambda_clock.now.year
"""
    run(project, test)


def test_freeze_time_before_the_plugin_was_first_used(project):
    project.makepyfile(
        test_it="""
        import pytest
        from freezegun import freeze_time
        @pytest.mark.parametrize("n", [1, 2])
        def test(request, n):
            with freeze_time("2040-01-01"):
                env = request.getfixturevalue("lambda_lifecycle")("app.handler")
                env.initialize()
                failed = env.invoke("hang", remaining_ms=100, check=False)
                assert failed.status == "timeout" and 100 <= failed.duration_ms < 20_000
        """
    )
    project.runpytest_subprocess(timeout=60).assert_outcomes(passed=2)


def test_freeze_time_as_a_decorator_counts_as_inside(project):
    test = """
from freezegun import freeze_time
@freeze_time("2040-01-01")
def test(lambda_lifecycle, lambda_clock):
    assert lambda_lifecycle("app.handler").invoke(1).payload[1] == 2040 > lambda_clock.now.year
"""
    run(project, test)


def test_freeze_time_inside(project):
    test = """
from freezegun import freeze_time
def test(lambda_lifecycle, lambda_clock):
    env, began = lambda_lifecycle("app.handler"), lambda_clock.now
    with freeze_time("2040-01-01"):
        assert env.invoke(0).payload[1] == 2040
    assert env.invoke(0).payload[0] == began.timestamp() == time.time()
"""
    run(project, test)


@pytest.mark.parametrize("arguments", ["freezer, lambda_clock", "lambda_clock, freezer"])
def test_pytest_freezer(project, arguments):
    pytest.importorskip("pytest_freezer")
    test = f"""
def test({arguments}, lambda_lifecycle):
    env = lambda_lifecycle("app.handler")
    freezer.move_to("2040-01-01")
    env.idle(hours=1)
    assert env.invoke(2).payload[1] == datetime.now().year
    assert env.invocations[-1].duration_ms == 2000
def test_real(): assert time.time.__module__ == "time" and datetime.now().year < 2040
"""
    run(project, test, "-p", "freezer", "-p", "no:randomly", passed=2)


def test_idling_without_a_clock_moves_a_frozen_time(project):
    test = """
from freezegun import freeze_time
def test(lambda_lifecycle):
    env = lambda_lifecycle("app.handler")
    with freeze_time("2040-01-01"):
        env.idle(hours=1)
        assert env.invoke(0).payload[0] == datetime(2040, 1, 1, 1, tzinfo=timezone.utc).timestamp()
    env.idle(hours=1)
    with freeze_time("2041-01-01"):
        env.idle(hours=1)
        assert env.invoke(0).payload[0] == datetime(2041, 1, 1, 1, tzinfo=timezone.utc).timestamp()
        env.close()
        assert datetime.now().hour == 1
def test_real():
    assert time.time.__module__ == "time"
    assert abs(datetime.now().timestamp() - time.time()) < 60
"""
    run(project, test, "-p", "no:randomly", passed=2)


@pytest.mark.parametrize("ask", ["request.getfixturevalue('lambda_clock')", "env.idle(1)"])
def test_time_machine_is_refused(project, ask):
    pytest.importorskip("time_machine")
    test = f"""
import time_machine
def test(request, lambda_lifecycle):
    env = lambda_lifecycle("app.handler")
    with time_machine.travel("2041-01-01"):
        match = "lambda_clock.*time-machine is travelling in this test.*two times"
        with pytest.raises(Exception, match=match): {ask}
        assert env.invoke(0).payload[1] == 2041
    env.idle(1)
"""
    run(project, test)


@pytest.mark.parametrize("virtual", ["request.getfixturevalue('lambda_clock')", "env.idle(1)"])
def test_time_machine_is_refused_afterwards(project, virtual):
    pytest.importorskip("time_machine")
    test = f"""
import time_machine
def test(request, lambda_lifecycle):
    env = lambda_lifecycle("app.handler")
    {virtual}
    with pytest.raises(Exception, match="cannot travel with time-machine.*lambda_clock.*two times"):
        time_machine.travel("2041-01-01").start()
def test_next():
    with time_machine.travel("2041-01-01"): assert datetime.now().year == 2041
"""
    run(project, test, "-p", "no:randomly", passed=2)


def test_moto_and_signing_use_the_same_time(project):
    pytest.importorskip("moto")
    project.makepyfile(
        app="""
        import boto3
        s3 = boto3.client("s3")
        def handler(event, context):
            s3.create_bucket(Bucket="bucket"); s3.put_object(Bucket="bucket", Key="k", Body=b"x")
            written = s3.head_object(Bucket="bucket", Key="k")["LastModified"].timestamp()
            bucket = {"Bucket": "bucket", "Key": "k"}
            return [written, s3.generate_presigned_url("get_object", bucket, ExpiresIn=60)]
        """
    )
    test = """
from moto import mock_aws
@mock_aws
@pytest.mark.lambda_clock(start="2030-01-01T00:00:00Z")
def test(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("app.handler")
    for _ in range(2):
        now = lambda_clock.now.timestamp()
        written, url = env.invoke(0).payload
        assert written == now and f"Expires={int(now) + 60}" in url
        env.idle(hours=11, minutes=30)
"""
    run(project, test)


def test_freeze_time_between_phases_reaches_modules_of_the_function(environment, write):
    env = environment("""
        from datetime import datetime
        import time
        def handler(event, context): return [datetime.now().year, time.gmtime().tm_year]
    """)
    real = env.invoke().payload
    stage.leave()
    with freeze_time("2021-05-05"):
        assert env.invoke().payload == [2021, 2021]
        stage.leave()
    assert env.invoke().payload == real
