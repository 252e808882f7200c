"""Hooks that Python cannot remove."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage


@pytest.mark.parametrize("when", ["init", "handler"])
def test_an_audit_hook_hears_of_function_code_alone(environment, tmp_path, when):
    (tmp_path / "file").touch()
    add = "sys.addaudithook(hear)"
    env = environment(f"""
        import sys
        heard = []
        def hear(event, arguments):
            if event == "open": heard.append(arguments[0])
        {add if when == "init" else ""}
        def handler(event, context):
            {add if when == "handler" else "pass"}
            open({str(tmp_path / "file")!r}).close()
            return len(heard)
    """)
    first = env.invoke().payload
    assert first >= 1
    open(tmp_path / "file").close()
    assert len(env.module.heard) == first
    env.reset()
    assert env.invoke().payload == first  # and not twice as many


def test_an_audit_hook_that_raises_fails_the_function_alone(environment, write, tmp_path):
    write("plain.py", "def handler(event, context): return 2")
    env = environment("""
        import sys
        def broken(event, arguments): raise RuntimeError(event)
        def handler(event, context):
            sys.addaudithook(broken)
    """)
    env.invoke()
    (tmp_path / "file").write_text("")
    stage.leave()
    subprocess.run([sys.executable, "-c", ""], check=True)
    env.close()
    assert environment(handler="plain.handler").invoke().payload == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_hook_at_fork(environment):
    env = environment("""
        import os
        calls = []
        os.register_at_fork(before=lambda: calls.append(1))
        def handler(event, context):
            child = os.fork()
            if not child: os._exit(0)
            os.waitpid(child, 0)
            return len(calls)
    """)
    assert env.invoke().payload == 1
    calls = env.module.calls
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert len(calls) == 1


def test_the_hooks_of_a_test_are_its_own(environment):
    env = environment("def handler(event, context): ...")
    env.invoke()
    heard: list[str] = []
    active = [True]
    sys.addaudithook(lambda event, _: heard.append(event) if active else None)
    env.close()
    sys.audit("of.the.test")
    active.clear()
    assert "of.the.test" in heard
