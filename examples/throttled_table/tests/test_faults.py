"""Other faults that AWS is known for, each in the place where the real one happens."""

import pytest

from pytest_lambda_lifecycle import FunctionTimeout

pytestmark = pytest.mark.usefixtures("stock_table")

THROTTLED = "ProvisionedThroughputExceededException"


def test_the_caller_hears_of_a_busy_table(lambda_lifecycle, lambda_clock, stock_table):
    env = lambda_lifecycle("stock.app.handler")
    env.fault("dynamodb.PutItem", THROTTLED)  # until the test ends
    assert env.invoke({"id": "tea", "count": 3}).payload["statusCode"] == 503
    assert stock_table.scan()["Items"] == []


def test_too_much_patience_ends_in_a_timeout(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("stock.patient.handler", timeout=3)
    env.fault("dynamodb.PutItem", THROTTLED)
    with pytest.raises(FunctionTimeout, match=r"Task timed out after 3\.00 seconds"):
        env.invoke({"id": "tea", "count": 3})  # the back-off takes virtual time
    assert env.invocations[-1].aws_calls[0].attempts > 3


@pytest.mark.parametrize("fault", [503, "reset", "timeout", "InternalServerError"])
def test_one_failed_attempt_is_no_failed_request(lambda_lifecycle, lambda_clock, fault):
    env = lambda_lifecycle("stock.app.handler")
    env.fault("dynamodb.PutItem", fault, times=1)
    result = env.invoke({"id": "tea", "count": 3})
    assert result.payload == {"statusCode": 200}
    assert result.aws_calls[0].attempts == 2


def test_a_refused_write_is_not_retried(lambda_lifecycle):
    env = lambda_lifecycle("stock.app.handler")
    env.fault("dynamodb.PutItem", "AccessDeniedException", times=1)
    result = env.invoke({"id": "tea", "count": 3}, check=False)
    assert result.error["errorType"] == "ClientError"
    assert result.aws_calls[0].attempts == 1
    assert result.aws_calls[0].error_code == "AccessDeniedException"
