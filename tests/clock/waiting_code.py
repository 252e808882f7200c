"""Function code that waits in all ways that Python code has, and what becomes of it.

Each function takes the length of one unit of time in seconds, and returns what it has seen: an
order, timeouts, and spans in whole units.  `OUTCOMES` has what real time gives: run this file as a
program, on a machine that does nothing else, to compare it.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sched
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any


class Watch:
    def __init__(self, unit: float) -> None:
        self.unit = unit
        self.began = time.monotonic()
        self.seen: list[Any] = []

    def units(self) -> int:
        return round((time.monotonic() - self.began) / self.unit)

    def note(self, what: Any = None) -> None:
        self.seen.append(self.units() if what is None else [what, self.units()])

    def sleep(self, units: float) -> float:
        time.sleep(units * self.unit)
        return units


def start(*targets: Any) -> list[threading.Thread]:
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    return threads


def finish(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


# -- threads ---------------------------------------------------------------------------------------


def poll_a_flag(unit: float) -> Any:
    watch, done = Watch(unit), []
    threads = start(lambda: done.append(watch.sleep(4)))
    while not done:
        watch.sleep(1.5)
    finish(threads)
    return watch.units() in (4, 5)


def poll_is_alive(unit: float) -> Any:
    watch = Watch(unit)
    (thread,) = start(lambda: watch.sleep(4.5))
    while thread.is_alive():
        watch.sleep(1)
    return watch.units()


def join_with_timeout(unit: float) -> Any:
    watch = Watch(unit)
    (thread,) = start(lambda: watch.sleep(5))
    thread.join(2 * unit)
    watch.note(thread.is_alive())
    thread.join(20 * unit)
    watch.note(thread.is_alive())
    return watch.seen


def heartbeat(unit: float) -> Any:
    watch, stop = Watch(unit), threading.Event()

    def beat() -> None:
        while not stop.is_set():
            watch.note()
            watch.sleep(2)

    threads = start(beat)
    watch.sleep(9)
    stop.set()
    finish(threads)
    return watch.seen


def stoppable_heartbeat(unit: float) -> Any:
    watch, stop = Watch(unit), threading.Event()

    def beat() -> None:
        while not stop.wait(2 * unit):
            watch.note()

    threads = start(beat)
    watch.sleep(7)
    stop.set()
    finish(threads)
    watch.note("stopped")
    return watch.seen


def timers(unit: float) -> Any:
    watch = Watch(unit)
    several = [threading.Timer(n * unit, watch.note, [n]) for n in (5, 1, 3)]
    for timer in several:
        timer.start()
    watch.sleep(4)
    several[0].cancel()
    for timer in several:
        timer.join()
    return watch.seen


def event_times_out(unit: float) -> Any:
    watch, event = Watch(unit), threading.Event()
    watch.note(event.wait(3 * unit))
    return watch.seen


def event_is_set(unit: float) -> Any:
    watch, event = Watch(unit), threading.Event()
    threads = start(lambda: (watch.sleep(2), event.set()))
    watch.note(event.wait(6 * unit))
    finish(threads)
    return watch.seen


def condition(unit: float) -> Any:
    watch, condition, items = Watch(unit), threading.Condition(), list[int]()

    def produce() -> None:
        for n in range(3):
            watch.sleep(2)
            with condition:
                items.append(n)
                condition.notify()

    threads = start(produce)
    with condition:
        watch.note(condition.wait_for(lambda: len(items) == 3, 3 * unit))
        watch.note(condition.wait_for(lambda: len(items) == 3, 9 * unit))
    finish(threads)
    return watch.seen


def semaphore(unit: float) -> Any:
    watch, places = Watch(unit), threading.Semaphore(2)

    def work() -> None:
        with places:
            watch.sleep(2)
            watch.note()

    threads = start(*[work] * 5)
    finish(threads)
    return watch.seen


def semaphore_times_out(unit: float) -> Any:
    watch, places = Watch(unit), threading.BoundedSemaphore(1)
    places.acquire()
    watch.note(places.acquire(timeout=2 * unit))
    return watch.seen


def barrier(unit: float) -> Any:
    watch, meeting = Watch(unit), threading.Barrier(3)

    def come(units: int) -> None:
        watch.sleep(units)
        meeting.wait()
        watch.note()

    finish(start(*[lambda n=n: come(n) for n in (1, 4, 2)]))
    return watch.seen


def barrier_breaks(unit: float) -> Any:
    watch, meeting = Watch(unit), threading.Barrier(2)
    try:
        meeting.wait(3 * unit)
    except threading.BrokenBarrierError:
        watch.note("broken")
    return watch.seen


def lock_times_out(unit: float) -> Any:
    watch, lock = Watch(unit), threading.Lock()

    def hold() -> None:
        with lock:
            watch.sleep(5)

    threads = start(hold)
    watch.sleep(1)
    watch.note(lock.acquire(timeout=2 * unit))
    watch.note(lock.acquire(timeout=9 * unit))
    finish(threads)
    return watch.seen


def lock_serializes(unit: float) -> Any:
    watch, lock = Watch(unit), threading.Lock()

    def work() -> None:
        with lock:
            watch.sleep(2)
            watch.note()

    finish(start(*[work] * 4))
    return watch.seen


def lock_in_order(unit: float) -> Any:
    watch, lock = Watch(unit), threading.Lock()

    def work(n: int) -> None:
        watch.sleep(n / 10)
        with lock:
            watch.sleep(1)
            watch.note(n)

    finish(start(*[lambda n=n: work(n) for n in (1, 0, 3, 2)]))
    return watch.seen


def semaphore_in_order(unit: float) -> Any:
    watch, places = Watch(unit), threading.Semaphore(0)

    def work(n: int) -> None:
        watch.sleep(n / 10)
        places.acquire()
        watch.note(n)

    threads = start(*[lambda n=n: work(n) for n in (1, 0, 3, 2)])
    watch.sleep(1)
    places.release(4)
    finish(threads)
    return watch.seen


def rlock_serializes(unit: float) -> Any:
    watch, lock = Watch(unit), threading.RLock()

    def work() -> None:
        with lock, lock:
            watch.sleep(2)
            watch.note()

    finish(start(*[work] * 3))
    return watch.seen


# -- executors -------------------------------------------------------------------------------------


def completed_in_order(unit: float) -> Any:
    watch = Watch(unit)
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(watch.sleep, n) for n in (6, 2, 4)]
        for job in as_completed(jobs):
            watch.note(job.result())
    return watch.seen


def completed_until_timeout(unit: float) -> Any:
    watch = Watch(unit)
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(watch.sleep, n) for n in (1, 3, 8)]
        try:
            for job in as_completed(jobs, 5 * unit):
                watch.note(job.result())
        except futures.TimeoutError:
            watch.note("timeout")
    watch.note()
    return watch.seen


def result_times_out(unit: float) -> Any:
    watch = Watch(unit)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(watch.sleep, 6)
        try:
            job.result(timeout=2 * unit)
        except futures.TimeoutError:
            watch.note("timeout")
        watch.note(job.result())
    return watch.seen


def poll_a_future(unit: float) -> Any:
    watch = Watch(unit)
    with ThreadPoolExecutor(2) as pool:
        job = pool.submit(watch.sleep, 3.5)
        while not job.done():
            watch.sleep(1)
    return watch.units()


def first_completed(unit: float) -> Any:
    watch = Watch(unit)
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(watch.sleep, n) for n in (5, 2, 7)]
        done, pending = futures.wait(jobs, return_when=futures.FIRST_COMPLETED)
        watch.note([len(done), len(pending)])
        done, pending = futures.wait(jobs, timeout=4 * unit)
        watch.note([len(done), len(pending)])
    watch.note()
    return watch.seen


def few_workers(unit: float) -> Any:
    watch = Watch(unit)

    def work(n: int) -> int:
        watch.sleep(2)
        watch.note()
        return n

    with ThreadPoolExecutor(2) as pool:
        return [*pool.map(work, range(5)), watch.units(), *watch.seen]


def map_times_out(unit: float) -> Any:
    watch = Watch(unit)
    with ThreadPoolExecutor(2) as pool:
        try:
            for result in pool.map(watch.sleep, [1, 5], timeout=3 * unit):
                watch.note(result)
        except futures.TimeoutError:
            watch.note("timeout")
    watch.note()
    return watch.seen


def pool_in_a_pool(unit: float) -> Any:
    watch = Watch(unit)

    def outer(n: int) -> list[float]:
        with ThreadPoolExecutor(2) as inner:
            return list(inner.map(watch.sleep, [n, 2 * n]))

    with ThreadPoolExecutor(2) as pool:
        return [*pool.map(outer, [1, 2]), watch.units()]


# -- queues ----------------------------------------------------------------------------------------


def queue_is_empty(unit: float) -> Any:
    watch, items = Watch(unit), queue.Queue[int]()

    def produce() -> None:
        for n in range(3):
            watch.sleep(2)
            items.put(n)

    threads = start(produce)
    while True:
        try:
            watch.note(items.get(timeout=3 * unit))
        except queue.Empty:
            watch.note("empty")
            break
    finish(threads)
    return watch.seen


def queue_is_full(unit: float) -> Any:
    watch, items = Watch(unit), queue.Queue[int](1)

    def consume() -> None:
        watch.sleep(5)
        items.get()

    items.put(0)
    threads = start(consume)
    try:
        items.put(1, timeout=2 * unit)
    except queue.Full:
        watch.note("full")
    items.put(2)
    watch.note("put")
    finish(threads)
    return watch.seen


def queue_is_done(unit: float) -> Any:
    watch, items = Watch(unit), queue.PriorityQueue[int]()

    def work() -> None:
        while True:
            n = items.get()
            watch.sleep(n)
            watch.note(n)
            items.task_done()

    for n in (3, 1, 2):
        items.put(n)
    start(work)
    items.join()
    watch.note()
    return watch.seen


def simple_queue(unit: float) -> Any:
    watch, items = Watch(unit), queue.SimpleQueue[str]()
    threads = start(lambda: (watch.sleep(4), items.put("item")))
    for _ in range(2):
        try:
            watch.note(items.get(timeout=3 * unit))
        except queue.Empty:
            watch.note("empty")
    finish(threads)
    return watch.seen


# -- alarms, and other ways to sleep ---------------------------------------------------------------


class Rang(Exception):
    pass


def ring(number: int, frame: object) -> None:
    raise Rang


def alarm_ends_a_sleep(unit: float) -> Any:
    watch = Watch(unit)
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 2 * unit)
    try:
        watch.sleep(9)
    except Rang:
        watch.note("rang")
    return watch.seen


def alarm_ends_a_wait(unit: float) -> Any:
    watch, done = Watch(unit), threading.Event()
    signal.signal(signal.SIGALRM, ring)
    threads = start(lambda: (watch.sleep(5), done.set()))
    signal.setitimer(signal.ITIMER_REAL, 2 * unit)
    try:
        done.wait()
    except Rang:
        watch.note("rang")
    finish(threads)
    watch.note()
    return watch.seen


def interval_timer(unit: float) -> Any:
    watch = Watch(unit)
    signal.signal(signal.SIGALRM, lambda number, frame: watch.note())
    signal.setitimer(signal.ITIMER_REAL, 2 * unit, 3 * unit)
    watch.sleep(9)
    signal.setitimer(signal.ITIMER_REAL, 0)
    watch.sleep(4)
    watch.note("slept")
    return watch.seen


def alarm_that_is_cancelled(unit: float) -> Any:
    watch = Watch(unit)
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 4 * unit)
    watch.sleep(3)
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    watch.sleep(3)
    return [round(left / unit), watch.units()]


def pause(unit: float) -> Any:
    watch = Watch(unit)
    signal.signal(signal.SIGALRM, lambda number, frame: watch.note("rang"))
    signal.setitimer(signal.ITIMER_REAL, 2 * unit, 3 * unit)
    for _ in range(2):
        signal.pause()
        watch.note("paused")
    signal.setitimer(signal.ITIMER_REAL, 0)
    return watch.seen


def blocked_alarm(unit: float) -> Any:
    watch = Watch(unit)
    if not hasattr(signal, "sigtimedwait"):  # on macOS
        return OUTCOMES["blocked_alarm"]
    signal.signal(signal.SIGALRM, ring)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        watch.note([signal.sigtimedwait([signal.SIGALRM], 2 * unit)])
        signal.setitimer(signal.ITIMER_REAL, 2 * unit)
        watch.sleep(3)
        watch.note(list(signal.sigpending()))
        watch.note(signal.sigwait([signal.SIGALRM]))
        signal.setitimer(signal.ITIMER_REAL, unit)
        watch.note(signal.sigwait([signal.SIGALRM]))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    return watch.seen


def thread_for_signals(unit: float) -> Any:
    watch = Watch(unit)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        threads = start(lambda: (signal.sigwait([signal.SIGALRM]), watch.note("heard")))
        signal.setitimer(signal.ITIMER_REAL, 2 * unit)
        watch.sleep(3)
        finish(threads)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    return watch.seen


def scheduler(unit: float) -> Any:
    watch, jobs = Watch(unit), sched.scheduler(time.monotonic, time.sleep)
    for n in (4, 1, 2):
        jobs.enter(n * unit, 1, watch.note, [n])
    jobs.run()
    return watch.seen


def select_as_a_sleep(unit: float) -> Any:
    watch = Watch(unit)
    threads = start(lambda: (watch.sleep(1), watch.note("thread")))
    watch.note(select.select([], [], [], 3 * unit)[0])
    finish(threads)
    return watch.seen


def pair_of_sockets(unit: float) -> Any:
    watch, (one, other) = Watch(unit), socket.socketpair()
    threads = start(lambda: (watch.sleep(3), other.send(b"x")))
    watch.note(len(select.select([one], [], [], 2 * unit)[0]))
    watch.note(len(select.select([one], [], [], 9 * unit)[0]))
    finish(threads)
    one.close()
    other.close()
    return watch.seen


def selector_of_a_pipe(unit: float, kind: type = selectors.DefaultSelector) -> Any:
    watch, (reader, writer) = Watch(unit), os.pipe()
    with kind() as selector, open(reader, "rb") as file:
        selector.register(file, selectors.EVENT_READ)
        threads = start(lambda: (watch.sleep(3), os.write(writer, b"x")))
        while not (found := selector.select(2 * unit)):
            watch.note("nothing")
        watch.note(len(found))
        finish(threads)
    os.close(writer)
    return watch.seen


def poll_of_a_pipe(unit: float) -> Any:
    return selector_of_a_pipe(unit, selectors.PollSelector)


# -- event loops -----------------------------------------------------------------------------------


def tasks(unit: float) -> Any:
    watch = Watch(unit)

    async def work(n: int) -> None:
        await asyncio.sleep(n * unit)
        watch.note(n)

    async def main() -> None:
        await asyncio.gather(*[work(n) for n in (4, 1, 3)])

    asyncio.run(main())
    return watch.seen


def wait_for(unit: float) -> Any:
    watch = Watch(unit)

    async def main() -> None:
        try:
            await asyncio.wait_for(asyncio.sleep(9 * unit), 2 * unit)
        except asyncio.TimeoutError:
            watch.note("timeout")
        await asyncio.wait_for(asyncio.sleep(2 * unit), 9 * unit)
        watch.note()

    asyncio.run(main())
    return watch.seen


def first_task(unit: float) -> Any:
    watch = Watch(unit)

    async def main() -> None:
        several = [asyncio.ensure_future(asyncio.sleep(n * unit, n)) for n in (5, 2)]
        done, pending = await asyncio.wait(several, return_when=asyncio.FIRST_COMPLETED)
        watch.note([task.result() for task in done])
        done, pending = await asyncio.wait(pending, timeout=unit)
        watch.note([len(done), len(pending)])
        for task in pending:
            task.cancel()

    asyncio.run(main())
    return watch.seen


def threads_of_a_loop(unit: float) -> Any:
    watch = Watch(unit)

    async def tick() -> None:
        while True:
            await asyncio.sleep(2 * unit)
            watch.note("tick")

    async def main() -> None:
        ticking = asyncio.ensure_future(tick())
        results = await asyncio.gather(
            asyncio.to_thread(watch.sleep, 5), asyncio.to_thread(watch.sleep, 3)
        )
        watch.note(results)
        ticking.cancel()

    asyncio.run(main())
    return watch.seen


def thread_times_out(unit: float) -> Any:
    watch = Watch(unit)

    async def main() -> None:
        try:
            await asyncio.wait_for(asyncio.to_thread(watch.sleep, 6), 2 * unit)
        except asyncio.TimeoutError:
            watch.note("timeout")

    asyncio.run(main())
    watch.note()
    return watch.seen


def loop_in_a_thread(unit: float) -> Any:
    watch, loop = Watch(unit), asyncio.new_event_loop()
    threads = start(loop.run_forever)
    job = asyncio.run_coroutine_threadsafe(asyncio.sleep(5 * unit, "slept"), loop)
    try:
        job.result(2 * unit)
    except futures.TimeoutError:
        watch.note("timeout")
    watch.note(job.result(9 * unit))
    loop.call_soon_threadsafe(loop.stop)
    finish(threads)
    loop.close()
    return watch.seen


def queue_of_a_loop(unit: float) -> Any:
    watch = Watch(unit)

    async def main() -> None:
        items: asyncio.Queue[int] = asyncio.Queue()

        async def produce() -> None:
            for n in range(2):
                await asyncio.sleep(2 * unit)
                await items.put(n)

        producing = asyncio.ensure_future(produce())
        try:
            while True:
                watch.note(await asyncio.wait_for(items.get(), 3 * unit))
        except asyncio.TimeoutError:
            watch.note("timeout")
        await producing

    asyncio.run(main())
    return watch.seen


def callbacks_in_order(unit: float) -> Any:
    watch, loop = Watch(unit), asyncio.new_event_loop()
    for n in (4, 1, 2):
        loop.call_later(n * unit, watch.note, n)
    loop.call_later(5 * unit, loop.stop)
    threads = start(lambda: (watch.sleep(3), loop.call_soon_threadsafe(watch.note, "thread")))
    loop.run_forever()
    finish(threads)
    loop.close()
    return watch.seen


def signals_of_a_loop(unit: float) -> Any:
    watch = Watch(unit)

    async def main() -> None:
        rings = asyncio.Queue[int]()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGALRM, rings.put_nowait, 1)
        signal.setitimer(signal.ITIMER_REAL, 2 * unit, 3 * unit)
        for _ in range(2):
            watch.note(await rings.get())
        signal.setitimer(signal.ITIMER_REAL, 0)
        loop.remove_signal_handler(signal.SIGALRM)

    asyncio.run(main())
    return watch.seen


OUTCOMES: dict[str, Any] = {
    "poll_a_flag": True,
    "poll_is_alive": 5,
    "join_with_timeout": [[True, 2], [False, 5]],
    "heartbeat": [0, 2, 4, 6, 8],
    "stoppable_heartbeat": [2, 4, 6, ["stopped", 7]],
    "timers": [[1, 1], [3, 3]],
    "event_times_out": [[False, 3]],
    "event_is_set": [[True, 2]],
    "condition": [[False, 3], [True, 6]],
    "semaphore": [2, 2, 4, 4, 6],
    "semaphore_times_out": [[False, 2]],
    "barrier": [4, 4, 4],
    "barrier_breaks": [["broken", 3]],
    "lock_times_out": [[False, 3], [True, 5]],
    "lock_serializes": [2, 4, 6, 8],
    "lock_in_order": [[0, 1], [1, 2], [2, 3], [3, 4]],
    "semaphore_in_order": [[0, 1], [1, 1], [2, 1], [3, 1]],
    "rlock_serializes": [2, 4, 6],
    "completed_in_order": [[2, 2], [4, 4], [6, 6]],
    "completed_until_timeout": [[1, 1], [3, 3], ["timeout", 5], 8],
    "result_times_out": [["timeout", 2], [6, 6]],
    "poll_a_future": 4,
    "first_completed": [[[1, 2], 2], [[2, 1], 6], 7],
    "few_workers": [0, 1, 2, 3, 4, 6, 2, 2, 4, 4, 6],
    "map_times_out": [[1, 1], ["timeout", 3], 5],
    "pool_in_a_pool": [[1, 2], [2, 4], 4],
    "queue_is_empty": [[0, 2], [1, 4], [2, 6], ["empty", 9]],
    "queue_is_full": [["full", 2], ["put", 5]],
    "queue_is_done": [[1, 1], [2, 3], [3, 6], 6],
    "simple_queue": [["empty", 3], ["item", 4]],
    "alarm_ends_a_sleep": [["rang", 2]],
    "alarm_ends_a_wait": [["rang", 2], 5],
    "interval_timer": [2, 5, 8, ["slept", 13]],
    "alarm_that_is_cancelled": [1, 6],
    "pause": [["rang", 2], ["paused", 2], ["rang", 5], ["paused", 5]],
    "blocked_alarm": [[[None], 2], [[signal.SIGALRM], 5], [signal.SIGALRM, 5], [signal.SIGALRM, 6]],
    "thread_for_signals": [["heard", 2]],
    "scheduler": [[1, 1], [2, 2], [4, 4]],
    "select_as_a_sleep": [["thread", 1], [[], 3]],
    "pair_of_sockets": [[0, 2], [1, 3]],
    "selector_of_a_pipe": [["nothing", 2], [1, 3]],
    "poll_of_a_pipe": [["nothing", 2], [1, 3]],
    "tasks": [[1, 1], [3, 3], [4, 4]],
    "wait_for": [["timeout", 2], 4],
    "first_task": [[[2], 2], [[0, 1], 3]],
    "threads_of_a_loop": [["tick", 2], ["tick", 4], [[5, 3], 5]],
    "thread_times_out": [["timeout", 2], 6],
    "loop_in_a_thread": [["timeout", 2], ["slept", 5]],
    "queue_of_a_loop": [[0, 2], [1, 4], ["timeout", 7]],
    "callbacks_in_order": [[1, 1], [2, 2], ["thread", 3], [4, 4]],
    "signals_of_a_loop": [[1, 2], [1, 5]],
}
"""What real time gives."""


def handler(event: dict[str, Any], context: object) -> Any:
    return globals()[event["name"]](event["unit"])


if __name__ == "__main__":
    # Each has a process of its own: some leave threads, which may get the signals of others.
    if len(sys.argv) == 1:
        ran = {
            name: subprocess.run([sys.executable, __file__, name], check=False) for name in OUTCOMES
        }
        sys.exit(any(one.returncode for one in ran.values()))
    seen = globals()[sys.argv[1]](0.2)
    if seen != OUTCOMES[sys.argv[1]]:
        sys.exit(f"{sys.argv[1]}: real time gives {seen}")
