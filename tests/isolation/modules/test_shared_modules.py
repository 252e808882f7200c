"""Changes of function code in modules that it shares with the test and other environments."""

from __future__ import annotations

import builtins
import json
import os
import socket
import sys
import textwrap
import time
from unittest import mock

import pytest
from freezegun import freeze_time

from pytest_lambda_lifecycle import LambdaClock
from pytest_lambda_lifecycle.isolation import sweep
from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.events import SharedChange

pytestmark = pytest.mark.usefixtures("compared_by")


def test_changes_of_init_are_undone_and_reported(environment):
    import collections

    before = vars(collections.OrderedDict), socket.socket.connect
    env = environment("""
        import builtins, collections, json, socket
        collections.Mapping = dict
        socket.socket.connect = print
        del json.JSONEncoder.item_separator
        def handler(event, context):
            return [collections.Mapping is dict, socket.socket.connect is print]
    """)
    separator = json.JSONEncoder.item_separator
    for _ in range(2):
        assert env.invoke().payload == [True, True]
        stage.leave()
        assert not hasattr(collections, "Mapping")
        assert (vars(collections.OrderedDict), socket.socket.connect) == before
        assert json.JSONEncoder.item_separator == separator
    changed = sorted(event.target for event in env.timeline.of(SharedChange))
    assert changed == [
        "collections.Mapping",
        "json.encoder.JSONEncoder.item_separator",
        "socket.socket.connect",
    ]
    assert "changed: collections.Mapping, which is shared" in repr(env.timeline)


def test_changes_of_special_names(environment):
    before = builtins.__import__, socket.socket.__init__
    env = environment("""
        import builtins, socket
        original, created = builtins.__import__, socket.socket.__init__
        builtins.__import__ = lambda *arguments, **keywords: original(*arguments, **keywords)
        socket.socket.__init__ = lambda *arguments, **keywords: created(*arguments, **keywords)
        def handler(event, context): return builtins.__import__ is not original
    """)
    for _ in range(2):
        assert env.invoke().payload
        stage.leave()
        assert (builtins.__import__, socket.socket.__init__) == before
    changed = [event.target for event in env.timeline.of(SharedChange)]
    assert changed == ["builtins.__import__", "socket.socket.__init__"]


def test_client_libraries_that_a_tracer_patches(environment):
    # aws-xray-sdk replaces the classes in httpx, and sets a flag in the module aiobotocore.client.
    httpx = pytest.importorskip("httpx")
    aiobotocore = pytest.importorskip("aiobotocore.client")
    before = httpx.Client, httpx._api.Client, aiobotocore.AioBaseClient._make_api_call
    env = environment("""
        import aiobotocore.client, httpx
        class Traced(httpx.Client): ...
        httpx.Client = httpx._api.Client = Traced
        original = aiobotocore.client.AioBaseClient._make_api_call
        async def traced(self, *arguments): return await original(self, *arguments)
        aiobotocore.client.AioBaseClient._make_api_call = traced
        aiobotocore.client._xray_enabled = True
        def handler(event, context): return httpx.Client is Traced
    """)
    for _ in range(2):
        assert env.invoke().payload
        stage.leave()
        now = httpx.Client, httpx._api.Client, aiobotocore.AioBaseClient._make_api_call
        assert now == before
        assert not hasattr(aiobotocore, "_xray_enabled")
    changed = {event.target for event in env.timeline.of(SharedChange)}
    assert changed == {
        "httpx.Client",
        "httpx._api.Client",
        "aiobotocore.client.AioBaseClient._make_api_call",
        "aiobotocore.client._xray_enabled",
    }


def test_a_tool_that_ends_while_the_environment_is_entered(environment):
    real = time.time
    env = environment("""
        import time
        own = time.time = lambda: 1.0
        def handler(event, context): return time.time is own
    """)
    with freeze_time("2020-01-01"):
        assert env.invoke().payload
        stage.leave()
        assert time.time is not real  # frozen
        assert env.invoke().payload
    stage.leave()
    assert time.time is real
    assert env.invoke().payload
    stage.leave()
    assert time.time is real


