"""What tests of AWS calls share: a table of moto, and a service on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import botocore.loaders
import botocore.session
import moto
import moto.backends
import moto.dynamodb.models
import moto.s3.models

__all__ = ["KEYS", "Service", "mocked", "table"]

KEYS = {
    "aws_access_key_id": "AKIATESTING",
    "aws_secret_access_key": "s",
    "region_name": "eu-west-1",
}


@contextmanager
def mocked() -> Iterator[object]:
    """Mock AWS, with a table ``orders`` and a bucket ``reports``; yield a client of the table."""
    with moto.mock_aws():
        yield table()


_LOADER = botocore.loaders.create_loader()
"""Keeps the models of services, whose parsing takes longer than all else that a test does."""


def table():
    """Make a table and a bucket, and return a client of the test."""
    core = botocore.session.Session()
    core.register_component("data_loader", _LOADER)
    session = boto3.Session(**{**KEYS, "region_name": "us-east-1"}, botocore_session=core)
    client = session.client("dynamodb")
    client.create_table(
        TableName="orders",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    session.client("s3").create_bucket(Bucket="reports")
    return client


class Service:
    """A service on loopback that answers each request with JSON."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.answers: list[tuple[int, dict[str, object]]] = []
        """Status and body of the next answers; afterwards 200 and ``{}``."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                service.requests.append((self.command, self.path))
                status, answer = service.answers.pop(0) if service.answers else (200, {})
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.0")
                self.send_header("content-length", str(len(body)))
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Service:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
