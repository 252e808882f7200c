import pytest

from pytest_lambda_lifecycle import FunctionTimeout

pytestmark = pytest.mark.lambda_lifecycle("visits.app.handler", timeout=3, runtime="python3.13")


@pytest.fixture
def env(lambda_lifecycle, lambda_clock):
    return lambda_lifecycle()


def test_sigterm_closes_the_connection_within_the_budget(env):
    env.extension("monitor")  # without one there would be no signal
    write = env.spy("visits.database.Connection.write")
    env.invoke({"page": "/"})
    env.invoke({"page": "/about"})

    end = env.shutdown()

    assert write.phases == ["shutdown"]
    assert "2 rows written" in end.log
    assert end.signals == ["SIGTERM"]
    assert end.durations_ms["runtime"] == 120
    assert end.budget_ms == 2000
    assert end.killed == ()


def test_without_an_extension_there_is_no_signal_and_the_rows_are_lost(env):
    write = env.spy("visits.database.Connection.write")
    env.invoke({"page": "/"})

    end = env.shutdown()

    assert write.phases == []
    assert end.signals == []
    assert (end.budget_ms, end.duration_ms) == (0, 0)


def test_an_internal_extension_is_enough(env):
    env.extension("in the runtime", events=[], internal=True)
    env.invoke({"page": "/"})

    end = env.shutdown()

    assert "1 rows written" in end.log
    assert end.budget_ms == 500


def test_the_idle_process_of_python311_does_not_receive_it(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle(runtime="python3.11")
    env.extension("monitor")
    env.invoke({"page": "/"})

    end = env.shutdown()

    assert "rows written" not in end.log
    assert end.killed == ("runtime",)
    assert end.durations_ms["runtime"] == 600  # it used up its share of the 2,000 ms


def test_a_write_that_takes_too_long_is_cut(env):
    env.extension("monitor")
    env.latency("visits.database.Connection.write", 700)
    env.invoke({"page": "/"})

    end = env.shutdown()

    assert "rows written" not in end.log
    assert end.killed == ("runtime",)


def test_the_function_gets_sigterm_after_a_timeout_too(env):
    monitor = env.extension("monitor")

    with pytest.raises(FunctionTimeout):
        env.invoke({"page": "/", "seconds": 10})

    assert env.phases == ["init", "invoke", "shutdown"]
    assert "1 rows written" in env.phases[-1].log
    assert monitor.events[-1]["shutdownReason"] == "timeout"


def test_an_environment_that_is_idle_for_too_long_ends(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle(idle_timeout=600)
    env.extension("monitor")
    env.invoke({"page": "/"})

    env.idle(minutes=11)

    assert "1 rows written" in env.phases[-1].log
    assert env.invoke({"page": "/"}).cold_start
