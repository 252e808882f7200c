"""Semaphores and shared memory, which Lambda does not have, and what works without them."""

from __future__ import annotations

import multiprocessing
import multiprocessing.shared_memory
import multiprocessing.synchronize
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from unittest import mock

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.events import SharedMemoryRefused

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="semaphores are those of POSIX")

CALLS = """
    import concurrent.futures, multiprocessing, multiprocessing.shared_memory, threading
    fork = multiprocessing.get_context("fork")
    def handler(event, context):
        return eval(event)
    def on_a_thread(call):
        errors = []
        def attempt():
            try:
                call()
            except OSError as error:
                errors.append(error)
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        raise errors[0]
"""


@pytest.mark.parametrize(
    "call",
    [
        "multiprocessing.Lock()",
        "multiprocessing.RLock()",
        "multiprocessing.Semaphore()",
        "multiprocessing.BoundedSemaphore()",
        "multiprocessing.Condition()",
        "multiprocessing.Event()",
        "multiprocessing.Barrier(2)",
        "multiprocessing.Queue()",
        "multiprocessing.JoinableQueue()",
        "multiprocessing.SimpleQueue()",
        "multiprocessing.Value('i', 1)",
        "multiprocessing.Array('i', 1)",
        "multiprocessing.Pool(1)",
        "fork.Lock()",
        "multiprocessing.get_context('spawn').Lock()",
        "concurrent.futures.ProcessPoolExecutor(1)",
        "on_a_thread(multiprocessing.Lock)",
    ],
)
def test_a_semaphore_fails_with_the_error_of_lambda(environment, call):
    env = environment(CALLS)
    error = env.invoke(call, check=False).payload
    assert error["errorType"] == "OSError"
    assert error["errorMessage"] == "[Errno 38] Function not implemented"
    assert "multiprocessing/synchronize.py" in error["stackTrace"][-1]
    assert "_multiprocessing.SemLock(" in error["stackTrace"][-1]
    (refused,) = env.timeline.of(SharedMemoryRefused)
    assert refused.call == "multiprocessing.SemLock"


def test_shared_memory_fails_with_the_error_of_lambda(environment):
    env = environment(CALLS)
    call = "multiprocessing.shared_memory.SharedMemory(create=True, size=8)"
    error = env.invoke(call, check=False).payload
    assert error["errorMessage"].startswith("[Errno 38] Function not implemented: '/")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_what_needs_no_semaphore_works(environment):
    env = environment("""
        import multiprocessing
        fork = multiprocessing.get_context("fork")
        def handler(event, context):
            reader, writer = fork.Pipe()
            child = fork.Process(target=work, args=(writer,))
            child.start()
            child.join()
            with fork.Manager() as manager:
                queue = manager.Queue()
                queue.put(2)
                return [reader.recv(), queue.get(), list(fork.RawArray("i", [3]))]
        def work(writer):
            try:
                fork.Lock()
            except OSError as error:
                writer.send(error.errno)
    """)
    assert env.invoke().payload == [38, 2, [3]]


def test_a_library_that_asks_at_its_import_learns_that_there_are_none(environment, write):
    write(
        "asking.py",
        """
        import _multiprocessing
        from _multiprocessing import SemLock
        LIMIT = SemLock.SEM_VALUE_MAX
        try:
            SemLock(kind=1, value=1, maxvalue=1, name="/asking", unlink=True)
        except (ImportError, AttributeError, OSError) as error:
            REASON = str(error)
        """,
    )
    env = environment("""
        import asking, multiprocessing.synchronize
        def handler(event, context):
            return [asking.REASON, asking.LIMIT == multiprocessing.synchronize.SEM_VALUE_MAX]
    """)
    assert env.invoke().payload == ["[Errno 38] Function not implemented", True]
    (refused,) = env.timeline.of(SharedMemoryRefused)
    assert refused.where == "asking.py:6"
    assert "not implemented (no /dev/shm on Lambda), at asking.py:6" in str(env.timeline)


class TestTheTestsOwn:
    @pytest.fixture
    def env(self, environment):
        env = environment("def handler(event, context): pass")
        env.invoke()
        return env

    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
    def test_multiprocessing_works_while_the_environment_is_entered(self, env):
        assert stage.current is not None
        context = multiprocessing.get_context("fork")
        with context.Lock() as got, ProcessPoolExecutor(1, context) as pool:
            assert got
            assert pool.submit(abs, -1).result() == 1
        memory = multiprocessing.shared_memory.SharedMemory(create=True, size=8)
        memory.close()
        memory.unlink()

    def test_semaphores_are_of_the_original_class(self, env):
        lock = multiprocessing.Lock()
        stage.leave()
        assert type(lock._semlock) is sys.modules["_multiprocessing"].SemLock

    def test_everything_is_restored(self, env):
        module = sys.modules["_multiprocessing"]
        inside = module.SemLock
        stage.leave()
        assert inside is not module.SemLock
        assert "SemLock" in repr(type(inside(1, 1, 1, "/kept", True)))  # somebody has kept it

    def test_a_mock_of_the_test_stays(self, environment):
        env = environment("""
            import _multiprocessing
            def handler(event, context): return _multiprocessing.SemLock()
        """)
        with mock.patch("_multiprocessing.SemLock", return_value=5):
            assert env.invoke().payload == 5

    def test_an_observer_may_make_one(self, environment):
        made = []
        env = environment(
            "def handler(event, context): print('x')",
            observer=lambda event: made.append(multiprocessing.Lock()),
        )
        env.invoke()
        assert made
