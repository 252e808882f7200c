"""The closed network: what function code may reach, and how a refusal comes out."""

from __future__ import annotations

import asyncio
import copy
import http.server
import pickle
import socket
import threading

import botocore.endpoint
import botocore.httpsession
import pytest

from pytest_lambda_lifecycle import (
    ConfigError,
    Connection,
    ExecutionEnvironment,
    Extension,
    FunctionConfig,
    FunctionError,
    LifecycleWarning,
    NetworkRefusal,
    NetworkRefused,
)
from pytest_lambda_lifecycle.function.hosts import address_of, plain_name
from pytest_lambda_lifecycle.isolation.patching import patch_attributes
from pytest_lambda_lifecycle.observation.calls.network import Answer, NetworkPolicy

REMOTE = "198.51.100.7"
"""An address of a block for documentation.  (192.0.2.0/24 is one, too, and some sandboxes use it.)
"""
PROBE = socket.socket
"""The class, whatever a test puts in its place."""


def policy(mode="block", *allow):
    return NetworkPolicy(mode, FunctionConfig("a.b", network_allow=allow).network_allow)


def call_handler(body, before="import socket"):
    """Return the source of a function that reaches out in its handler."""
    lines = "".join(f"\n    {line}" for line in body.splitlines())
    return f"{before}\ndef handler(event, context):{lines}\n"


