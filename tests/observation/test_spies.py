"""Spies and patches."""

import gc
import importlib
import json
import os
import signal
import sys
import weakref

import pytest

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    FunctionConfig,
    FunctionError,
    LifecycleError,
    LifecycleWarning,
)
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.events import AtexitIgnored

DB = """
    class Client:
        def __init__(self, url): self.url = url
        def get(self, key): return f"{self.url}/{key}"
        @classmethod
        def make(cls, url): return cls(url)
        @staticmethod
        def ping(host): return host == "up"
        @property
        def size(self): return 1
    def connect(url, *, retries=0):
        if not url: raise ValueError("no url")
        return Client(url)
    VALUE = 3
"""
APP = """
    from db import connect, Client
    client = connect("db://x", retries=2)
    def handler(event, context):
        Client.make("m"); Client.ping("up")
        if event.get("connect") is not None: connect(event["connect"])
        return client.get("k")
"""


@pytest.fixture
def env(environment, write):
    write("db.py", DB)
    return environment(APP)


def test_a_spy_is_in_place_before_a_module_binds_the_function(env):
    connect = env.spy("db.connect")
    env.invoke()
    env.invoke({"connect": "late"})
    assert connect.phases == ["init", "invoke"]
    assert connect.count() == 2
    assert connect.count(phase="init") == 1
    first, last = connect.calls
    assert (first.args, first.kwargs, first.invocation) == (("db://x",), {"retries": 2}, None)
    assert first.result is env.module.client
    assert (last.args, last.invocation) == (("late",), 1)
    assert connect.last is last
    assert env.init.spy_calls == [first]
    assert env.invocations[1].spy_calls == [last]


def test_an_exception_is_recorded_and_raised(env):
    connect = env.spy("db.connect")
    with pytest.raises(FunctionError, match="no url"):
        env.invoke({"connect": ""})
    assert isinstance(connect.last.exception, ValueError)


def test_the_error_of_one_shows_the_calls(env):
    connect = env.spy("db.connect")
    with pytest.raises(AssertionError, match=r"expected one call of db\.connect, there were none"):
        _ = connect.one
    with pytest.raises(AssertionError, match="there were none"):
        _ = connect.last
    env.invoke()
    assert connect.one.phase == "init"
    env.invoke({"connect": "x"})
    with pytest.raises(AssertionError, match=r"there were 2 \(phases: init, invoke\)"):
        _ = connect.one
    assert repr(connect) == "<Spy db.connect: 2 (phases: init, invoke) calls>"


@pytest.mark.parametrize("phase", ["inits", "Init", "warm", "", 1])
def test_a_count_of_a_phase_that_does_not_exist_is_refused(env, phase):
    spy = env.spy("db.connect")
    env.invoke({})
    with pytest.raises(
        LifecycleError,
        match=r"'db.connect' in phase .*: the phases are 'init', 'restore', 'invoke', ",
    ):
        spy.count(phase=phase)


def test_classes_and_kinds_of_methods(env):
    spies = {name: env.spy(f"db.Client{name}") for name in ("", ".get", ".make", ".ping")}
    env.invoke()
    assert spies[""].phases == ["init", "invoke"]
    assert spies[""].calls[0].args == ("db://x",)
    assert spies[""].calls[0].result is env.module.client
    assert spies[".get"].one.args == ("k",)
    assert spies[".get"].one.result == "db://x/k"
    assert spies[".make"].one.args == ("m",)
    assert spies[".ping"].one.result is True
    assert isinstance(env.module.client, env.module.Client)


def test_calls_of_the_test_are_not_recorded(environment):
    original = json.dumps
    env = environment(
        "from json import dumps\nX = dumps([1])\ndef handler(event, context): return dumps(event)"
    )
    spy = env.spy("json.dumps")
    assert json.dumps is original
    env.invoke({"a": 1})
    assert [call.args for call in spy.calls] == [([1],), ({"a": 1},)]
    json.dumps("between phases")  # not recorded
    assert spy.count() == 2
    env.close()
    assert json.dumps is original


@pytest.fixture
def user_of_laterlib(environment, tmp_path, monkeypatch):
    """An environment whose function uses an installed library that is not imported yet."""
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "laterlib.py").write_text("VALUE = 1\ndef call(): return VALUE")
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    env = environment("import laterlib\ndef handler(event, context): return laterlib.call()")
    yield env
    env.close()
    sys.modules.pop("laterlib", None)


