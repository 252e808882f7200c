import pytest


def test_the_total(lambda_lifecycle):
    env = lambda_lifecycle("invoices.app.handler")
    assert env.invoke({"articles": ["tea", "cup"]}).payload == {"total": 13}


def test_a_client_per_request_is_found(lambda_lifecycle):
    env = lambda_lifecycle("invoices.per_request.handler")
    env.invoke({"articles": ["tea"]}, request_id="first")
    env.invoke({"articles": ["tea", "cup", "cup"]}, request_id="second")

    with pytest.raises(AssertionError) as failure:
        env.assert_init_only("boto3.resource")

    assert str(failure.value).splitlines() == [
        "boto3.resource was called in 2 of 2 invokes, and not in init",
        "  invoke 0 (cold, request first):",
        "    made boto3.resource('dynamodb'), at invoices/per_request.py:9",
        "  invoke 1 (warm, request second):",
        "    made boto3.resource('dynamodb'), at invoices/per_request.py:9   x 3",
    ]


# The same as a setting, for each test of the function: it is checked when the test has ended.
@pytest.mark.lambda_lifecycle("invoices.app.handler", init_only=["boto3.resource"], max_aws_calls=2)
def test_each_article_is_one_call(lambda_lifecycle):
    env = lambda_lifecycle()
    env.invoke({"articles": ["tea", "cup"]})
    warm = env.invoke({"articles": ["cup"]})

    env.assert_calls(warm, "dynamodb.GetItem")
    env.assert_no_network(phase="init")
