"""Without ``lambda_clock``, time is shifted for everybody until the end of the test item."""

from __future__ import annotations

from .projects import run


def test_an_environment_of_the_session(project):
    test = """
REAL = [time.time]
@pytest.fixture(scope="session")
def env(session_lambda_lifecycle):
    return session_lambda_lifecycle("app.handler", idle_timeout=7200, max_lifetime=9999)

def test_shifted(env, lambda_lifecycle):
    before = time.time()
    env.invoke(0); env.idle(hours=1)
    lambda_lifecycle("app.handler").close()
    assert time.time() - before >= 3600 and env.invoke(0).payload[0] - before >= 3600

@pytest.mark.parametrize("n", [1, 2])
def test_real_again(env, n):
    assert time.time is REAL[0] is env.module.time.time
    assert abs(env.invoke(0).payload[0] - time.time()) < 60
    env.idle(minutes=119)
    assert not env.invoke(0).cold_start

def test_due(env):
    env.idle(hours=2)
    assert env.invoke(0).cold_start
"""
    run(project, test, "-p", "no:randomly", passed=4)


def test_modules_of_open_environments_get_real_time_back(project):
    project.makepyfile(
        app="""
        import time
        from datetime import datetime
        from time import monotonic
        class Cache: timer = time.monotonic
        def fetch(clock=time.monotonic): return clock()
        def handler(event, context):
                return [monotonic(), Cache.timer(), fetch(), datetime.now().timestamp()]
        """
    )
    test = """
modules, REAL = [], (time.monotonic, datetime)
def test_shifted(module_lambda_lifecycle):
    env = module_lambda_lifecycle("app.handler")
    before = env.invoke().payload
    env.idle(hours=1)
    assert all(3600 <= now - then < 3660 for then, now in zip(before, env.invoke().payload))
    modules.append(env.module)
def test_real():
    app, = modules
    assert (app.monotonic, app.datetime) == REAL
    assert app.Cache.timer is app.fetch.__defaults__[0] is REAL[0]
"""
    run(project, test, "-p", "no:randomly", passed=2)


def test_a_failing_test(project):
    test = """
def test_shifted(lambda_lifecycle): lambda_lifecycle("app.handler").idle(hours=1); assert 0
def test_real(): assert time.time.__module__ == "time"
"""
    run(project, test, "-p", "no:randomly", passed=1, failed=1)
