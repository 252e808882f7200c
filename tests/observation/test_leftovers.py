"""Threads, processes and tasks that run on when an invoke ends."""

import subprocess
import sys
import textwrap
import threading
from unittest import mock

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage

SOURCE = """
    import asyncio, subprocess, sys, threading, time
    from concurrent.futures import ThreadPoolExecutor
    stop = threading.Event()
    kept = []
    def handler(event, context):
        if event == "thread":
            kept.append(threading.Thread(target=stop.wait, name="beater")); kept[-1].start()
        if event == "timer": kept.append(threading.Timer(60, print)); kept[-1].start()
        if event == "executor":
            kept.append(ThreadPoolExecutor(1))
            kept[-1].submit(stop.wait)
        if event == "idle": kept.append(ThreadPoolExecutor(2)); list(kept[-1].map(abs, [-1, -2]))
        if event == "again": kept[-1].submit(stop.wait)
        if event == "process":
            command = [sys.executable, "-c", "input()"]
            kept.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        if event == "task":
            kept.append(asyncio.new_event_loop())
            kept[-1].run_until_complete(start())
        if event == "finished":
            thread = threading.Thread(target=print); thread.start(); thread.join()
        if event == "clean": clean()
    async def background(): await asyncio.sleep(60)
    async def start():
        kept.append(asyncio.ensure_future(background())); kept.reverse()
        await asyncio.sleep(0)
    def clean():
        stop.set()
        for one in kept:
            if isinstance(one, threading.Timer): one.cancel()
            if isinstance(one, subprocess.Popen): one.communicate(b"x\\n")
            if isinstance(one, ThreadPoolExecutor): one.shutdown()
            if isinstance(one, asyncio.Task):
                loop = one.get_loop(); one.cancel()
                loop.run_until_complete(asyncio.gather(one, return_exceptions=True)); loop.close()
            if isinstance(one, threading.Thread): one.join(5)
"""


def kinds(invocation):
    return [(one.kind, one.label.partition(" (pid")[0]) for one in invocation.leftovers]


def line_of(text):
    lines = textwrap.dedent(SOURCE).splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_nothing_is_left(environment):
    env = environment(SOURCE)
    assert env.invoke("none").leftovers == env.invoke("finished").leftovers == []


@pytest.mark.parametrize(
    ("event", "label", "started"),
    [
        ("thread", "beater", 'name="beater"'),
        ("timer", "Thread", "threading.Timer(60"),
        ("process", sys.executable, "subprocess.Popen("),
        ("task", "background", "async def background"),
        ("executor", "ThreadPoolExecutor", "kept[-1].submit(stop.wait)"),
    ],
)
def test_each_kind_of_leftover_has_its_name_and_place(environment, tmp_path, event, label, started):
    env = environment(SOURCE)
    (one,) = env.invoke(event).leftovers
    clean = env.invoke("clean").leftovers
    assert (one.kind, one.label.startswith(label)) == (event, True)
    if started:
        assert one.where == f"{tmp_path / 'task' / 'app.py'}:{line_of(started)}"
    assert clean == []


def test_workers_of_an_executor_that_have_nothing_to_do_are_not_left_running(environment):
    env = environment(SOURCE)
    assert env.invoke("idle").leftovers == []
    assert env.invoke("none").leftovers == []
    env.invoke("clean")


def test_a_worker_is_left_at_the_line_of_the_task_that_it_runs_now(environment, tmp_path):
    """Another line has started the worker."""
    env = environment(SOURCE)
    env.invoke("idle")
    stage.leave()
    (one,) = env.invoke("again").leftovers
    env.invoke("clean")
    place = f"{tmp_path / 'task' / 'app.py'}:{line_of('again')}"
    assert (one.kind, one.where) == ("executor", place)


