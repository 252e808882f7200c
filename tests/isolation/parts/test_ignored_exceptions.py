"""Exceptions that nobody can catch: on threads, in ``__del__``, on threads of `_thread`."""

from __future__ import annotations

import sys
import threading

import pytest

from pytest_lambda_lifecycle import FunctionLog

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

THREAD = r"""
    import sys, threading
    def work(): raise ValueError("on caf\udce9")
    def handler(event, context):
        if event: exec(event)
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
"""
UNRAISABLE = """
    import sys, _thread, time
    class Object:
        def __del__(self): raise ValueError("in the object")
    def work(): raise ValueError("on a thread")
    def handler(event, context):
        if event == "thread":
            lock = _thread.start_new_thread(work, ())
            time.sleep(0.1)
        else:
            Object()
"""


def stderr(env):
    return "".join(event.text for event in env.timeline.of(FunctionLog) if event.stream == "stderr")


@pytest.fixture(params=["hook of Python", "hook of the test"])
def listen(request, monkeypatch):
    """Set the hooks (before pytest 8.4 each phase of a test begins with pytest's own hooks).

    Returns the types of the exceptions that the hook of the test hears of.
    """

    def listen():
        if request.param == "hook of Python":
            monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
            monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
            return None
        heard = []
        monkeypatch.setattr(threading, "excepthook", lambda args: heard.append(args.exc_type))
        monkeypatch.setattr(sys, "unraisablehook", lambda args: heard.append(args.exc_type))
        return heard

    return listen


def test_an_exception_on_a_thread_is_in_the_log_once(environment, listen):
    heard = listen()
    env = environment(THREAD)
    env.invoke()
    assert (
        stderr(env).count("Exception in thread worker:\nTraceback (most recent call last):\n") == 1
    )
    assert stderr(env).count("ValueError: on caf\\udce9\n") == 1
    assert not heard  # a text that no report could contain


def test_the_text_goes_to_the_stderr_that_function_code_has_set(environment, listen):
    listen()
    env = environment(THREAD)
    env.invoke("import io; sys.stderr = io.StringIO()")
    assert stderr(env) == ""


@pytest.mark.parametrize(("event", "where"), [("del", "function Object.__del__"), ("thread", "")])
def test_an_unraisable_exception_is_in_the_log(environment, listen, event, where):
    heard = listen()
    env = environment(UNRAISABLE)
    env.invoke(event)
    assert stderr(env).startswith("Exception ignored in")
    assert where in stderr(env)
    assert stderr(env).count("ValueError: ") == 1
    assert heard in (None, [ValueError])


def test_a_hook_of_function_code_is_called_in_its_place(environment, listen):
    heard = listen()
    env = environment("""
        import sys, threading
        def unraisable(args): print("hook:", args.exc_value)
        def excepthook(args): print("hook:", args.exc_value)
        class Object:
            def __del__(self): raise ValueError("in the object")
        def work(): raise ValueError("on a thread")
        def handler(event, context):
            sys.unraisablehook, threading.excepthook = unraisable, excepthook
            Object()
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
    """)
    assert "hook: in the object\nhook: on a thread\n" in env.invoke().log
    assert stderr(env) == ""
    assert not heard


def test_an_exception_between_phases_is_that_of_the_test(environment, listen):
    heard = listen()
    env = environment("def handler(event, context): pass")
    env.invoke()

    class OfTest:
        def __del__(self):
            raise ValueError("of the test")

    OfTest()
    assert stderr(env) == ""
    assert heard in (None, [ValueError])