def test_changes_in_a_library_that_init_imports_first(environment, monkeypatch):
    saved = {
        name: sys.modules.pop(name)
        for name in list(sys.modules)
        if name.partition(".")[0] == "urllib3"
    }
    try:
        env = environment("""
            import urllib3.connectionpool, urllib3.util.retry
            urllib3.connectionpool.HTTPConnectionPool.urlopen = print
            def handler(event, context):
                return urllib3.connectionpool.HTTPConnectionPool.urlopen is print
        """)
        for _ in range(2):
            assert env.invoke().payload
            stage.leave()
            urllib3 = sys.modules["urllib3"]
            assert callable(urllib3.connectionpool.HTTPConnectionPool.urlopen)
            assert urllib3.connectionpool.HTTPConnectionPool.urlopen is not print
            assert urllib3.util is sys.modules["urllib3.util"]
        [change] = env.timeline.of(SharedChange)
        assert change.target == "urllib3.connectionpool.HTTPConnectionPool.urlopen"
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "urllib3"]:
            del sys.modules[name]
        sys.modules.update(saved)


def test_a_submodule_that_init_imports_first_stays(environment, monkeypatch):
    monkeypatch.delitem(sys.modules, "json.tool", raising=False)
    monkeypatch.delattr(json, "tool", raising=False)
    env = environment("import json.tool\ndef handler(event, context): ...")
    env.invoke()
    stage.leave()
    assert json.tool is sys.modules["json.tool"]
    assert env.timeline.of(SharedChange) == []


@pytest.mark.parametrize("when", ["init", "invoke"])
def test_assignments_of_function_code_to_shared_modules(environment, when, monkeypatch):
    import colorsys
    import json

    monkeypatch.setattr(colorsys, "ONE_THIRD", colorsys.ONE_THIRD)  # to restore what stays
    before = json.loads, colorsys.ONE_THIRD
    env = environment(f"""
        import colorsys, json
        def change(): json.loads, colorsys.ONE_THIRD = print, 0
        if {when == "init"}: change()
        def handler(event, context):
            if {when == "invoke"}: change()
    """)
    env.invoke()
    env.close()
    # Attributes of json are compared around function code, those of colorsys never.
    assert json.loads is before[0]
    assert before[1] != colorsys.ONE_THIRD


CHANGES = {
    "ssl._create_default_https_context": "ssl._create_default_https_context = print",
    "http.client._MAXHEADERS": "http.client._MAXHEADERS = 500",
    "http.client.HTTPConnection.debuglevel": "http.client.HTTPConnection.debuglevel = 1",
    "json.encoder.JSONEncoder.default": "json.JSONEncoder.default = print",
    "logging.Logger.info": "logging.Logger.info = print",
    "logging.LogRecord.getMessage": "logging.LogRecord.getMessage = lambda self: ''",
    "builtins.of_the_function": "builtins.of_the_function = 1",
    "os.getcwd": "os.getcwd = print",
    "time.gmtime": "time.gmtime = print",
    "subprocess.Popen": "subprocess.Popen = type('Popen', (subprocess.Popen,), {})",
    "subprocess.Popen.wait": "subprocess.Popen.wait = print",
    "subprocess._USE_VFORK": "subprocess._USE_VFORK = not subprocess._USE_VFORK",
    "random.random": "random.random = print",
    "sys.of_the_function": "sys.of_the_function = 1",
    "threading.Thread.run": "threading.Thread.run = print",
    "uuid.uuid4": "uuid.uuid4 = print",
    "urllib.request.urlopen": "urllib.request.urlopen = print",
    "socket.getaddrinfo": "socket.getaddrinfo = print",
    "datetime.datetime": "datetime.datetime = type('datetime', (), {})",
    "botocore.client.BaseClient._make_api_call": (
        "botocore.client.BaseClient._make_api_call = print"
    ),
}
IMPORTS = (
    "import botocore.client, builtins, datetime, http.client, json, logging, os, random, socket\n"
    "import ssl, subprocess, sys, threading, time, urllib.request, uuid\n"
)


def _value_of(target):
    owner, _, name = target.rpartition(".")
    names: dict[str, object] = {}
    exec(IMPORTS, names)
    try:
        return vars(eval(owner.replace("json.encoder", "json"), names)).get(name, "absent")
    except (AttributeError, TypeError):
        return "absent"


