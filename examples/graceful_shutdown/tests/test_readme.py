"""A recipe of the project's README and of `docs/extensions.md`, word for word."""


def test_writes_its_rows_on_sigterm(lambda_lifecycle):
    env = lambda_lifecycle("visits.app.handler", runtime="python3.13")
    monitor = env.extension("monitor")  # Lambda sends SIGTERM only beside an extension
    env.invoke({"page": "/"})
    end = env.shutdown()
    assert end.signals == ["SIGTERM"]
    assert "1 rows written" in end.log  # printed by the function's SIGTERM handler
    assert monitor.events[-1]["eventType"] == "SHUTDOWN"
    assert end.duration_ms < 2000
