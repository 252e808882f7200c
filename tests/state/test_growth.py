"""``assert_no_growth``: what grows with the number of invokes, and what levels off."""

from __future__ import annotations

import re

import pytest

from pytest_lambda_lifecycle import InvalidTransition, LifecycleError


def growth(env, event=None, **options) -> list[str]:
    try:
        env.assert_no_growth({} if event is None else event, 20, **options)
    except AssertionError as error:
        return [line.strip() for line in str(error).splitlines() if line.startswith("  ")]
    return []


def test_growth_is_found_with_its_rate_and_line(environment):
    env = environment("""
        import functools, os
        class Order: pass
        table, numbers, nested, orders, files = {}, [], {"a": set()}, [], []
        text, octets = "", bytearray()
        @functools.cache
        def cached(n): return n
        def handler(event, context):
            global text
            table[len(table)] = event
            numbers.extend([1, 2, 3])
            nested["a"].add(len(numbers))
            orders.append(Order())
            text += "x" * 50
            octets.append(1)
            cached(context.aws_request_id)
            files.append(os.open(os.devnull, os.O_RDONLY))
    """)
    found = growth(env)
    assert found.pop(-1).startswith("open file descriptors: ") or found
    assert set(found) >= {
        "app.table: 11 -> 20, 1.00 per invoke, at app.py:10",
        "app.numbers: 33 -> 60, 3.00 per invoke, at app.py:11",
        "app.nested['a']: 11 -> 20, 1.00 per invoke, at app.py:12",
        "app.orders: 11 -> 20, 1.00 per invoke, at app.py:13",
        "objects of app.Order: 11 -> 20, 1.00 per invoke",
        "app.text: 550 -> 1000, 50.00 per invoke, at app.py:14",
        "app.octets: 11 -> 20, 1.00 per invoke, at app.py:15",
        "app.cached: 12 -> 21, 1.00 per invoke, at app.py:6",
    }


def test_what_levels_off_is_no_growth(environment):
    env = environment("""
        import collections, functools
        class Order: pass
        latest, recent, most, count = collections.deque(maxlen=100), {}, {}, 0
        numbers = []
        @functools.lru_cache(maxsize=100)
        def cached(n): return n
        def handler(event, context):
            global count
            count += 1
            latest.append(1)
            most[min(len(most), 9)] = event
            recent[context.aws_request_id] = 1
            while len(recent) > 8: del recent[next(iter(recent))]
            cached(context.aws_request_id)
            if len(numbers) < 15: numbers.append(1)
            order = Order()
            order.me = [order]
    """)
    assert growth(env) == []


def test_a_function_makes_the_events(environment):
    env = environment("C = {}\ndef handler(event, context): C[event['id']] = 1")
    assert growth(env, lambda index: {"id": index}, ignore=["app.C"]) == []
    assert growth(env, lambda index: {"id": index + 100}) == [
        "app.C: 31 -> 40, 1.00 per invoke, at app.py:2"
    ]


def test_allowed_state_may_grow(environment):
    env = environment("C = []\ndef handler(event, context): C.append(1)", allowed_state=["app.C"])
    assert growth(env) == []


@pytest.mark.parametrize("is_entered", [False, True])
def test_memory_is_traced_on_request(environment, is_entered):
    import tracemalloc

    env = environment("C = []\ndef handler(event, context):\n    C.append(bytes(1000))")
    if is_entered:
        env.invoke()
    found = growth(env, tracemalloc=True, ignore=["app.C"])
    assert [re.sub(r"\d+ -> .*", "...", line) for line in found] == [
        "bytes allocated at app.py:3: ..."
    ]
    assert not tracemalloc.is_tracing()
    env.close()
    assert not tracemalloc.is_tracing()


@pytest.mark.parametrize("invokes", [0, 9, -1, True, 20.0, "50", None])
def test_too_few_invokes_are_an_error(environment, invokes):
    env = environment("def handler(event, context): pass")
    with pytest.raises(LifecycleError, match=r"has to be a whole number, 10 or more"):
        env.assert_no_growth({}, invokes)
    assert env.phases == []


def test_a_closed_environment_cannot_grow(environment):
    env = environment("def handler(event, context): pass")
    env.close()
    with pytest.raises(InvalidTransition, match="cannot measure growth"):
        env.assert_no_growth({})


def test_a_long_chain_of_containers_does_not_take_long(environment):
    env = environment(
        "CHAIN = last = []\nfor _ in range(5_000): last.append([]); last = last[0]\n"
        "KEPT = []\ndef handler(event, context): KEPT.append(event)",
        timeout=60,
    )
    with pytest.raises(AssertionError, match=r"app\.KEPT: .* 1\.00 per invoke"):
        env.assert_no_growth(lambda index: index, 10)
