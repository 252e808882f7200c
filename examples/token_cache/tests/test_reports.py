import pytest

from pytest_lambda_lifecycle import FunctionTimeout


@pytest.fixture
def env(lambda_lifecycle, lambda_clock):
    return lambda_lifecycle("reports.app.handler", timeout=3)


def test_the_token_is_fetched_once_an_hour(env):
    fetch = env.spy("reports.issuer.fetch_token")

    env.invoke({"pages": 1})
    env.idle(minutes=58)
    env.invoke({"pages": 1})
    assert fetch.phases == ["init"]

    env.idle(minutes=2)
    env.invoke({"pages": 1})
    assert fetch.phases == ["init", "invoke"]
    assert not env.invocations[-1].cold_start


def test_work_is_saved_when_250_ms_remain(env):
    env.initialize()

    saved = env.invoke({"pages": 10}, remaining_ms=250)

    assert saved.payload == {"pages": ["page 0", "page 1"], "continue_at": 2}
    assert saved.duration_ms == 200


def test_a_page_that_takes_longer_than_the_timeout_is_cut_and_the_next_request_is_cold(env):
    env.latency("reports.issuer.make_page", 5000)

    with pytest.raises(FunctionTimeout, match=r"Task timed out after 3\.00 seconds"):
        env.invoke({"pages": 1})

    assert env.invoke({"pages": 0}).cold_start
    assert env.init_count == 2
