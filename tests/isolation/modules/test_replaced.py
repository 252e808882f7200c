"""Entries of `sys.modules` that function code replaces, removes or breaks."""

from __future__ import annotations

import colorsys
import os
import sys
import types
import wave
from unittest import mock

import pytest

from pytest_lambda_lifecycle import InitError
from pytest_lambda_lifecycle.isolation.stage import stage

ANEW = """
    import importlib, sys
    def anew():
        for name in ("colorsys", "wave"):
            del sys.modules[name]
            importlib.import_module(name)
    {init}
    def handler(event, context):
        {handler}
        return [id(sys.modules["colorsys"]), id(sys.modules["wave"])]
"""
STUB = """
    import sys, types
    def handler(event, context):
        sys.modules["wave"] = types.ModuleType("wave")
"""


@pytest.mark.parametrize("when", ["init", "handler"])
def test_a_module_that_is_imported_anew(environment, when):
    source = ANEW.format(
        init="anew()" if when == "init" else "", handler="anew()" if when == "handler" else "pass"
    )
    env = environment(source)
    copies = env.invoke().payload
    assert id(sys.modules["wave"]) == copies[1] != id(wave)  # a patch by name has to reach it
    stage.leave()
    assert [sys.modules["colorsys"], sys.modules["wave"]] == [colorsys, wave]
    if when == "init":
        assert env.invoke().payload == copies
        stage.leave()
        assert [sys.modules["colorsys"], sys.modules["wave"]] == [colorsys, wave]


def test_a_stub_is_in_place_during_phases_alone(environment, monkeypatch, tmp_path):
    (tmp_path / "module_of_the_test.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    env = environment(STUB + "    seen = lambda: sys.modules['wave'].__spec__ is None\n")
    env.invoke()
    assert sys.modules["wave"] is wave
    import module_of_the_test  # type: ignore[import-not-found] # noqa: F401

    env.invoke()
    stage.leave()
    assert sys.modules["wave"] is wave
    del sys.modules["module_of_the_test"]


def test_function_code_finds_its_stub_again(environment):
    env = environment("""
        import sys, types
        stub = sys.modules["wave"] = types.ModuleType("wave")
        def handler(event, context):
            import wave
            return wave is stub
    """)
    for _ in range(3):
        assert env.invoke().payload is True
        assert sys.modules["wave"] is wave
    stage.leave()
    assert env.invoke().payload is True
    with mock.patch.dict(sys.modules, {"wave": colorsys}):  # a stub of the test wins
        assert env.invoke().payload is False


FAILS_IN_INIT = {
    "sys.modules.clear()": "KeyError: 'app'",
    "sys.modules = {}": "KeyError: 'app'",
    "sys.modules['app'] = Broken()": "RuntimeError: handler",
}
"""The import system does not find the module again that it is importing, on Lambda as well."""


@pytest.mark.parametrize(
    "change",
    [
        "del sys.modules['os']",
        "sys.modules.clear()",
        "sys.modules = {}",
        "sys.modules['os'] = None",
        "sys.modules['os'] = Broken()",
        "sys.modules['json'] = sys.modules['logging'] = sys.modules['socket'] = BrokenModule('x')",
        "sys.modules['asyncio.events'] = sys.modules['csv'] = BrokenModule('x')",
        "sys.modules['sys'] = sys.modules['builtins'] = Broken()",
        "sys.modules['app'] = Broken()",
        "sys.modules['new'] = BrokenModule('new')",
        "sys.modules['blocked'] = None",
        "os.__class__ = BrokenModule",
    ],
)
@pytest.mark.parametrize("when", ["init", "handler"])
def test_the_test_goes_on(environment, write, change, when):
    write("plain.py", "def handler(event, context): return 2")
    before = dict(sys.modules)
    real = sys.modules
    env = environment(f"""
        import asyncio, csv, json, logging, os, socket, sys, types
        class Broken:
            def __getattribute__(self, name): raise RuntimeError(name)
        class BrokenModule(types.ModuleType):
            def __getattribute__(self, name): raise RuntimeError(name)
        {change if when == "init" else ""}
        def handler(event, context):
            {change if when == "handler" else "pass"}
            return 1
    """)
    if when == "init" and change in FAILS_IN_INIT:
        with pytest.raises(InitError, match=FAILS_IN_INIT[change]):
            env.invoke()
    else:
        assert env.invoke().payload == 1
    assert type(os) is types.ModuleType
    assert os.environ
    assert sys.modules is real
    env.close()
    assert {name: sys.modules.get(name) for name in before} == before
    assert not {"blocked", "new"} & set(sys.modules)
    assert environment(handler="plain.handler").invoke().payload == 2


@pytest.mark.parametrize("when", ["init", "handler"])
@pytest.mark.parametrize(
    "made", ["types.ModuleType('by_hand')", "Odd()", "object()", "sys.modules['wave']"]
)
def test_a_module_that_function_code_makes_under_a_new_name(environment, made, when):
    change = f"sys.modules['by_hand'] = sys.modules['by_hand.child'] = {made}"
    env = environment(f"""
        import sys, types
        class Odd: value = 1
        def make(): {change}
        {"make()" if when == "init" else ""}
        def handler(event, context):
            if event: {"make()" if when == "handler" else "pass"}
            import by_hand
            return id(by_hand)
    """)
    first = env.invoke(True).payload
    stage.leave()
    assert not {"by_hand", "by_hand.child"} & set(sys.modules)
    assert env.invoke(False).payload == first
    env.close()
    assert not {"by_hand", "by_hand.child"} & set(sys.modules)


def test_a_module_that_the_test_makes_between_phases_is_the_tests(environment):
    env = environment("""
        def handler(event, context):
            if event:
                import of_the_test
                return of_the_test.value
    """)
    env.invoke(False)
    sys.modules["of_the_test"] = types.ModuleType("of_the_test")
    try:
        sys.modules["of_the_test"].value = 7  # type: ignore[attr-defined]
        assert env.invoke(True).payload == 7
        stage.leave()
        assert "of_the_test" in sys.modules
    finally:
        del sys.modules["of_the_test"]


def test_another_environment_inside_patch_dict(environment, write):
    write("first.py", "def handler(event, context): return 1")
    write("second.py", "def handler(event, context): return 2")
    first, second = environment(handler="first.handler"), environment(handler="second.handler")
    second.invoke()
    with mock.patch.dict(sys.modules, {"a_stub": types.ModuleType("a_stub")}):
        first.invoke()
    first.close()
    second.close()
    assert not {"first", "second", "a_stub"} & set(sys.modules)
