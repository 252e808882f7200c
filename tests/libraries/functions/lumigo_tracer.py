from lumigo_tracer import lumigo_tracer
from lumigo_tracer.lambda_tracer.spans_container import SpansContainer


@lumigo_tracer(token="t_000000000000000000000", edge_host="127.0.0.1:9", should_report=False)
def handler(event, context):
    return SpansContainer.get_span().function_span["readiness"]
