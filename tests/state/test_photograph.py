"""What a photograph reaches, what it finds changed, and that objects never notice it."""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable

import pytest

from pytest_lambda_lifecycle.state.changes import compare
from pytest_lambda_lifecycle.state.kinds import NAMESPACE
from pytest_lambda_lifecycle.state.photograph import Camera, Root

HEAD = """
import collections, functools, itertools, threading, weakref
from decimal import Decimal
"""


class Module:
    """A module of function code, and a camera in front of it."""

    def __init__(self, source: str) -> None:
        self.module = types.ModuleType("shop.app")
        exec(HEAD + source, self.module.__dict__)
        self.camera = Camera(lambda name: name.startswith("shop"))
        self.before = self.take()

    def take(self):
        return self.camera.take([Root("shop.app", self.module.__dict__, NAMESPACE)])

    def changes(self, statement: str | Callable[[], object]) -> list[str]:
        if callable(statement):
            statement()
        else:
            exec(statement, self.module.__dict__)
        before, self.before = self.before, self.take()
        return [
            f"{found.path} {found.kind} {' -> '.join(filter(None, found.texts))}"
            for found in compare(before, self.before)
        ]


@pytest.mark.parametrize(
    ("source", "statement", "expected"),
    [
        ("C = {}", "C['c'] = {'n': 1}", "shop.app.C['c'] added {'n': 1}"),
        ("C = {'a': 1}", "C['a'] = 2", "shop.app.C['a'] changed 1 -> 2"),
        ("C = {'a': 1}", "del C['a']", "shop.app.C['a'] removed 1"),
        ("C = {'a': 1}", "C['b'] = C.pop('a')",
         "shop.app.C['b'] added 1|shop.app.C['a'] removed 1"),
        ("C = {1: 1}", "C[(1, 'x')] = 2", "shop.app.C[(1, 'x')] added 2"),
        ("C = [1]", "C.append(2)", "shop.app.C[1] added 2"),
        ("C = [1, 2, 3]", "del C[0]", "shop.app.C[0] removed 1"),
        ("C = {1}", "C.add(2)", "shop.app.C added 2"),
        ("C = collections.deque([1], 2)", "C.append(2)", "shop.app.C[1] added 2"),
        ("C = ([],)", "C[0].append(2)", "shop.app.C[0][0] added 2"),
        ("C = bytearray(b'a')", "C.append(1)",
         "shop.app.C changed <1 bytes, checksum e8b7be43> -> <2 bytes, checksum 4a38788f>"),
        ("C = itertools.count()", "next(C)", "shop.app.C changed <count(0)> -> <count(1)>"),
        ("C = 1", "C = 2", "shop.app.C changed 1 -> 2"),
        ("", "C = 2", "shop.app.C added 2"),
        ("class A: n = 0", "A.n += 1", "shop.app.A.n changed 0 -> 1"),
        ("class A: pass\na = A()", "a.n = 1", "shop.app.a.n added 1"),
        ("class A: __slots__ = ('n',)\na = A()", "a.n = 1", "shop.app.a.n added 1"),
        ("class A(dict): pass\na = A()", "a.n = a['k'] = 1",
         "shop.app.a['k'] added 1|shop.app.a.n added 1"),
        ("def f(x, acc=[]): acc.append(x)", "f(1)", "shop.app.f(acc=)[0] added 1"),
        ("def f(x, *, acc=[]): acc.append(x)", "f(1)", "shop.app.f(acc=)[0] added 1"),
        ("def g():\n n = 0\n def f():\n  nonlocal n\n  n += 1\n return f\nf = g()", "f()",
         "shop.app.f.<closure>.n changed 0 -> 1"),
        ("@functools.lru_cache\ndef f(x): return [x]", "f(1)", "shop.app.f(1) added [1]"),
        ("@functools.cache\ndef f(x, y=0): return [x]", "f(1, y=2)",
         "shop.app.f(1, <object>, 'y', 2) added [1]"),
        ("@functools.lru_cache\ndef f(x): return [x]\nf(1)", "f(1).append(2)",
         "shop.app.f(1)[1] added 2"),
        ("class A:\n @functools.cached_property\n def p(self): return 1\na = A()", "a.p",
         "shop.app.a.p added 1"),
        ("L = threading.local()", "L.user = 'a'", "shop.app.L.user added 'a'"),
        ("class A: pass\na = A()\nW = weakref.WeakValueDictionary()", "W['k'] = a",
         "shop.app.W['k'] added <weak reference to shop.app.A>"),
        ("P = functools.partial(print, [])", "P.args[0].append(1)",
         "shop.app.P.args[0][0] added 1"),
        ("password = 'x'", "password = 'abc'", "shop.app.password changed *** -> ***"),
        ("N = float('nan'); D = Decimal('1.0')", "N = float('nan'); D = Decimal('1.00')", ""),
        ("C = {'a': [1]}", "C = {'a': [1]}", ""),
        ("C = {'a': [1]}", "C = {'a': [2]}", "shop.app.C changed {'a': [1]} -> {'a': [2]}"),
        ("C = {'a': 'x'}", "C.pop('a'); C['a'] = 'x'", ""),
        ("x = 1", "x = True", "shop.app.x changed 1 -> True"),
    ],
)  # fmt: skip
def test_a_change_has_its_path_and_its_values(source, statement, expected):
    assert Module(source).changes(statement) == list(filter(None, expected.split("|")))


