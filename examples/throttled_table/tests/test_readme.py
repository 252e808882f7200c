"""A snippet of `docs/calls.md`, word for word."""

import pytest

pytestmark = pytest.mark.usefixtures("stock_table")

THROTTLED = "ProvisionedThroughputExceededException"


def test_a_throttled_write_is_retried(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("stock.app.handler")
    throttle = env.fault("dynamodb.PutItem", THROTTLED, times=2)
    result = env.invoke({"id": "tea", "count": 3})
    assert result.payload == {"statusCode": 200}
    assert throttle.count == 2
    (call,) = result.aws_calls  # one call, three attempts
    assert (str(call), call.attempts, call.status) == ("dynamodb.PutItem", 3, 200)
