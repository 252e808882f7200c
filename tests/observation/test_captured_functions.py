"""Spies and patches of objects that something has taken hold of, beside their names."""

import functools
import gc
import inspect
import json
import sys
import textwrap
import traceback
import weakref

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, LifecycleError

CHARGE = """
    import contextlib, functools
    HANDLERS = {}
    def register(function):
        HANDLERS[function.__name__] = function
        return function
    def traced(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper
    class Client:
        def get(self, key): return f"real {key}"
        @classmethod
        def make(cls, key): return f"{cls.__name__} {key}"
        @staticmethod
        def ping(key): return f"pong {key}"
        @property
        def size(self): return 1
    class Special(Client):
        def get(self, key): return "special " + super().get(key)
    class Plain(Client): pass
    client, special, plain = Client(), Special(), Plain()
    def charge(key): return f"real {key}"
"""

CAPTURES = {
    "a registry": "HANDLERS['x'] = charge\ndef handler(event, context): return HANDLERS['x']('k')",
    "a decorator": "@register\ndef f(key): return f'real {key}'\n"
    "def handler(event, context): return HANDLERS['f']('k')",
    "a default value": "def handler(event, context, charge=charge): return charge('k')",
    "a keyword default": "def handler(event, context, *, charge=charge): return charge('k')",
    "a class attribute": "class Shop: pay = staticmethod(charge)\n"
    "def handler(event, context): return Shop.pay('k')",
    "a partial": "pay = functools.partial(charge, 'k')\ndef handler(event, context): return pay()",
    "a closure": "pay = traced(charge)\ndef handler(event, context): return pay('k')",
    "a nested list": "STEPS = [('pay', [charge])]\n"
    "def handler(event, context): return STEPS[0][1][0]('k')",
    "an instance": "client.pay = charge\ndef handler(event, context): return client.pay('k')",
    "slots": "class Slots: __slots__ = ('pay',)\nslots = Slots(); slots.pay = charge\n"
    "def handler(event, context): return slots.pay('k')",
}


@pytest.fixture
def shop(environment):
    return lambda source, **settings: environment(textwrap.dedent(CHARGE) + source, **settings)


def target_of(how):
    return "app.f" if how == "a decorator" else "app.charge"


@pytest.mark.parametrize("when", ["before init", "after init"])
@pytest.mark.parametrize("how", CAPTURES)
def test_a_spy_sees_the_calls_of_whoever_has_taken_the_function(shop, how, when):
    env = shop(CAPTURES[how])
    if when == "after init":
        env.initialize()
    spy = env.spy(target_of(how))
    for _ in range(2):
        assert env.invoke().payload == "real k"
    assert [(call.args, call.result) for call in spy.calls] == [(("k",), "real k")] * 2
    env.reset()
    env.invoke()
    assert spy.count() == 3


@pytest.mark.parametrize("how", CAPTURES)
def test_a_patch_before_init_holds_for_init_or_names_the_place(shop, how):
    env = shop(CAPTURES[how])
    env.patch(target_of(how), lambda key: "fake")
    if how == "a decorator":
        with pytest.raises(LifecycleError, match=r"'app\.f': app\.HANDLERS\['f'\] holds the orig"):
            env.invoke()
    else:
        assert env.invoke().payload == "fake"


@pytest.mark.parametrize(
    ("how", "place"),
    [
        ("a registry", "app.HANDLERS['x']"),
        ("a decorator", "app.HANDLERS['f']"),
        ("a default value", "a default value of app.handler"),
        ("a keyword default", "a default value of app.handler"),
        ("a class attribute", "app.Shop.pay"),
        ("a partial", "app.pay"),
        ("a closure", "app.pay.__wrapped__"),
        ("a nested list", "app.STEPS[0][1][0]"),
        ("an instance", "app.client.pay"),
        ("slots", "app.slots.pay"),
    ],
)
def test_a_patch_after_init_names_the_place_that_holds_the_original(shop, how, place):
    env = shop(CAPTURES[how])
    env.initialize()
    with pytest.raises(LifecycleError) as caught:
        env.patch(target_of(how), lambda key: "fake")
    assert place in str(caught.value)
    assert caught.value.code == "LLC303"
    assert env.invoke().payload == "real k"


