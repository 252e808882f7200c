"""Event loops and policies of asyncio."""

import asyncio

ASYNC = """
    import asyncio
    async def main(): await asyncio.sleep(0); return "ran"
    def handler(event, context): return asyncio.run(main())
"""


def test_asyncio_run_in_a_handler_inside_a_running_loop(environment):
    env = environment(ASYNC)

    async def test():
        loop = asyncio.get_running_loop()
        assert env.invoke().payload == "ran"
        assert env.invoke().payload == "ran"
        assert asyncio.get_running_loop() is loop
        await asyncio.sleep(0)

    asyncio.run(test())


def test_a_loop_kept_across_invokes(environment):
    env = environment("""
        import asyncio
        loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop)
        def handler(event, context):
            if event == "close": return loop.close()
            current = asyncio.get_event_loop_policy().get_event_loop()
            return loop.run_until_complete(asyncio.sleep(0, current is loop))
    """)
    assert [env.invoke().payload for _ in range(2)] == [True, True]
    env.invoke("close")


def test_the_loop_of_the_test_stays_current(environment):
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        environment(ASYNC).invoke()
        assert asyncio.get_event_loop_policy().get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        asyncio.set_event_loop_policy(None)
        loop.close()