def test_a_photograph_of_unchanged_state_is_the_latest_one():
    module = Module("C = {'a': [1, {2}]}\nclass A: pass\na = A()")
    assert module.take() is module.before


def test_an_object_out_of_reach_is_forgotten_and_freed():
    module = Module("class A: pass\na = A()\nb = {'a': a}\nC = [a]")
    watched = weakref.ref(module.module.a)
    module.changes("del a, b['a']")
    assert module.changes("C[0].n = 1") == ["shop.app.C[0].n added 1"]
    module.changes("C.clear()")
    module.changes("x = 1")  # the photograph before is no longer needed
    assert watched() is None


HOSTILE = """
class Bad:
    def _raise(self, *args, **kwargs): CALLS.append(1); raise RuntimeError
    __eq__ = __repr__ = __getattr__ = __getattribute__ = __len__ = __iter__ = __bool__ = _raise
    __class__ = property(_raise)
    __hash__ = _raise
    __reduce_ex__ = __sizeof__ = __dir__ = items = keys = values = _raise
    prop = property(_raise)
class Meta(type):
    def _raise(cls, *args, **kwargs): CALLS.append(1); raise RuntimeError
    __getattribute__ = __eq__ = __hash__ = __instancecheck__ = __subclasscheck__ = _raise
class BadClass(metaclass=Meta): pass
def make(*bases):
    return type('Made', (Bad, *bases), {'__slots__': ()} if tuple in bases else {})
CALLS = []
class Key:
    armed = False
    def __hash__(self): return CALLS.append(2) or 7 if Key.armed else 7
    def __eq__(self, other): CALLS.append(3); return False
    __repr__ = __str__ = __eq__
class Holder: pass
holder = Holder()
holder.__dict__[Key()] = 1
KEYS = {Key(): 1}
SET = {Key()}
Key.armed = True
OBJECTS = [object.__new__(Bad), make(dict)(), list.__new__(make(list)), set.__new__(make(set)),
           tuple.__new__(make(tuple), (1,)), str.__new__(make(str), 'x'), BadClass,
           (n for n in ()), threading.Lock(), threading.RLock()]
CYCLE = []
CYCLE.append(CYCLE)
CYCLE.append({'self': CYCLE})
def replace():
    global OBJECTS
    OBJECTS = OBJECTS[::-1]
    CYCLE.append(OBJECTS[-1])
    KEYS.clear(); SET.clear(); holder.__dict__.clear(); CALLS.clear()
"""


def test_no_code_of_an_object_runs():
    module = Module(HOSTILE)
    assert len(module.changes("replace()")) == 5
    module.changes("OBJECTS.pop()")
    assert module.module.CALLS == []


def test_a_large_container_is_read_without_a_copy_of_each_value():
    module = Module("C = list(range(10_000)); D = dict.fromkeys(range(10_000))")
    assert sorted(module.changes("C.append(5); D['x'] = []")) == [
        "shop.app.C[10000] added 5",
        "shop.app.D['x'] added []",
    ]
    assert sorted(module.changes("D['x'].append(1); C[7] = 0; del C[10000]")) == [
        "shop.app.C[10000] removed 5",
        "shop.app.C[7] changed 7 -> 0",
        "shop.app.D['x'][0] added 1",
    ]


@pytest.mark.parametrize("known", [False, None])
def test_changes_are_found_without_versions_of_dicts(monkeypatch, known):
    """As in Python 3.14; None stands for versions that do not tell of attributes, as in 3.13."""
    from pytest_lambda_lifecycle.state import watch

    monkeypatch.setattr(watch, "_VERSIONS", known is None)
    monkeypatch.setattr(watch, "_ATTRIBUTE_VERSIONS", False)
    module = Module(
        "C = {'a': 1}\nD = {1: 2}\nBIG = dict.fromkeys(range(9_000))\n"
        "class A: n = 0\na = A(); a.x = 1"
    )
    assert module.changes("pass") == []
    found = module.changes("C['b'] = C.pop('a'); D[1] = 3; A.n = 1; a.y = a.__dict__.pop('x')")
    assert sorted(found) == [
        "shop.app.A.n changed 0 -> 1",
        "shop.app.C['a'] removed 1",
        "shop.app.C['b'] added 1",
        "shop.app.D[1] changed 2 -> 3",
        "shop.app.a.x removed 1",
        "shop.app.a.y added 1",
    ]
    assert sorted(module.changes("BIG['k'] = 1; BIG[5] = 6; a.y = {}")) == [
        "shop.app.BIG['k'] added 1",
        "shop.app.BIG[5] changed None -> 6",
        "shop.app.a.y changed 1 -> {}",
    ]
    assert sorted(module.changes("a.y['z'] = 1; del BIG['k']")) == [
        "shop.app.BIG['k'] removed 1",
        "shop.app.a.y['z'] added 1",
    ]