@pytest.mark.parametrize(
    ("target", "call", "args"),
    [
        ("app.Client.get", "CALL = client.get", ("k",)),
        ("app.client.get", "CALL = client.get", ("k",)),
        ("app.Client.make", "CALL = Client.make", ("k",)),
        ("app.Client.ping", "CALL = client.ping", ("k",)),
        ("app.Special.get", "CALL = special.get", ("k",)),
        ("app.Plain.get", "CALL = plain.get", ("k",)),
        ("app.Plain.make", "CALL = plain.make", ("k",)),
        ("app.CALL", "CALL = client.get", ("k",)),
    ],
)
def test_a_late_spy_sees_a_bound_method_that_somebody_kept(shop, target, call, args):
    env = shop(f"{call}\nKEPT = [CALL]\ndef handler(event, context): return KEPT[0]('k')")
    expected = env.invoke().payload
    spy = env.spy(target)
    assert env.invoke().payload == expected
    assert spy.one.args == args


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("@traced\n@register\ndef f(key): return key\n", 1),
        ("@register\n@traced\ndef f(key): return key\n", 1),
        ("@traced\n@traced\n@register\ndef f(key): return key\n", 1),
        ("@traced\n@register\ndef f(key): return f(key - 1) if key else 0\n", 2),
    ],
)
def test_a_spy_sees_calls_of_a_registered_function_under_a_decorator(shop, source, count):
    env = shop(source + "def handler(event, context): return HANDLERS['f'](event)")
    spy = env.spy("app.f")
    env.invoke(count - 1)
    assert spy.count() == count


def test_a_call_through_the_wrapper_of_a_registered_function_is_one_call(shop):
    env = shop(
        "@traced\n@register\ndef f(key): return key\ndef handler(event, context): return f(1)"
    )
    spy = env.spy("app.f")
    env.invoke()
    assert spy.one.args == (1,)
    module = env.module
    env.close()
    assert module.f.__code__.co_filename == module.f.__wrapped__.__code__.co_filename


def test_a_spy_of_an_inherited_method_sees_only_its_own_class(shop):
    env = shop("def handler(event, context): return client.get(1), plain.get(2), Client.make(3)")
    spies = [env.spy("app.Plain.get"), env.spy("app.Plain.make"), env.spy("app.Client.get")]
    env.invoke()
    assert [[call.args for call in spy.calls] for spy in spies] == [[(2,)], [], [(1,), (2,)]]


KINDS = """
    import asyncio, inspect
    def plain(a, /, b, *rest, c=3, **more): return (a, b, rest, c, more)
    def rows(n):
        received = []
        for i in range(n):
            received.append((yield i))
        return received
    async def fetch(n): return n * 2
    async def pages(n):
        try:
            for i in range(n): yield i
        except ValueError: yield "caught"
    def fact(n): return 1 if n < 2 else n * fact(n - 1)
    def counter(start):
        total = start
        def count(by):
            nonlocal total
            total += by
            return total
        return count
    one, ten = counter(1), counter(10)
    def fail(n): raise ValueError(n)
    KEPT = dict(globals())
    def handler(event, context):
        return globals()["test_" + event]()
    def test_plain(): return KEPT["plain"](1, 2, 4, c=5, d=6)
    def test_rows():
        g = KEPT["rows"](2)
        try: return [next(g), g.send("x"), g.send("y")]
        except StopIteration as end: return end.value
    def test_fetch(): return asyncio.run(KEPT["fetch"](2))
    def test_pages():
        async def main():
            g = KEPT["pages"](3)
            found = [await g.__anext__(), await g.asend(None), await g.athrow(ValueError())]
            return found + [x async for x in KEPT["pages"](2)]
        return asyncio.run(main())
    def test_fact(): return KEPT["fact"](3)
    def test_one(): return [KEPT["one"](1), KEPT["ten"](1), KEPT["one"](1)]
    def test_fail(): return KEPT["fail"](1)
"""


@pytest.mark.parametrize(
    ("target", "payload", "calls"),
    [
        ("plain", [1, 2, [4], 5, {"d": 6}], [((1, 2, 4), {"c": 5, "d": 6})]),
        ("rows", ["x", "y"], [((2,), {})]),
        ("fetch", 4, [((2,), {})]),
        ("pages", [0, 1, "caught", 0, 1], [((3,), {}), ((2,), {})]),
        ("fact", 6, [((3,), {}), ((2,), {}), ((1,), {})]),
        ("one", [2, 11, 3], [((1,), {}), ((1,), {})]),
    ],
)
def test_a_spied_function_of_any_kind_behaves_as_before(environment, target, payload, calls):
    env = environment(KINDS)
    env.initialize()
    function = vars(env.module)[target]
    names = [name for name in dir(inspect) if name.startswith("is")]
    kinds = [kind for name in names if callable(kind := getattr(inspect, name))]

    def facts():
        return (
            [kind(function) for kind in kinds],
            str(inspect.signature(function)),
            inspect.getfullargspec(function),
            function.__name__,
            function.__qualname__,
            function.__defaults__,
            function.__kwdefaults__,
            function.__annotations__,
        )

    code, before = function.__code__, facts()
    spy = env.spy(f"app.{target}")
    assert facts() == before
    assert inspect.signature(function) == inspect.signature(function)
    assert function.__code__ is not code
    assert env.invoke(target).payload == payload
    assert [(call.args, call.kwargs) for call in spy.calls] == calls
    env.close()
    assert (function.__code__, vars(function)) == (code, {})


