"""The events of function code that reaches out: HTTP requests, AWS calls, clients, connections.

Each event stands on the timeline at the moment at which the call began; the fields about its end
are filled in when it ends.  Their texts are redacted (`redaction`), and `HttpCall.url` is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pytest_lambda_lifecycle.lifecycle.events import Event
from pytest_lambda_lifecycle.lifecycle.redaction import redacted_url

__all__ = [
    "NETWORK_VERBS",
    "AwsCall",
    "AwsClient",
    "Call",
    "Connection",
    "HttpCall",
    "NetworkRefusal",
]

NETWORK_VERBS: Final = ("connect to", "look up", "send a datagram to")
"""The requests of function code to Python's `socket`, in words."""


@dataclass(slots=True)
class Call(Event):
    """A call of function code that leaves its process."""

    phase: str
    """The phase that made it: ``"init"``, ``"restore"``, ``"invoke"`` or ``"shutdown"``."""
    invocation: int | None
    """The index of the invoke in ``env.invocations``; None outside an invoke."""
    where: str
    """The innermost line of function code, as ``"shop/app.py:12"``, relative to the task root."""
    attempts: int = field(default=0, kw_only=True)
    """How often the client library tried; 1 without a retry."""
    duration_us: int = field(default=0, kw_only=True)
    """How long the call took, in microseconds; virtual time under ``lambda_clock``."""
    exception: BaseException | None = field(default=None, kw_only=True, compare=False)
    """The exception that the call raised; None if it returned."""

    @property
    def duration_ms(self) -> float:
        """How long the call took, in ms; virtual time under ``lambda_clock``."""
        return self.duration_us / 1000

    def __repr__(self) -> str:
        place = f"{self.phase}, {self.where}" if self.where else self.phase
        return f"<{type(self).__name__} {self}: {self.result} ({place})>"

    @property
    def result(self) -> str:
        """The status, or the name of the exception, in words."""
        return "" if self.exception is None else type(self.exception).__name__


@dataclass(slots=True, repr=False)
class HttpCall(Call):
    """One HTTP request, through all layers of client libraries.

    ``str(call)`` is ``"GET https://config.example/v1"``, with secrets redacted.  A redirect is an
    answer: the request that follows it is a call of its own.  A retry is not: it is counted in
    ``attempts``.
    """

    method: str
    """The method, such as ``"GET"``."""
    url: str
    """The URL as sent, secrets included."""
    library: str = field(default="", kw_only=True)
    """The client library: ``"requests"``, ``"urllib3"``, ``"http.client"``, ``"httpx"`` ..."""
    status: int | None = field(default=None, kw_only=True)
    """The status code; None if there was no response."""
    matched: bool = field(default=True, kw_only=True)
    """True if a mock answered or refused; False if the request went to a connection."""
    name: ClassVar[str] = "http_call"

    def __str__(self) -> str:
        return f"{self.method} {redacted_url(self.url)}"

    @property
    def result(self) -> str:
        """The status, or the name of the exception, in words."""
        if self.exception is not None:
            return type(self.exception).__name__
        return "unanswered" if self.status is None else str(self.status)


@dataclass(slots=True, repr=False)
class AwsCall(Call):
    """One operation of an AWS client; ``str(call)`` is ``"dynamodb.PutItem"``."""

    service: str
    """The name of the client: ``"dynamodb"``."""
    operation: str
    """The name of the operation in AWS's model: ``"PutItem"``."""
    parameters: dict[str, Any] = field(default_factory=dict, kw_only=True)
    """The parameters as given, with secrets redacted."""
    region: str = field(default="", kw_only=True)
    """The region of the client, such as ``"eu-west-1"``."""
    status: int | None = field(default=None, kw_only=True)
    """The HTTP status of the last attempt; None if there was no response."""
    error_code: str = field(default="", kw_only=True)
    """The error code of the service, such as ``"AccessDeniedException"``; ``""`` without one."""
    name: ClassVar[str] = "aws_call"

    def __str__(self) -> str:
        return f"{self.service}.{self.operation}"

    @property
    def result(self) -> str:
        """The status or the error, in words."""
        if self.error_code:
            return self.error_code
        if self.exception is not None:
            return type(self.exception).__name__
        return "unanswered" if self.status is None else str(self.status)


@dataclass(slots=True, repr=False)
class AwsClient(Event):
    """A client, resource or session of AWS's SDK that function code made.

    ``str(client)`` is ``"boto3.client('s3')"``.  A resource and its client are one entry.
    """

    phase: str
    """The phase that made it: ``"init"``, ``"restore"``, ``"invoke"`` or ``"shutdown"``."""
    invocation: int | None
    """The index of the invoke in ``env.invocations``; None outside an invoke."""
    where: str
    """The innermost line of function code, as ``"shop/app.py:12"``."""
    kind: str
    """``"client"``, ``"resource"`` or ``"session"``."""
    service: str
    """The name of the service, such as ``"dynamodb"``; ``""`` for a session."""
    made_by: str
    """The call of function code: ``"boto3.client"``, ``"boto3.resource"``, ``"boto3.Session"``,
    ``"Session.client"``, ``"Session.resource"``, ``"boto3.setup_default_session"``,
    ``"botocore.Session"``, ``"create_client"``, ``"aioboto3.Session"``,
    ``"aiobotocore.AioSession"``.
    """
    name: ClassVar[str] = "aws_client"

    def __str__(self) -> str:
        return f"{self.made_by}({self.service!r})" if self.service else f"{self.made_by}()"

    def __repr__(self) -> str:
        place = f"{self.phase}, {self.where}" if self.where else self.phase
        return f"<AwsClient {self} ({place})>"

    @property
    def file(self) -> str:
        """The file of the line of function code."""
        return self.where.rpartition(":")[0]

    @property
    def line(self) -> int:
        """The number of the line of function code; 0 if it is unknown."""
        number = self.where.rpartition(":")[2]
        return int(number) if number else 0


@dataclass(slots=True)
class Connection(Event):
    """Function code opened a connection, or looked a name up, outside a recorded call.

    Connections to the environment's own APIs are not recorded.
    """

    phase: str
    invocation: int | None
    where: str
    target: str
    """``"host:port"``, or the path of a UNIX socket, or the name that was looked up."""
    asked: str = "connect to"
    """The request in words: ``"connect to"``, ``"look up"`` or ``"send a datagram to"``."""
    name: ClassVar[str] = "connection"

    def __str__(self) -> str:
        return self.target


@dataclass(slots=True)
class NetworkRefusal(Event):
    """Function code tried to reach the network, and the setting ``network`` refused it.

    ``phase`` is ``""`` for a thread of the function that goes on between phases.
    """

    phase: str
    invocation: int | None
    where: str
    target: str
    """``"host:port"``, or the name that was looked up."""
    asked: str
    """The request in words: ``"connect to"``, ``"look up"``, ``"send a datagram to"``, or the call
    that asked for it, such as ``"dynamodb.PutItem in us-east-1"``.
    """
    refused: bool = True
    """False under ``network = "warn"``, where it went through."""
    exception: BaseException | None = field(default=None, compare=False)
    name: ClassVar[str] = "network_refusal"

    def __str__(self) -> str:
        if self.asked in NETWORK_VERBS:
            return f"{self.asked} {self.target}"
        return f"{self.asked} ({self.target})"
