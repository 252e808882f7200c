import contextlib

import elasticapm
import requests
from elasticapm import capture_serverless

seen = []
client = elasticapm.get_client()


@capture_serverless(
    service_name="orders", server_url="http://127.0.0.1:9", disable_send=True, enabled=True
)
def handler(event, context):
    client = elasticapm.get_client()
    transaction = elasticapm.get_client().tracer and elasticapm.get_transaction_id()
    from elasticapm.traces import execution_context

    transaction = execution_context.get_transaction()
    with contextlib.suppress(requests.RequestException):
        requests.get("http://127.0.0.1:9/", timeout=1)
    seen.append(id(client))
    return [
        transaction.context.get("faas", {}) and "faas",
        type(vars(requests.Session)["send"]).__name__,
        len(set(seen)),
    ]
