"""The processes that listen at a port."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_lambda_lifecycle.processes.ports import (
    Listener,
    listeners_at,
    listeners_of_extensions,
)

pytestmark = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="who listens at a port is read from /proc"
)

PROGRAM = """\
import socket
family = socket.AF_INET6 if ":" in HOST else socket.AF_INET
listener = socket.create_server((HOST, 0), family=family)
print(listener.getsockname()[1], flush=True)
input()
"""


@pytest.fixture
def program():
    """Start a program that listens; return its port and its number."""
    children = []

    def program(host="127.0.0.1", **variables):
        child = subprocess.Popen(
            [sys.executable, "-c", f"HOST = {host!r}\n{PROGRAM}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | variables,
        )
        children.append(child)
        return int(child.stdout.readline()), child.pid

    yield program
    for child in children:
        child.communicate("\n")


def test_a_port_of_this_process():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        [found] = listeners_at(listener.getsockname()[1])
    assert found.pid == os.getpid()
    assert str(found).startswith("this process")


def test_a_port_at_which_nobody_listens():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert listeners_at(bound.getsockname()[1]) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_a_port_of_another_process(program, host):
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6")
    port, pid = program(host)
    [found] = listeners_at(port)
    assert (found.pid, found.port, found.address) == (pid, port, "")
    assert str(found) == f"process {pid} ({found.command})"


def test_an_extension_of_another_environment(program):
    port, pid = program(
        AWS_LAMBDA_RUNTIME_API="127.0.0.1:1",
        AWS_LAMBDA_FUNCTION_NAME="orders",
        PYTEST_XDIST_WORKER="gw1",
        PYTEST_CURRENT_TEST="tests/test_orders.py::test_ships (call)",
    )
    [found] = listeners_at(port)
    assert str(found) == (
        f"process {pid} ({found.command}), an extension of another environment "
        "(function 'orders', worker gw1, test tests/test_orders.py::test_ships)"
    )
    assert pid in [one.pid for one in listeners_of_extensions("127.0.0.1:2")]
    assert pid not in [one.pid for one in listeners_of_extensions("127.0.0.1:1")]


def test_a_process_of_function_code_is_no_extension(program):
    port, pid = program(AWS_LAMBDA_RUNTIME_API="127.0.0.1:1", _HANDLER="app.handler")
    assert [one.address for one in listeners_at(port)] == [""]
    assert pid not in [one.pid for one in listeners_of_extensions("")]


def test_a_process_that_has_ended_is_described():
    assert str(Listener(4243, 2**30, "node", {})) == f"process {2**30} (node)"
