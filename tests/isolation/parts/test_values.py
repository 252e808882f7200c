"""Process state in one attribute of a module: ``sys.argv``, hooks, seeds."""

from __future__ import annotations

import contextlib
import decimal
import os
import socket
import sys
import tempfile
import threading
from unittest import mock

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage


def test_the_default_decimal_context_and_the_breakpoint_hook(environment):
    before = repr(decimal.DefaultContext), sys.breakpointhook
    env = environment("""
        import decimal, sys, threading
        decimal.DefaultContext.prec = 5
        decimal.DefaultContext.traps[decimal.Inexact] = True
        sys.breakpointhook = lambda: None
        def handler(event, context):
            context = decimal.DefaultContext
            return [context.prec, context.traps[decimal.Inexact], breakpoint()]
    """)
    for _ in range(2):
        assert env.invoke().payload == [5, True, None]
        stage.leave()
        assert (repr(decimal.DefaultContext), sys.breakpointhook) == before


@pytest.mark.parametrize("entered_at_its_end", [False, True])
def test_a_patch_that_ends_while_the_environment_is_entered(environment, entered_at_its_end):
    def values():
        return (
            sys.argv,
            tempfile.tempdir,
            sys.breakpointhook,
            os.environ,
            socket.getdefaulttimeout(),
        )

    before, arguments = values(), list(sys.argv)
    env = environment("""
        import socket, sys
        def handler(event, context): return [sys.argv, socket.getdefaulttimeout()]
    """)
    patches = (
        mock.patch("sys.argv", ["of", "the", "test"]),
        mock.patch("tempfile.tempdir", "/of/the/test"),
        mock.patch("sys.breakpointhook", print),
    )
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        assert env.invoke().payload == [["of", "the", "test"], None]
        left = stage.leave()
        assert tempfile.tempdir == "/of/the/test"
        if entered_at_its_end:
            stage.resume(left)
    stage.leave()
    assert values() == before
    assert sys.argv is before[0]
    assert env.invoke().payload == [arguments, None]


def test_lists_and_mappings_that_are_changed_in_place(environment):
    before, arguments = (sys.argv, os.environ), list(sys.argv)
    env = environment("""
        import os, sys
        sys.argv.append("added")
        os.environ = dict(os.environ)
        def handler(event, context): return [sys.argv[-1], type(os.environ).__name__]
    """)
    for _ in range(2):
        assert env.invoke().payload == ["added", "dict"]
        stage.leave()
        assert sys.argv is before[0]
        assert os.environ is before[1]
        assert sys.argv == arguments


def test_the_start_method_of_multiprocessing_is_unset_in_each_process(environment):
    import multiprocessing

    before = multiprocessing.get_start_method(allow_none=True)
    env = environment("""
        import multiprocessing
        multiprocessing.set_start_method("spawn")  # a second time it would raise
        def handler(event, context): return multiprocessing.get_start_method()
    """)
    for _ in range(2):
        assert env.invoke().payload == "spawn"
        stage.leave()
        assert multiprocessing.get_start_method(allow_none=True) == before
        env.reset()


def test_hooks_of_threads(environment):
    env = environment("""
        import threading
        def hook(*_): return None
        threading.settrace(hook)
        threading.setprofile(hook)
        def handler(event, context): return threading.gettrace() is threading.getprofile() is hook
    """)
    before = threading._trace_hook, threading._profile_hook
    for _ in range(2):
        assert env.invoke().payload
        stage.leave()
        assert (threading._trace_hook, threading._profile_hook) == before
