from amazon.opentelemetry.distro.aws_opentelemetry_configurator import (
    AwsOpenTelemetryConfigurator,
)
from amazon.opentelemetry.distro.aws_opentelemetry_distro import AwsOpenTelemetryDistro
from opentelemetry import trace

AwsOpenTelemetryDistro().configure(apply_patches=True)
AwsOpenTelemetryConfigurator().configure()

from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor  # noqa: E402

provider = trace.get_tracer_provider()


def handler(event, context):
    with trace.get_tracer("orders").start_as_current_span("order") as span:
        parent = getattr(span, "parent", None) is not None
    processors = provider._active_span_processor._span_processors
    return [
        trace.get_tracer_provider() is provider,
        parent,
        [type(one).__name__ for one in processors],
    ]


AwsLambdaInstrumentor().instrument(tracer_provider=provider)
