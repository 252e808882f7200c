"""Sockets of the function: names of the sandbox, connections to the APIs, and their end."""

import functools
import gc
import http.server
import socket
import threading
import warnings
from unittest import mock

import pytest

from pytest_lambda_lifecycle.isolation.parts.sockets import Sockets
from pytest_lambda_lifecycle.isolation.patching import patch_attributes

NAMES = ["sandbox", "sandbox.localdomain", "Sandbox.LocalDomain", "sandbox.localdomain."]


FUNCTIONS = (
    "getaddrinfo",
    "gethostbyname",
    "gethostbyname_ex",
    "gethostbyaddr",
    "getfqdn",
    "create_connection",
)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def entered(listener):
    """The part, entered; a list with the thread of each reported connect."""
    told = []
    undo = Sockets(
        listener.getsockname, lambda connection: told.append(threading.get_ident())
    ).enter()
    yield told
    undo()


def snapshot():
    return {name: getattr(socket, name) for name in FUNCTIONS} | dict(vars(socket.socket))


@pytest.mark.parametrize("name", NAMES)
def test_the_names_resolve_to_this_machine(entered, name):
    assert socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 80)
    assert socket.getaddrinfo(host=name.encode(), port=None, family=socket.AF_INET)[0][4] == (
        "127.0.0.1",
        0,
    )
    assert socket.gethostbyname(name) == "127.0.0.1"
    assert socket.gethostbyname_ex(name)[2] == ["127.0.0.1"]
    assert socket.gethostbyaddr(name) == socket.gethostbyaddr("127.0.0.1")


@pytest.mark.parametrize("name", ["sandbox", "sandbox.localdomain"])
def test_sockets_bind_and_connect_by_name(entered, name):
    with socket.socket() as server, socket.socket() as client, socket.socket() as other:
        server.bind((name, 0))
        server.listen()
        port = server.getsockname()[1]
        client.connect((name, port))
        assert other.connect_ex((name, port)) == 0
        assert client.getpeername() == other.getpeername() == ("127.0.0.1", port)


def test_a_server_as_in_the_samples_of_aws_listens_by_name(entered):
    with http.server.HTTPServer(
        ("sandbox.localdomain", 0), http.server.BaseHTTPRequestHandler
    ) as server:
        assert server.server_address[0] == "127.0.0.1"


def test_other_names_addresses_and_families_are_left_alone(entered, tmp_path):
    assert socket.gethostbyname("127.0.0.2") == "127.0.0.2"
    with pytest.raises(TypeError):
        socket.gethostbyname()
    with socket.socket() as one, pytest.raises(TypeError):
        one.connect(b"not a tuple")
    with socket.socket() as one, pytest.raises(TypeError):
        one.connect(())
    if hasattr(socket, "AF_UNIX"):
        with socket.socket(socket.AF_UNIX) as one, pytest.raises(FileNotFoundError):
            one.connect(str(tmp_path / "none"))


@pytest.mark.parametrize("connect", ["connect", "connect_ex", "create_connection"])
def test_a_connect_to_the_api_is_reported_before_it_happens(entered, listener, connect):
    address = listener.getsockname()
    if connect == "create_connection":
        socket.create_connection(("sandbox", address[1])).close()
    else:
        with socket.socket() as client:
            getattr(client, connect)(address)
    assert entered == [threading.get_ident()]


def test_other_connects_are_not_reported(entered):
    with socket.create_server(("127.0.0.1", 0)) as other:
        socket.create_connection(other.getsockname()).close()
    assert entered == []


def test_no_connect_is_reported_without_an_address():
    undo = Sockets(
        lambda: None, lambda connection: pytest.fail("nobody can have connected")
    ).enter()
    try:
        with socket.create_server(("127.0.0.1", 0)) as other:
            socket.create_connection(other.getsockname()).close()
    finally:
        undo()


