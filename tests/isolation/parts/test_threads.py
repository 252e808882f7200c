"""Threads of the function."""

from __future__ import annotations

import pytest


def test_threads_run_on_between_invokes(environment):
    env = environment("""
        import threading
        go, done = threading.Event(), threading.Event()
        def work(): go.wait(10); done.set()
        def handler(event, context): threading.Thread(target=work, daemon=True).start()
    """)
    env.invoke()
    env.module.go.set()  # on Lambda the thread stays frozen until the next invoke
    assert env.module.done.wait(10)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exception_on_a_thread_is_in_the_log(environment):
    env = environment("""
        import threading
        def work(): raise ValueError("on a thread")
        def handler(event, context):
            thread = threading.Thread(target=work, name="worker")
            thread.start()
            thread.join()
    """)
    log = env.invoke().log
    assert "Exception in thread worker:\nTraceback (most recent call last):\n" in log
    assert "in work\n" in log
    assert "ValueError: on a thread\n" in log
