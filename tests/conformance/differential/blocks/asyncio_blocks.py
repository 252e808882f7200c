"""asyncio."""

TEXT = r"""
== run
import asyncio
async def main():
    await asyncio.sleep(0)
    print("in the loop")
    return 5
print(asyncio.run(main()))

== run a failure
import asyncio
async def main():
    raise ValueError("in the loop")
asyncio.run(main())

== run an exit
import asyncio, sys
async def main():
    sys.exit(3)
try:
    asyncio.run(main())
except SystemExit as error:
    print("exit", error.code)

== gather
import asyncio
async def one(n):
    await asyncio.sleep(0)
    return n * 2
async def main():
    return await asyncio.gather(*(one(n) for n in range(3)))
print(asyncio.run(main()))

== gather with errors
import asyncio
async def one():
    raise KeyError("one")
async def main():
    return await asyncio.gather(one(), one(), return_exceptions=True)
print(asyncio.run(main()))

== task names
import asyncio
async def main():
    task = asyncio.create_task(asyncio.sleep(0))
    print(asyncio.current_task().get_name(), task.get_name())
    await task
asyncio.run(main())

== a task that is never awaited
import asyncio
async def fail():
    raise ValueError("nobody asks")
async def main():
    asyncio.create_task(fail(), name="lost")
    await asyncio.sleep(0.001)
asyncio.run(main())
import gc; gc.collect()

== a coroutine that is never awaited
import asyncio
async def never():
    pass
async def main():
    never()
asyncio.run(main())

== wait_for
import asyncio
async def main():
    await asyncio.wait_for(asyncio.sleep(5), 0.001)
asyncio.run(main())

== cancelled
import asyncio
async def main():
    task = asyncio.create_task(asyncio.sleep(5))
    task.cancel("why")
    try:
        await task
    except asyncio.CancelledError as error:
        print("cancelled", error.args)
asyncio.run(main())

== a loop of its own
import asyncio
loop = asyncio.new_event_loop()
async def main():
    return "own loop"
print(loop.run_until_complete(main()))
loop.close()

== the current loop
import asyncio, warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    loop = asyncio.get_event_loop()
async def main():
    return "current loop"
print(loop.run_until_complete(main()))

== no running loop
import asyncio
asyncio.get_running_loop()

== set_event_loop
import asyncio
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
print(asyncio.get_event_loop() is loop)
loop.close()

== an exception handler
import asyncio
async def main():
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: print("handler", context["message"]))
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.001)
asyncio.run(main())

== an error in a callback
import asyncio
async def main():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.001)
asyncio.run(main())

== to_thread
import asyncio, threading
async def main():
    return await asyncio.to_thread(lambda: threading.current_thread().name)
print(asyncio.run(main()))

== a queue
import asyncio
async def main():
    q = asyncio.Queue()
    await q.put(1)
    return await q.get()
print(asyncio.run(main()))

== a lock
import asyncio
async def main():
    async with asyncio.Lock():
        print("locked")
asyncio.run(main())

== an async generator
import asyncio
async def numbers():
    try:
        yield 1
        yield 2
    finally:
        print("closed")
async def main():
    async for n in numbers():
        print(n)
        break
asyncio.run(main())

== a subprocess
import asyncio
async def main():
    process = await asyncio.create_subprocess_exec("/bin/echo", "x", stdout=-1)
    out, _ = await process.communicate()
    print(out, process.returncode)
asyncio.run(main())

== debug
import asyncio
async def main():
    print(asyncio.get_running_loop().get_debug())
asyncio.run(main())

== nested run
import asyncio
async def main():
    asyncio.run(asyncio.sleep(0))
asyncio.run(main())

== a policy
import asyncio, warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    print(type(asyncio.get_event_loop_policy()).__name__.endswith("Policy"))

== context variables in tasks
import asyncio, contextvars
variable = contextvars.ContextVar("own", default=0)
async def main():
    async def inner():
        variable.set(1)
    await asyncio.create_task(inner())
    print(variable.get())
asyncio.run(main())

== a task group
import asyncio
async def fail():
    raise ValueError("member")
async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
asyncio.run(main())

== a signal in the loop
import asyncio, signal
async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: print("signal"))
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.sleep(0.01)
    loop.remove_signal_handler(signal.SIGUSR1)
asyncio.run(main())

== a loop that is kept
if "LOOP" not in globals():
    globals()["LOOP"] = asyncio.new_event_loop()
print(LOOP.run_until_complete(asyncio.sleep(0, "kept loop")))
-- init
import asyncio

== a loop at import | init
import asyncio
LOOP_OF_INIT = asyncio.new_event_loop()
print(LOOP_OF_INIT.run_until_complete(asyncio.sleep(0, "at import")))

== taskName in a record
import asyncio, logging
async def main():
    logging.getLogger().handlers[0].setFormatter(logging.Formatter("%(message)s\n"))
    logging.error("in a task")
asyncio.run(main())

== a runner
import asyncio
if hasattr(asyncio, "Runner"):
    with asyncio.Runner() as runner:
        print(runner.run(asyncio.sleep(0, "runner")))

== an unclosed loop
import asyncio
asyncio.new_event_loop()
import gc; gc.collect()

== slow callback
import asyncio, logging
async def main():
    asyncio.get_running_loop().set_debug(True)
    await asyncio.sleep(0)
asyncio.run(main())
"""