def test_an_exception_of_the_report_reaches_the_caller(listener):
    def refuse(connection):
        raise OSError("no more threads")

    undo = Sockets(listener.getsockname, refuse).enter()
    try:
        with pytest.raises(OSError, match="no more threads"):
            socket.create_connection(listener.getsockname())
    finally:
        undo()


def test_leaving_restores_the_same_objects():
    before = snapshot()
    reach = Sockets(lambda: None, lambda connection: None)
    for _ in range(3):
        undo = reach.enter()
        assert snapshot() != before
        undo()
        assert snapshot() == before
    assert "connect" not in vars(socket.socket)


def test_a_replaced_class_that_refuses(monkeypatch, listener):
    """As with pytest-socket: the replacing class refuses, and older sockets still connect."""
    existing = socket.socket()

    class Guarded(socket.socket):
        def __new__(cls, *arguments, **keywords):
            raise RuntimeError("no sockets here")

    told = []
    monkeypatch.setattr(socket, "socket", Guarded)
    undo = Sockets(listener.getsockname, lambda connection: told.append(1)).enter()
    try:
        with pytest.raises(RuntimeError, match="no sockets here"):
            socket.create_connection(listener.getsockname())
        with existing:
            existing.connect(("sandbox", listener.getsockname()[1]))
    finally:
        undo()
    assert told == [1]
    assert "connect" not in vars(Guarded)
    assert "connect" not in vars(Guarded.__mro__[1])


def test_a_socket_class_of_another_library(monkeypatch):
    """As with gevent: another class, which has its own methods."""
    seen = []

    class Other:
        def bind(self, address):
            seen.append(address)

        def connect(self, address):
            seen.append(address)

        connect_ex = connect

    before = dict(vars(Other))
    monkeypatch.setattr(socket, "socket", Other)
    undo = Sockets(lambda: ("127.0.0.1", 9), lambda connection: seen.append("told")).enter()
    Other().bind(("sandbox", 7))
    Other().connect_ex(("sandbox", 9, 0))
    undo()
    assert seen == [("127.0.0.1", 7), "told", ("127.0.0.1", 9, 0)]
    assert dict(vars(Other)) == before


def test_a_create_connection_of_another_library(monkeypatch):
    """The one of gevent calls its own `getaddrinfo`."""
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout=1: (address, timeout))
    undo = Sockets(lambda: None, lambda: None).enter()
    try:
        assert socket.create_connection(("sandbox", 80), timeout=2) == (("127.0.0.1", 80), 2)
    finally:
        undo()
    assert socket.create_connection(("sandbox", 80)) == (("sandbox", 80), 1)


def test_mocks_of_the_test_stay_in_place():
    with (
        mock.patch("socket.getaddrinfo") as getaddrinfo,
        mock.patch("socket.socket.connect") as connect,
    ):
        undo = Sockets(lambda: None, lambda: None).enter()
        try:
            assert socket.getaddrinfo is getaddrinfo
            assert socket.socket.connect is connect
            assert socket.gethostbyname("sandbox") == "127.0.0.1"
        finally:
            undo()
        assert socket.getaddrinfo is getaddrinfo


def test_a_tool_that_has_wrapped_the_replacement(monkeypatch):
    seen = []
    reach = Sockets(lambda: None, lambda: None)
    undo = reach.enter()
    ours = socket.gethostbyname

    @functools.wraps(ours)
    def tool(name):
        seen.append(name)
        return ours(name)

    undo()
    monkeypatch.setattr(socket, "gethostbyname", tool)
    undo = reach.enter()
    try:
        assert socket.gethostbyname("sandbox") == "127.0.0.1"
    finally:
        undo()
    assert seen == ["127.0.0.1"]


def test_a_mock_that_replaces_the_class(monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *arguments: None)
    undo = Sockets(lambda: None, lambda connection: None).enter()
    assert socket.gethostbyname("sandbox") == "127.0.0.1"
    undo()