def test_a_shared_library_that_is_not_loaded_yet(user_of_laterlib):
    env = user_of_laterlib
    spy = env.spy("laterlib.call")
    env.invoke()
    assert spy.phases == ["invoke"]
    env.close()
    assert not hasattr(sys.modules["laterlib"].call, "__wrapped__")


def test_a_shared_library_that_the_test_imports_after_the_spy(user_of_laterlib):
    env = user_of_laterlib
    spy = env.spy("laterlib.call")
    importlib.import_module("laterlib")
    env.invoke()
    env.invoke()
    assert spy.phases == ["invoke", "invoke"]
    env.close()
    assert not hasattr(sys.modules["laterlib"].call, "__wrapped__")


def test_several_targets_in_a_shared_library_that_the_test_imports_later(user_of_laterlib):
    env = user_of_laterlib
    env.patch("laterlib.VALUE", "patched")
    spy = env.spy("laterlib.call")
    laterlib = importlib.import_module("laterlib")
    assert env.invoke().payload == "patched"
    assert spy.phases == ["invoke"]
    env.close()
    assert laterlib.VALUE == 1
    assert not hasattr(laterlib.call, "__wrapped__")


def test_a_name_that_a_late_library_does_not_have_is_an_error_of_each_invoke(user_of_laterlib):
    user_of_laterlib.spy("laterlib.cal")
    importlib.import_module("laterlib")
    for _ in range(2):
        with pytest.raises(
            LifecycleError, match=r"laterlib has no attribute 'cal'; did you mean 'call'\?"
        ):
            user_of_laterlib.invoke()


def test_a_module_that_no_phase_imports_is_one_warning(environment, write):
    write("db.py", "def connect(): ...")
    env = environment("def handler(event, context):\n if event: import db")
    spy = env.spy("db.connekt")
    assert spy.calls == []  # nothing has run: no warning yet
    assert env.invoke().status == "success"
    with pytest.warns(
        LifecycleWarning, match=r"'db\.connekt'.*: db was never imported by a phase"
    ) as caught:
        assert spy.count() == 0
    assert caught[0].filename == __file__
    assert (spy.phases, repr(spy)) == ([], "<Spy db.connekt: none calls>")
    with pytest.raises(LifecycleError, match="db has no attribute 'connekt'"):
        env.invoke({"import": "it"})


def test_an_imported_function_without_calls_is_no_warning(env):
    get = env.spy("db.Client.get")
    env.initialize()
    assert get.count() == 0


def test_spies_survive_a_reset(env):
    connect = env.spy("db.connect")
    env.invoke()
    env.reset()
    env.invoke()
    assert connect.phases == ["init", "init"]


def test_patch_acts_in_init_too(env):
    env.patch(
        "db.connect",
        lambda url, retries: type("Fake", (), {"get": lambda self, key: f"fake {key}"})(),
    )
    assert env.invoke().payload == "fake k"
    env.reset()
    assert env.invoke().payload == "fake k"


@pytest.mark.parametrize("when", ["before", "entered", "left"])
@pytest.mark.parametrize("target", ["json.loads", "db.connect"])
def test_a_spy_on_a_patched_function_sees_the_calls(environment, write, target, when):
    write("db.py", "def connect(x): return x")
    module, _, name = target.partition(".")
    env = environment(f"import {module}\ndef handler(event, context): return {module}.{name}('1')")
    original = json.loads
    if when != "before":
        env.invoke()
    if when == "left":
        env.reset()
    env.patch(target, lambda text: "patched")
    spy = env.spy(target)
    env.reset()
    assert env.invoke().payload == "patched"
    assert spy.one.result == "patched"
    env.close()
    assert json.loads is original


@pytest.mark.parametrize("target", ["json.loads", "db.connect", "db.Client"])
def test_two_spies_on_one_target_see_each_call_once(environment, write, target):
    write("db.py", DB)
    module, _, name = target.partition(".")
    env = environment(f"import {module}\ndef handler(event, context): {module}.{name}('1')")
    spies = [env.spy(target), env.spy(target)]
    env.invoke()
    env.reset()
    env.invoke()
    assert [spy.phases for spy in spies] == [["invoke", "invoke"]] * 2
    assert len(env.invocations[0].spy_calls) == 1


