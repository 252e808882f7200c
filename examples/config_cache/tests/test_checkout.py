import pytest
import requests

from pytest_lambda_lifecycle import InitError

URL = "https://config.example/v1/checkout"


@pytest.fixture
def env(lambda_lifecycle, lambda_clock, lambda_http):
    lambda_http.get(URL, json={"tax": 0.19}, latency_ms=120)
    return lambda_lifecycle("checkout.app.handler")


def test_the_configuration_is_fetched_in_init_and_by_no_request(env):
    cold, warm = env.invoke({"price": 100}), env.invoke({"price": 10})

    assert (cold.payload, warm.payload) == (119, 11.9)
    assert [call.url for call in env.init.http_calls] == [URL]
    assert env.init.duration_ms == 120
    assert not warm.http_calls
    assert warm.duration_ms == 0


def test_it_is_fetched_again_after_five_minutes(env, lambda_http):
    env.invoke({"price": 100})
    lambda_http.replace("GET", URL, json={"tax": 0.25}, latency_ms=120)

    env.idle(minutes=4)
    assert env.invoke({"price": 100}).payload == 119
    env.idle(minutes=1)
    renewing = env.invoke({"price": 100})

    assert renewing.payload == 125
    assert not renewing.cold_start
    assert [str(call) for call in renewing.http_calls] == [f"GET {URL}"]
    assert renewing.duration_ms == 120


def test_the_old_configuration_stays_in_use_while_the_service_is_slow(env, lambda_http):
    env.invoke({"price": 100})
    lambda_http.replace("GET", URL, json={"tax": 0.25}, latency_ms=2000)

    env.idle(minutes=5)
    slow = env.invoke({"price": 100})

    assert slow.payload == 119
    assert slow.duration_ms == 500  # the client's timeout
    assert isinstance(slow.http_calls[0].exception, requests.ReadTimeout)


def test_a_service_that_is_down_fails_the_init(lambda_lifecycle, lambda_http):
    lambda_http.get(URL, status=503)

    with pytest.raises(InitError, match="503 Server Error"):
        lambda_lifecycle("checkout.app.handler").invoke({"price": 100})
