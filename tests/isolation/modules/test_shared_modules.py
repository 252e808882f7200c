"""Changes of function code in modules that it shares with the test and other environments."""

from __future__ import annotations

import builtins
import json
import socket
import sys
import time

import pytest
from freezegun import freeze_time

from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.events import SharedChange


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

    monkeypatch.setattr(json, "loads", json.loads)  # to restore the assignments that stay
    monkeypatch.setattr(colorsys, "ONE_THIRD", colorsys.ONE_THIRD)
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
    # Attributes of json are compared around Init, those of colorsys never.
    assert (json.loads is before[0]) is (when == "init")
    assert before[1] != colorsys.ONE_THIRD


@pytest.mark.parametrize(
    ("change", "stays", "undo"),
    [
        (
            "gc.callbacks.append(lambda *_: None)",
            "any(getattr(one, '__module__', '') == 'app' for one in gc.callbacks)",
            "gc.callbacks[:] = [one for one in gc.callbacks "
            "if getattr(one, '__module__', '') != 'app']",
        ),
        (
            "mimetypes.add_type('a/b', '.of_the_function')",
            "mimetypes.guess_type('x.of_the_function')[0]",
            "",
        ),
        (
            "sys.modules['of_the_function'] = None",
            "'of_the_function' in sys.modules",
            "del sys.modules['of_the_function']",
        ),
        (
            "__main__.of_the_function = 1",
            "hasattr(__main__, 'of_the_function')",
            "del __main__.of_the_function",
        ),
        ("sys.ps3 = 1", "hasattr(sys, 'ps3')", "del sys.ps3"),
    ],
)
def test_changes_that_stay_in_the_process(environment, change, stays, undo):
    names: dict[str, object] = {}
    exec("import __main__, gc, mimetypes, sys", names)
    before = bool(eval(stays, names))
    env = environment(
        f"import __main__, gc, mimetypes, sys\n{change}\ndef handler(event, context): ..."
    )
    env.invoke()
    env.close()
    assert (before, bool(eval(stays, names))) == (False, True)
    exec(undo, names)
