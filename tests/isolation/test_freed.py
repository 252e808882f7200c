"""An environment that is closed is freed, with the modules that it has imported."""

import gc
import weakref

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig


@pytest.mark.parametrize(
    "code",
    [
        "",
        "import os, time, json; os.own, time.own, json.own = Big(), Big(), Big()",
        "import logging; logging.getLogger('own').addHandler(logging.StreamHandler(Big()))",
        "import gc, signal; signal.signal(signal.SIGTERM, big.__eq__); gc.set_threshold(99)",
        "import socket; connection = socket.socket(); connection.bind(('127.0.0.1', 0))",
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', '']).wait()",
        "import sys; sys.modules['json'] = big; sys.path.append('own'); sys.meta_path.append(big)",
        "import asyncio as a; loop = a.new_event_loop(); a.set_event_loop(loop); loop.close()",
        "import contextvars; contextvars.ContextVar('own').set(big)",
        "import threading; local = threading.local(); local.big = big",
        "import builtins, contextlib, sys; builtins.own = sys.own = contextlib.own = big",
        "import sys; sys.modules['own'] = sys.modules['own.child'] = big",
        "import os, sys; sys.addaudithook(big.write); os.register_at_fork(before=big.write)",
        "from concurrent.futures import ThreadPoolExecutor as P\n"
        "with P(1) as pool: pool.submit(big.write).result(); pool.submit(big.write).result()",
    ],
)
def test_no_reference_to_a_closed_environment_stays(tmp_path, code):
    """Modules may hold much memory, and Python warns of files and loops that were not closed."""
    (tmp_path / "app.py").write_text(
        f"class Big: find_spec = write = lambda *_: None\nbig = Big()\n{code}\n"
        "def handler(event, context): return 1\n"
    )
    env = ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path))
    spy = env.spy("app.Big") if code == "" else None
    env.invoke()
    env.invoke()
    left = [weakref.ref(one) for one in (env, env.module, env.module.big)]
    env.close()
    del env, spy
    gc.collect()
    assert [one() for one in left] == [None, None, None]


@pytest.mark.parametrize(
    "code",
    [
        "",
        "import os, urllib.request as r; api = os.environ['AWS_LAMBDA_RUNTIME_API']; "
        "r.urlopen(f'http://{api}/2018-06-01/ping').read()",
        "import tempfile; tempfile.mkdtemp()",
        "import threading; one = threading.Thread(target=print); one.start(); one.join(); del one",
    ],
)
def test_a_closed_environment_is_freed_at_once(tmp_path, code):
    """Without the garbage collector, which would run during the next cold starts."""
    (tmp_path / "app.py").write_text(f"{code}\ndef handler(event, context): return 1\n")
    config = FunctionConfig("app.handler", code_dir=tmp_path)
    around = lambda event, invoke: invoke()  # noqa: E731
    gc.collect()
    gc.disable()
    try:
        env = ExecutionEnvironment._of_plugin(config, around_invoke=around)
        env.invoke()
        env.recycle()
        env.invoke()
        parts = env._parts
        left = [
            weakref.ref(one)
            for one in (env, parts.conductor, parts.process, parts.world, parts.runtime)
        ]
        env.close()
        del env, parts
        assert [one() for one in left] == [None] * len(left)
    finally:
        gc.enable()
