"""A real Ctrl-C ends the test, even if function code catches it."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from pytest_lambda_lifecycle import FunctionLog
from pytest_lambda_lifecycle.isolation.stage import stage

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="needs signals for threads"
)

WAITING = """
    import asyncio, signal, time
    {setup}
    def handler(event, context):
        caught = None
        print("waiting")
        until = time.monotonic() + (event or 20)
        while time.monotonic() < until and caught is None:
            try:
                {wait}
            except {exception} as error:
                caught = type(error).__name__
        return caught
"""


@pytest.fixture
def press():
    """Send a SIGINT from outside the function, once the log has the word "waiting"."""
    main = threading.main_thread().ident
    send, sleep = signal.pthread_kill, time.sleep
    threads = []

    def wait(env):
        while not any("waiting" in event.text for event in env.timeline.of(FunctionLog)):
            sleep(0.005)
        sleep(0.03)  # into the wait that follows
        send(main, signal.SIGINT)

    def start(env):
        threads.append(threading.Thread(target=wait, args=(env,), daemon=True))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(5)


@pytest.mark.parametrize("exception", ["BaseException", "KeyboardInterrupt"])
def test_a_handler_that_catches_it(environment, press, exception):
    env = environment(WAITING.format(setup="", wait="time.sleep(0.05)", exception=exception))
    press(env)
    with pytest.raises(KeyboardInterrupt):
        env.invoke()
    assert env.state == "ready"
    assert env.invoke(0.01).payload is None
    assert not stage.interrupted


def test_init_that_catches_it(environment, press):
    env = environment("""
        import time
        print("waiting")
        caught = False
        until = time.monotonic() + 20
        while time.monotonic() < until and not caught:
            try: time.sleep(0.05)
            except BaseException: caught = True
        def handler(event, context): return "ok"
    """)
    press(env)
    with pytest.raises(KeyboardInterrupt):
        env.initialize()


def test_a_coroutine_that_catches_it(environment, press):
    env = environment("""
        import asyncio
        async def work():
            print("waiting")
            for _ in range(10):
                try: await asyncio.sleep(0.05)
                except BaseException: pass
        def handler(event, context):
            try: asyncio.run(work())
            except BaseException: pass
    """)
    press(env)
    with pytest.raises(KeyboardInterrupt):
        env.invoke()


@pytest.mark.parametrize(
    "handler", ["lambda *_: None", "signal.SIG_IGN", "signal.SIG_DFL", "signal.default_int_handler"]
)
def test_a_signal_handler_of_the_function(environment, press, handler):
    setup = f"own = {handler}; signal.signal(signal.SIGINT, own)"
    env = environment(
        WAITING.format(setup=setup, wait="time.sleep(0.05)", exception="BaseException")
        + "        assert signal.getsignal(signal.SIGINT) == own\n"
    )
    env.initialize()
    press(env)
    with pytest.raises(KeyboardInterrupt):
        env.invoke(0.5)  # it goes on to its end
    stage.leave()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_that_replaces_it(environment, press):
    env = environment("""
        import time
        def handler(event, context):
            print("waiting")
            try: time.sleep(20)
            except BaseException: raise ValueError("something else") from None
    """)
    press(env)
    with pytest.raises(KeyboardInterrupt):
        env.invoke()


def test_a_function_that_goes_on_until_its_timeout(environment, press):
    env = environment(
        """
        import time
        def handler(event, context):
            print("waiting")
            while True:
                try: time.sleep(0.05)
                except KeyboardInterrupt: pass
        """,
        timeout=1,
    )
    press(env)
    with pytest.raises(KeyboardInterrupt):
        env.invoke()


def test_a_handler_that_catches_that_of_an_inner_environment(environment, write, press):
    write("inner.py", "import time\ndef handler(event, context): print('waiting'), time.sleep(20)")
    inner = environment(handler="inner.handler")
    outer = environment("""
        def handler(event, context):
            try: call()
            except BaseException: pass
        def call(): ...
    """)
    outer.patch("app.call", lambda: inner.invoke() and None)
    press(inner)
    with pytest.raises(KeyboardInterrupt):
        outer.invoke()
    assert not stage.interrupted


@pytest.mark.parametrize(
    "send",
    [
        "signal.raise_signal(signal.SIGINT)",
        "os.kill(os.getpid(), signal.SIGINT)",
        "signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)",
        "threading.Timer(0.1, _thread.interrupt_main).start()",
    ],
)
def test_a_function_that_interrupts_itself_may_catch_it(environment, send):
    env = environment(f"""
        import _thread, os, signal, threading, time
        def handler(event, context):
            try:
                {send}
                for _ in range(40): time.sleep(0.05)
            except KeyboardInterrupt: return "caught"
    """)
    assert env.invoke().payload == "caught"
    assert env.invoke().payload == "caught"


def test_the_session_is_interrupted(pytester):
    pytester.makepyfile(
        app="""
            import os, signal, subprocess, sys, time
            def handler(event, context):
                end = time.monotonic() + 2
                while time.monotonic() < end:
                    try: time.sleep(0.1)
                    except BaseException: pass
        """,
        test_it="""
            import os, subprocess, sys
            def test_it(lambda_lifecycle):
                press = "import os, signal, time; time.sleep(0.7); os.kill(%d, signal.SIGINT)"
                child = subprocess.Popen([sys.executable, "-c", press % os.getpid()])
                try: lambda_lifecycle("app.handler").invoke()
                finally: child.wait()
            def test_the_next_one(): pass
        """,
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly", timeout=60)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*"])


SENDS = [
    "os.kill(os.getpid(), signal.SIGINT)",
    "os.kill(0, signal.SIGINT)",
    "os.killpg(os.getpgrp(), signal.SIGINT)",
    "signal.raise_signal(signal.SIGINT)",
    "signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)",
    "_thread.interrupt_main()",
    "threading.Timer(0.05, _thread.interrupt_main).start()",
    "threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()",
    "asyncio.run(interrupted())",
]
INTERRUPTING = """
    import _thread, asyncio, os, signal, threading, time
    async def interrupted():
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(1)
    def handler(event, context):
        if event == "go on":
            return "on"
        try:
            {send}
            for _ in range(40): time.sleep(0.05)
        finally:
            print("finally")
