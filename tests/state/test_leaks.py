"""``audit`` and ``assert_no_state_leaks``: real bugs are found, and good functions stay silent."""

from __future__ import annotations

import os
import pathlib
import re

import pytest

from pytest_lambda_lifecycle import ConfigError, LifecycleError, StateChange

BUGS = {
    "an unbounded cache": (
        "CACHE = {}",
        "CACHE[event['t']] = {'n': 1}",
        "app.CACHE['c']: added {'n': 1} by invoke 3, at app.py:5",
    ),
    "a cache that a decorator keeps": (
        "@functools.lru_cache(maxsize=None)\ndef look(t): return [t]",
        "look(event['t'])",
        "app.look('c'): added ['c'] by invoke 3, at app.py:3",
    ),
    "a mutated default argument": (
        "def add(t, seen=[]):\n    seen.append(t)",
        "add(event['t'])",
        "app.add(seen=)[2]: added 'c' by invoke 3, at app.py:4",
    ),
    "a mutated configuration, by way of a function": (
        "CONFIG = {'a': {}}\ndef load(): return CONFIG",
        "config = load()\n    config['tenant'] = event['t']",
        "app.CONFIG['tenant']: changed 'b' -> 'c' by invoke 3, at app.py:7",
    ),
    "a class attribute used as one of an instance": (
        "class Basket:\n    items = []\n    def add(self, t): self.items.append(t)",
        "Basket().add(event['t'])",
        "app.Basket.items[2]: added 'c' by invoke 3, at app.py:5",
    ),
    "an attribute of a kept object": (
        "class Client: tenant = None\nclient = Client()",
        "client.tenant = event['t']",
        "app.client.tenant: changed 'b' -> 'c' by invoke 3, at app.py:6",
    ),
    "a closure": (
        "def counter():\n    seen = []\n    def count(t): seen.append(t)\n    return count\n"
        "count = counter()",
        "count(event['t'])",
        "app.count.<closure>.seen[2]: added 'c' by invoke 3, at app.py:5",
    ),
    "a handler added again": (
        "log = logging.getLogger('shop')",
        "log.addHandler(logging.NullHandler())",
        "logging.getLogger('shop').handlers[2]: added <logging.NullHandler> by invoke 3, "
        "at app.py:5",
    ),
    "a variable": (
        "",
        "os.environ['TENANT'] = event['t']",
        "os.environ['TENANT']: changed 'b' -> 'c' by invoke 3, at app.py:5",
    ),
    "a context variable": (
        "TENANT = contextvars.ContextVar('tenant')",
        "TENANT.set(event['t'])",
        "ContextVar['tenant']: changed 'b' -> 'c' by invoke 3, at app.py:5",
    ),
    "an object of its own that is made again": (
        "class Order:\n    def __init__(self, t): self.t = t\nlatest = None",
        "global latest\n    latest = Order(event['t'])",
        "app.latest: changed <app.Order> -> <app.Order> by invoke 3, at app.py:8",
    ),
    "an attribute of a thread": (
        "local = threading.local()",
        "local.tenant = event['t']",
        "app.local.tenant: changed 'b' -> 'c' by invoke 3, at app.py:5",
    ),
    "a file in /tmp": (
        "",
        "pathlib.Path(tempfile.gettempdir(), event['t']).write_text('x')",
        "/tmp/c: added <file, 1 bytes, checksum 8cdc1683> by invoke 3, at app.py:5",
    ),
    "a file that stays open": (
        "FILES = []",
        "FILES.append(os.open(__file__, os.O_RDONLY))",
        "open file descriptors[",
    ),
    "a write to the task root": (
        "",
        "try:\n        open(os.path.join(os.getcwd(), 'x'), 'w')\n    except OSError: pass",
        "/x: added <tried to write: read-only on Lambda> by invoke 3, at app.py:6",
    ),
    "a thread": (
        "",
        "threading.Thread(target=threading.Event().wait, daemon=True, name=event['t']).start()",
        "threads['c']: added <still running> by invoke 3, at app.py:5",
    ),
    "a task on a kept loop": (
        "import asyncio\nasync def wait(): await asyncio.sleep(99)\n"
        "loop = asyncio.new_event_loop()\nasync def main(): loop.create_task(wait())",
        "loop.run_until_complete(main())\n    if event['t'] == 'c': loop.close()",
        "tasks['wait']: added <still running> by invoke 3, at app.py:4",
    ),
    "a mutated result of a cache without arguments": (
        "@functools.lru_cache\ndef config(): return {'roles': []}",
        "found = config()\n    found['roles'].append(event['t'])",
        "app.config()['roles'][2]: added 'c' by invoke 3, at app.py:7",
    ),
    "a shallow copy of the defaults": (
        "DEFAULTS = {'tags': []}",
        "options = dict(DEFAULTS)\n    options['tags'].append(event['t'])",
        "app.DEFAULTS['tags'][2]: added 'c' by invoke 3, at app.py:6",
    ),
    "an attribute of a function": (
        "def count(): count.calls = getattr(count, 'calls', 0) + 1",
        "count()",
        "app.count.calls: changed 2 -> 3 by invoke 3, at app.py:3",
    ),
    "a cache of cachetools": (
        "import cachetools\nCACHE = cachetools.LRUCache(10)",
        "CACHE[event['t']] = 1",
        "app.CACHE['c']: added 1 by invoke 3, at app.py:6",
    ),
    "a literal path in /tmp": (
        "",
        "pathlib.Path('/tmp/lambda-lifecycle-' + str(os.getpid()) + event['t']).write_text('x')",
        "c: added <file, 1 bytes, checksum 8cdc1683> by invoke 3, at app.py:5",
    ),
    "a signal handler": (
        "",
        "signal.signal(signal.SIGUSR1, lambda *a: event)",
        "signal.getsignal(SIGUSR1): changed <function <lambda>> -> <function <lambda>> by "
        "invoke 3, at app.py:5",
    ),
    "an entry of sys.path": (
        "",
        "sys.path.append('/opt/' + event['t'])",
        "added '/opt/c' by invoke 3, at app.py:5",
    ),
    "the precision of decimals": (
        "",
        "decimal.getcontext().prec += 1",
        "decimal.getcontext(): changed <prec=30, ",
    ),
    "a header of a kept session": (
        "import requests\nsession = requests.Session()",
        "session.headers['X-Tenant'] = event['t']",
        "app.session.headers._store['x-tenant']: changed ('X-Tenant', 'b') -> ('X-Tenant', 'c') "
        "by invoke 3, at app.py:6",
    ),
    "a key of Powertools' logger": (
        "from aws_lambda_powertools import Logger\nlog = Logger(service='s')\n"
        "def handler(event, context): return inner(event, context)",
        "log.append_keys(order=event['t'])",
        "log_format['order']: added 'b' of an earlier invoke, not cleared by invoke 3, "
        "at app.py:7",
    ),
}  # fmt: skip
HEAD = (
    "import contextvars, decimal, functools, itertools, logging, os, pathlib, re, signal, "
    "sys, tempfile, threading, typing, weakref\n"
)


