"""The log of the function has what its own threads write, and not what the test's threads write."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

WAITING = """
    import threading, time
    def handler(event, context):
        print("before")
        time.sleep(0.2)
        print("after")
"""


@contextmanager
def meanwhile(action: Callable[[], object]) -> Iterator[None]:
    """Repeat an action on a thread of the test, such as that of a server."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.is_set():
            action()
            ended.wait(0.01)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_output_of_a_thread_of_the_test_reaches_the_test_alone(environment, capsys):
    def write() -> None:
        print("from a server")
        sys.stderr.write("from a server, too\n")

    env = environment(WAITING)
    env.initialize()
    with meanwhile(write):
        assert "\nbefore\nafter\nEND" in env.invoke().log
    assert "server" not in str(env.telemetry)
    captured = capsys.readouterr()
    assert "from a server\n" in captured.out
    assert "before\n" in captured.out
    assert "from a server, too\n" in captured.err


def test_a_thread_that_has_begun_before_the_environment(environment):
    with meanwhile(lambda: print("from a server")):
        env = environment(WAITING)
        env.invoke()
    assert "server" not in env.log


def test_log_records_of_a_thread_of_the_test_reach_its_own_handlers(environment, caplog, capsys):
    """A handler of the function that ships records to a server would else feed itself."""
    env = environment("""
        import logging, time
        shipped = []
        class Shipper(logging.Handler):
            def emit(self, record): shipped.append(record.getMessage())
        logging.getLogger().addHandler(Shipper())
        def handler(event, context):
            logging.warning("mine")
            time.sleep(0.2)
            return shipped
    """)
    env.initialize()
    with meanwhile(lambda: logging.getLogger("server").warning("POST /v1/logs")):
        assert env.invoke().payload == ["mine"]
    assert "POST" not in env.log
    assert "mine" in env.log
    assert {"mine", "POST /v1/logs"} <= set(caplog.messages)
    assert "POST" not in capsys.readouterr().out


def test_other_handlers_of_the_test_hear_its_threads_alone(environment):
    heard: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    handler = Handler()
    logging.getLogger().addHandler(handler)
    try:
        env = environment("""
            import logging, time
            def handler(event, context):
                logging.warning("mine")
                time.sleep(0.2)
        """)
        env.initialize()
        with meanwhile(lambda: logging.getLogger("server").warning("theirs")):
            env.invoke()
    finally:
        logging.getLogger().removeHandler(handler)
    assert set(heard) == {"theirs"}


@pytest.mark.parametrize(
    "start",
    [
        "thread = threading.Thread(target=work); thread.start(); thread.join()",
        "pool.submit(work).result()",
        "_thread.start_new_thread(work, ()); done.wait(10)",
        "timer = threading.Timer(0, work); timer.start(); timer.join()",
        "threading.Thread(target=lambda: pool.submit(work).result()).start(); done.wait(10)",
    ],
    ids=["thread", "executor", "_thread", "timer", "executor of a thread"],
)
def test_output_of_threads_of_the_function_is_in_its_log(environment, start):
    env = environment(f"""
        import _thread, logging, threading
        from concurrent.futures import ThreadPoolExecutor
        pool, done = ThreadPoolExecutor(1), threading.Event()
        def work():
            print("printed")
            logging.warning("logged")
            done.set()
        def handler(event, context):
            {start}
            pool.shutdown()
    """)
    log = env.invoke().log
    assert "printed\n" in log
    assert "logged\n" in log


def test_a_task_of_the_function_on_a_worker_of_the_test(environment, monkeypatch):
    """A library that both share may have a pool, whose workers the test has started."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        monkeypatch.setattr(threading, "pool_of_a_library", pool, raising=False)
        env = environment("""
            import threading
            def work(): print("task of the function")
            def handler(event, context): threading.pool_of_a_library.submit(work).result()
        """)
        assert "task of the function\n" in env.invoke().log


def test_output_of_both_at_once_is_kept_apart(environment, capsys):
    env = environment("""
        def handler(event, context):
            for number in range(3000):
                print("line", number)
    """)
    env.initialize()
    ended = threading.Event()

    def repeat() -> None:
        while not ended.is_set():
            print("from a server")

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        log = env.invoke().log
    finally:
        ended.set()
        thread.join()
    lines = [line for line in log.splitlines() if line.startswith("line")]
    assert lines == [f"line {number}" for number in range(3000)]
    assert "server" not in log
    assert capsys.readouterr().out.count("from a server") > 10


def test_a_stream_that_function_code_closes_stays_open_for_the_test(environment, capsys):
    env = environment("""
        import sys, time
        def handler(event, context):
            sys.stdout.close()
            time.sleep(0.2)
    """)
    env.initialize()
    problems: list[Exception] = []

    def write() -> None:
        try:
            print("from a server")
        except Exception as problem:
            problems.append(problem)

    with meanwhile(write):
        env.invoke(check=False)
    assert problems == []
    assert "from a server" in capsys.readouterr().out
