"""Environments whose functions do at random what breaks a process; each leaves ours as it was."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    FunctionConfig,
    FunctionError,
    InitError,
)
from pytest_lambda_lifecycle.isolation.stage import stage

CHANGES = """
    del sys.modules['os']
    del sys.modules['wave']; import wave
    [sys.modules.pop(name) for name in list(sys.modules) if name.startswith('html')]; import html
    sys.modules.pop(random.choice(list(sys.modules)))
    sys.modules.clear()
    sys.modules = dict(sys.modules)
    sys.modules['os'] = None
    sys.modules['json'] = Broken()
    sys.modules['threading'] = sys.modules['signal'] = Broken()
    sys.modules['logging'] = types.ModuleType('logging')
    sys.modules['colorsys'] = sys.modules['wave']
    sys.modules['new'] = types.ModuleType('new')
    sys.modules['new.broken'] = Broken()
    sys.modules['blocked'] = sys.modules['helper'] = None
    sys.modules['app'] = types.ModuleType('app')
    import package.child
    import package.child; del sys.modules['package']
    import package.child; del sys.modules['package.child']
    importlib.reload(sys.modules['colorsys'])
    importlib.import_module = None
    json.dumps = json.JSONEncoder.default = None
    os.getcwd = None
    os.path.join = os.path.exists = None
    builtins.len = None
    builtins.__import__ = None
    del builtins.isinstance
    sys.path = None
    sys.meta_path.clear()
    sys.path_hooks = []
    sys.stdout = None
    del sys.stderr
    logging.root.handlers.clear(); logging.basicConfig(force=True)
    logging.getLogger('a.b').setLevel(5); logging.disable(50)
    os.environ.clear()
    os.environ = {}
    os.chdir('/')
    signal.signal(signal.SIGUSR1, print); signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, print); signal.setitimer(signal.ITIMER_REAL, 50)
    warnings.simplefilter('error')
    warnings.filters = None
    socket.socket = socket.getaddrinfo = None
    threading.Thread.start = threading.excepthook = None
    threading.Thread(target=time.sleep, args=(0.01,)).start()
    time.time = None
    gc.disable(); sys.setrecursionlimit(500)
    os._exit(3)
    sys.exit(2)
    raise ValueError
""".strip().splitlines()
CODE = """
import builtins, colorsys, gc, html, importlib, json, logging, os, random, signal, socket, sys
import threading, time, types, warnings, wave
class Broken:
    def __getattribute__(self, name): raise RuntimeError(name)
def change(code): exec(code, globals())
{init}
def handler(event, context):
    for code in event: change(code)
"""
OF_FUNCTIONS = {"blocked", "helper", "new", "new.broken", "package", "package.child", "plain"}
MODULES = (os, os.path, logging, signal, socket, threading, gc, sys.modules["builtins"])


def state() -> dict[str, object]:
    found: dict[str, object] = {
        "modules": id(sys.modules),
        "variables": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "directory": os.getcwd(),
        "logging": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "handlers": {one: signal.getsignal(one) for one in signal.Signals},
        "timer": signal.getitimer(signal.ITIMER_REAL)[1],
        "finders": ([*sys.path], list(map(id, sys.meta_path)), list(map(id, sys.path_hooks))),
        "streams": (id(sys.stdout), id(sys.stderr)),
        "filters": (id(warnings.filters), len(warnings.filters)),
        "settings": (gc.isenabled(), sys.getrecursionlimit(), id(time.time)),
    }
    found |= {one.__name__: {k: id(v) for k, v in vars(one).items()} for one in MODULES}
    return found


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("seed", range(4))
def test_each_leaves_the_process_as_it_was(write, tmp_path: Path, seed: int):
    numbers = random.Random(seed)
    write("plain.py", "import helper, json\ndef handler(event, context): return json.loads('2')")
    write("helper.py", "import package.child")
    write("package/__init__.py", "")
    write("package/child.py", "")
    before: dict[str, object] = {}
    modules: dict[str, object] = {}
    threads = set(threading.enumerate())
    for number in range(41):
        init = numbers.sample(CHANGES, numbers.choice([0, 0, 1, 2])) if number else []
        name = f"app{number}"
        write(f"{name}.py", CODE.format(init="\n".join(f"change({one.strip()!r})" for one in init)))
        done: list[object] = [init]
        environments = [
            ExecutionEnvironment(FunctionConfig(f"{one}.handler", code_dir=tmp_path / "task"))
            for one in (name, "plain")
        ]
        for _ in range(numbers.randint(1, 6) if number else 0):
            changes = [one.strip() for one in numbers.sample(CHANGES, numbers.choice([0, 1, 2, 3]))]
            what = numbers.choice(["reset", "recycle", "leave", "other", *["invoke"] * 6])
            done.append(changes if what == "invoke" else what)
            with contextlib.suppress(FunctionError, InitError):
                if what == "leave":
                    stage.leave()
                elif what in ("reset", "recycle"):
                    getattr(environments[0], what)()
                else:
                    environments[what == "other"].invoke(changes)
        for env in numbers.sample(environments, 2):
            env.close()
        with ExecutionEnvironment(environments[1].config) as env:
            assert env.invoke().payload == 2, done
        until = time.monotonic() + 20  # a thread of an earlier test may end in the meantime
        while not threads.issuperset(threading.enumerate()) and time.monotonic() < until:
            time.sleep(0.005)
        assert threads.issuperset(threading.enumerate()), done
        after = state()
        before = before or after  # libraries are imported for the first time
        assert {name: sys.modules.get(name) for name in modules} == modules, done
        assert not {name, *OF_FUNCTIONS} & set(sys.modules), done
        modules = dict(sys.modules)
        assert [key for key in after if after[key] != before[key]] == [], done