def test_the_traceback_of_a_spied_function_leads_through_its_own_line(environment):
    env = environment(KINDS)
    spy = env.spy("app.fail")
    error = env.invoke("fail", check=False)
    plain = environment(KINDS).invoke("fail", check=False)
    assert error.error["stackTrace"] == plain.error["stackTrace"]
    assert spy.one.exception is error.exception
    names = [frame.name for frame in traceback.extract_tb(error.exception.__traceback__)]
    assert names[-1] == "fail"


def test_a_spy_traces_lines_of_the_original_code(environment):
    env = environment(KINDS)
    env.spy("app.plain")
    lines = []

    def trace(frame, event, argument):
        if frame.f_code.co_name == "plain" and frame.f_code.co_filename.endswith("app.py"):
            lines.append((event, frame.f_lineno))
        return trace

    before = sys.gettrace()
    env.initialize()
    sys.settrace(trace)
    try:
        env.invoke("plain")
    finally:
        sys.settrace(before)
    assert {event for event, _ in lines} == {"call", "line", "return"}


def test_two_spies_and_a_latency_on_one_function(environment, write):
    write("db.py", "def connect(): return 1")
    env = environment("from db import connect\ndef handler(event, context): return connect()")
    spies = [env.spy("db.connect"), env.spy("app.connect"), env.spy("db.connect")]
    env.invoke()
    assert [spy.count() for spy in spies] == [1, 1, 1]
    assert len(env.invocations[0].spy_calls) == 2


def test_a_shared_function_is_restored_while_the_environment_is_out(environment):
    code, function = json.dumps.__code__, json.dumps
    kept = "import json\nKEPT = [json.dumps]\ndef handler(event, context): return KEPT[0](1)"
    env, other = environment(kept), environment(kept)
    env.invoke()
    spy = env.spy("json.dumps")
    env.invoke()
    assert function.__code__ is not code
    other.invoke()
    assert function.__code__ is code
    assert spy.count() == 1
    env.invoke()
    assert spy.count() == 2
    env.close()
    assert (json.dumps, function.__code__, vars(function)) == (function, code, {})


def test_a_spy_on_the_name_of_an_importer_leaves_a_shared_function_alone(environment):
    env = environment("from json import dumps\ndef handler(event, context): return dumps(1)")
    spy = env.spy("app.dumps")
    env.invoke()
    assert spy.phases == ["invoke"]
    assert "spies" not in json.dumps.__code__.co_filename
    assert json.dumps.__code__.co_filename == json.__file__


def test_the_functions_of_an_environment_with_spies_are_freed(write, tmp_path):
    write("app.py", "def connect(): pass\ndef handler(event, context): connect()")
    env = ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path / "task"))
    env.spy("app.connect")
    env.invoke()
    left = weakref.ref(env.module.connect), weakref.ref(env)
    env.reset()
    env.invoke()
    gc.collect()
    assert left[0]() is None
    env.close()
    del env
    gc.collect()
    assert left[1]() is None


def test_init_itself_uses_a_patched_constant(environment):
    env = environment("""
        import os
        WORKERS = int(os.environ.get("WORKERS", 2))
        POOL = list(range(WORKERS))
        class Pool:
            size = WORKERS
        SQUARES = [WORKERS * x for x in range(WORKERS)]
        def make(): return WORKERS
        MADE = make()
        NAMES = sorted(name for name in locals() if name.isupper())
        def handler(event, context, workers=WORKERS):
            return [WORKERS, len(POOL), Pool.size, len(SQUARES), MADE, workers]
    """)
    env.patch("app.WORKERS", 3)
    assert env.invoke().payload == [3] * 6
    assert env.module.NAMES == ["MADE", "POOL", "SQUARES", "WORKERS"]


def test_a_patched_class_is_the_one_that_init_uses(shop):
    env = shop("def handler(event, context): return client.get('k'), special.get('k')")

    class Fake:
        def get(self, key):
            return f"fake {key}"

    env.patch("app.Client", Fake)
    assert env.invoke().payload == ["fake k", "special fake k"]


def test_a_module_calls_its_own_spied_function_while_it_runs(environment):
    env = environment("def load(): return 1\nX = load()\ndef handler(event, context): return X")
    spy = env.spy("app.load")
    env.invoke()
    assert spy.phases == ["init"]
    assert spy.one.where == "app.py:2"


