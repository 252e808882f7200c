"""Programs that were written for Lambda and know nothing of this package, unmodified."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    Extension,
    ExtensionError,
    ExtensionProgram,
    FunctionConfig,
    FunctionError,
    InitError,
    LifecycleError,
    LogsDropped,
    RecordingExtension,
)
from pytest_lambda_lifecycle.extensions.programs import extension_variables
from pytest_lambda_lifecycle.processes import opt

pytestmark = pytest.mark.skipif(os.name != "posix", reason="extension processes need POSIX")

needs_hosts = pytest.mark.skipif(
    not opt.has_own_hosts(), reason="this system lets no process have an /etc/hosts of its own"
)
needs_proc = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="who listens at a port is read from /proc"
)

PYTHON = """\
#!/usr/bin/env python3
import http.client, http.server, json, os, socket, sys, threading
from pathlib import Path

connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
headers = {"Lambda-Extension-Name": Path(sys.argv[0]).name}


def call(method, path, body=None):
    connection.request(method, path, json.dumps(body), headers)
    answer = connection.getresponse()
    return answer, json.loads(answer.read())


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        for record in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
            print("record", record["type"], flush=True)
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.end_headers()

    def log_message(self, *arguments):
        pass


def listen(host, port):
    server = http.server.ThreadingHTTPServer((host, port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def subscribe(port):
    return call("PUT", "/2022-07-01/telemetry", {
        "schemaVersion": "2022-12-13",
        "types": ["platform", "function"],
        "destination": {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}"},
        "buffering": {"timeoutMs": 30000},
    })


answer, _ = call("POST", "/2020-01-01/extension/register", {"events": ["INVOKE", "SHUTDOWN"]})
headers["Lambda-Extension-Identifier"] = answer.headers["Lambda-Extension-Identifier"]
"""
LOOP = """
while call("GET", "/2020-01-01/extension/event/next")[1]["eventType"] == "INVOKE":
    pass
"""
SHELL = """\
#!/bin/sh
echo "started as $0"
api="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"
head=$(mktemp)
events='{"events": ["INVOKE", "SHUTDOWN"]}'
curl -sS -D "$head" -d "$events" -H "Lambda-Extension-Name: ${0##*/}" "$api/register"
id=$(tr -d '\\r' < "$head" | sed -n 's/^[Ll]ambda-[Ee]xtension-[Ii]dentifier: //p')
while :; do
    event=$(curl -sS -H "Lambda-Extension-Identifier: $id" "$api/event/next")
    case $event in *SHUTDOWN*) exit 0 ;; esac
done
"""


@pytest.fixture
def layer(tmp_path) -> Callable[..., Path]:
    """Write a layer whose extension has this source; return its folder."""

    def layer(source: str, name: str = "agent", folder: str = "layer") -> Path:
        file = tmp_path / folder / "extensions" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
        file.chmod(0o755)
        return tmp_path / folder

    return layer


@pytest.fixture
def make(tmp_path):
    made = []

    def make(*layers: Path, source: str = "def handler(event, context): return 1", **settings):
        root = tmp_path / f"task{len(made)}"
        root.mkdir()
        (root / "app.py").write_text(textwrap.dedent(source))
        config = FunctionConfig("app.handler", code_dir=root, timeout=60, layers=layers, **settings)
        made.append(ExecutionEnvironment(config))
        return made[-1]

    yield make
    for env in made:
        env.close()


class TestSandbox:
    """``sandbox`` and ``sandbox.localdomain`` are this machine for every program."""

    ISOLATED = f"""\
#!/bin/sh
exec env PYTHONPATH=/nowhere {sys.executable} -I - "$0" <<'END'
import socket
print("found", socket.gethostbyname("sandbox"), socket.gethostbyname("sandbox.localdomain"))
END
"""

    @needs_hosts
    def test_a_python_without_our_path_resolves_them(self, make, layer):
        env = make(layer(self.ISOLATED))
        with pytest.raises(ExtensionError, match="exit code 0"):
            env.initialize()
        assert "found 127.0.0.1 127.0.0.1" in env.log

    @needs_hosts
    @pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a compiler")
    def test_a_compiled_program_resolves_them(self, make, layer, tmp_path):
        source = tmp_path / "agent.c"
        source.write_text("""
            #include <netdb.h>
            #include <stdio.h>
            int main(void) {
                struct addrinfo *found;
                puts(getaddrinfo("sandbox.localdomain", "4243", 0, &found) ? "unknown" : "known");
                return 0;
            }
        """)
        folder = layer("")
        command = ["gcc", "-o", str(folder / "extensions" / "agent"), str(source)]
        subprocess.run(command, check=True)
        env = make(folder)
        with pytest.raises(ExtensionError, match="exit code 0"):
            env.initialize()
        assert "known\n" in env.log
        assert "unknown" not in env.log

    @needs_hosts
    def test_a_program_named_by_its_path_has_the_hosts_too(self, make, layer, tmp_path):
        program = layer(self.ISOLATED) / "extensions" / "agent"
        program = program.rename(tmp_path / "agent")
        env = make(extensions=[program])
        with pytest.raises(ExtensionError):
            env.initialize()
        assert "found 127.0.0.1" in env.log

    @needs_hosts
    def test_the_hosts_of_the_machine_stay_known_and_unchanged(self, make, layer):
        before = Path("/etc/hosts").read_bytes()
        env = make(layer("#!/bin/sh\ncat /etc/hosts\n"))
        with pytest.raises(ExtensionError):
            env.initialize()
        for line in before.decode().splitlines():
            assert line in env.log
        assert Path("/etc/hosts").read_bytes() == before

    @pytest.mark.parametrize(
        "error",
        [
            "curl: (6) Could not resolve host: sandbox.localdomain",
            "Error: getaddrinfo ENOTFOUND sandbox.localdomain",
            "socket.gaierror: [Errno -2] Name or service not known",
            "dial tcp: lookup sandbox on 10.0.0.2:53: no such host",
        ],
    )
    def test_elsewhere_a_hint_follows_the_error(self, make, layer, monkeypatch, error):
        monkeypatch.setattr(opt, "_prefix", tuple)
        monkeypatch.setattr(opt, "has_own_hosts", bool)
        env = make(layer(f"#!/bin/sh\necho '{error}' >&2\nexit 3\n"))
        with pytest.raises(ExtensionError, match="exit status 3") as caught:
            env.initialize()
        text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
        assert "the names sandbox and sandbox.localdomain are unknown to this program" in text
        assert "127.0.0.1" in text

    def test_no_hint_follows_another_error(self, make, layer, monkeypatch):
        monkeypatch.setattr(opt, "_prefix", tuple)
        monkeypatch.setattr(opt, "has_own_hosts", bool)
        env = make(layer("#!/bin/sh\necho 'no licence key for sandbox'\nexit 3\n"))
        with pytest.raises(ExtensionError) as caught:
            env.initialize()
        text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
        assert "Hint" not in text


class TestStart:
    def test_python3_is_the_interpreter_that_runs_the_tests(
        self, make, layer, tmp_path, monkeypatch
    ):
        other = tmp_path / "bin" / "python3"
        other.parent.mkdir()
        other.write_text("#!/bin/sh\necho another python\n")
        other.chmod(0o755)
        monkeypatch.setenv("PATH", f"{other.parent}{os.pathsep}{os.environ['PATH']}")
        env = make(layer("#!/usr/bin/env python3\nimport sys\nprint('this is', sys.prefix)\n"))
        with pytest.raises(ExtensionError):
            env.initialize()
        assert f"this is {sys.prefix}\n" in env.log

    def test_a_path_that_the_function_declares_stays_as_it_is(self, make, layer):
        path = "/nowhere:/usr/bin:/bin"
        env = make(layer("#!/bin/sh\necho the path is $PATH\n"), environment={"PATH": path})
        with pytest.raises(ExtensionError):
            env.initialize()
        assert f"the path is {path}\n" in env.log

    def test_the_path_is_as_it_was_where_python3_is_the_first_one(self):
        path = os.pathsep.join((os.path.dirname(sys.executable), "/usr/bin"))
        assert extension_variables({"PATH": path})["PATH"] == path

    @pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
    def test_a_shell_script_starts_under_its_name_in_opt(self, make, layer):
        folder = layer(SHELL)
        env = make(folder)
        env.invoke()
        assert env.shutdown().killed == ()
        file = "/opt/extensions/agent" if opt._prefix() and os.path.isdir("/opt") else None
        assert f"started as {file or folder / 'extensions' / 'agent'}\n" in env.log

    @pytest.mark.parametrize("line", ["#!/bin/sh", "#!/usr/bin/env python3", "#! /bin/sh -e"])
    def test_a_first_line_of_windows_is_a_launch_error(self, make, layer, line):
        folder = layer("")
        (folder / "extensions" / "agent").write_bytes(f"{line}\r\necho hello\r\n".encode())
        with pytest.raises(ExtensionError, match=r"Extension\.LaunchError") as caught:
            make(folder).initialize()
        assert "no such file or directory" in str(caught.value)
        assert "carriage return" in str(caught.value)


class TestTelemetry:
    LISTENING = PYTHON + "port = listen('127.0.0.1', 0).server_address[1]\nsubscribe(port)\n" + LOOP

    def test_what_waits_is_delivered_at_once_on_request(self, make, layer):
        env = make(layer(self.LISTENING))
        env.invoke()
        assert "record platform.report" not in env.log
        began = time.perf_counter()
        env.flush_telemetry()
        assert time.perf_counter() - began < 20  # the batch would wait for 30 s
        assert "record platform.report" in env.log
        before = env.log.count("record platform.report")
        env.invoke()
        env.flush_telemetry()
        assert env.log.count("record platform.report") == before + 1
        assert env.state == "ready"

    def test_without_a_subscriber_there_is_nothing_to_deliver(self, make, layer):
        env = make(layer(PYTHON + LOOP))
        env.invoke()
        with pytest.raises(LifecycleError, match="no extension has subscribed") as caught:
            env.flush_telemetry()
        assert caught.value.code == "LLC603"

    def test_it_needs_a_frozen_environment(self, make, layer):
        env = make(layer(self.LISTENING))
        with pytest.raises(LifecycleError, match="cannot flush the telemetry") as caught:
            env.flush_telemetry()
        assert caught.value.code == "LLC106"
        env.close()
        with pytest.raises(LifecycleError, match="cannot flush the telemetry") as caught:
            env.flush_telemetry()
        assert caught.value.code == "LLC101"

    def test_a_listener_that_refuses_is_an_error(self, make, layer):
        env = make(layer(self.LISTENING), environment={"STATUS": "500"})
        env.invoke()
        with pytest.raises(LifecycleError, match="not all of it has reached") as caught:
            env.flush_telemetry()
        assert "'agent' did not get" in str(caught.value)
        assert "status 500" in str(caught.value)
        assert caught.value.code == "LLC606"
        assert env.invoke().payload == 1

    def test_a_destination_that_the_test_has_dropped_is_no_error(self, make, layer):
        env = make(layer(self.LISTENING))
        env.invoke()
        env.drop_telemetry("agent")
        env.flush_telemetry()
        assert [one.extension for one in env.timeline.of(LogsDropped)] == ["agent"]

    def test_nobody_waits_for_the_listener_of_an_extension_that_has_ended(self, make, layer):
        env = make(layer(self.LISTENING))
        env.invoke()
        env.kill_extension("agent")
        with pytest.raises(ExtensionError):
            env.invoke()
        [lost] = env.timeline.of(LogsDropped)
        assert lost.reason.startswith("the extension has ended")

    def test_a_proper_end_loses_nothing(self, make, layer):
        env = make(layer(self.LISTENING))
        env.invoke()
        assert env.shutdown().killed == ()
        assert env.timeline.of(LogsDropped) == []


class TestNames:
    def test_programs_are_among_the_extensions(self, make, layer):
        folder = layer(PYTHON + "print('hello', flush=True)\n" + LOOP)
        env = make(folder)
        monitor = env.extension("monitor")
        env.invoke()
        object_, program = env.extensions
        assert object_ is monitor
        assert isinstance(object_, RecordingExtension)
        assert isinstance(program, ExtensionProgram)
        assert (program.name, program.path) == ("agent", folder / "extensions" / "agent")
        assert [event["eventType"] for event in program.events] == ["INVOKE"]
        assert program.log == "hello\n"
        assert repr(program) == "<ExtensionProgram 'agent': 1 events>"

    def test_a_program_is_named_before_the_first_phase(self, make, layer):
        assert [one.name for one in make(layer(PYTHON + LOOP)).extensions] == ["agent"]


class TestPorts:
    """Ports belong to the whole machine."""

    @staticmethod
    def text(error: BaseException) -> str:
        return "\n".join([str(error), *getattr(error, "__notes__", ())])

    @needs_proc
    def test_the_error_names_the_port_the_other_environment_and_the_marker(
        self, make, layer, unused_port
    ):
        folder = layer(PYTHON + f"listen('127.0.0.1', {unused_port})\n" + LOOP)
        first, second = make(folder, function_name="orders"), make(folder)
        first.initialize()
        with pytest.raises(ExtensionError, match="exit status 1") as caught:
            second.initialize()
        text = self.text(caught.value)
        assert f"port {unused_port} is in use by process" in text
        assert "an extension of another environment (function 'orders'" in text
        assert "TestPorts::test_the_error_names_the_port" in text
        assert f'@pytest.mark.xdist_group("port-{unused_port}")' in text
        assert "--dist loadgroup" in text

    @needs_proc
    def test_a_subscription_to_the_port_of_another_environment_is_refused(
        self, make, layer, unused_port
    ):
        folder = layer(
            PYTHON + f"listen('127.0.0.1', {unused_port})\nsubscribe({unused_port})\n" + LOOP
        )
        other = layer(
            PYTHON
            + f"answer, body = subscribe({unused_port})\n"
            + "print(answer.status, body['errorMessage'], flush=True)\n"
            + LOOP,
            folder="other",
        )
        make(folder, function_name="orders").initialize()
        second = make(other)
        second.initialize()
        until = time.monotonic() + 10
        while "400 port" not in second.log and time.monotonic() < until:
            time.sleep(0.01)  # its output comes through a pipe
        assert "400 port" in second.log
        assert f"port {unused_port} is in use by process" in second.log
        assert "(function 'orders'" in second.log
        assert "xdist_group" in second.log

    @needs_proc
    def test_a_port_that_function_code_cannot_have(self, make, unused_port):
        source = f"""
            import socket
            listener = socket.create_server(("127.0.0.1", {unused_port}))
            def handler(event, context): return 1
        """
        first, second = make(source=source), make(source=source)
        first.initialize()
        with pytest.raises(InitError) as caught:
            second.initialize()
        text = self.text(caught.value)
        holder = "the environment of 'app.handler' that is open in this process"
        assert f"port {unused_port} is in use by {holder}" in text
        assert "xdist_group" in text

    @needs_proc
    def test_a_port_that_an_object_cannot_have(self, make, unused_port):
        class Collector(Extension):
            def on_init(self) -> None:
                self.listener = socket.create_server(("127.0.0.1", unused_port))

        with socket.create_server(("127.0.0.1", unused_port)):
            env = make()
            env.add_extension(Collector)
            with pytest.raises(ExtensionError) as caught:
                env.initialize()
        assert f"port {unused_port} is in use by this process" in self.text(caught.value)

    def test_an_error_that_function_code_has_wrapped(self, make, unused_port):
        source = f"""
            import socket
            taken = []
            def handler(event, context):
                try:
                    taken.append(socket.create_server(("127.0.0.1", {unused_port})))
                except OSError as problem:
                    raise RuntimeError("no metrics") from problem
        """
        env = make(source=source)
        env.invoke()
        with pytest.raises(FunctionError, match="no metrics") as caught:
            env.invoke()
        assert f"port {unused_port} is in use" in self.text(caught.value)


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