@pytest.mark.parametrize("when", ["init", "handler"])
@pytest.mark.parametrize("target", CHANGES)
def test_a_change_leaves_with_the_environment_and_is_reported(environment, target, when):
    pytest.importorskip("botocore.client")
    before = _value_of(target)
    change = CHANGES[target]
    env = environment(
        f"{IMPORTS}\n{change if when == 'init' else ''}\n"
        f"def handler(event, context):\n    {change if when == 'handler' else 'pass'}\n"
    )
    env.invoke()
    stage.leave()
    assert _value_of(target) is before or _value_of(target) == before == "absent"
    assert [event.target for event in env.timeline.of(SharedChange)] == [target]


def test_patches_of_the_test_between_invokes_are_the_tests(environment, monkeypatch):
    env = environment("import json\ndef handler(event, context): return json.dumps(1)")
    assert env.invoke().payload == "1"
    monkeypatch.setattr(json, "dumps", lambda value: "patched")
    assert env.invoke().payload == "patched"
    stage.leave()
    assert json.dumps(1) == "patched"
    json.dumps = replaced = lambda value: "replaced"
    try:
        assert env.invoke().payload == "replaced"
        stage.leave()
        assert json.dumps is replaced
    finally:
        monkeypatch.undo()
    assert env.timeline.of(SharedChange) == []


def test_a_change_in_a_later_invoke(environment):
    """Few of many invokes are compared; the last change is found as the environment leaves."""
    before = json.dumps
    env = environment(
        "import json\ndef handler(event, context):\n    if event == 40: json.dumps = print"
    )
    for number in range(42):
        env.invoke(number)
    stage.leave()
    assert json.dumps is before
    assert [event.target for event in env.timeline.of(SharedChange)] == ["json.dumps"]


def test_a_patch_of_the_test_after_many_invokes_stays(environment):
    env = environment("def handler(event, context): pass")
    for _ in range(40):
        env.invoke()
    with mock.patch("json.dumps", return_value="patched"):
        env.invoke()
        stage.leave()
        assert json.dumps(1) == "patched"
    assert env.timeline.of(SharedChange) == []


def test_a_change_that_a_handler_takes_back(environment):
    env = environment("""
        import json
        real = json.dumps
        def handler(event, context): json.dumps = print if event else real
    """)
    before = json.dumps
    env.invoke(1)
    env.invoke(0)
    stage.leave()
    assert json.dumps is before
    assert env.invoke(0).status == "success"
    assert json.dumps is before


def test_a_change_in_a_module_that_function_code_has_hidden(environment):
    before = os.getcwd
    env = environment("""
        import os, sys
        def handler(event, context):
            sys.modules["os"] = None
            if event: os.getcwd = None
    """)
    env.invoke(False)
    env.invoke(True)
    env.close()
    assert os.getcwd is before


def test_a_tool_that_ends_after_an_environment_that_has_changed_the_same_attribute(environment):
    before = json.dumps
    env = environment("import json\ndef handler(event, context): json.dumps = print")
    env.invoke()
    patch = mock.patch.object(json, "dumps")
    patch.start()
    env.close()
    patch.stop()
    sweep.after_test(None, any_open=False)
    assert json.dumps is before


def test_the_class_of_a_wrapper_that_is_equal_to_its_function(environment):
    pytest.importorskip("wrapt")
    before = json.dumps
    env = environment("""
        import json, wrapt
        def handler(event, context):
            wrapt.wrap_function_wrapper("json", "dumps", lambda f, i, a, k: f(*a, **k))
    """)
    env.invoke()
    stage.leave()
    assert json.dumps is before
    assert [event.target for event in env.timeline.of(SharedChange)] == ["json.dumps"]


def test_changes_of_the_main_module_stay(environment):
    import __main__

    env = environment("import __main__\n__main__.of_the_function = 1\ndef handler(e, c): ...")
    env.invoke()
    env.close()
    assert vars(__main__).pop("of_the_function") == 1


TRACER = """
    import functools, requests.sessions
    done = []
    def install():
        if done:
            return
        done.append(True)
        send = requests.sessions.Session.send
        @functools.wraps(send)
        def traced(*arguments, **options):
            return send(*arguments, **options)
        requests.sessions.Session.send = traced
"""