class Real:
    """The real functions of `socket`, replaced by ones that leave nothing out of the machine."""

    def __init__(self):
        self.calls = []
        self.answers = {}
        """The address that each name is resolved to."""

    def patches(self):
        for name in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo"):
            yield socket, name, self.recording(name, lambda *_: ("name", [], []))
        yield socket, "getaddrinfo", self.recording("getaddrinfo", self.resolve)
        for name in ("connect", "connect_ex", "sendto", "sendmsg"):
            yield socket.socket, name, self.recording(name, lambda *_: None)

    def recording(self, name, result):
        def function(*arguments, **keywords):
            self.calls.append((name, *arguments))
            return result(*arguments)

        return function

    def resolve(self, host, port=None, *_):
        address = self.answers.get(host, host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


@pytest.fixture
def real():
    real = Real()
    undo = patch_attributes(*real.patches())
    yield real
    undo()


@pytest.fixture
def web():
    """A server on loopback that answers each request with 200; its port."""

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_POST = do_GET

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def refusals(env):
    return env.timeline.of(NetworkRefusal)


def connections(env):
    return [event.target for event in env.timeline.of(Connection)]


class TestHosts:
    """Which host passes."""

    @pytest.mark.parametrize(
        "host",
        "127.0.0.1 127.9.9.9 127.1 2130706433 0x7f000001 0177.0.0.1 0.0.0.0 0 :: ::1 ::1%lo "
        "::ffff:127.0.0.1 localhost LocalHost. app.localhost db postgres_1 DB. printer.local "
        "api.corp.internal sandbox".split(),
    )
    def test_this_machine_and_the_names_around_it_pass(self, host):
        assert policy().ask(host) is Answer.PASSES
        assert policy().ask(host.encode()) is Answer.PASSES
        assert policy("strict").ask(bytearray(host.encode())) is Answer.PASSES

    @pytest.mark.parametrize("host", [None, "", b"", 7, object()])
    def test_what_names_no_host_is_left_to_socket(self, host):
        assert policy().ask(host) is Answer.PASSES

    @pytest.mark.parametrize(
        "host",
        "198.51.100.7 198.51.25607 3325256711 0xc6336407 8.8.8.8 10.0.0.1 169.254.1.1 224.0.0.1 "
        "255.255.255.255 <broadcast> 2001:db8::1 fe80::1%eth0 fd00:ec2::23 ff02::1 "
        "::ffff:198.51.100.7 example.com EXAMPLE.COM. localhost.example.com notlocalhost.x "
        "internal.example bücher.example example。com dynamodb.us-east-1.amazonaws.com "
        "localhost.localstack.cloud xn--bcher-kva.example".split(),
    )
    @pytest.mark.parametrize("mode", ["block", "strict", "warn"])
    def test_everything_else_is_refused(self, host, mode):
        assert policy(mode).ask(host) is Answer.REFUSED
        assert policy("allow").ask(host) is Answer.PASSES

    @pytest.mark.parametrize(
        "host",
        "169.254.169.254 2852039166 0xa9fea9fe 169.254.43518 ::ffff:169.254.169.254 fd00:ec2::254 "
        "FD00:EC2:0::254 metadata.google.internal Metadata.Google.Internal. instance-data "
        "instance-data.ec2.internal".split(),
    )
    @pytest.mark.parametrize("mode", ["block", "strict", "warn", "allow"])
    def test_cloud_metadata_never_passes(self, host, mode):
        allowed = policy(mode, "169.254.0.0/16", "fd00::/8", "*.internal")
        allowed.resolved(["169.254.169.254", "fd00:ec2::254"])
        assert allowed.ask(host) is Answer.NEVER

    @pytest.mark.parametrize(
        ("allow", "passes", "refused"),
        [
            ("API.Example.com.", ["api.example.com", "API.EXAMPLE.COM."], ["a.api.example.com"]),
            (
                "*.example.com",
                ["a.example.com", "a.b.example.com"],
                ["example.com", "xexample.com"],
            ),
            ("db-*.corp.example", ["db-1.corp.example"], ["db.corp.example", "db-1xcorp.example"]),
            ("10.0.0.0/8", ["10.1.2.3", "::ffff:10.1.2.3", "167772161"], ["11.0.0.1", "2001::1"]),
            ("10.1.2.3/8", ["10.255.0.1"], ["11.0.0.1"]),
            ("198.51.100.7", [REMOTE, "0xc6336407"], ["198.51.100.8"]),
            ("2001:db8::/32", ["2001:db8::1", "2001:db8::1%eth0"], ["2001:db9::1", "32.1.13.184"]),
            ("bücher.example", ["BÜCHER.example", "xn--bcher-kva.example"], ["bucher.example"]),
        ],
    )
    def test_network_allow_adds_names_wildcards_addresses_and_ranges(self, allow, passes, refused):
        ours = policy("block", allow)
        assert {host: ours.ask(host) for host in passes} == dict.fromkeys(passes, Answer.PASSES)
        assert {host: ours.ask(host) for host in refused} == dict.fromkeys(refused, Answer.REFUSED)

    def test_the_addresses_of_a_name_pass_once_it_was_resolved(self):
        ours = policy("block", "api.example.com")
        assert ours.ask(REMOTE) is Answer.REFUSED
        ours.resolved([REMOTE, "2001:db8::1%eth0"])
        assert ours.ask(REMOTE) is ours.ask("2001:db8::1") is Answer.PASSES
        assert ours.ask("198.51.100.8") is Answer.REFUSED

    def test_a_name_in_the_hosts_file_passes(self, tmp_path, monkeypatch):
        file = tmp_path / "hosts"
        file.write_bytes(b"10.0.0.1 Build.Example alias.example # not.example\n\n\xff\n")
        module = "pytest_lambda_lifecycle.observation.calls.network"
        monkeypatch.setattr(f"{module}._HOSTS_FILE", str(file))
        ours = policy()
        assert ours.ask("build.example.") is ours.ask("ALIAS.example") is Answer.PASSES
        assert ours.ask("not.example") is Answer.REFUSED
        monkeypatch.setattr(f"{module}._HOSTS_FILE", str(tmp_path / "none"))
        assert policy().ask("build.example") is Answer.REFUSED

    def test_the_own_addresses_of_the_machine_pass_and_its_broadcast_does_not(self):
        with PROBE(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((REMOTE, 9))  # sends nothing
            except OSError:
                pytest.skip("this machine has loopback alone")
            own = probe.getsockname()[0]
        assert policy().ask(own) is Answer.PASSES
        assert policy().ask(f"::ffff:{own}") is Answer.PASSES
        assert policy().ask(own.rpartition(".")[0] + ".255") is Answer.REFUSED

    def test_the_own_name_of_the_machine_passes(self, monkeypatch):
        module = "pytest_lambda_lifecycle.observation.calls.network"
        monkeypatch.setattr(f"{module}._gethostname", lambda: "Box.Corp.Example")
        assert policy().ask("box.corp.example") is Answer.PASSES

    @pytest.mark.parametrize(
        ("host", "name"),
        [("A.", "a"), (b"A.B", "a.b"), ("a。b", "a.b"), ("\udcff.b", "\udcff.b"), (None, "")],
    )
    def test_a_plain_name(self, host, name):
        assert plain_name(host) == name

    @pytest.mark.parametrize(
        "text", ["1.2.3.4.5", "1.2.3.256", "0x", "08", "a.1", "::g", "1:2", ""]
    )
    def test_text_that_is_no_address(self, text):
        assert address_of(text) is None

    @pytest.mark.parametrize("value", [[7], ["a b"], ["-"], [""], "a.b", [None], ["http://"]])
    def test_a_value_that_is_no_list_of_hosts_is_refused(self, value):
        with pytest.raises(ConfigError, match="network_allow"):
            FunctionConfig("a.b", network_allow=value)

    def test_a_large_range_is_checked_at_once(self):
        assert FunctionConfig("a.b", network_allow=["::/1"]).network_allow == ("::/1",)


LOOK_UPS = {
    "socket.getaddrinfo('api.example.com', 443)": "api.example.com",
    "socket.getaddrinfo(host=b'API.example.com.', port=None)": "api.example.com",
    "socket.gethostbyname('api.example.com')": "api.example.com",
    "socket.gethostbyname_ex('api.example.com')": "api.example.com",
    "socket.gethostbyaddr('api.example.com')": "api.example.com",
    f"socket.gethostbyaddr('{REMOTE}')": REMOTE,
    f"socket.getnameinfo(('{REMOTE}', 80), 0)": REMOTE,
    "socket.create_connection(('api.example.com', 443))": "api.example.com",
    "socket.getfqdn('api.example.com')": "api.example.com",
    "socket.create_server(('api.example.com', 0))": "api.example.com:0",
}
CONNECTS = {
    f"socket.create_connection(('{REMOTE}', 443))": f"connect to {REMOTE}:443",
    f"socket.socket().connect(('{REMOTE}', 443))": f"connect to {REMOTE}:443",
    f"socket.socket().connect_ex(('{REMOTE}', 443))": f"connect to {REMOTE}:443",
    "socket.socket().connect(('api.example.com', 443))": "connect to api.example.com:443",
    "socket.socket().connect(('3325256711', 443))": f"connect to {REMOTE}:443",
    "socket.socket().connect((b'api.example.com', 443))": "connect to api.example.com:443",
    "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 443, 0, 0))": "connect to "
    "[2001:db8::1]:443",
    f"socket.socket(socket.AF_INET6).connect(('::ffff:{REMOTE}', 1))": f"connect to {REMOTE}:1",
    f"UDP.sendto(b'x', ('{REMOTE}', 53))": f"send a datagram to {REMOTE}:53",
    f"UDP.sendto(b'x', 0, ('{REMOTE}', 53))": f"send a datagram to {REMOTE}:53",
    f"UDP.sendmsg([b'x'], [], 0, ('{REMOTE}', 53))": f"send a datagram to {REMOTE}:53",
    f"UDP.connect(('{REMOTE}', 53))": f"connect to {REMOTE}:53",
    "UDP.sendto(b'x', ('<broadcast>', 9))": "send a datagram to 255.255.255.255:9",
}
UDP = "import socket\nUDP = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"


@pytest.mark.usefixtures("real")
class TestRefusals:
    """A refusal is raised before anything happens, and says all that helps."""

    @pytest.mark.parametrize("call", LOOK_UPS)
    def test_a_look_up_is_refused_before_anybody_is_asked(self, environment, real, call):
        env = environment(call_handler(f"{call}\nreturn 1"))
        with pytest.raises(NetworkRefused) as caught:
            env.invoke()
        assert caught.value.target == LOOK_UPS[call]
        assert caught.value.asked == "look up"
        assert str(refusals(env)[0]) == f"look up {LOOK_UPS[call]}"
        assert real.calls == []

    @pytest.mark.parametrize("call", CONNECTS)
    def test_a_connection_is_refused_before_anything_is_sent(self, environment, real, call):
        env = environment(call_handler(f"{call}\nreturn 1", UDP))
        with pytest.raises(NetworkRefused):
            env.invoke()
        assert [str(event) for event in refusals(env)] == [CONNECTS[call]]
        assert [call for call in real.calls if call[0] != "getaddrinfo"] == []
        assert connections(env) == []

    def test_the_error_has_the_request_the_phase_the_line_and_the_ways_out(self, environment):
        env = environment("import socket\n\nsocket.gethostbyname('api.example.com')\n")
        with pytest.raises(NetworkRefused) as caught:
            env.invoke()
        error = caught.value
        assert str(error).splitlines() == [
            "cannot look up api.example.com: the network is closed to function code "
            "(network='block', from the built-in default)",
            "It was asked in init, at app.py:3.",
            "Answer it with a mock (lambda_http for requests, moto for boto3, respx for httpx); "
            "or let it through:",
            "lambda_lifecycle_network_allow = api.example.com [LLC821]",
        ]
        assert (error.phase, error.where, error.code) == ("init", "app.py:3", "LLC821")
        assert not isinstance(error, OSError)
        for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert str(twin) == str(error)
            assert twin.target == "api.example.com"

    def test_the_environment_goes_on_after_a_refusal(self, environment):
        env = environment(
            call_handler("if event: socket.gethostbyname('api.example.com')\nreturn 'well'")
        )
        for check in (True, False):
            with pytest.raises(NetworkRefused):
                env.invoke(1, check=check)
        assert env.invoke(0).payload == "well"
        assert env.init_count == 1

    def test_metadata_has_no_way_through(self, environment):
        call = "socket.socket().connect(('169.254.169.254', 80))"
        env = environment(call_handler(call), network="allow")
        with pytest.raises(
            NetworkRefused, match="No setting lets 169.254.169.254 through"
        ) as caught:
            env.invoke()
        assert "network_allow" not in str(caught.value)
        assert "network='allow'" not in str(caught.value)

    def test_a_name_that_resolves_to_metadata_is_refused_at_the_connection(self, environment, real):
        real.answers["db"] = "169.254.169.254"
        env = environment(call_handler("socket.create_connection(('db', 80))"))
        with pytest.raises(NetworkRefused, match="connect to 169.254.169.254:80"):
            env.invoke()
        assert [call[0] for call in real.calls] == ["getaddrinfo"]

    def test_the_addresses_of_an_allowed_name_are_let_through(self, environment, real):
        real.answers["api.example.com"] = REMOTE
        body = "socket.create_connection(('api.example.com', 443)).close()"
        env = environment(call_handler(body), network_allow=["api.example.com"])
        env.invoke()
        assert [call[0] for call in real.calls] == ["getaddrinfo", "connect"]
        assert connections(env) == ["api.example.com", f"{REMOTE}:443"]
        assert refusals(env) == []

    @pytest.mark.parametrize(
        "call",
        [
            "socket.getaddrinfo('198.51.100.7', 443)",
            "socket.getaddrinfo(None, 443)",
            "socket.gethostbyname('198.51.100.7')",
            "socket.getnameinfo(('198.51.100.7', 80), socket.NI_NUMERICHOST)",
            "socket.gethostbyaddr('127.0.0.1')",
            "socket.create_server(('127.0.0.1', 0)).close()",
        ],
    )
    def test_what_asks_no_server_is_no_look_up(self, environment, call):
        env = environment(call_handler(call))
        env.invoke()
        assert refusals(env) == env.timeline.of(Connection) == []

    def test_threads_of_the_function_are_guarded(self, environment, real):
        body = (
            "def reach():\n    try: socket.socket().connect(('198.51.100.7', 1))\n"
            "    except Exception as problem: found.append(type(problem).__name__)\n"
            "found = []\nthread = threading.Thread(target=reach)\nthread.start()\nthread.join()\n"
            "return found"
        )
        env = environment(call_handler(body, "import socket, threading"))
        assert env.invoke().payload == ["NetworkRefused"]
        assert [call[0] for call in real.calls] == []

    def test_a_thread_that_goes_on_between_phases_is_guarded(self, environment, real):
        env = environment("""
            import socket, threading
            go, found = threading.Event(), []
            def reach():
                go.wait(10)
                try: socket.socket().connect(('198.51.100.7', 1))
                except Exception as problem: found.append(problem)
            def handler(event, context):
                thread = threading.Thread(target=reach)
                thread.start()
                globals()["thread"] = thread
        """)
        env.invoke()
        module = env.module
        module.go.set()
        module.thread.join(10)
        assert "It was asked between phases" in str(module.found[0])
        assert [event.phase for event in refusals(env)] == [""]
        assert real.calls == []

    def test_an_extension_in_this_process_is_guarded(self, environment, real):
        class Reaching(Extension):
            name = "reaching"
            subscriptions = ("INVOKE",)

            def on_invoke(self, event):
                socket.socket().connect((REMOTE, 1))

        env = environment("def handler(event, context): pass", extensions=[Reaching()])
        with pytest.raises(NetworkRefused, match=f"connect to {REMOTE}:1"):
            env.invoke()
        assert real.calls == []

    def test_a_class_of_function_code_in_the_place_of_socket_is_guarded(self, environment, real):
        """As PySocks does; sockets of the replaced class go through the methods of the original."""
        env = environment("""
            import socket
            class Proxied(socket.socket):
                def connect(self, address):
                    super().connect(('198.51.100.7', 1080))
            original, socket.socket = socket.socket, Proxied
            def handler(event, context):
                try: socket.create_connection(('127.0.0.1', 80))
                finally: socket.socket = original
        """)
        with pytest.raises(NetworkRefused, match="198.51.100.7:1080"):
            env.invoke()
        env.close()
        assert socket.socket is PROBE
        assert ("connect", REMOTE) not in real.calls

    def test_the_x_ray_daemon_of_lambda_is_part_of_the_environment(self, environment, real):
        body = (
            "import os\nhost, port = os.environ['AWS_XRAY_DAEMON_ADDRESS'].split(':')\n"
            "UDP.sendto(b'{}', (host, int(port)))"
        )
        env = environment(call_handler(body, UDP), network="strict")
        env.invoke()
        assert [call[0] for call in real.calls] == ["sendto"]
        assert refusals(env) == env.timeline.of(Connection) == []


class TestTheTestItself:
    """Only function code is guarded."""

    def test_the_test_reaches_out_while_an_environment_is_entered(self, environment, real):
        env = environment("def handler(event, context): pass", network="strict")
        env.invoke()
        assert "_lambda_original" in vars(socket.getaddrinfo), "the environment is entered"
        socket.getaddrinfo("api.example.com", 443)
        with socket.socket() as connection:
            connection.connect((REMOTE, 443))
            thread = threading.Thread(target=connection.connect, args=((REMOTE, 444),))
            thread.start()
            thread.join()
        assert [call[0] for call in real.calls] == ["getaddrinfo", "connect", "connect"]
        env._judge()

    def test_an_observer_of_events_reaches_out_in_a_phase(self, environment, real):
        def reach(event):
            with socket.socket() as connection:
                connection.connect((REMOTE, 443))

        env = environment(
            "def handler(event, context): pass",
            observer=reach,
            network="strict",
        )
        env.invoke()
        assert len(real.calls) == len(env.timeline)

    def test_function_code_that_an_observer_invokes_is_guarded(self, environment, write, real):
        write("other.py", call_handler("socket.socket().connect(('198.51.100.7', 443))"))
        inner = environment(handler="other.handler")
        caught = []

        def observe(event):
            if event.name == "invoke_start":
                with pytest.raises(NetworkRefused) as refused:
                    inner.invoke()
                caught.append(refused.value)

        environment("def handler(event, context): pass", observer=observe).invoke()
        assert len(caught) == 1
        assert real.calls == []

    def test_wrong_arguments_are_answered_by_socket_itself(self, environment):
        env = environment("""
            import socket
            def handler(event, context):
                with socket.socket() as one:
                    calls = (
                        lambda: socket.gethostbyname(),
                        lambda: socket.getnameinfo("a.b", 0),
                        lambda: one.connect(),
                        lambda: one.connect("a.b"),
                        lambda: one.connect(()),
                        lambda: one.connect((7, 7)),
                        lambda: one.connect((None, 7)),
                        lambda: one.sendto(b"x"),
                        lambda: one.sendmsg(),
                        lambda: one.bind(7),
                    )
                    return [answer(call) for call in calls]
            def answer(call):
                try: call()
                except Exception as problem: return type(problem).__name__
        """)
        assert env.invoke().payload == ["TypeError"] * 10

    def test_nothing_is_left_behind(self, environment):
        owners = [
            socket,
            socket.socket,
            asyncio.BaseEventLoop,
            botocore.endpoint.Endpoint,
            botocore.httpsession.URLLib3Session,
        ]
        before = [dict(vars(owner)) for owner in owners]
        env = environment(
            call_handler(
                "try: asyncio.run(asyncio.open_connection('198.51.100.7', 1))\n"
                "except Exception: pass",
                "import asyncio",
            )
        )
        env.invoke()
        assert len(refusals(env)) == 1
        env.close()
        assert [dict(vars(owner)) for owner in owners] == before


SYNC = {
    "requests": ("import requests", "requests.get('https://api.example.com/v1?api_key=s3cr3t')"),
    "a requests session with retries": (
        "import requests, requests.adapters, urllib3\nsession = requests.Session()\n"
        "retry = urllib3.Retry(5, backoff_factor=9)\n"
        "session.mount('https://', requests.adapters.HTTPAdapter(max_retries=retry))",
        "session.get('https://api.example.com/')",
    ),
    "urllib3": (
        "import urllib3\npool = urllib3.PoolManager(retries=urllib3.Retry(5, backoff_factor=9))",
        "pool.request('GET', 'https://api.example.com/')",
    ),
    "urllib": (
        "import urllib.request",
        "urllib.request.urlopen('https://api.example.com/', timeout=9)",
    ),
    "http.client": (
        "import http.client",
        "http.client.HTTPSConnection('api.example.com').request('GET', '/')",
    ),
    "httpx": ("import httpx", "httpx.get('https://api.example.com/')"),
    "smtplib": ("import smtplib", "smtplib.SMTP('api.example.com')"),
    "ftplib": ("import ftplib", "ftplib.FTP('api.example.com')"),
    "a proxy": (
        "import requests",
        "requests.get('http://127.0.0.1', proxies={'http': 'http://api.example.com:3128'})",
    ),
    "xmlrpc": ("import xmlrpc.client", "xmlrpc.client.ServerProxy('http://api.example.com').x()"),
}
ASYNC = {
    "asyncio streams": ("import asyncio", "await asyncio.open_connection({host!r}, 443)"),
    "asyncio with happy eyeballs": (
        "import asyncio",
        "await asyncio.open_connection({host!r}, 443, happy_eyeballs_delay=0.1)",
    ),
    "a datagram endpoint": (
        "import asyncio",
        "await asyncio.get_running_loop().create_datagram_endpoint("
        "asyncio.DatagramProtocol, remote_addr=({host!r}, 53))",
    ),
    "a look-up": ("import asyncio", "await asyncio.get_running_loop().getaddrinfo('x.{host}', 1)"),
    "httpx": (
        "import asyncio, httpx",
        "async with httpx.AsyncClient() as client: await client.get('http://{host}/')",
    ),
    "aiohttp": (
        "import asyncio, aiohttp",
        "async with aiohttp.ClientSession() as client: await client.get('http://{host}/')",
    ),
}


class TestLibraries:
    """The refusal reaches function code as it is: it is neither retried nor wrapped."""

    @pytest.mark.parametrize("library", SYNC)
    def test_a_client_library(self, environment, library):
        imports, call = SYNC[library]
        pytest.importorskip(imports.split()[1].strip(","))
        env = environment(call_handler(f"return {call}", imports))
        with pytest.raises(NetworkRefused) as caught:
            env.invoke()
        assert caught.value.target.startswith("api.example.com")
        assert caught.value.where.startswith("app.py:")
        assert len(refusals(env)) == 1
        assert "s3cr3t" not in f"{caught.value}{env.timeline!r}{refusals(env)!r}"

    @pytest.mark.parametrize("library", ["requests", "urllib3", "urllib", "http.client", "httpx"])
    def test_the_refusal_names_the_request(self, environment, library):
        imports, call = SYNC[library]
        pytest.importorskip(imports.split()[1].strip(","))
        env = environment(call_handler(f"return {call}", imports))
        with pytest.raises(NetworkRefused, match=r"cannot send GET https://api\.example\.com/"):
            env.invoke()

    @pytest.mark.parametrize("host", [REMOTE, "api.example.com"])
    @pytest.mark.parametrize("library", ASYNC)
    def test_an_asyncio_library(self, environment, library, host):
        imports, call = ASYNC[library]
        pytest.importorskip(imports.split()[-1])
        source = f"{imports}\nasync def reach():\n    {call.format(host=host)}\n"
        env = environment(f"{source}def handler(event, context): asyncio.run(reach())\n")
        with pytest.raises(NetworkRefused) as caught:
            env.invoke()
        assert host in caught.value.target
        assert caught.value.where.startswith("app.py:")
        assert len(refusals(env)) == 1

    def test_aiohttp_that_tries_several_addresses_at_once(self, environment):
        pytest.importorskip("aiohttp")
        env = environment("""
            import asyncio, socket, aiohttp
            from aiohttp.abc import AbstractResolver
            class Resolver(AbstractResolver):
                async def resolve(self, host, port=0, family=0):
                    return [{"hostname": host, "host": address, "port": port, "proto": 0,
                             "family": socket.AF_INET, "flags": socket.AI_NUMERICHOST}
                            for address in ("198.51.100.7", "198.51.100.8")]
                async def close(self): pass
            async def reach():
                connector = aiohttp.TCPConnector(resolver=Resolver())
                async with aiohttp.ClientSession(connector=connector) as client:
                    await client.get("http://api.example.com/")
            def handler(event, context): asyncio.run(reach())
        """)
        with pytest.raises(
            NetworkRefused, match=r"GET http://api.example.com/ \(198.51.100.7:80\)"
        ):
            env.invoke()

    @pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
    def test_an_aws_call_is_refused_below_the_retries_of_botocore(self, environment, mode):
        env = environment(f"""
            import boto3
            from botocore.config import Config
            retries = {{"mode": "{mode}", "max_attempts": 8}}
            table = boto3.client("dynamodb", config=Config(retries=retries))
            attempts = []
            table.meta.events.register("before-send", lambda **_: attempts.append(1) or None)
            seen = []
            table.meta.events.register_first(
                "needs-retry", lambda caught_exception, **_: seen.append(caught_exception) or None)
            def handler(event, context):
                table.put_item(TableName="orders", Item={{"id": {{"S": "1"}}}})
        """)
        env.initialize()
        with pytest.raises(NetworkRefused) as caught:
            env.invoke()
        assert env.module.attempts == [1]
        assert env.module.seen == [], "the retry handler has met the refusal"
        assert str(caught.value).splitlines()[:2] == [
            "cannot send dynamodb.PutItem in us-east-1 (dynamodb.us-east-1.amazonaws.com): the "
            "network is closed to function code (network='block', from the built-in default)",
            "It was asked in invoke 0, at app.py:12.",
        ]
        assert [str(event) for event in refusals(env)] == [
            "dynamodb.PutItem in us-east-1 (dynamodb.us-east-1.amazonaws.com)"
        ]

    def test_an_earlier_refusal_does_not_replace_another_exception(self, environment):
        env = environment(
            """
            import boto3, botocore.exceptions
            from botocore.config import Config
            config = Config(retries={"max_attempts": 0}, connect_timeout=1)
            def client(url): return boto3.client("dynamodb", endpoint_url=url, config=config)
            def handler(event, context):
                try: client("http://198.51.100.7:1").list_tables()
                except Exception as first:
                    try: client("http://127.0.0.1:1").list_tables()
                    except Exception as second:
                        return [type(first).__name__, type(second).__name__]
        """,
            timeout=60,
        )
        assert env.invoke().payload == ["NetworkRefused", "EndpointConnectionError"]

    def test_the_credentials_of_the_instance_metadata_are_refused_at_once(self, environment):
        env = environment("""
            from botocore.utils import InstanceMetadataFetcher
            def handler(event, context):
                fetcher = InstanceMetadataFetcher(timeout=5, num_attempts=5)
                return fetcher.retrieve_iam_role_credentials()
        """)
        with pytest.raises(NetworkRefused, match="metadata of the machine that runs the tests"):
            env.invoke()
        assert len(refusals(env)) == 1

    def test_a_client_without_credentials_of_its_own_asks_nobody(self, environment):
        env = environment(
            """
            import os, boto3
            for name in [n for n in os.environ if n.startswith("AWS_") and "REGION" not in n]:
                del os.environ[name]
            def handler(event, context): boto3.client("s3").list_buckets()
        """,
            timeout=60,
        )
        with pytest.raises(NetworkRefused, match="169.254.169.254"):
            env.invoke()

    def test_aiobotocore(self, environment):
        pytest.importorskip("aioboto3")
        env = environment("""
            import asyncio, aioboto3
            async def reach():
                async with aioboto3.Session().client("dynamodb") as table:
                    await table.get_item(TableName="orders", Key={"id": {"S": "1"}})
            def handler(event, context): asyncio.run(reach())
        """)
        with pytest.raises(NetworkRefused, match="send dynamodb.GetItem in us-east-1"):
            env.invoke()
        assert len(refusals(env)) == 1

    def test_mocks_beneath_a_client_answer_and_nothing_is_refused(self, environment):
        env = environment(
            """
            import boto3, requests, responses
            from botocore.stub import Stubber
            from moto import mock_aws
            def handler(event, context):
                with responses.RequestsMock() as mock:
                    mock.get("https://api.example.com/", json={})
                    requests.get("https://api.example.com/")
                client = boto3.client("sqs")
                with Stubber(client) as stub:
                    stub.add_response("list_queues", {"QueueUrls": []})
                    client.list_queues()
                with mock_aws():
                    boto3.client("s3").list_buckets()
                class Session:
                    def send(self, request): raise KeyError("answered")
                client._endpoint.http_session = Session()
                try: client.list_queues()
                except KeyError as answered: return answered.args
        """,
            network="strict",
            timeout=60,  # boto3 makes clients for seconds on a busy machine
        )
        assert env.invoke().payload == ["answered"]
        assert refusals(env) == []


class TestConnections:
    """What is let through is on the timeline, once."""

    def test_a_connection_is_recorded_with_its_phase_and_line(self, environment, web):
        env = environment(f"""
            import socket
            socket.create_connection(("127.0.0.1", {web})).close()
            def handler(event, context):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                    udp.sendto(b"x", ("127.0.0.1", {web}))
        """)
        env.invoke()
        first, second = env.timeline.of(Connection)
        assert (first.target, first.phase, first.invocation, first.where) == (
            f"127.0.0.1:{web}",
            "init",
            None,
            "app.py:3",
        )
        assert (second.phase, second.invocation, second.where) == ("invoke", 0, "app.py:6")

    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")
    def test_a_unix_socket_passes(self, environment, tmp_path):
        path = str(tmp_path / "s")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            body = f"with socket.socket(socket.AF_UNIX) as one: one.connect({path!r})"
            env = environment(call_handler(body), network="strict")
            env.invoke()
        assert connections(env) == [path]

    def test_a_recorded_request_is_no_connection_as_well(self, environment, web):
        env = environment(
            call_handler(
                f"return requests.get('http://localhost:{web}').status_code", "import requests"
            )
        )
        assert env.invoke().payload == 200
        assert len(env.http_calls) == 1
        assert connections(env) == []

    def test_a_name_that_an_event_loop_looks_up_for_a_request_is_no_connection(
        self, environment, real
    ):
        env = environment("""
            import asyncio, requests, requests.adapters
            class Asynchronous(requests.adapters.BaseAdapter):
                def send(self, request, **_):
                    async def look_up(): await asyncio.get_running_loop().getaddrinfo(HOST, 80)
                    asyncio.run(look_up())
                    raise KeyError("looked up")
                def close(self): pass
            session = requests.Session()
            session.mount("http://", Asynchronous())
            def handler(event, context):
                global HOST
                HOST = event
                try: session.get("http://127.0.0.1/orders?token=s3cr3t")
                except KeyError as found: return found.args
        """)
        assert env.invoke("queue").payload == ["looked up"]
        assert [call[0] for call in real.calls] == ["getaddrinfo"]
        assert connections(env) == []
        with pytest.raises(
            NetworkRefused, match=r"cannot send GET http://127.0.0.1/orders\?token="
        ):
            env.invoke("api.example.com")
        assert "s3cr3t" not in str(refusals(env))

    def test_a_name_that_is_looked_up_alone_is_recorded(self, environment, real):
        body = "for host in ('queue', 'localhost', '127.0.0.1'): socket.getaddrinfo(host, 80)"
        env = environment(call_handler(body))
        env.invoke()
        assert connections(env) == ["queue"]

    def test_the_apis_of_the_environment_are_no_connection(self, environment):
        env = environment(
            call_handler(
                "connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n"
                "connection.request('GET', '/')\nstatus = connection.getresponse().status\n"
                "connection.close()\nreturn status",
                "import http.client, os",
            )
        )
        assert env.invoke().payload == 404
        assert connections(env) == []

    def test_asyncio_and_threads_reach_loopback(self, environment, web):
        env = environment(
            f"""
            import asyncio, concurrent.futures, urllib.request
            URL = "http://127.0.0.1:{web}/"
            def get(_): return urllib.request.urlopen(URL).status
            async def stream():
                reader, writer = await asyncio.open_connection("localhost", {web})
                writer.close()
                await writer.wait_closed()
                return await asyncio.to_thread(get, 1)
            def handler(event, context):
                with concurrent.futures.ThreadPoolExecutor() as pool:
                    return [asyncio.run(stream()), *pool.map(get, range(2))]
        """,
            network="strict",
        )
        assert env.invoke().payload == [200, 200, 200]
        assert refusals(env) == []


SWALLOWING = call_handler(
    "for _ in range(3):\n    try: socket.create_connection(('198.51.100.7', 443))\n"
    "    except Exception: pass"
)


class TestVerdicts:
    """What the test hears of refusals once it has ended."""

    def test_a_swallowed_refusal_is_a_warning(self, environment):
        env = environment(SWALLOWING)
        env.invoke()
        with pytest.warns(LifecycleWarning) as caught:
            env._judge()
        assert [str(one.message).splitlines() for one in caught] == [
            [
                "function code swallowed this refusal of the network:",
                "  connect to 198.51.100.7:443 (in invoke 0, at app.py:4), 3 times",
                "Answer it with a mock (lambda_http for requests, moto for boto3, respx for httpx)"
                "; or let it through:",
                "lambda_lifecycle_network_allow = 198.51.100.7",
            ]
        ]
        env._judge()

    def test_strict_fails_the_test(self, environment):
        with (
            pytest.raises(AssertionError, match=r"connect to 198.51.100.7:443 \(in invoke 0"),
            environment(SWALLOWING, network="strict") as env,
        ):
            env.invoke()

    @pytest.mark.parametrize(
        "how", ["raise", "raise ValueError('no')", "raise ValueError from None"]
    )
    @pytest.mark.parametrize("phase", ["init", "invoke"])
    def test_one_that_left_function_code_is_not_told_twice(self, environment, how, phase):
        lines = ("try: socket.gethostbyname('api.example.com')", f"except Exception: {how}")
        source = call_handler("\n".join(lines))
        if phase == "init":
            source = "import socket\n" + "\n".join(lines) + "\ndef handler(event, context): pass\n"
        env = environment(source, network="strict")
        with pytest.raises((NetworkRefused, FunctionError)):
            env.invoke()
        assert len(refusals(env)) == (2 if phase == "init" and how != "raise" else 1)
        env._judge()

    def test_one_of_a_group_of_exceptions_is_not_told_twice(self, environment):
        group = pytest.importorskip("builtins").__dict__.get("ExceptionGroup")
        if group is None:
            pytest.skip("Python 3.11 brought exception groups")
        env = environment(
            call_handler(
                "try: socket.gethostbyname('api.example.com')\n"
                "except Exception as problem: found = problem\n"
                "raise ExceptionGroup('all', [found])"
            ),
            network="strict",
        )
        with pytest.raises(FunctionError):
            env.invoke()
        env._judge()

    @pytest.mark.parametrize("event", ["on_init", "on_invoke", "on_shutdown"])
    def test_one_that_left_an_extension_is_not_told_twice(self, environment, event):
        def reach(self, *_):
            socket.gethostbyname("api.example.com")

        made = type("Reaching", (Extension,), {"name": "reaching", event: reach})
        env = environment("def handler(event, context): pass", extensions=[made], network="strict")
        with pytest.raises(NetworkRefused):
            env.invoke()
            env.shutdown()
        env._judge()

    def test_one_on_a_thread_that_nobody_joins_counts_as_swallowed(self, environment):
        body = (
            "def reach():\n    try: socket.gethostbyname('api.example.com')\n"
            "    finally: done.set()\n"
            "done = threading.Event()\nthread = threading.Thread(target=reach)\n"
            "thread._invoke_excepthook = lambda *_: None\nthread.start()\ndone.wait(10)"
        )
        env = environment(call_handler(body, "import socket, threading"))
        env.invoke()
        with pytest.warns(LifecycleWarning, match="look up api.example.com"):
            env._judge()

    def test_warn_lets_through_and_warns_once_for_each_host(self, environment, real):
        real.answers["api.example.com"] = REMOTE
        body = (
            "for _ in range(2): socket.create_connection(('api.example.com', 443)).close()\n"
            "socket.socket().connect(('198.51.100.9', 1))"
        )
        env = environment(call_handler(body), network="warn")
        env.invoke()
        assert [call[0] for call in real.calls].count("connect") == 3
        assert {event.refused for event in refusals(env)} == {False}
        with pytest.warns(LifecycleWarning) as caught:
            env._judge()
        assert [str(one.message).splitlines()[:2] for one in caught] == [
            [
                "function code reached the network:",
                "  look up api.example.com (in invoke 0, at app.py:3), 2 times",
            ],
            [
                "function code reached the network:",
                "  connect to 198.51.100.9:1 (in invoke 0, at app.py:4)",
            ],
        ]

    def test_allow_says_nothing(self, environment, real):
        env = environment(
            call_handler("socket.socket().connect(('198.51.100.7', 1))"), network="allow"
        )
        env.invoke()
        env._judge()
        assert connections(env) == [f"{REMOTE}:1"]
        assert refusals(env) == []

    def test_the_verdict_comes_without_pytest_as_well(self, write, tmp_path):
        write("app.py", SWALLOWING)
        config = FunctionConfig("app.handler", code_dir=tmp_path / "task")
        with pytest.warns(LifecycleWarning, match="swallowed"), ExecutionEnvironment(config) as env:
            env.invoke()
