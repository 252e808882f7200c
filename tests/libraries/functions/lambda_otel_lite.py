from lambda_otel_lite import create_traced_handler, init_telemetry
from opentelemetry import trace

tracer, completion_handler = init_telemetry()
traced = create_traced_handler(name="orders", completion_handler=completion_handler)
provider = trace.get_tracer_provider()


@traced
def handler(event, context):
    span = trace.get_current_span()
    return [
        span.name,
        span.attributes.get("faas.cold_start"),
        trace.get_tracer_provider() is provider,
    ]