def test_a_change_that_a_shared_library_makes_once_is_reported_with_what_to_do(
    environment, tmp_path, monkeypatch
):
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "once_tracer.py").write_text(textwrap.dedent(TRACER))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "once_tracer", raising=False)
    source = """
        import once_tracer, requests.sessions
        once_tracer.install()
        def handler(event, context): return requests.sessions.Session.send.__code__.co_name
    """
    env = environment(source)
    assert env.invoke().payload == "traced"
    (change,) = env.timeline.of(SharedChange)
    assert (change.target, change.library) == ("requests.sessions.Session.send", "once_tracer")
    assert "fresh_packages = once_tracer" in repr(env.timeline)
    env.reset()
    assert env.invoke().payload == "send"
    env.close()
    cured = environment(source, fresh_packages=["once_tracer"])
    for _ in range(2):
        assert cured.invoke().payload == "traced"
        cured.reset()
    assert {change.library for change in cured.timeline.of(SharedChange)} == {""}
    cured.close()
    del sys.modules["once_tracer"]


def test_a_change_that_a_shared_library_makes_in_each_process_needs_no_advice(
    environment, tmp_path, monkeypatch
):
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    tracer = textwrap.dedent(TRACER).replace("if done", "if False")
    (folder / "each_tracer.py").write_text(tracer)
    monkeypatch.syspath_prepend(str(folder))
    env = environment("""
        import each_tracer, requests.sessions
        each_tracer.install()
        def handler(event, context): return requests.sessions.Session.send.__code__.co_name
    """)
    for _ in range(2):
        assert env.invoke().payload == "traced"
        env.reset()
    assert [change.library for change in env.timeline.of(SharedChange)] == ["each_tracer", ""]
    env.close()
    del sys.modules["each_tracer"]


def test_a_hook_that_a_shared_library_sets_once_is_reported_with_the_library(
    environment, tmp_path, monkeypatch
):
    """The hook itself is restored as one of the process."""
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "once_hook.py").write_text("import sys\nsys.excepthook = lambda *error: None\n")
    monkeypatch.syspath_prepend(str(folder))
    env = environment("import once_hook\ndef handler(event, context): ...")
    hook = sys.excepthook
    env.invoke()
    found = [(change.target, change.library) for change in env.timeline.of(SharedChange)]
    assert found == [("sys.excepthook", "once_hook")]
    env.close()
    assert sys.excepthook is hook
    del sys.modules["once_hook"]


@pytest.mark.parametrize("invokes", [1, 8, 300])
def test_stand_ins_of_the_environment_are_no_changes_of_the_function(environment, invokes):
    source = (
        "import os, subprocess, threading, time\ndef handler(event, context): time.sleep(0.001)"
    )
    first, second = environment(source), environment(source)
    for _ in range(invokes):
        first.invoke()
    for env in (second, first, second):
        env.invoke()
    assert first.timeline.of(SharedChange) == second.timeline.of(SharedChange) == []


@pytest.mark.parametrize("invokes", [1, 8, 300])
def test_stand_ins_of_a_clock_are_no_changes_of_the_function(environment, invokes):
    source = "import datetime, threading, time\ndef handler(event, context): time.sleep(event)"
    before, joining = environment(source), environment(source)
    for _ in range(invokes):
        before.invoke(0)
    with LambdaClock() as clock:
        during = environment(source)
        for _ in range(invokes):
            joining.invoke(1)
            during.invoke(1)
        clock.advance(days=1)
        during.invoke(1)
    before.invoke(0)
    before.idle(hours=1)
    before.invoke(0)
    changes = [env.timeline.of(SharedChange) for env in (before, joining, during)]
    assert changes == [[], [], []]


def test_flags_on_the_modules_of_client_libraries_are_undone(environment):
    env = environment("""
        import botocore.client, aiohttp, http.client
        flags = (botocore.client, "_vendor"), (aiohttp, "_vendor"), (http.client, "__vendor")
        was_set = any(hasattr(*flag) for flag in flags)
        for flag in flags:
            setattr(*flag, True)
        def handler(event, context): return was_set
    """)
    for _ in range(3):
        assert env.invoke().payload is False
        env.reset()
    env.close()
    assert not hasattr(sys.modules["botocore.client"], "_vendor")
    assert not hasattr(sys.modules["http.client"], "__vendor")
