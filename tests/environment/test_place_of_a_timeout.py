"""Where function code was at its deadline: in the error, in its cause, and on the timeline."""

import traceback

import pytest

from pytest_lambda_lifecycle import FunctionTimeout, InitError, LambdaClock, LifecycleError

SLEEPS = """
    import asyncio, multiprocessing, queue, threading, time
    import helper
    def sleeps(event, context):
        time.sleep(60)  # here
    def calls(event, context):
        helper.fetch()
    def swallows(event, context):
        try: time.sleep(60)  # swallowed
        except BaseException: return 1
    def loops(event, context):
        while True: time.time()  # spins
    def waits(event, context):
        queue.Queue().get()  # waits
    def receives(event, context):
        one, other = multiprocessing.Pipe()
        one.recv()  # receives
    def holds_on(event, context):
        try:
            while True: pass  # first
        except BaseException: pass
        end = time.monotonic() + 0.1
        while time.monotonic() < end: pass
    def runs(event, context):
        asyncio.run(main())
    async def main(): await fetch()
    async def fetch(): await asyncio.sleep(60)  # awaits
    def joins(event, context):
        thread = threading.Thread(target=time.sleep, args=(60,))
        thread.start(); thread.join()  # joins
    def runs_two(event, context): asyncio.run(both())  # two wait
    async def both(): await asyncio.gather(asyncio.sleep(60), asyncio.sleep(70))  # gathers
"""
HELPER = """
    import time
    def fetch():
        time.sleep(60)  # fetches
"""


@pytest.fixture
def make(write, lambda_lifecycle, tmp_path):
    def make(handler, **settings):
        write("app.py", SLEEPS)
        write("helper.py", HELPER)
        return lambda_lifecycle(f"app.{handler}", code_dir=tmp_path / "task", **settings)

    return make


def line_of(mark):
    for name, source in (("app.py", SLEEPS), ("helper.py", HELPER)):
        for number, line in enumerate(source.splitlines(), 1):
            if line.endswith(f"# {mark}"):
                return f"{name}:{number}"
    raise ValueError(mark)


def frames_of(error):
    return [
        (frame.filename.rpartition("/")[2], frame.name)
        for frame in traceback.extract_tb(error.__cause__.__traceback__)
    ]


@pytest.mark.parametrize(
    ("handler", "mark"),
    [
        ("sleeps", "here"),
        ("calls", "fetches"),
        ("swallows", "swallowed"),
        ("waits", "waits"),
        ("runs", "awaits"),
        ("runs_two", "gathers"),
        ("joins", "joins"),
    ],
)
def test_in_virtual_time(lambda_clock, make, handler, mark):
    env = make(handler)
    with pytest.raises(FunctionTimeout, match=r"Task timed out after 3\.00 seconds") as raised:
        env.invoke()
    place = line_of(mark)
    assert raised.value.where == place
    assert f"The time was up at {place}." in str(raised.value)
    assert f"runtime done: timeout Sandbox.Timedout, at {place}" in str(env.timeline)
    assert raised.value.error_message.endswith("Task timed out after 3.00 seconds")


@pytest.mark.parametrize(
    ("handler", "mark"), [("loops", "spins"), ("waits", "waits"), ("holds_on", "first")]
)
def test_in_real_time(make, handler, mark):
    env = make(handler, timeout=1)
    with pytest.raises(FunctionTimeout) as raised:
        env.invoke(remaining_ms=50)
    assert raised.value.where == line_of(mark)


def test_the_cause_ends_at_the_innermost_frame_of_function_code(lambda_clock, make):
    with pytest.raises(FunctionTimeout) as raised:
        make("calls").invoke()
    assert frames_of(raised.value) == [("app.py", "calls"), ("helper.py", "fetch")]
    assert str(raised.value.__cause__) == "the time was up here"


def test_an_init_that_is_cut(lambda_clock, write, lambda_lifecycle, tmp_path):
    write("app.py", "import time\ntime.sleep(60)\ndef handler(event, context): pass\n")
    env = lambda_lifecycle("app.handler", code_dir=tmp_path / "task")
    with pytest.raises(InitError) as raised:
        env.initialize()
    assert raised.value.where == "app.py:2"
    assert frames_of(raised.value) == [("app.py", "<module>")]
    assert "Init ended: timeout, 10000.00 ms, at app.py:2" in str(env.timeline)
    with pytest.raises(FunctionTimeout) as again:
        env.invoke()
    assert again.value.where == "app.py:2"


@pytest.mark.parametrize(("handler", "mark"), [("loops", "spins"), ("receives", "receives")])
def test_the_watchdog(environment, write, handler, mark):
    write("helper.py", HELPER)
    with LambdaClock(watchdog=0.5), environment(SLEEPS, handler=f"app.{handler}") as env:
        with pytest.raises(LifecycleError) as raised:
            env.invoke()
        assert f"It was at {line_of(mark)} then." in str(raised.value)
        assert frames_of(raised.value)[-1] == ("app.py", handler)
