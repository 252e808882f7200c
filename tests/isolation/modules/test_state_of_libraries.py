"""Installed libraries that keep state of a process: a cold start finds them as in a new one.

The same function runs three times in one process: at first, after a reset, and in a second
environment.  On the real runtime each of these is a process of its own, and sees what the first one
sees.
"""

from __future__ import annotations

import pytest

SPANS = """
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
"""
LIBRARIES: dict[str, tuple[str, object]] = {
    "django": (
        """
        import django
        from django.conf import settings
        settings.configure(DEBUG=False, INSTALLED_APPS=[], SECRET_KEY="x", ROOT_URLCONF="app")
        django.setup()
        from django.db import models
        class Order(models.Model):
            class Meta:
                app_label = "orders"
        urlpatterns = []
        def handler(event, context): return Order._meta.label
        """,
        "orders.Order",
    ),
    "dramatiq": (
        """
        import dramatiq
        from dramatiq.brokers.stub import StubBroker
        dramatiq.set_broker(StubBroker())
        @dramatiq.actor
        def ship(number): ...
        def handler(event, context): return sorted(dramatiq.get_broker().actors)
        """,
        ["ship"],
    ),
    "elasticapm": (
        """
        from elasticapm.contrib.serverless import aws
        cold = aws.COLD_START
        aws.COLD_START = False
        def handler(event, context): return cold
        """,
        True,
    ),
    "epsagon": (
        """
        from epsagon import constants
        cold = constants.COLD_START
        constants.COLD_START = False
        def handler(event, context): return cold
        """,
        True,
    ),
    "lambda_cache": (
        """
        from lambda_cache import caching_logic
        seen = getattr(caching_logic, "global_aws_lambda_cache", None)
        caching_logic.global_aws_lambda_cache = {"name": {"value": 1}}
        def handler(event, context): return seen
        """,
        None,
    ),
    "lambdawarmer": (
        """
        import lambdawarmer
        cold = not lambdawarmer.LAMBDA_INFO["is_warm"]
        lambdawarmer.LAMBDA_INFO["is_warm"] = True
        def handler(event, context): return cold
        """,
        True,
    ),
    "loguru": (
        """
        from loguru import logger
        before = len(logger._core.handlers)
        logger.add(print)
        def handler(event, context): return before
        """,
        1,
    ),
    "lumigo_tracer": (
        """
        from lumigo_tracer.lambda_tracer.spans_container import SpansContainer
        cold = SpansContainer.is_cold
        SpansContainer.is_cold = False
        def handler(event, context): return cold
        """,
        True,
    ),
    "opentelemetry.sdk.trace": (
        SPANS
        + """
    def handler(event, context):
        memory.clear()
        with trace.get_tracer("orders").start_as_current_span("order"):
            pass
        return [span.name for span in memory.get_finished_spans()]
        """,
        ["order"],
    ),
    "prometheus_client": (
        """
        from prometheus_client import Counter
        orders = Counter("orders", "Orders served")
        def handler(event, context):
            orders.inc()
            return orders._value.get()
        """,
        1.0,
    ),
    "sqlmodel": (
        """
        from sqlmodel import Field, SQLModel
        class Order(SQLModel, table=True):
            id: int = Field(primary_key=True)
        def handler(event, context): return sorted(SQLModel.metadata.tables)
        """,
        ["order"],
    ),
    "structlog": (
        """
        import structlog
        was_configured = structlog.is_configured()
        structlog.configure(processors=[])
        def handler(event, context): return was_configured
        """,
        False,
    ),
}
"""For each module of a library: function code, and what each first invoke returns."""


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("library", LIBRARIES)
def test_each_cold_start_finds_a_library_as_in_a_new_process(environment, library):
    pytest.importorskip(library, reason=f"{library} is not installed (tox -e libraries)")
    source, expected = LIBRARIES[library]
    first = environment(source, timeout=60)
    assert first.invoke().payload == expected
    first.reset()
    assert first.invoke().payload == expected
    second = environment(timeout=60)
    assert second.invoke().payload == expected
