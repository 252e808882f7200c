"""`faulthandler` is pytest's own."""

import faulthandler
import signal
import time

from pytest_lambda_lifecycle.isolation.stage import stage


def test_faulthandler_stays_as_pytest_has_set_it(environment):
    before = faulthandler.is_enabled()
    env = environment("""
        import faulthandler, signal
        faulthandler.disable() if faulthandler.is_enabled() else faulthandler.enable()
        faulthandler.dump_traceback_later(0.01, exit=True)
        faulthandler.register(signal.SIGUSR1)
        faulthandler.cancel_dump_traceback_later()
        def handler(event, context): return faulthandler.is_enabled()
    """)
    assert env.invoke().payload is before
    time.sleep(0.02)
    stage.leave()
    assert faulthandler.is_enabled() is before
    assert faulthandler.unregister(signal.SIGUSR1) is False
