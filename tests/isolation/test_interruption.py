"""Function code that resists interruption."""

import signal
import sys
import time

import pytest


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
@pytest.mark.leaks  # Python removes coverage's trace function if it is interrupted there
def test_a_loop_that_swallows_every_exception(environment):
    env = environment("""
        import time
        def handler(event, context):
            while True:
                try: time.sleep(1)
                except: pass
    """)
    env.initialize()
    began = time.perf_counter()
    assert env.invoke(remaining_ms=100, check=False).status == "timeout"
    assert time.perf_counter() - began < 20
    assert sys.gettrace() is None or "coverage" in repr(sys.gettrace())


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_a_debugger_stops_the_clock(environment):
    env = environment("""
        import time
        def handler(event, context):
            # A prompt of the debugger that waits for input.
            exec("time.sleep(0.4)", {"__name__": "pdb", "time": time})
            return "went on"
    """)
    env.initialize()
    assert env.invoke(remaining_ms=100).payload == "went on"
