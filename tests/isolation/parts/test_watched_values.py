"""Process state that calls set and read: masks, limits, thresholds."""

import csv
import gc
import os
import signal
import sys
import threading

from pytest_lambda_lifecycle.isolation.stage import stage


def test_settings_of_function_code_do_not_stay(environment):
    def values():
        mask, size = os.umask(0o022), threading.stack_size()
        os.umask(mask)
        threading.stack_size(size)
        return [gc.isenabled(), sys.getswitchinterval(), size, mask, sys.getrecursionlimit()]

    before = values()
    env = environment("""
        import gc, os, sys, threading
        gc.disable(); sys.setswitchinterval(0.5); threading.stack_size(1 << 20); os.umask(0o007)
        sys.setrecursionlimit(1234)
        def handler(event, context):
            if event: gc.enable()
            mask, size = os.umask(0o007), threading.stack_size()
            threading.stack_size(size)
            return [gc.isenabled(), sys.getswitchinterval(), size, mask, sys.getrecursionlimit()]
    """)
    functions = [False, 0.5, 1 << 20, 0o007, 1234]
    for _ in range(2):
        assert env.invoke("").payload == functions
        stage.leave()
        assert values() == before
    env.invoke("enable")
    assert env.invoke("").payload[0] is True
    env.reset()
    assert values() == before


def test_more_settings_of_function_code(environment):
    def values():
        descriptor = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(descriptor)
        blocked = signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        digits = getattr(sys, "get_int_max_str_digits", lambda: 999)()
        return [
            [*gc.get_threshold()],
            gc.get_freeze_count() > 0,
            digits,
            csv.field_size_limit(),
            descriptor,
            blocked,
        ]

    before = values()
    env = environment("""
        import csv, gc, os, signal, sys
        gc.set_threshold(5000, 5, 5); gc.freeze(); csv.field_size_limit(10**9)
        getattr(sys, "set_int_max_str_digits", print)(999)
        reading, writing = os.pipe(); os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing); signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        def handler(event, context): return writing
    """)
    writing = env.invoke().payload
    functions = [[5000, 5, 5], True, 999, 10**9, writing, True]
    for _ in range(2):
        env.invoke()
        assert values() == functions
        stage.leave()
        assert values() == before
    for descriptor in env.module.reading, writing:
        os.close(descriptor)
    env.invoke()  # although the descriptor is closed
    env.reset()
    assert values() == before


def test_settings_of_the_test_stay(environment):
    env = environment("def handler(event, context): ...")
    gc.disable()  # as pytest-benchmark does around each round
    mask = os.umask(0o027)
    try:
        env.invoke()
        gc.enable()
        os.umask(0o077)
        stage.leave()
        assert gc.isenabled()
        assert os.umask(mask) == 0o077
    finally:
        gc.enable()
        os.umask(mask)
