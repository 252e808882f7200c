"""Function code that does not let itself be interrupted."""

import signal
import sys
import time

import pytest


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
@pytest.mark.leaks  # interrupted within coverage's trace function, Python takes that function out
def test_a_loop_that_swallows_everything_at_one_place(environment):
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
    assert time.perf_counter() - began < 5
    assert sys.gettrace() is None or "coverage" in repr(sys.gettrace())


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_a_debugger_stops_the_clock(environment):
    env = environment("""
        import time
        def handler(event, context):
            exec("time.sleep(0.4)", {"__name__": "pdb", "time": time})  # a prompt that waits for an answer
            return "went on"
    """)
    env.initialize()
    assert env.invoke(remaining_ms=100).payload == "went on"
