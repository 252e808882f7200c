import sqlite3

import flask
import redis
import sqlalchemy
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

memory = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(memory))
trace.set_tracer_provider(provider)
for instrumentor in (
    FlaskInstrumentor,
    RedisInstrumentor,
    SQLAlchemyInstrumentor,
    SQLite3Instrumentor,
):
    instrumentor().instrument()
engine = sqlalchemy.create_engine("sqlite://")
app = flask.Flask("orders")
app.add_url_rule("/", view_func=lambda: "served")


def depth(function):
    found = 0
    while hasattr(function, "__wrapped__"):
        function, found = function.__wrapped__, found + 1
    return found


def handler(event, context):
    memory.clear()
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT 1"))
    app.test_client().get("/")
    spans = sorted({span.name for span in memory.get_finished_spans()})
    wrapped = [
        vars(redis.Redis)["execute_command"],
        vars(sqlalchemy.engine.base.Engine)["connect"],
        sqlite3.connect,
    ]
    bases = [cls.__name__ for cls in flask.Flask.__mro__ if cls.__name__.endswith("Flask")]
    return [spans, [depth(one) for one in wrapped], bases]
