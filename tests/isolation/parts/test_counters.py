"""The numbers in the names of threads, tasks and pools: each process counts from 1, as any does."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

NAMES = """
    import asyncio, threading
    from concurrent.futures import ThreadPoolExecutor
    def name(): return threading.current_thread().name
    async def tasks():
        other = asyncio.create_task(asyncio.sleep(0))
        named = asyncio.create_task(asyncio.sleep(0), name="mine")
        await asyncio.gather(other, named)
        return [asyncio.current_task().get_name(), other.get_name(), named.get_name()]
    def handler(event, context):
        with ThreadPoolExecutor(1) as pool:
            return [
                threading.Thread(target=int).name,
                threading.Timer(1, int).name,
                *asyncio.run(tasks()),
                pool.submit(name).result(),
            ]
"""
FIRST = ["Thread-1 (int)", "Thread-2", "Task-1", "Task-2", "mine", "ThreadPoolExecutor-0_0"]


@pytest.fixture
def used() -> None:
    """Let the test use some numbers of its own."""
    threading.Thread(target=int)
    ThreadPoolExecutor(1).shutdown()

    async def task() -> None:
        await asyncio.create_task(asyncio.sleep(0))

    asyncio.run(task())


@pytest.mark.usefixtures("used")
def test_each_process_counts_from_one(environment):
    env = environment(NAMES, runtime="python3.11")
    assert env.invoke().payload == FIRST
    second = env.invoke().payload
    assert second[:2] == ["Thread-3 (int)", "Thread-4"]
    assert second[-1] == "ThreadPoolExecutor-1_0"
    env.reset()
    assert env.invoke().payload == FIRST
    other = environment(NAMES, runtime="python3.11")
    assert other.invoke().payload == FIRST
    third = env.invoke().payload  # it enters again, and goes on
    assert third[:2] == ["Thread-3 (int)", "Thread-4"]


def test_the_names_are_those_of_a_process_of_its_own(environment):
    code = textwrap.dedent(NAMES) + "for _ in 'ab': print(handler(None, None))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    env = environment(NAMES, runtime="python3.11")
    assert [str(env.invoke().payload) for _ in "ab"] == run.stdout.splitlines()


def test_the_runtime_waits_for_events_on_a_thread_from_python_3_12_on(environment):
    """It makes a pool for each event (`LambdaRuntimeClient.wait_next_invocation`)."""
    env = environment(NAMES, runtime="python3.12")
    assert [env.invoke().payload[-1] for _ in range(3)] == [
        "ThreadPoolExecutor-1_0",
        "ThreadPoolExecutor-3_0",
        "ThreadPoolExecutor-5_0",
    ]


def test_the_test_goes_on_where_it_was(environment):
    number = int(threading.Thread().name.partition("-")[2])
    counter = ThreadPoolExecutor.__dict__["_counter"]
    env = environment(NAMES)
    env.invoke()
    env.close()
    assert threading.Thread().name == f"Thread-{number + 1}"
    assert ThreadPoolExecutor.__dict__["_counter"] is counter
    assert isinstance(counter.__self__, itertools.count)


def test_tasks_of_the_test_have_numbers_of_their_own(environment):
    env = environment(NAMES)

    async def run() -> list[str]:
        env.invoke()
        task = asyncio.create_task(asyncio.sleep(0))
        await task
        return [task.get_name(), *env.invoke().payload[2:4]]

    own, *functions = asyncio.run(run())
    assert int(own.partition("-")[2]) > 0
    assert len({*functions}) == 2
    assert functions == [f"Task-{int(functions[0].partition('-')[2]) + step}" for step in (0, 1)]
