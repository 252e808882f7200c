from aws_embedded_metrics import metric_scope
from aws_embedded_metrics.environment.environment_detector import EnvironmentCache


@metric_scope
def handler(event, context, metrics):
    metrics.set_namespace("shop")
    metrics.put_metric("Orders", 1, "Count")
    return type(EnvironmentCache.environment).__name__