@pytest.mark.parametrize(
    ("source", "target", "named"),
    [
        (
            "from time import sleep\ndef handler(event, context, wait=sleep): wait(0)",
            "app.sleep",
            None,
        ),
        (
            "import time\nWAIT = [time.sleep]\ndef handler(event, context): WAIT[0](0)",
            "time.sleep",
            "app.WAIT[0]",
        ),
        (
            "import functools\n@functools.lru_cache\ndef load(): return 1\nALL = {'l': load}\n"
            "def handler(event, context): return ALL['l']()",
            "app.load",
            "app.ALL['l']",
        ),
    ],
)
def test_a_late_spy_of_what_cannot_be_instrumented(environment, source, target, named):
    env = environment(source)
    env.initialize()
    if named is None:
        env.spy(target)
    else:
        with pytest.raises(LifecycleError) as caught:
            env.spy(target)
        assert named in str(caught.value)


def test_a_late_patch_of_a_constant_that_only_init_has_used(environment):
    env = environment("N = 2\nPOOL = [0] * N\ndef handler(event, context): return len(POOL)")
    env.initialize()
    with pytest.raises(LifecycleError, match=r"'app\.N' now: init has used it at app\.py:2"):
        env.patch("app.N", 7)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("N = 2\nPOOL = [0] * N\ndef handler(event, context): return N", "app.N"),
        (
            "import logging\nlogger = logging.getLogger('own')\n"
            "def handler(event, context): logger.info('x')",
            "app.logger",
        ),
        (
            "class Table:\n  def __init__(self): self.part = [self]\ntable = Table()\n"
            "def handler(event, context): return str(table)",
            "app.table",
        ),
        (
            "class Table: pass\ndef get(table: Table) -> Table: return Table()\n"
            "def handler(event, context): return str(get(None))",
            "app.Table",
        ),
        (
            "import functools\ndef load(): return 1\ndef handler(event, context): return load()",
            "app.load",
        ),
    ],
)
def test_a_late_patch_that_reaches_the_function_is_no_error(environment, source, target):
    env = environment(source)
    env.invoke()
    reference = env.import_module("app"), [vars(env.module)[target.partition(".")[2]]]
    env.patch(target, functools.partial(str))
    assert reference[1]


def test_a_late_patch_of_an_object_that_only_others_use(environment):
    env = environment("""
        class Table:
            def get(self): return "real"
        class Repo:
            def __init__(self, table): self.table = table
        table = Table()
        repo = Repo(table)
        def handler(event, context): return repo.get()
    """)
    env.initialize()
    with pytest.raises(LifecycleError, match=r"'app\.table': app\.repo\.table holds the original"):
        env.patch("app.table", None)


def test_a_late_patch_of_a_constant_that_another_module_has_imported(environment, write):
    write("settings.py", "N = 2\nOTHER = 2")
    env = environment("""
        from settings import N as COUNT
        OTHER = 2
        def handler(event, context): return COUNT
    """)
    env.initialize()
    with pytest.raises(LifecycleError, match=r"bound the same object as app\.COUNT"):
        env.patch("settings.N", 3)
    env.patch("app.COUNT", 3)
    assert env.invoke().payload == 3


DEFINITIONS = """
    import abc, contextlib, dataclasses, enum, functools, typing
    @dataclasses.dataclass
    class Data: n: int = 1
    @dataclasses.dataclass(slots=True)
    class Slotted: n: int = 1
    class Color(enum.Enum): RED = 1
    class Base(abc.ABC):
        @abc.abstractmethod
        def get(self): ...
    class Pair(typing.NamedTuple): n: int
    class Own:
        def copy(self) -> "Own": return super().__init__()
        @classmethod
        def make(cls) -> "Own": return cls()
        @functools.cached_property
        def size(self): return 1
    T = typing.TypeVar("T")
    class Box(typing.Generic[T]): pass
    @contextlib.contextmanager
    def scope(): yield
    @functools.lru_cache
    def cached(data: "Data" = None) -> "typing.Optional[Data]": return data
    @functools.singledispatch
    def show(x): return x
    @show.register
    def _(x: int): return x
    def plain(x: "Own"): return x
    def recursive(n): return recursive(n - 1) if n else 0
    cached()
    def handler(event, context):
        return sorted(name for name, one in globals().items() if type(one).__name__ == "Fake")
"""


@pytest.mark.parametrize("when", ["before init", "after init"])
@pytest.mark.parametrize(
    "name",
    "Data Slotted Color Base Pair Own Box scope cached show plain recursive Own.copy Own.make"
    "".split(),
)
def test_a_definition_that_nobody_has_taken_can_be_patched(environment, name, when):
    env = environment(DEFINITIONS)
    if when == "after init":
        env.initialize()

    class Fake:
        def __call__(self, *args):
            pass

        def register(self, function):
            pass

    env.patch(f"app.{name}", Fake())
    assert env.invoke().payload == ([] if "." in name else [name])
