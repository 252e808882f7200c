"""What stands behind ``AWS_LAMBDA_RUNTIME_API``."""

import gc
import socket
import subprocess
import sys
import textwrap
import threading
import warnings

import pytest

ASKS = """
    import os, socket
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")

    def handler(event, context):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /2018-06-01/ping HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n")
            return connection.makefile().read()
"""


def test_it_answers_function_code_that_connects(environment):
    env = environment(ASKS)
    assert str(env.invoke().payload).endswith("pong")


def test_without_a_caller_there_is_no_thread_and_at_the_end_none_is_left(environment):
    def ours():
        return [
            thread.name
            for thread in threading.enumerate()
            if thread.name.startswith("lambda-lifecycle-api")
        ]

    env = environment("def handler(event, context): pass")
    env.extension("listener")
    env.invoke()
    assert not ours()
    env.close()
    env = environment(ASKS)
    env.invoke()
    assert ours()
    env.close()
    assert not ours()


def test_the_servers_own_imports_are_no_modules_of_the_function(tmp_path):
    (tmp_path / "app.py").write_text(textwrap.dedent(ASKS))
    for name in ("html", "mimetypes", "hmac", "email"):
        (tmp_path / f"{name}.py").write_text("raise SystemError('this is the function\\'s')")
    code = f"""
import sys
sys.path[:] = {[entry for entry in sys.path if entry]!r}
from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
assert "http.server" not in sys.modules
with ExecutionEnvironment(FunctionConfig("app.handler", code_dir={str(tmp_path)!r})) as env:
    assert env.invoke().payload.endswith("pong")
    path = list(sys.path)
assert "http.server" in sys.modules and {str(tmp_path)!r} in path
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd="/")


class TestSocketsOfTheFunction:
    """They end with its process, as the kernel ends them: a peer hears of it, and a port is free
    for the next one.
    """

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
    def test_a_peer_hears_of_the_end(self, environment, end, kind):
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
    def test_a_peer_at_a_path_hears_of_the_end(self, environment, tmp_path):
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

    def test_python_does_not_complain_of_what_nobody_closed(self, environment):
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

    def test_a_thread_that_waits_at_one_ends(self, environment):
        with socket.create_server(("127.0.0.1", 0)) as server:
            env = environment(f"""
                import socket, threading
                connection = socket.create_connection({server.getsockname()!r})
                listener = socket.create_server(("127.0.0.1", 0))
                threads = [threading.Thread(target=wait) for wait in (lambda: connection.recv(1), listener.accept)]
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

    def test_those_of_the_test_stay_open(self, environment):
        env = environment("def handler(event, context): pass")
        with socket.create_server(("127.0.0.1", 0)) as server:
            env.invoke()
            with socket.create_connection(server.getsockname()) as connection:
                env.close()
                peer, _ = server.accept()
                with peer:
                    peer.sendall(b"x")
                    assert connection.recv(1) == b"x"