def test_a_tool_that_restores_the_replacement_late(monkeypatch, listener):
    told = []
    reach = Sockets(listener.getsockname, lambda connection: told.append(1))
    undo = reach.enter()
    captured = socket.socket.connect
    undo()
    late = patch_attributes((socket.socket, "connect", captured))
    try:
        socket.create_connection(listener.getsockname()).close()
        assert told == []
        reach.enter()()  # not wrapped a second time
        undo = reach.enter()
        assert socket.socket.connect._lambda_original is captured._lambda_original
        socket.create_connection(listener.getsockname()).close()
        undo()
        assert told == [1]
    finally:
        late()
    assert "connect" not in vars(socket.socket)


def test_attributes_that_a_tool_has_deleted():
    class Owner:
        pass

    undo = patch_attributes((Owner, "one", 1))
    del Owner.one
    undo()
    assert not hasattr(Owner, "one")


class TestSocketsOfTheFunction:
    """They end with the process, as the kernel would end them."""

    def test_a_port_is_free_after_a_reset(self, environment):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        env = environment(f"""
            import socket
            server = socket.create_server(("127.0.0.1", {port}))
            def handler(event, context): return server.getsockname()[1]
        """)
        assert env.invoke().payload == port
        env.reset()
        assert env.invoke().payload == port

    @pytest.mark.parametrize("end", ["reset", "recycle", "close", "shutdown"])
    @pytest.mark.parametrize("kind", ["connect", "connect_ex"])
    def test_the_connection_of_a_peer_ends(self, environment, end, kind):
        with socket.create_server(("127.0.0.1", 0)) as server:
            env = environment(f"""
                import socket
                connection = socket.socket()
                connection.{kind}({server.getsockname()!r})
                def handler(event, context): connection.sendall(b"x")
            """)
            env.invoke()
            peer, _ = server.accept()
            with peer:
                peer.settimeout(5)
                assert peer.recv(10) == b"x"
                getattr(env, end)()
                assert peer.recv(10) == b""

    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")
    def test_the_connection_of_a_peer_at_a_path_ends(self, environment, tmp_path):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "s"))
            server.listen()
            env = environment(f"""
                import socket
                connection = socket.socket(socket.AF_UNIX)
                connection.connect({str(tmp_path / "s")!r})
                def handler(event, context): pass
            """)
            env.invoke()
            peer, _ = server.accept()
            with peer:
                peer.settimeout(5)
                env.close()
                assert peer.recv(10) == b""

    def test_python_does_not_warn_of_open_sockets(self, environment):
        env = environment("""
            import socket
            plain, other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket()
            plain.sendto(b"x", ("127.0.0.1", 2000))
            plain.sendto(b"x", 0, ("127.0.0.1", 2000))
            other.bind(("127.0.0.1", 0))
            def handler(event, context): pass
        """)
        env.invoke()
        env.close()
        del env
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gc.collect()
        assert list(map(str, caught)) == []

    def test_a_thread_that_waits_at_a_socket_ends(self, environment):
        with socket.create_server(("127.0.0.1", 0)) as server:
            env = environment(f"""
                import socket, threading
                connection = socket.create_connection({server.getsockname()!r})
                listener = socket.create_server(("127.0.0.1", 0))
                waits = [lambda: connection.recv(1), listener.accept]
                threads = [threading.Thread(target=wait) for wait in waits]
                for thread in threads: thread.start()
                def handler(event, context): pass
            """)
            env.invoke()
            threads = env.module.threads
            assert all(thread.is_alive() for thread in threads)
            env.close()
            for thread in threads:
                thread.join(5)
            assert not any(thread.is_alive() for thread in threads)

    def test_sockets_of_the_test_stay_open(self, environment):
        env = environment("def handler(event, context): pass")
        with socket.create_server(("127.0.0.1", 0)) as server:
            env.invoke()
            with socket.create_connection(server.getsockname()) as connection:
                env.close()
                peer, _ = server.accept()
                with peer:
                    peer.sendall(b"x")
                    assert connection.recv(1) == b"x"
