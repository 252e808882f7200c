"""Installed libraries that patch others when function code sets them up, in each process."""

from __future__ import annotations

import pytest

SPANS = """
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    def handler(event, context):
        memory.clear()
        try:
            call()
        except OSError:
            pass
        except Exception as error:
            assert "Connection" in repr(error) or "Retry" in repr(error), error
        return [span.name for span in memory.get_finished_spans()]
"""
SENTRY = """
    import logging, sentry_sdk
    from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration
    SENT = []
    class Transport(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope):
            SENT.extend(item.headers.get("type") for item in envelope.items)
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        integrations=[AwsLambdaIntegration(timeout_warning=True)],
        auto_enabling_integrations=False,
        transport=Transport,
        traces_sample_rate=1.0,
        auto_session_tracking=False,
    )
    def handler(event, context):
        if event == "boom":
            raise ValueError("boom")
        if event == "log":
            logging.getLogger("orders").error("a bad order")
        sent, SENT[:] = SENT[:], []
        return sent
"""
LIBRARIES = {
    "opentelemetry.instrumentation.requests": (
        """
        import requests
        from opentelemetry.instrumentation.requests import RequestsInstrumentor
        def call():
            requests.get("http://127.0.0.1:9/", timeout=1)
        """,
        "RequestsInstrumentor().instrument(tracer_provider=provider)",
    ),
    "opentelemetry.instrumentation.urllib3": (
        """
        import urllib3
        from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
        def call():
            urllib3.PoolManager().request("GET", "http://127.0.0.1:9/", retries=False, timeout=1)
        """,
        "URLLib3Instrumentor().instrument(tracer_provider=provider)",
    ),
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("library", LIBRARIES)
def test_each_process_is_instrumented(environment, library):
    pytest.importorskip(library, reason=f"{library} is not installed (tox -e libraries)")
    pytest.importorskip("opentelemetry.sdk.trace", reason="needs opentelemetry-sdk")
    call, instrument = LIBRARIES[library]
    first = environment(f"{call}\n{SPANS}\n    {instrument}\n".replace("\n        ", "\n    "))
    assert first.invoke().payload == ["GET"]
    first.reset()
    assert first.invoke().payload == ["GET"]
    assert environment().invoke().payload == ["GET"]


@pytest.mark.filterwarnings("default")
def test_sentry_reports_errors_transactions_and_logs_of_each_process(environment):
    pytest.importorskip("sentry_sdk", reason="sentry-sdk is not installed (tox -e libraries)")
    first = environment(SENTRY, timeout=60)
    for env in (first, first, environment(timeout=60)):
        failed = env.invoke("boom", check=False)
        frames = [
            entry.partition(", in ")[2].split("\n")[0] for entry in failed.error["stackTrace"]
        ]
        assert frames == ["sentry_handler", "reraise", "sentry_handler", "handler"][-len(frames) :]
        assert frames[0] == "sentry_handler"
        # The queue is drained before the answer is posted, as on Lambda.
        assert sorted(env.invoke().payload) == ["event", "transaction"]
        assert env.invoke("log").payload == ["transaction", "event"]
        env.reset()


@pytest.mark.filterwarnings("default")
def test_sentry_reports_an_error_of_init(environment):
    pytest.importorskip("sentry_sdk", reason="sentry-sdk is not installed (tox -e libraries)")
    env = environment(
        SENTRY.replace("SENT.extend(", "print('sent', *(") + "\n    raise ValueError('in init')\n",
        timeout=60,
    )
    env.initialize(check=False)
    assert "sent event" in env.log


@pytest.mark.filterwarnings("default")
def test_ddtrace_patches_botocore_for_each_process(environment):
    pytest.importorskip("ddtrace", reason="ddtrace is not installed (tox -e libraries)")
    source = """
        import os
        os.environ.update(DD_TRACE_ENABLED="true", DD_INSTRUMENTATION_TELEMETRY_ENABLED="false")
        import ddtrace, botocore.client
        ddtrace.patch(botocore=True)
        def handler(event, context):
            method = botocore.client.BaseClient._make_api_call
            return type(method).__name__ != "function" or hasattr(method, "__wrapped__")
    """
    first = environment(source, timeout=60)
    assert first.invoke().payload
    first.reset()
    assert first.invoke().payload
    assert environment(timeout=60).invoke().payload


def test_xray_patches_botocore_for_each_process(environment):
    pytest.importorskip("aws_xray_sdk", reason="aws-xray-sdk is not installed (tox -e libraries)")
    source = """
        import botocore.client
        from aws_xray_sdk.core import patch
        patch(["botocore"])
        def handler(event, context):
            return type(botocore.client.BaseClient.__dict__["_make_api_call"]).__name__
    """
    first = environment(source, timeout=60)
    wrapped = first.invoke().payload
    assert wrapped != "function"
    first.reset()
    assert first.invoke().payload == wrapped
    assert environment(timeout=60).invoke().payload == wrapped
