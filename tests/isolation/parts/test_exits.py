"""Ends of a process: ``os._exit``, ``sys.exit``, signals to itself, ``atexit``."""

from __future__ import annotations

import os
import textwrap

import pytest

from pytest_lambda_lifecycle.lifecycle.events import AtexitIgnored


def test_atexit_of_shared_libraries_is_registered(environment, monkeypatch):
    registered: list[object] = []
    monkeypatch.setattr(
        "pytest_lambda_lifecycle.isolation.parts.exits.Exits._register",
        staticmethod(lambda f, *a, **k: registered.append(f)),
    )
    env = environment("""
        import atexit, logging, weakref
        class Thing: pass
        thing = Thing()
        @atexit.register
        def goodbye(): ...
        from atexit import register
        def handler(event, context): register(goodbye)
    """)
    env.invoke()
    assert [event.function for event in env.timeline.of(AtexitIgnored)] == ["goodbye", "goodbye"]
    assert registered == []
    exec("import atexit; atexit.register(print)", {"__name__": "not.function.code"})
    assert registered == [print]


@pytest.mark.parametrize("end", ["os._exit(1)", "os.abort()", "os.kill(os.getpid(), 9)"])
def test_finally_blocks_run_after_an_intercepted_exit(environment, end):
    env = environment(f"""
        import os
        def handler(event, context):
            try: {end}
            finally: print("on Lambda this is never printed")
    """)
    assert env.invoke(check=False).error_type == "Runtime.ExitError"
    assert "never printed" in env.log


def test_an_exit_through_another_name_is_not_intercepted(environment):
    env = environment("""
        import os, posix
        def handler(event, context): return [posix._exit is os._exit, posix.abort is os.abort]
    """)
    assert env.invoke().payload == [False, False]  # the real functions: a call would end pytest


def test_atexit_does_not_run_after_sys_exit(environment):
    env = environment("""
        import atexit, sys
        atexit.register(print, "the real runtime prints this: its interpreter ends in order")
        def handler(event, context): sys.exit(0)
    """)
    assert env.invoke(check=False).error_type == "Runtime.ExitError"
    env.close()
    assert "the real runtime prints" not in env.log


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("return 1", 0),
        ("raise SystemExit(5)", 5),
        ("sys.exit()", 0),
        ("sys.exit('text')", 1),
        ("1/0", 1),
        ("raise KeyboardInterrupt", 130),
        ("os._exit(7)", 7),
    ],
)
def test_exit_code_of_a_forked_child(environment, end, code):
    env = environment(
        textwrap.dedent("""
        import os, sys
        def handler(event, context):
            child = os.fork()
            if child == 0:
                {}
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        """).format(end)
    )
    assert env.invoke().payload == code
