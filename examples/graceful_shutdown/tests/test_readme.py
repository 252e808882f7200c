"""The third example of the project's README, word for word."""

import pytest


@pytest.mark.lambda_lifecycle("visits.app.handler", timeout=3, runtime="python3.13")
def test_flushes_on_shutdown(lambda_lifecycle):
    env = lambda_lifecycle()
    flusher = env.extension("flusher", events=["INVOKE", "SHUTDOWN"])
    env.invoke({"page": "/"})

    end = env.shutdown()  # reason="spindown"

    assert flusher.events[-1]["eventType"] == "SHUTDOWN"
    assert end.signals == ["SIGTERM"]
    assert end.duration_ms < 2000
    assert "1 rows written" in end.log  # by the function's handler of SIGTERM
