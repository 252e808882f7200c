"""Installed libraries that patch others when function code sets them up, in each process."""

from __future__ import annotations

import textwrap

import pytest

from pytest_lambda_lifecycle import InitError

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
            kinds = [item.headers.get("type") for item in envelope.items]
            print("sent", *kinds)
            SENT.extend(kinds)
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
    first = environment("\n".join(map(textwrap.dedent, (call, SPANS, instrument))))
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
    env = environment(f"{textwrap.dedent(SENTRY)}\nraise ValueError('in init')\n", timeout=60)
    with pytest.raises(InitError, match="in init"):
        env.initialize()
    assert "sent event" in env.log


DDTRACE = """
    import os
    os.environ.update(DD_INSTRUMENTATION_TELEMETRY_ENABLED="false", AWS_LAMBDA_FUNCTION_NAME="x")
    import ddtrace, botocore.client
    ddtrace.patch(botocore=True)
    from ddtrace.internal.writer import LogWriter
    def handler(event, context):
        LogWriter().out.write("a line of ddtrace\\n")
        return type(vars(botocore.client.BaseClient)["_make_api_call"]).__name__
"""


def test_ddtrace_patches_botocore_and_writes_to_the_log_of_each_process(pytester):
    """It is compiled, and so imported once; it adds a finder for good, so a session has it."""
    pytest.importorskip("ddtrace", reason="ddtrace is not installed (tox -e libraries)")
    pytester.makepyfile(
        app=textwrap.dedent(DDTRACE),
        test_it="""
            def test_each(lambda_lifecycle):
                found = []
                for _ in range(2):
                    env = lambda_lifecycle("app.handler", timeout=60)
                    for _ in range(2):
                        invocation = env.invoke()
                        assert "a line of ddtrace" in invocation.log
                        found.append(invocation.payload)
                        env.reset()
                assert found[0] != "function"
                assert found == found[:1] * 4
        """,
    )
    pytester.runpytest_subprocess("-W", "ignore").assert_outcomes(passed=1)


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