@pytest.mark.parametrize("when", ["before the first phase", "between phases"])
@pytest.mark.parametrize(
    "target", ["app.json.dumps", "app.JSONEncoder.encode", "app.JSONEncoder", "app.default.encode"]
)
def test_a_spy_on_a_shared_library_through_function_code_is_undone(environment, target, when):
    def state():
        return json.dumps, encoder.encode, encoder.__init__, dict(vars(json._default_encoder))

    encoder = json.encoder.JSONEncoder
    before = state()
    env = environment("""
        import json
        from json import JSONEncoder, _default_encoder as default
        def handler(event, context):
            json.dumps(event); JSONEncoder().encode(event); default.encode(event)
    """)
    if when == "between phases":
        env.invoke({})
    spy = env.spy(target)
    env.invoke({})
    seen = spy.count()
    assert seen
    stage.leave()
    assert state() == before
    env.invoke({})
    env.reset()
    env.invoke({})
    assert spy.count() == 3 * seen
    env.close()
    assert state() == before


def test_a_patch_of_a_shared_library_through_function_code_is_undone(environment):
    dumps = json.dumps
    env = environment("import json\ndef handler(event, context): return json.dumps(event)")
    env.patch("app.json.dumps", lambda value: "patched")
    assert env.invoke({}).payload == "patched"
    env.close()
    assert json.dumps is dumps


def test_a_patch_of_a_shared_library_is_undone(environment):
    env = environment("import json\ndef handler(event, context): return json.loads")
    original = json.loads
    env.patch("json.loads", "patched")
    assert env.invoke().payload == "patched"
    env.close()
    assert json.loads is original


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("connect", "a target is a dotted name"),
        ("", "a target is a dotted name"),
        ("db..connect", "a target is a dotted name"),
        ("no_such_module.connect", "no module 'no_such_module'"),
        ("db", "a target is a dotted name"),
        ("json.decoder", "it is a module"),
        ("json.dumbs", r"json has no attribute 'dumbs'; did you mean 'dumps'\?"),
    ],
)
def test_targets_that_are_refused(env, target, message):
    with pytest.raises(LifecycleError, match=message):
        env.spy(target)
    assert env.invoke().payload == "db://x/k"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("db.conect", r"db has no attribute 'conect'; did you mean 'connect'\?"),
        ("db.Client.got", "Client has no attribute 'got'"),
        ("db.VALUE", "it is a int, and not callable"),
        ("db.Client.size", "it is a property, and not callable"),
    ],
)
def test_a_missing_target_in_function_code_is_an_error_of_init(env, target, message):
    env.spy(target)
    with pytest.raises(LifecycleError, match=message):
        env.invoke()


def test_a_late_spy_on_a_function_that_another_module_has_bound(env):
    env.invoke()
    late = env.spy("db.connect")
    of_importer = env.spy("app.connect")
    env.invoke({"connect": "x"})
    assert late.phases == of_importer.phases == ["invoke"]


def test_a_late_patch_of_a_name_that_another_module_has_bound(env):
    env.invoke()
    with pytest.raises(
        LifecycleError, match=r"init has already bound the same object as app\.connect"
    ):
        env.patch("db.connect", None)
    env.patch("app.connect", lambda url: None)
    env.invoke({"connect": ""})  # the real one would raise


@pytest.mark.parametrize("handler", ["pkg.app.handler", "pkg/app.handler"])
def test_a_patch_of_the_handler_has_to_come_before_init(environment, write, handler):
    write("pkg/app.py", "def handler(event, context): pass")
    env = environment(handler=handler)
    spy = env.spy("pkg.app.handler")
    env.invoke({})
    assert spy.phases == ["invoke"]
    late = environment(handler=handler)
    late.invoke({})
    with pytest.raises(
        LifecycleError,
        match="(?s)'pkg.app.handler' now: it is the handler.*before the first phase",
    ):
        late.patch("pkg.app.handler", print)
    again = late.spy("pkg.app.handler")
    late.invoke({})
    assert again.phases == ["invoke"]
    late.reset()
    late.invoke({})
    assert again.phases == ["invoke", "invoke"]


def test_a_builtin_type_cannot_be_spied_on(env):
    with pytest.raises(LifecycleError, match=r"cannot .*'datetime\.date'"):
        env.spy("datetime.date")


