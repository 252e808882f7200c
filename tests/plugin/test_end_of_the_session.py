"""Work that function code leaves behind, exits on its threads, and the end of pytest."""

from __future__ import annotations

import os

import pytest

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and process groups")
TEST = """
    def test_it(lambda_lifecycle):
        env = lambda_lifecycle("app.handler", timeout=5)
        assert env.invoke().payload == 1
"""
FATAL = """
    import pytest
    from pytest_lambda_lifecycle import RuntimeExit

    def test_it(lambda_lifecycle):
        env = lambda_lifecycle("app.handler", timeout=5)
        with pytest.raises(RuntimeExit):
            env.invoke()

    def test_the_next_one(): pass
"""


def run(pytester, app, test=TEST, **files):
    """Run pytest in a process of its own, which has to end within a minute."""
    pytester.makepyfile(app=app, test_it=test, **files)
    return pytester.runpytest_subprocess(
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-W",
        "error",
        "-W",
        "ignore:This process:DeprecationWarning",  # Python 3.12 warns of a fork beside threads
        timeout=60,
    )


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(
            """
            import threading
            from concurrent.futures import ThreadPoolExecutor
            pool = ThreadPoolExecutor(1)
            def handler(event, context):
                pool.submit(threading.Event().wait)
                pool.submit(print, "a task that waits for the worker")
                return 1
            """,
            id="a task of an executor",
        ),
        pytest.param(
            """
            import asyncio, threading
            async def main():
                try:
                    await asyncio.wait_for(asyncio.to_thread(threading.Event().wait), 0.2)
                except (TimeoutError, asyncio.TimeoutError):
                    return 1
            loop = asyncio.new_event_loop()
            def handler(event, context): return loop.run_until_complete(main())
            """,
            id="to_thread",
        ),
        pytest.param(
            """
            import multiprocessing, time
            def handler(event, context):
                multiprocessing.get_context("fork").Process(target=time.sleep, args=(50,)).start()
                return 1
            """,
            id="a child of multiprocessing",
            marks=posix,
        ),
        pytest.param(
            """
            import multiprocessing, time
            from concurrent.futures import ProcessPoolExecutor
            def handler(event, context):
                try:
                    ProcessPoolExecutor(1, multiprocessing.get_context("fork"))
                except OSError:  # Lambda has no semaphores; a manager needs none
                    manager = multiprocessing.get_context("fork").Manager()
                    manager.Queue().put(1)
                    return manager.list([1])[0]
            """,
            id="a manager in the place of a pool of processes",
            marks=posix,
        ),
        pytest.param(
            """
            import threading
            def handler(event, context):
                threading.Timer(50, print).start()
                return 1
            """,
            id="a timer",
        ),
    ],
)
def test_pytest_ends_after_its_summary(pytester, app):
    result = run(pytester, app)
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert result.duration < 30


@posix
def test_children_end_with_the_function(environment):
    env = environment("""
        import multiprocessing, subprocess, sys, time, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        fork = multiprocessing.get_context("fork")
        def handler(event, context):
            global child, program
            child = fork.Process(target=time.sleep, args=(50,))
            child.start()
            program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(50)"])
            return [child.pid, program.pid]
    """)
    pids = env.invoke().payload
    env.reset()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_the_test_keeps_its_own_executor(environment):
    """Function code shares the executor of a library: it goes on in the next environment."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        env = environment("def handler(event, context): return pool.submit(int, '7').result()")
        env.initialize()
        env.module.pool = pool
        assert env.invoke().payload == 7
        env.close()
        assert pool.submit(int, "8").result(10) == 8


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(
            """
            import os, threading
            def handler(event, context):
                timer = threading.Timer(0.1, os._exit, (1,))
                timer.start()
                timer.join()
            """,
            id="a timer",
        ),
        pytest.param(
            """
            import os, threading
            def handler(event, context):
                thread = threading.Thread(target=os.abort)
                thread.start()
                thread.join()
            """,
            id="a thread",
        ),
        pytest.param(
            """
            import os
            from concurrent.futures import ThreadPoolExecutor
            def handler(event, context):
                with ThreadPoolExecutor(1) as pool:
                    pool.submit(os._exit, 5)
            """,
            id="a task",
        ),
        pytest.param(
            """
            import os, signal, threading
            def handler(event, context):
                timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))
                timer.start()
                timer.join()
            """,
            id="os.kill",
        ),
        pytest.param(
            """
            import signal, threading
            def handler(event, context):
                thread = threading.Thread(target=signal.raise_signal, args=(signal.SIGTERM,))
                thread.start()
                thread.join()
            """,
            id="raise_signal",
        ),
        pytest.param(
            """
            import asyncio, os
            async def main():
                asyncio.get_running_loop().call_soon(os._exit, 3)
                await asyncio.sleep(1)
            def handler(event, context): asyncio.run(main())
            """,
            id="a callback of asyncio",
        ),
        pytest.param(
            """
            import threading, a_library
            def handler(event, context):
                thread = threading.Thread(target=a_library.give_up)
                thread.start()
                thread.join()
            """,
            id="a library",
        ),
    ],
)
def test_an_exit_on_a_thread_of_the_function_ends_the_function_alone(pytester, monkeypatch, app):
    library = pytester.mkdir("elsewhere") / "site-packages" / "a_library.py"
    library.parent.mkdir()
    library.write_text("import os\ndef give_up(): os._exit(6)\n")
    monkeypatch.setenv("PYTHONPATH", str(library.parent), prepend=os.pathsep)
    result = run(pytester, app, FATAL)
    result.assert_outcomes(passed=2)
    assert result.ret == 0


@posix
@pytest.mark.parametrize(
    "call",
    [
        "os.kill(0, signal.SIGTERM)",
        "os.kill(0, signal.SIGKILL)",
        "os.kill(-os.getpgrp(), signal.SIGHUP)",
        "os.killpg(os.getpgrp(), signal.SIGTERM)",
        "os.killpg(0, signal.SIGTERM)",
    ],
)
def test_a_signal_to_the_group_ends_the_function_alone(pytester, call):
    app = f"import os, signal\ndef handler(event, context): {call}\n"
    run(pytester, app, FATAL).assert_outcomes(passed=2)


@posix
def test_a_handled_signal_to_the_group_reaches_the_function_once(environment):
    env = environment("""
        import os, signal
        seen = []
        signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
        def handler(event, context):
            os.kill(0, signal.SIGUSR1)
            os.killpg(os.getpgrp(), signal.SIGUSR1)
            return len(seen)
    """)
    assert env.invoke().payload == 2
