"""The libraries, each with a function that uses it as its documentation says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["FUNCTIONS", "LIBRARIES", "Library"]

FUNCTIONS = Path(__file__).parent / "functions"
PYTHON = "3.11"


def _http_v1(path: str = "/orders") -> dict[str, Any]:
    return {
        "resource": path,
        "path": path,
        "httpMethod": "GET",
        "headers": {"Host": "example.com", "Accept": "*/*"},
        "multiValueHeaders": {"Host": ["example.com"], "Accept": ["*/*"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "path": path,
            "stage": "prod",
            "httpMethod": "GET",
            "requestId": "request",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": None,
        "isBase64Encoded": False,
    }


def _http_v2(path: str = "/orders", method: str = "GET", body: str | None = None) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            **{"host": "example.com", "accept": "*/*"},
            **({"content-type": "application/json"} if body else {}),
        },
        "requestContext": {
            "domainName": "example.com",
            "stage": "$default",
            "requestId": "request",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test",
            },
        },
        "body": body,
        "isBase64Encoded": False,
    }


@dataclass(frozen=True)
class Library:
    """One library, and what its function is asked."""

    name: str
    """The distribution; the function is in the file, or folder, of that name."""
    version: str
    shows: str
    """What the function returns."""
    also: tuple[str, ...] = ()
    """What the function needs beside it."""
    handler: str = "app.handler"
    event: Any = field(default_factory=dict)
    events: tuple[Any, ...] = ()
    """Those of each invoke, where they differ."""
    function: str = ""
    """The file, or folder, of the function, if it has not the library's name."""
    settings: dict[str, Any] = field(default_factory=dict)
    idle: float = 0.1
    """Seconds of idle time before the fourth invoke."""
    python: str = PYTHON
    pytest: tuple[str, ...] = ()
    """Arguments of pytest."""
    differs: str = ""
    """Why it does not agree, where a row of the fidelity pages says so."""

    @property
    def id(self) -> str:
        """The name of its test."""
        return self.function or self.name

    @property
    def requirements(self) -> tuple[str, ...]:
        """What has to be installed."""
        name, _, extra = self.name.partition("[")
        return (
            f"{name}[{extra}=={self.version}" if extra else f"{name}=={self.version}",
            *self.also,
        )

    @property
    def files(self) -> dict[str, str]:
        """The files of the function."""
        home = FUNCTIONS / (self.function or self.name.partition("[")[0].replace("-", "_").lower())
        if home.is_dir():
            paths = sorted(home.glob("*.py"))
            return {path.name: path.read_text(encoding="utf-8") for path in paths}
        return {"app.py": home.with_suffix(".py").read_text(encoding="utf-8")}

    @property
    def request(self) -> dict[str, Any]:
        """What ``sides.py`` reads."""
        return {
            "handler": self.handler,
            "events": list(self.events or [self.event] * 4),
            "settings": self.settings,
            "idle": self.idle,
            "pytest": self.pytest,
        }


_DATADOG = {
    "DD_LAMBDA_HANDLER": "app.handler",
    "DD_SITE": "datadoghq.com",
    "DD_API_KEY": "key",
    "DD_TRACE_ENABLED": "true",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_FLUSH_TO_LOG": "true",
    "DD_COLD_START_TRACING": "false",
}
_APPDYNAMICS = {
    "APPDYNAMICS_CONTROLLER_HOST": "127.0.0.1",
    "APPDYNAMICS_AGENT_ACCOUNT_ACCESS_KEY": "key",
    "APPDYNAMICS_ACCOUNT_NAME": "shop",
    "APPDYNAMICS_APPLICATION_NAME": "orders",
    "APPDYNAMICS_SERVERLESS_API_ENDPOINT": "http://127.0.0.1:9",
    "APPDYNAMICS_LOG_LEVEL": "critical",  # threads write its lines, in no certain order
}
_DURABLE = {
    "DurableExecutionArn": "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable/a/b",
    "CheckpointToken": "token",
    "InitialExecutionState": {
        "Operations": [
            {
                "Id": "execution",
                "Type": "EXECUTION",
                "Status": "STARTED",
                "StartTimestamp": 1,
                "ExecutionDetails": {"InputPayload": "{}"},
            }
        ],
        "NextMarker": "",
    },
}
_WSGI = "how often its application has served"