"""


class TestAFunctionThatInterruptsItself:
    """Only a Ctrl-C from outside is pytest's."""

    @pytest.mark.parametrize("send", SENDS)
    def test_its_process_ends(self, environment, send):
        env = environment(INTERRUPTING.format(send=send))
        for _ in range(2):
            ended = env.invoke(check=False)
            assert (ended.error_type, ended.outcome.exit_code) == ("Runtime.ExitError", -2)
            assert "finally\n" in ended.log
            assert "KeyboardInterrupt\n" in ended.log
        assert env.invoke("go on").payload == "on"
        assert not stage.interrupted

    @pytest.mark.parametrize("send", SENDS[:6])
    def test_init_ends(self, environment, send):
        env = environment(
            "import _thread, os, signal, threading, time\n"
            f"{send}\ntime.sleep(1)\ndef handler(event, context): return 1"
        )
        failed = env.invoke(check=False)
        assert failed.outcome.exit_code == -2

    @pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None])
    def test_the_handler_of_the_test_does_not_matter(self, environment, handler):
        before = signal.signal(signal.SIGINT, handler)
        try:
            for send in SENDS[:6]:
                env = environment(INTERRUPTING.format(send=send))
                assert env.invoke(check=False).outcome.exit_code == -2
                env.close()
        finally:
            assert signal.signal(signal.SIGINT, before) is handler

    def test_the_thread_that_invokes_does_not_matter(self, environment):
        env = environment(INTERRUPTING.format(send=SENDS[0]))
        codes: list[int] = []
        thread = threading.Thread(
            target=lambda: codes.append(env.invoke(check=False).outcome.exit_code)
        )
        thread.start()
        thread.join()  # the main thread is not interrupted
        assert codes == [-2]

    def test_a_thread_that_goes_on_between_phases_does_not_interrupt_the_test(self, environment):
        env = environment("""
            import os, signal, threading
            go, gone = threading.Event(), threading.Event()
            def send():
                go.wait()
                os.kill(os.getpid(), signal.SIGINT)
                gone.set()
            def handler(event, context):
                threading.Thread(target=send).start()
        """)
        env.invoke()
        env.module.go.set()
        assert env.module.gone.wait(5)
        assert env.invoke(check=False).outcome.exit_code == -2

    def test_the_function_finds_the_handler_of_python(self, environment):
        env = environment("""
            import signal
            def handler(event, context):
                own = signal.default_int_handler
                found = signal.getsignal(signal.SIGINT) is own
                before = signal.signal(signal.SIGINT, lambda *_: None)
                return [found, before is own, signal.signal(signal.SIGINT, before) is not own]
        """)
        assert env.invoke().payload == [True, True, True]
        assert env.invoke().payload == [True, True, True]

    def test_the_test_restores_the_handler_that_it_finds(self, environment, press):
        env = environment(WAITING.format(setup="", wait="time.sleep(0.05)", exception="OSError"))
        env.initialize()
        found = signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert found is signal.default_int_handler
        signal.signal(signal.SIGINT, found)
        press(env)
        with pytest.raises(KeyboardInterrupt):
            env.invoke()
        assert env.state == "ready"

    def test_a_program_that_sends_the_signal_is_outside(self, environment):
        """Nothing tells such a signal from one that another terminal sends."""
        env = environment("""
            import os, subprocess, time
            def handler(event, context):
                subprocess.run(["kill", "-INT", str(os.getpid())])
                time.sleep(5)
        """)
        with pytest.raises(KeyboardInterrupt):
            env.invoke()

    @pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n1")])
    def test_the_session_goes_on(self, pytester, options):
        if options:
            pytest.importorskip("xdist")
        pytester.makepyfile(
            app=INTERRUPTING.replace("\n    ", "\n").format(send=SENDS[0]),
            test_it="""
                def test_it(lambda_lifecycle):
                    env = lambda_lifecycle("app.handler")
                    assert env.invoke(check=False).outcome.exit_code == -2
                def test_the_next_one(): pass
            """,
        )
        result = pytester.runpytest_subprocess("-p", "no:randomly", *options, timeout=60)
        result.assert_outcomes(passed=2)
