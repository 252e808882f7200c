"""A recipe of the project's README, word for word."""


def test_the_second_request_works_too(lambda_lifecycle):
    env = lambda_lifecycle("prices.fixed.handler")
    env.invoke({"sku": "tea"})
    env.invoke({"sku": "milk"})  # raises FunctionError if the handler fails
    env.assert_reused("prices.fixed.client")