LIBRARIES = [
    Library("aws-lambda-powertools[tracer]", "3.37.0", "cold start of the logger, values fetched"),
    Library(
        "datadog-lambda",
        "8.130.0",
        "the root span and its flag of a cold start",
        also=("ddtrace==4.16.0",),
        handler="datadog_lambda.handler.handler",
        settings={"environment": _DATADOG},
        pytest=("-p", "no:ddtrace"),
    ),
    Library("lumigo-tracer", "1.1.257", "readiness of the function's span"),
    Library(
        "sentry-sdk",
        "2.75.0",
        "what was sent before, and its thread",
        events=({}, "boom", {}, {}),
    ),
    Library(
        "sentry-sdk", "2.75.0", "an error of Init, which it sends", function="sentry_sdk_in_init"
    ),
    Library(
        "newrelic-lambda",
        "1.0.0",
        "the transaction and its flags of a cold start",
        settings={
            "environment": {
                "NEW_RELIC_ACCOUNT_ID": "1",
                "NEW_RELIC_SERVERLESS_MODE_ENABLED": "true",
                "NEW_RELIC_TRUSTED_ACCOUNT_KEY": "1",
            }
        },
    ),
    Library("instana", "3.20.0", "the agent, and whether its span records"),
    Library("elastic-apm", "6.26.2", "the patched client of HTTP", also=("requests",)),
    Library("aws-xray-sdk", "2.15.0", "the segment, the context and the patch of botocore"),
    Library("thundra", "3.0.10", "requests that its plugins have counted"),
    Library("epsagon", "1.82.0", "flags of a cold start"),
    Library(
        "serverless-sdk",
        "0.6.0",
        "the name and the spans of the SDK",
        also=("serverless-aws-lambda-sdk",),
    ),
    Library(
        "opentelemetry-instrumentation-aws-lambda",
        "0.66b1",
        "spans, the provider, and whether a span is open",
        also=(
            "opentelemetry-sdk",
            "opentelemetry-instrumentation-requests",
            "opentelemetry-instrumentation-botocore",
            "requests",
        ),
    ),
    Library(
        "aws-opentelemetry-distro",
        "0.21.0",
        "the provider and its processors",
        also=("opentelemetry-instrumentation-aws-lambda",),
        settings={"environment": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}},
    ),
    Library(
        "solarwinds-apm",
        "7.3.0",
        "the provider, and whether a span records",
        also=("opentelemetry-instrumentation-aws-lambda",),
        settings={"environment": {"SW_APM_SERVICE_KEY": "key:orders"}},
    ),
    Library(
        "appdynamics-lambda-tracer",
        "26.1.576",
        "the profiler and its transaction",
        settings={"environment": _APPDYNAMICS},
    ),
    Library("lambda-otel-lite", "0.15.0", "the span and its flag", python="3.13"),
    Library("mangum", "0.22.0", "its lifespan", also=("fastapi",), event=_http_v2()),
    Library("apig-wsgi", "2.20.0", _WSGI, also=("flask",), event=_http_v2()),
    Library("serverless-wsgi", "3.1.0", _WSGI, also=("flask",), event=_http_v2()),
    Library("aws-wsgi", "0.2.7", _WSGI, also=("flask",), event=_http_v1()),
    Library("awsgi2", "1.0.2", _WSGI, also=("flask",), event=_http_v1()),
    Library(
        "zappa",
        "0.63.0",
        "how often its application has served, and variables that it sets",
        also=("flask",),
        handler="zappa.handler.lambda_handler",
        event=_http_v1(),
    ),
    Library("chalice", "1.34.0", "paths served", handler="app.app", event=_http_v1()),
    Library("aws-embedded-metrics", "3.5.0", "the detected environment"),
    Library(
        "aws-lambda-env-modeler",
        "3.0.0",
        "the parsed variable",
        also=("pydantic",),
    ),
    Library("lambda-warmer-py", "0.6.0", "its flag, and the name of the function"),
    Library("lambda-decorators", "0.6.0", "event loops"),
    Library("lambda-handlers", "3.0.8", "how often it has served", event=_http_v1()),
    Library("lambdarest", "13.0.3", "how often it has served", event=_http_v1()),
    Library("lambda-cache", "0.8.1", "the value fetched, and what is cached", idle=1.5),
    Library("ssm-cache", "3.0.0", "the value fetched", idle=1.5),
    Library("aws-secretsmanager-caching", "1.2.0", "the value fetched", idle=2.5),
    Library("aioboto3", "15.5.0", "clients made in a session that is kept"),
    Library("pynamodb", "6.1.0", "clients of a model"),
    Library(
        "aws-durable-execution-sdk-python",
        "3.0.0",
        "whether it has a client, and clients made",
        event=_DURABLE,
    ),
    Library(
        "safe-init",
        "2.2.0",
        "how often it has served",
        handler="safe_init.handler.handler",
        settings={
            "environment": {
                "SAFE_INIT_HANDLER": "app.handler",
                "SAFE_INIT_NO_DATADOG_WRAPPER": "true",
                "SAFE_INIT_IGNORE_TIMEOUTS": "true",  # its thread writes lines, at any time
                "SAFE_INIT_NO_DETECT_INIT_ISSUES": "true",  # it finds its file in /tmp
            }
        },
    ),
    Library("snapshot-restore-py", "1.0.0", "registered hooks"),
    Library("lambda-sigterm", "0.1.2", "its threads"),
    Library("cordless", "1.5.1", "how often it has served", event=_http_v2()),
    Library(
        "aws-advanced-python-wrapper",
        "3.1.0",
        "the failure to connect, and its monitors",
        also=("psycopg[binary]",),
    ),
    Library(
        "psycopg-pool",
        "3.3.3",
        "the failure to connect, and figures of the pool",
        also=("psycopg[binary]",),
    ),
    Library("pymongo", "4.20.1", "the failure to connect, and topologies"),
    Library("motor", "3.7.1", "the failure to connect, in a loop that is kept"),
    Library("launchdarkly-server-sdk", "9.20.0", "a flag, and the client"),
    Library("structlog", "26.1.0", "whether it was configured"),
    Library("loguru", "0.7.3", "its sinks"),
    Library("logfire", "5.4.0", "whether spans record"),
    Library(
        "bedrock-agentcore",
        "1.25.0",
        "how often it has served",
        also=("mangum",),
        event=_http_v2("/invocations", "POST", "{}"),
    ),
    Library("lambda-multiprocessing", "1.1", "what its processes return"),
    Library("Django", "5.2.8", "settings, a model, how often it has served"),
    Library("dramatiq", "2.2.1", "actors, and messages in the queue"),
    Library("prometheus-client", "0.26.0", "a counter"),
    Library("sqlmodel", "0.0.50", "rows of a table"),
    Library(
        "opentelemetry-instrumentation-sqlalchemy",
        "0.66b1",
        "spans, how deep functions are wrapped, and the classes of Flask",
        also=(
            "flask",
            "opentelemetry-instrumentation-flask",
            "opentelemetry-instrumentation-redis",
            "opentelemetry-instrumentation-sqlite3",
            "opentelemetry-sdk",
            "redis",
            "sqlalchemy",
        ),
    ),
]
"""The libraries of Lambda functions that keep state of a process."""
