import contextlib

import requests
from opentelemetry import trace
from opentelemetry.instrumentation.aws_lambda import AwsLambdaInstrumentor
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

memory = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(memory))
trace.set_tracer_provider(provider)
RequestsInstrumentor().instrument()
BotocoreInstrumentor().instrument()


def handler(event, context):
    with contextlib.suppress(requests.RequestException):
        requests.get("http://127.0.0.1:9/", timeout=1)
    spans = memory.get_finished_spans()
    memory.clear()
    is_own = trace.get_tracer_provider() is provider
    depth = trace.get_current_span().is_recording()
    return [[f"{one.name} {one.attributes.get('faas.coldstart')}" for one in spans], is_own, depth]


AwsLambdaInstrumentor().instrument()
