import epsagon
import epsagon.constants
from epsagon.trace import trace_factory

epsagon.init(
    token="token",
    app_name="orders",
    metadata_only=False,
    collector_url="http://127.0.0.1:9",
    use_ssl=False,
)


@epsagon.lambda_wrapper
def handler(event, context):
    runner = trace_factory.get_or_create_trace().runner
    return [runner.resource["metadata"]["cold_start"], epsagon.constants.COLD_START]
