"""Kinds of state beside plain containers: each is found by the assertion that judges it."""

from __future__ import annotations

import importlib.util

import pytest

from .test_leaks import leaks, source

LEAKS = {
    "an attribute of a function": (
        "def count(): count.calls = getattr(count, 'calls', 0) + 1",
        "count()",
        "app.count.calls: changed 2 -> 3 by invoke 3, at app.py:3",
    ),
    "an attribute of a decorated function": (
        "def kept(function):\n    @functools.wraps(function)\n    def inner(): inner.n += 1\n"
        "    inner.n = 0\n    return inner\n@kept\ndef count(): pass",
        "count()",
        "app.count.n: changed 2 -> 3 by invoke 3, at app.py:",
    ),
    "a bounded cache of dicts": (
        "@functools.lru_cache(maxsize=9)\ndef look(t): return {'t': t}",
        "look(event['t'])",
        "app.look('c'): added {'t': 'c'} by invoke 3, at app.py:3",
    ),
    "an attribute of a client": (
        "import boto3\nclient = boto3.client('s3')",
        "client.tenant = event['t']",
        "app.client.tenant: changed 'b' -> 'c' by invoke 3, at app.py:6",
    ),
    "an attribute of a session of boto3": (
        "import boto3\nsession = boto3.Session()",
        "session.tenant = event['t']",
        "app.session.tenant: changed 'b' -> 'c' by invoke 3, at app.py:6",
    ),
    "a connection with an open transaction": (
        "import sqlite3\ndb = sqlite3.connect(':memory:')\ndb.execute('create table t (x)')",
        "db.execute('insert into t values (1)')",
        "app.db.in_transaction: changed <True, with 2 changed rows> -> <True, with 3 changed rows> "
        "by invoke 3, at app.py:7",
    ),
    "a buffer that is written on": (
        "import io\nbuffer = io.StringIO()",
        "buffer.write(event['t'])",
        "app.buffer: changed <position 2> -> <position 3> by invoke 3, at app.py:6",
    ),
    "a queue of asyncio": (
        "import asyncio\nqueue = asyncio.Queue()",
        "queue.put_nowait(event['t'])",
        "app.queue._queue[2]: added 'c' by invoke 3, at app.py:6",
    ),
    "a queue of threads": (
        "import queue\njobs = queue.Queue()",
        "jobs.put(event['t'])",
        "app.jobs.queue[2]: added 'c' by invoke 3, at app.py:6",
    ),
    "an adapter of a session": (
        "import requests\nsession = requests.Session()\nadapter = requests.adapters.HTTPAdapter()",
        "session.mount('https://' + event['t'], adapter)",
        "app.session.adapters['https://c']: added <requests.adapters.HTTPAdapter> by invoke 3, "
        "at app.py:7",
    ),
    "results that a decorator of cachetools keeps": (
        "import cachetools\n@cachetools.cached(cachetools.TTLCache(9, 9))\ndef look(t): return [t]",
        "look(event['t'])",
        "cache[('c')]: added ['c'] by invoke 3, at app.py:5",
    ),
    "a descriptor": (
        "",
        "os.open(__file__, os.O_RDONLY)",
        "/app.py> by invoke 3, at app.py:5",
    ),
    "a global by its name": (
        "",
        "globals()['tenant'] = event['t']",
        "app.tenant: changed 'b' -> 'c' by invoke 3, at app.py:5",
    ),
    "the precision of decimal numbers": (
        "",
        "decimal.getcontext().prec = ord(event['t'])",
        "by invoke 3, at app.py:5",
    ),
    "the current folder": (
        "import tempfile",
        "os.chdir(tempfile.mkdtemp())",
        "by invoke 3, at app.py:5",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", LEAKS)
def test_a_leak_is_found_with_its_path_and_line(environment, kind):
    before, body, expected = LEAKS[kind]
    if "cachetools" in kind and importlib.util.find_spec("cachetools") is None:
        pytest.skip("cachetools is not installed")
    assert expected in leaks(environment(source(before, body), audit=True))


SILENT = {
    "combinations of flags": (
        "import enum\nclass Access(enum.Flag): READ = 1; WRITE = 2; RUN = 4",
        "Access(ord(event['t']) % 8)",
    ),
    "a transaction that is committed, and a buffer that is emptied": (
        "import io, sqlite3\ndb = sqlite3.connect(':memory:')\nbuffer = io.BytesIO()\n"
        "db.execute('create table t (x)')",
        "with db: db.execute('insert into t values (1)')\n"
        "    buffer.write(event['t'].encode() * ord(event['t']))\n"
        "    buffer.seek(0); buffer.truncate()",
    ),
    "an object in the place of the None of its class, and one in the place of nothing": (
        "class Table: rows = [1]\nclass App:\n    table = None\n    def first(self):\n"
        "        if self.table is None: self.table = Table(); self.other = Table()\napp = App()",
        "if event['t'] == 'c': app.first()",
    ),
    "a client whose first operation comes late": (
        "import boto3\nfrom moto import mock_aws\nsqs = boto3.client('sqs')",
        "if event['t'] > 'b':\n        with mock_aws(): sqs.list_queues()",
    ),
}


@pytest.mark.parametrize("kind", SILENT)
def test_what_is_no_state_stays_silent(environment, kind):
    env = environment(source(*SILENT[kind]), audit=True, timeout=60)
    assert leaks(env, "abcde") == ""


def test_callbacks_that_pile_up_in_an_object_of_a_library_are_growth(environment):
    env = environment(
        "import sqlite3\ndb = sqlite3.connect(':memory:')\ndef handler(event, context):\n"
        "    def add(): return event\n    db.create_function(f'f{event}', 0, add)"
    )
    with pytest.raises(AssertionError, match=r"app\.handler\.<locals>\.add: .* 1\.00 per invoke"):
        env.assert_no_growth(lambda index: index, 10)
