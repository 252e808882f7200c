import newrelic.agent

newrelic.agent.initialize()

from newrelic_lambda import lambda_handler as wrapper  # noqa: E402


@wrapper.lambda_handler()
def handler(event, context):
    transaction = newrelic.agent.current_transaction()
    return [
        type(transaction).__name__,
        wrapper.COLD_START_RECORDED,
        dict(transaction._agent_attributes).get("aws.lambda.coldStart", False),
    ]
