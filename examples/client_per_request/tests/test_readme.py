"""Snippets of this example's README, of the project's README and of `docs/calls.md`."""

import pytest


def test_the_client_is_made_once(lambda_lifecycle):
    env = lambda_lifecycle("invoices.app.handler")
    env.invoke({"articles": ["tea"]})
    env.invoke({"articles": ["tea", "cup"]})
    env.assert_init_only("boto3.resource")


def test_a_warm_invoke_reads_one_price(lambda_lifecycle):
    env = lambda_lifecycle("invoices.app.handler")
    env.invoke({"articles": ["tea"]})
    warm = env.invoke({"articles": ["cup"]})
    assert [str(call) for call in warm.aws_calls] == ["dynamodb.GetItem"]
    assert [client.phase for client in env.aws_clients] == ["init"]
    env.assert_init_only("boto3.resource")  # called in Init, and in no invoke
    env.assert_no_network(phase="init")


@pytest.mark.lambda_lifecycle("invoices.app.handler", init_only=["boto3.resource"], max_aws_calls=2)
def test_two_articles_are_two_calls(lambda_lifecycle):
    env = lambda_lifecycle()
    invoice = env.invoke({"articles": ["tea", "cup"]})
    env.assert_calls(invoice, "dynamodb.GetItem", "dynamodb.GetItem")
