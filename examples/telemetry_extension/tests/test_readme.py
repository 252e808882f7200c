"""A snippet of `docs/extensions.md`, word for word."""


def test_reports_success(lambda_lifecycle):
    env = lambda_lifecycle("greetings.app.handler")
    env.invoke({"name": "Ada"})
    [report] = [one["record"] for one in env.telemetry if one["type"] == "platform.report"]
    assert report["status"] == "success"