def test_of_more_tasks_than_workers_each_worker_is_left_once(environment):
    env = environment("""
        import threading
        from concurrent.futures import ThreadPoolExecutor
        pool, stop = ThreadPoolExecutor(2), threading.Event()
        def handler(event, context):
            if event == "stop": stop.set(); pool.shutdown()
            else: [pool.submit(stop.wait) for _ in range(5)]
    """)
    left = env.invoke().leftovers
    assert env.invoke("stop").leftovers == []
    assert [one.kind for one in left] == ["executor"] * 2
    assert len({one.label for one in left}) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize(
    "start",
    [
        "kept.append(ThreadPoolExecutor(1)); asyncio.run(submit())",
        "kept.append(socketserver.ThreadingTCPServer(('127.0.0.1', 0), None)); serve()",
        "context.Process(target=time.sleep, args=(60,)).start()",
    ],
)
def test_what_the_standard_library_starts_is_left_at_the_line_of_function_code(
    environment, tmp_path, start
):
    env = environment(f"""
        import asyncio, multiprocessing, socketserver, threading, time
        from concurrent.futures import ThreadPoolExecutor
        stop, kept, context = threading.Event(), [], multiprocessing.get_context("fork")
        def serve(): threading.Thread(target=kept[0].serve_forever, args=(0.01,)).start()
        async def submit(): asyncio.get_running_loop().run_in_executor(kept[0], stop.wait)
        def handler(event, _):
            if event == "start": {start}
            else: stop.set(); [one.shutdown() for one in kept]
    """)
    left = env.invoke("start").leftovers
    env.invoke("stop")
    env.close()
    assert left
    assert {one.where.rpartition(":")[0] for one in left} == {str(tmp_path / "task" / "app.py")}


def test_leftovers_are_reported_while_they_live(environment):
    env = environment(SOURCE)
    env.invoke("thread")
    again = kinds(env.invoke("none"))
    assert env.invoke("clean").leftovers == []
    assert again == [("thread", "beater")]
    assert "left running: thread beater, started at " in repr(env.timeline)


def test_threads_of_the_test_do_not_count(environment):
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        env = environment(SOURCE)
        assert env.invoke("none").leftovers == []
    finally:
        stop.set()
        thread.join()


def test_popen_that_the_test_has_replaced(environment, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", mock.MagicMock())
    env = environment("""
        import subprocess
        def handler(event, context): return subprocess.Popen(["report"]) is not None
    """)
    done = env.invoke()
    assert done.payload is True
    assert done.leftovers == []
    subprocess.Popen.assert_called_once_with(["report"])


def test_a_thread_that_a_library_keeps_is_idle_while_it_waits_for_work(environment, tmp_path):
    """Its queue is empty; with something to do, the freeze cuts it off."""
    env = environment("""
        import logging.handlers, queue, threading, time
        records, release = queue.Queue(), threading.Event()
        class Slow(logging.Handler):
            def emit(self, record): release.wait(10)
        listener = logging.handlers.QueueListener(records, Slow())
        listener.start()
        def handler(event, context):
            if event == "busy":
                records.put(logging.makeLogRecord({}))
                while not records.empty(): time.sleep(0.001)
            if event == "stop": release.set(); listener.stop()
    """)
    (idle,) = env.invoke().leftovers
    (busy,) = env.invoke("busy").leftovers
    assert env.invoke("stop").leftovers == []
    assert (idle.idle, busy.idle) == (True, False)
    assert idle.where == f"{tmp_path / 'task' / 'app.py'}:7"
    assert "left running (idle): thread" in str(env.timeline)


def test_a_task_is_left_at_the_line_of_function_code_that_it_waits_at(environment, tmp_path):
    env = environment("""
        import asyncio
        loop = asyncio.new_event_loop()
        async def nap():
            await asyncio.sleep(60)
        async def start():
            tasks.append(asyncio.ensure_future(nap()))
            await asyncio.sleep(0)
        tasks = []
        def handler(event, context):
            if event != "stop": loop.run_until_complete(start()); return
            tasks[0].cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True)); loop.close()
    """)
    (task,) = env.invoke().leftovers
    env.invoke("stop")
    assert (task.label, task.idle) == ("nap", False)
    assert task.where == f"{tmp_path / 'task' / 'app.py'}:5"
