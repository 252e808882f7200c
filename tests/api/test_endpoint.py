"""The endpoint that ``AWS_LAMBDA_RUNTIME_API`` names."""

import subprocess
import sys
import textwrap
import threading

import pytest

from pytest_lambda_lifecycle import LifecycleError

ASKS = """
    import os, socket
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")

    def handler(event, context):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /2018-06-01/ping HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n")
            return connection.makefile().read()
"""


def test_function_code_can_connect(environment):
    env = environment(ASKS)
    assert str(env.invoke().payload).endswith("pong")


def test_threads_run_from_the_first_call_to_the_end_of_the_environment(environment):
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


@pytest.mark.parametrize("extensions", [(), ("listener",)], ids=len)
def test_dropping_the_telemetry_of_an_extension_that_has_not_subscribed(environment, extensions):
    env = environment("def handler(event, context): return 1")
    for name in extensions:
        env.extension(name)
    env.initialize()
    with pytest.raises(LifecycleError, match="the telemetry of 'listener': it has not subscribed"):
        env.drop_telemetry("listener")
    assert env.invoke().payload == 1


def test_the_server_does_not_import_modules_of_the_function(tmp_path):
    (tmp_path / "app.py").write_text(textwrap.dedent(ASKS))
    for name in ("html", "mimetypes", "hmac", "email"):
        (tmp_path / f"{name}.py").write_text("raise SystemError('this is the function\\'s')")
    code = f"""
import sys
sys.path[:] = {[entry for entry in sys.path if entry]!r}
from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
SERVER = "pytest_lambda_lifecycle.api.connection"
assert SERVER not in sys.modules
with ExecutionEnvironment(FunctionConfig("app.handler", code_dir={str(tmp_path)!r})) as env:
    assert env.invoke().payload.endswith("pong")
    path = list(sys.path)
assert SERVER in sys.modules and {str(tmp_path)!r} in path
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd="/")
