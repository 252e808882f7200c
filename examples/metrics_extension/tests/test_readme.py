"""A snippet of `docs/extensions.md`, word for word."""

from flusher import flush

from pytest_lambda_lifecycle import Extension


class Flusher(Extension):
    name = "flusher"

    def on_init(self):
        self.sent = []

    def on_invoke(self, event):  # eventType, deadlineMs, requestId, invokedFunctionArn, tracing
        flush(self.sent.append)

    def on_shutdown(self, event):  # eventType, deadlineMs, shutdownReason
        flush(self.sent.append)


def test_no_metric_is_lost(lambda_lifecycle):
    env = lambda_lifecycle("checkout.app.handler", extensions=[Flusher])
    env.invoke({"orders": 2})
    env.shutdown()
    assert env.extensions[0].sent == [{"orders": 2}]
