"""Locks that all threads share are free again when a phase was interrupted."""

from __future__ import annotations

import _imp
import logging
import signal

import pytest


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs a signal for tests")
def test_locks_that_an_interrupted_phase_holds_are_given_back(environment):
    """Other threads would wait forever to import a module, or to log."""
    before = signal.signal(signal.SIGUSR1, lambda number, frame: pytest.fail("too late"))
    try:
        env = environment("""
            import _imp, logging, signal
            def handler(event, context):
                _imp.acquire_lock()
                logging._lock.acquire()
                signal.raise_signal(signal.SIGUSR1)
        """)
        with pytest.raises(pytest.fail.Exception, match="too late"):
            env.invoke()
        assert not _imp.lock_held()
        assert not logging._lock._is_owned()
    finally:
        signal.signal(signal.SIGUSR1, before)