def source(before: str, body: str) -> str:
    name = "inner" if "def handler" in before else "handler"
    return f"{HEAD}\n{before}\ndef {name}(event, context):\n    {body}\n"


def leaks(env, events="abc", ignore=()) -> str:
    for event in events:
        env.invoke({"t": event})
    try:
        env.assert_no_state_leaks(ignore=ignore)
    except AssertionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found_with_its_path_and_line(environment, bug):
    before, body, expected = BUGS[bug]
    if "Powertools" in bug:
        pytest.importorskip("aws_lambda_powertools")
    if "cachetools" in bug:
        pytest.importorskip("cachetools")
    try:
        assert expected in leaks(environment(source(before, body), audit=True, timeout=60))
    finally:
        for path in pathlib.Path("/tmp").glob(f"lambda-lifecycle-{os.getpid()}?"):
            path.unlink()


GOOD = {
    "a cold start flag, a lazy client and a cache without arguments": (
        "cold = True\nclient = None\n@functools.lru_cache\ndef config(): return {}",
        "global cold, client\n    cold = False\n    config()\n"
        "    if event['t'] == 'c' and client is None:\n"
        "        import requests\n        client = requests.Session()",
    ),
    "an object of its own that is made late, once": (
        "class Repository:\n    table = None\nrepository = None",
        "global repository\n    if event['t'] == 'd': repository = repository or Repository()",
    ),
    "expressions, hints, lazy imports, warnings and loggers": (
        "import warnings\nlog = logging.getLogger('app')\nnumber = re.compile('1')",
        "re.match('x' + event['t'], 'y'); typing.get_type_hints(handler); log.info('x')\n"
        "    if event['t'] == 'c':\n        import colorsys\n        log.warning('w')\n"
        "        with warnings.catch_warnings(): warnings.simplefilter('ignore')",
    ),
    "the same value again": (
        "last = None\nclass Order:\n    def __init__(self, n): self.n = n",
        "global last\n    last = {'order': Order([1, 2.0, 'x']), 'none': None}",
    ),
    "a file that is removed, and another that is written again": (
        "",
        "path = pathlib.Path(tempfile.gettempdir(), event['t'])\n    path.write_text('x')\n"
        "    path.unlink()\n    path.with_name('same').write_text('x')",
    ),
    "a pool of threads and a weak reference": (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\n"
        "class Order: pass\nlive = weakref.WeakSet()",
        "list(pool.map(str, [1, 2]))\n    order = Order(); live.add(order)\n"
        "    if event['t'] == 'e': pool.shutdown()",
    ),
    "a session with a pool of connections": (
        "import requests, responses\nsession = requests.Session()",
        "with responses.RequestsMock() as mock:\n"
        "        cookie = {'Set-Cookie': event['t'] + '=1'}\n"
        "        mock.get('https://x.example/', json={}, headers=cookie)\n"
        "        session.get('https://x.example/')",
    ),
    "a class of its own that extends one of a library": (
        "import requests, responses\n"
        "class Client(requests.Session):\n    def __init__(self): super().__init__(); self.n = 1\n"
        "class Late:\n    @functools.cached_property\n    def table(self): return {'a': 1}\n"
        "client = Client(); late = Late()\n@functools.lru_cache\ndef config(): return {}",
        "client.__setstate__({'max_redirects': event['t']})\n"
        "    if event['t'] == 'd': late.table; config()",
    ),
    "a context variable of a library": (
        "import sys, types\n"
        "if 'logs' not in sys.modules: sys.modules['logs'] = types.ModuleType('logs'); "
        "sys.modules['logs'].key = contextvars.ContextVar('order')",
        "sys.modules['logs'].key.set(event['t'])",
    ),
    "Powertools with clear_state": (
        "import os; os.environ['POWERTOOLS_TRACE_DISABLED'] = '1'\n"
        "from aws_lambda_powertools import Logger, Metrics\n"
        "log = Logger(service='s'); metrics = Metrics(namespace='n', service='s')\n"
        "@log.inject_lambda_context(clear_state=True)\n@metrics.log_metrics\n"
        "def handler(event, context): return inner(event, context)",
        "log.append_keys(order=event['t']); metrics.add_metric('m', 'Count', 1)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("good", GOOD)
def test_a_good_function_stays_silent(environment, good):
    if "Powertools" in good:
        pytest.importorskip("aws_lambda_powertools")
    assert leaks(environment(source(*GOOD[good]), audit=True, timeout=60), "abcde") == ""


def test_each_invoke_lists_everything_that_it_has_changed(environment):
    env = environment("CACHE = {}\ndef handler(event, context): CACHE[event] = 1", audit=True)
    changes = [env.invoke(event).state_changes for event in ("a", "b", "b")]
    assert [list(map(repr, found)) for found in changes] == [
        ["<app.CACHE['a']: added 1 by invoke 1, app.py:2>"],
        ["<app.CACHE['b']: added 1 by invoke 2, app.py:2>"],
        [],
    ]
    assert env.timeline.count(StateChange) == 2
    assert "state: app.CACHE['b']: added 1" in repr(env.timeline)


def test_what_the_test_changes_is_not_the_functions(environment):
    env = environment("CACHE = {}\ndef handler(event, context): return len(CACHE)", audit=True)
    env.invoke()
    env.module.CACHE["x"] = []
    assert env.invoke().payload == 1
    assert not env.timeline.count(StateChange)


def test_without_the_audit_nothing_is_recorded(environment):
    env = environment("N = []\ndef handler(event, context): N.append(1)")
    assert env.invoke().state_changes == []
    with pytest.raises(LifecycleError, match=r"the audit was not on \(audit=False from the built"):
        env.assert_no_state_leaks()


@pytest.mark.parametrize("end", ["reset", "recycle"])
def test_a_new_process_begins_to_settle_anew(environment, end):
    env = environment("N = []\ndef handler(event, context): N.append(1)", audit=True)
    env.invoke()
    env.invoke()
    getattr(env, end)()
    env.invoke()
    with pytest.raises(LifecycleError, match="after 2 invokes of one process"):
        env.assert_no_state_leaks()
    env.invoke()
    env.invoke()
    assert env.invocations[-1].state_changes[0].invoke == 3
    with pytest.raises(AssertionError, match=re.escape("app.N[2]: added 1 by invoke 3")):
        env.assert_no_state_leaks()


@pytest.mark.parametrize(
    ("ignore", "allowed"),
    [
        (["app.STATS.*"], []),
        (["app.STATS['n']"], []),
        (["app.ST*"], []),
        (["*"], []),
        ([], ["app.STATS"]),
        ([], ["app.STATS.*", "app.OTHER"]),
    ],
)
def test_declared_and_ignored_state_is_no_leak(environment, ignore, allowed):
    text = source("STATS = {'n': 0}\nSTATISTICS = {}", "STATS['n'] += 1")
    assert leaks(environment(text, audit=True, allowed_state=allowed), "abc", ignore) == ""


def test_a_pattern_covers_no_other_name(environment):
    text = source("STATS = {}\nST = {}", "STATS[event['t']] = 1")
    found = leaks(environment(text, audit=True, allowed_state=["app.ST"]), "abc", ["app.ST.*"])
    assert "app.STATS['c']" in found
    assert found.endswith("lambda_lifecycle_allowed_state = app.STATS")


@pytest.mark.parametrize(
    ("ignore", "message"),
    [
        ("app.STATS", r"ignore='app.STATS' has to be a list of paths\nIn a list: ignore=\['app"),
        ([1], "ignore has 1, which is no path"),
        ([""], "ignore has '', which is no path"),
        (7, "ignore has 7, which is no path"),
        (["app.STAT.*"], r"ignore has 'app.STAT.\*', and the function has no such name"),
        (["aap.STATS"], r"has no such name\nDid you mean \"app.STATS\['"),
    ],
)
def test_an_odd_pattern_is_an_error(environment, ignore, message):
    env = environment(source("STATS = {}", "STATS[event['t']] = 1"), audit=True)
    with pytest.raises(LifecycleError, match=message):
        leaks(env, "abc", ignore)


def test_a_closed_environment_can_still_be_judged(environment):
    env = environment(source("STATS = {}", "STATS[event['t']] = 1"), audit=True)
    leaks(env)
    env.close()
    expected = "app.STATS['c']: added 1 by invoke 3, at app.py:5"
    with pytest.raises(AssertionError, match=re.escape(expected)):
        env.assert_no_state_leaks()


def test_a_failed_invoke_counts_as_well(environment):
    env = environment(source("N = []", "N.append(1)\n    raise ValueError(event['t'])"), audit=True)
    for _ in range(3):
        env.invoke({"t": "a"}, check=False)
    with pytest.raises(AssertionError, match=re.escape("app.N[2]: added 1")):
        env.assert_no_state_leaks()


def test_secrets_are_not_shown(environment):
    env = environment(
        source("S = {}", "S['password'] = 'p' + event['t']\n    S['d'] = {'token': 't1'}"),
        audit=True,
    )
    assert [
        f"{one.path} {one.old} {one.new}"
        for t in "ab"
        for one in env.invoke({"t": t}).state_changes
    ] == ["app.S['password']  ***", "app.S['d']  {'token': ***}", "app.S['password'] *** ***"]


def test_a_spy_and_a_mock_are_no_state(environment):
    from unittest import mock

    env = environment(source("def find(x): return x\ndb = None", "find(event['t']); db(1)"),
                      audit=True)  # fmt: skip
    env.patch("app.db", mock.Mock(return_value=1))
    env.spy("app.find")
    assert leaks(env) == ""


@pytest.mark.parametrize("value", ["yes", 1, None, "maybe"])
def test_the_switch_takes_true_or_false(environment, value):
    with pytest.raises(ConfigError, match="audit=.* has to be True or False"):
        environment("def handler(event, context): pass", audit=value)


@pytest.mark.parametrize("value", ["app.CACHE", [1], [" "]])
def test_allowed_state_is_a_list_of_paths(environment, value):
    with pytest.raises(ConfigError, match="allowed_state"):
        environment("def handler(event, context): pass", allowed_state=value)
