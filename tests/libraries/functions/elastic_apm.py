import contextlib

import elasticapm
import requests
from elasticapm import capture_serverless
from elasticapm.traces import execution_context

seen = []


@capture_serverless(
    service_name="orders", server_url="http://127.0.0.1:9", disable_send=True, enabled=True
)
def handler(event, context):
    transaction = execution_context.get_transaction()
    with contextlib.suppress(requests.RequestException):
        requests.get("http://127.0.0.1:9/", timeout=1)
    seen.append(id(elasticapm.get_client()))
    return [
        transaction.context["faas"]["coldstart"] if "faas" in transaction.context else "unknown",
        type(vars(requests.Session)["send"]).__name__,
        len(set(seen)),
    ]
