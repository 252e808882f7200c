"""Threads of the function."""

from __future__ import annotations

import sys

import pytest

from pytest_lambda_lifecycle import FunctionTimeout


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


def test_a_thread_that_never_starts_is_interrupted_at_the_timeout(environment):
    """`Thread.start` waits for the thread, which function code may have broken."""
    env = environment(
        """
        import threading
        class Broken(threading.Thread):
            def _bootstrap(self): ...
        def handler(event, context): Broken().start()
        """,
        timeout=1,
    )
    with pytest.raises(FunctionTimeout):
        env.invoke()


def test_a_thread_of_an_ended_process_writes_on_no_later_log(environment):
    env = environment("""
        import threading
        go, done = threading.Event(), threading.Event()
        def work(): go.wait(10); print("from another process"); done.set()
        def handler(event, context): threading.Thread(target=work, daemon=True).start()
    """)
    env.invoke()
    go, done = env.module.go, env.module.done
    env.reset()
    env.invoke()
    go.set()
    assert done.wait(10)
    assert "from another process" not in env.invoke().log + env.log
    env.module.go.set()  # or the other thread prints in 10 s, into another test
    assert env.module.done.wait(10)


def test_an_executor_of_a_shared_library_takes_tasks_of_the_next_process(
    environment, tmp_path, monkeypatch
):
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "pool_holder.py").write_text(
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    env = environment("""
        import socket
        from pool_holder import pool
        listener = socket.create_server(("127.0.0.1", 0))
        def handler(event, context): return pool.submit(lambda: 1).result(10)
    """)
    for _ in range(3):
        assert env.invoke().payload == 1
        env.reset()
    env.close()
    sys.modules.pop("pool_holder")
