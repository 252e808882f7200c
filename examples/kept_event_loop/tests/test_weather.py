import pytest

EVENTS = [{"city": "Bergen"}, {"city": "Cairo"}]


@pytest.mark.filterwarnings("ignore:coroutine 'sky_over' was never awaited")
def test_the_closed_loop_is_found(lambda_lifecycle):
    with pytest.raises(AssertionError, match="Event loop is closed") as failure:
        lambda_lifecycle.assert_warm_equals_cold(EVENTS, handler="weather.broken.handler")
    shown = str(failure.value)
    assert "  invoke({'city': 'Bergen'})\n  invoke({'city': 'Cairo'})\n" in shown
    assert "weather.broken.loop: " in shown


def test_one_request_shows_nothing(lambda_lifecycle):
    env = lambda_lifecycle("weather.broken.handler")
    assert env.invoke({"city": "Cairo"}).payload["sky"] == "sun"


@pytest.mark.lambda_lifecycle_exact
def test_the_loop_is_made_once(lambda_lifecycle):
    env = lambda_lifecycle("weather.app.handler")
    for event in EVENTS:
        env.invoke(event)
    assert env.phases == ["init", "invoke", "invoke"]
    env.assert_reused("weather.app.loop")