@pytest.mark.parametrize(
    ("target", "code", "status"),
    [
        ("atexit.register", "atexit.register(print)", "success"),
        ("logging.Logger.setLevel", "logging.getLogger('own').setLevel(10)", "success"),
        ("os._exit", "os._exit(3)", "error"),
        ("os.abort", "os.abort()", "error"),
        ("os.chdir", "os.chdir('/')", "success"),
        ("os.kill", "os.kill(os.getpid(), 9)", "error"),
        ("os.putenv", "os.environ['OWN'] = '1'", "success"),
        ("signal.raise_signal", "signal.raise_signal(9)", "error"),
        ("signal.signal", "signal.signal(signal.SIGUSR1, signal.SIG_IGN)", "success"),
        (
            "socket.gethostbyname",
            "assert socket.gethostbyname('sandbox') == '127.0.0.1'",
            "success",
        ),
        ("socket.socket.bind", "socket.create_server(('127.0.0.1', 0)).close()", "success"),
        ("subprocess.Popen", "subprocess.run([sys.executable, '-c', ''])", "success"),
        ("tempfile.mkdtemp", "tempfile.mkdtemp()", "success"),
        ("threading.Thread.start", "threading.Thread(target=pow, args=(1, 1)).start()", "success"),
    ],
)
def test_a_spy_on_a_function_that_the_environment_replaces(environment, target, code, status):
    env = environment(f"""
        import atexit, logging, os, signal, socket, subprocess, sys, tempfile, threading
        def handler(event, context):
            {code}
    """)
    before = os.getcwd(), signal.getsignal(signal.SIGUSR1), os.environ.copy()
    spy = env.spy(target)
    for count in (1, 2):  # before the second invoke the environment has left the process
        assert env.invoke(check=False).status == status
        assert spy.count(phase="invoke") == count
        assert os.getcwd() == before[0]
        stage.leave()
        assert (os.getcwd(), signal.getsignal(signal.SIGUSR1), os.environ.copy()) == before
    assert len(env.timeline.of(AtexitIgnored)) == (2 if "atexit" in target else 0)


@pytest.mark.parametrize("builtin", ["len", "isinstance", "getattr", "hash", "print"])
def test_a_spy_on_a_builtin_function(environment, builtin):
    env = environment(f"def handler(event, context): return str({builtin}('x', *([str] * event)))")
    spy = env.spy(f"builtins.{builtin}")
    env.invoke({"isinstance": 1, "getattr": 1}.get(builtin, 0), check=False)
    assert [call.args[0] for call in spy.calls].count("x") == 1


def test_calls_of_the_library_are_not_recorded(environment):
    env = environment(
        "import os\ndef handler(event, context): os.environ['OWN'] = '1'; getattr(os, 'own', None)"
    )
    putenv, get = env.spy("os.putenv"), env.spy("builtins.getattr")
    env.invoke()  # the runtime sets a variable too, for X-Ray
    assert putenv.one.args == (b"OWN", b"1")
    assert ("own",) in [call.args[1:2] for call in get.calls]
    assert "handler" not in [call.args[1] for call in get.calls]


@pytest.mark.parametrize("target", ["os.kill", "socket.gethostbyname", "json.dumps"])
def test_a_spy_is_freed_with_its_environment(write, tmp_path, target):
    write("app.py", "def handler(event, context): pass")
    env = ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path / "task"))
    spy = env.spy(target)
    env.invoke()
    left = weakref.ref(env)
    env.close()
    del env, spy
    gc.collect()
    assert left() is None


def test_the_timeline_shows_the_arguments_of_a_call_without_secrets(environment, write):
    write("shop.py", "def connect(host, password, **options): return 1\nclass Table:\n    pass\n")
    env = environment("""
        import shop
        def handler(event, context):
            shop.connect("db.example", "hunter2", api_key="abc", names=["x" * 200], size=3)
    """)
    spy = env.spy("shop.connect")
    env.invoke()
    text = str(env.timeline)
    assert "spy: shop.connect('db.example', '***', api_key='***', names=['xxx" in text
    assert "hunter2" not in text
    assert "abc" not in text
    assert spy.one.args == ("db.example", "hunter2")
    assert max(map(len, text.splitlines())) < 200
