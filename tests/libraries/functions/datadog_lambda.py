from datadog_lambda.metric import lambda_metric
from ddtrace import tracer


def handler(event, context):
    span = tracer.current_root_span()
    lambda_metric("orders.served", 1)
    return [span.name, span.get_tag("cold_start")]
