"""A loopback server, and the check that client libraries are left as they were."""

import http.server
import json
import socket
import sys
import threading
import time
import urllib.parse

import pytest

from pytest_lambda_lifecycle.isolation import patching
from pytest_lambda_lifecycle.observation.calls import http_libraries


class Server(http.server.ThreadingHTTPServer):
    """Answers ``/302?to=/x`` with a redirect, ``/503`` with that status, ``/drop`` with nothing."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.seen = []

    def handle_error(self, request, client_address):
        """Say nothing: a client that hangs up is what some tests are about."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append(f"{self.command} {self.path}")
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        word = url.path.strip("/").split("/")[-1]
        if word == "drop":
            self.close_connection = True
            return
        if word == "slow":
            time.sleep(0.5)
        body = json.dumps({"path": self.path}).encode()
        if word == "digest" and "Authorization" not in self.headers:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(int(word) if word.isdigit() and len(word) == 3 else 200)
        if "to" in query:
            self.send_header("Location", query["to"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def do_CONNECT(self):
        self.server.seen.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.end_headers()
        self.close_connection = False

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def closed_port():
    """A port that nobody listens at, nor can until the test has ended."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def same_objects_as_before():
    """Compare the hooked attributes before and after each test."""

    def attributes():
        return {
            (point.module, point.owner, point.name): vars(
                getattr(sys.modules[point.module], point.owner)
            ).get(point.name)
            for point in http_libraries.POINTS
            if point.module in sys.modules
        }

    before = attributes()
    yield
    patching.sweep()  # as the plugin does after each test
    now = attributes()
    assert {key: now[key] for key in before} == before
