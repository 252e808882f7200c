"""The function: Powertools marks the first request of an environment as its cold start."""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service="payments")
metrics = Metrics(namespace="Shop", service="payments")


@logger.inject_lambda_context
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    logger.info("taken", extra={"amount": event["amount"]})
    metrics.add_metric(name="Taken", unit=MetricUnit.Count, value=1)
    return {"taken": event["amount"]}
