"""``/opt`` for programs of layers."""

import os
import stat
import tempfile

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, ExtensionError, FunctionConfig
from pytest_lambda_lifecycle.processes import opt

pytestmark = pytest.mark.skipif(os.name != "posix", reason="extension processes need POSIX")

needs_namespaces = pytest.mark.skipif(
    not opt._prefix(), reason="this system does not let a process have mounts"
)

LAUNCHER = """\
#!/bin/sh
exec "/opt/$(basename "$0")-files/extension.py"
"""
EXTENSION = """\
#!/usr/bin/env python3
import http.client, json, os, pathlib
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def call(method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, "/2020-01-01/extension" + path, json.dumps(body), headers)
    answer = connection.getresponse()
    return answer, json.loads(answer.read())

events = {"events": ["INVOKE", "SHUTDOWN"]}
answer, _ = call("POST", "/register", events, Lambda_Extension_Name="agent")
identifier = answer.headers["Lambda-Extension-Identifier"]
opt = pathlib.Path("/opt")
print(sorted(path.name for path in opt.iterdir()), (opt / "name").read_text(), flush=True)
while True:
    _, event = call("GET", "/event/next", Lambda_Extension_Identifier=identifier)
    print(event["eventType"], flush=True)
    if event["eventType"] == "SHUTDOWN":
        break
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def layer(tmp_path):
    """A layer as in AWS's samples: a launcher, which starts a file of the layer under /opt."""
    write(tmp_path / "layer" / "agent-files" / "extension.py", EXTENSION)
    (tmp_path / "layer" / "name").write_text("first")
    write(tmp_path / "layer" / "extensions" / "agent", LAUNCHER)
    return tmp_path / "layer"


@pytest.fixture
def task(tmp_path):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "app.py").write_text("def handler(event, context): return 1")
    return tmp_path / "task"


def output(env):
    with env:
        assert env.invoke().payload == 1
        assert env.shutdown().killed == ()
    return [line for line in env.log.splitlines() if line.startswith(("[", "INVOKE", "SHUTDOWN"))]


@needs_namespaces
@pytest.mark.parametrize("way", ["layer", "path"])
def test_a_launcher_finds_its_layer(layer, task, way):
    where = (
        {"layers": [layer]} if way == "layer" else {"extensions": [layer / "extensions" / "agent"]}
    )
    env = ExecutionEnvironment(FunctionConfig("app.handler", code_dir=task, timeout=60, **where))
    assert output(env) == ["['agent-files', 'extensions', 'name'] first", "INVOKE", "SHUTDOWN"]


@needs_namespaces
def test_layers_are_unpacked_over_each_other(layer, task, tmp_path):
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "name").write_text("second")
    before = set(os.listdir(tempfile.gettempdir()))
    config = FunctionConfig(
        "app.handler", code_dir=task, timeout=60, layers=[layer, tmp_path / "second"]
    )
    assert output(ExecutionEnvironment(config))[0] == "['agent-files', 'extensions', 'name'] second"
    assert not [
        name
        for name in set(os.listdir(tempfile.gettempdir())) - before
        if name.startswith("lambda-tmp")
    ]


@pytest.mark.parametrize("text", ["no shebang", "#!/nowhere/sh\n", ""])
def test_files_that_are_not_programs_are_refused(layer, task, text):
    (layer / "extensions" / "agent").write_text(text)
    config = FunctionConfig("app.handler", code_dir=task, layers=[layer])
    with (
        ExecutionEnvironment(config) as env,
        pytest.raises(ExtensionError, match=r"Extension\.LaunchError"),
    ):
        env.initialize()


def test_without_namespaces_a_program_starts_without_opt(layer, monkeypatch):
    monkeypatch.setattr(opt, "_prefix", tuple)
    path = layer / "extensions" / "agent"
    assert opt.Opt([layer], str(layer)).command(path) == [str(path)]


@needs_namespaces
def test_a_program_starts_under_its_name_in_opt(layer):
    path = layer / "extensions" / "agent"
    made = opt.Opt([layer], str(layer.parent))
    assert made.command(path)[-2:] == ["--", "/opt/extensions/agent"]
    made.close()


@needs_namespaces
def test_a_program_outside_the_layers_starts_under_its_own_path(layer, tmp_path):
    path = write(tmp_path / "bin" / "agent", LAUNCHER)
    made = opt.Opt([layer], str(tmp_path))
    assert made.command(path)[-1] == str(path)
    made.close()


@needs_namespaces
def test_a_file_that_a_later_layer_covers_starts_under_its_own_path(layer, tmp_path):
    write(tmp_path / "second" / "extensions" / "agent", "#!/bin/sh\necho second\n")
    made = opt.Opt([layer, tmp_path / "second"], str(tmp_path))
    assert made.command(layer / "extensions" / "agent")[-1] == str(layer / "extensions" / "agent")
    made.close()


@needs_namespaces
def test_an_interpreter_of_the_layer(layer, task):
    agent = layer / "extensions" / "agent"
    write(layer / "bin" / "runner", "#!/bin/sh\n" + 'exec /bin/sh "$1"\n')
    agent.write_text("#!/opt/bin/runner\n" + "echo run as $0\nexit 3\n")
    with (
        ExecutionEnvironment(FunctionConfig("app.handler", code_dir=task, layers=[layer])) as env,
        pytest.raises(ExtensionError, match=r"Extension\.Crash"),
    ):
        env.initialize()
    assert "run as /opt/extensions/agent\n" in env.log


@needs_namespaces
def test_this_python_stays_where_it_is_below_opt(layer, tmp_path, monkeypatch):
    """That of GitHub's runners is in ``/opt/hostedtoolcache``."""
    machine = tmp_path / "opt"
    write(machine / "hostedtoolcache" / "bin" / "python3", "")
    write(machine / "agent-files" / "python", "")
    monkeypatch.setattr(opt, "_OPT", machine)
    monkeypatch.setattr(opt.sys, "prefix", str(machine / "hostedtoolcache"))
    monkeypatch.setattr(opt.sys, "base_prefix", str(machine / "agent-files"))
    made = opt.Opt([layer], str(tmp_path))
    command = made.command(layer / "extensions" / "agent")
    root, kept, end, _ = command[-4:]
    assert (kept, end) == ("hostedtoolcache", "--")  # a folder of the layer covers the other one
    assert sorted(os.listdir(root)) == ["agent-files", "extensions", "hostedtoolcache", "name"]
    assert not (layer / "hostedtoolcache").exists()
    made.close()
    assert not os.path.exists(root)
