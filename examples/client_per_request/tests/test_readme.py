"""The snippet of this example's README, word for word."""


def test_the_client_is_made_once(lambda_lifecycle):
    env = lambda_lifecycle("invoices.app.handler")
    env.invoke({"articles": ["tea"]})
    env.invoke({"articles": ["tea", "cup"]})
    env.assert_init_only("boto3.resource")
