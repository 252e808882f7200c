"""``assert_no_growth``: what grows with the number of invokes, and what levels off."""

from __future__ import annotations

import re

import pytest

from pytest_lambda_lifecycle import InvalidTransition, LifecycleError

HEAD = "import collections, functools, os, threading\n"


def growth(env, event=None, **options) -> list[str]:
    try:
        env.assert_no_growth({} if event is None else event, 20, **options)
    except AssertionError as error:
        return [line.strip() for line in str(error).splitlines() if line.startswith("  ")]
    return []


@pytest.mark.parametrize(
    ("before", "body", "expected"),
    [
        ("C = {}", "C[len(C)] = event", "app.C: 5 -> 20, 1.00 per invoke, at app.py:4"),
        ("C = []", "C.extend([1, 2, 3])", "app.C: 15 -> 60, 3.00 per invoke, at app.py:4"),
        ("C = {'a': set()}", "C['a'].add(len(C['a']))", "app.C['a']: 5 -> 20, 1.00 per invoke, at app.py:4"),
        ("C = ''", "global C; C += 'x' * 50", "app.C: 250 -> 1000, 50.00 per invoke, at app.py:4"),
        ("B = bytearray()", "B.append(1)", "app.B: 5 -> 20, 1.00 per invoke, at app.py:4"),
        ("class Order: pass\nC = []", "C.append(Order())",
         "objects of app.Order: 5 -> 20, 1.00 per invoke"),
        ("@functools.cache\ndef f(n): return n", "f(context.aws_request_id)",
         "app.f: 6 -> 21, 1.00 per invoke, at app.py:2"),
        ("D = []", "D.append(os.open(os.devnull, os.O_RDONLY))", "open file descriptors: "),
    ],
)  # fmt: skip
def test_growth_is_found_with_its_rate_and_line(environment, before, body, expected):
    env = environment(f"{HEAD}{before}\ndef handler(event, context):\n    {body}")
    found = growth(env)
    assert any(line.startswith(expected) for line in found), found


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("C = collections.deque(maxlen=100)", "C.append(1)"),
        ("C = {}", "C[min(len(C), 9)] = event"),
        ("C = {}", "C[context.aws_request_id] = 1\n    while len(C) > 8: del C[next(iter(C))]"),
        ("@functools.lru_cache(maxsize=100)\ndef f(n): return n", "f(context.aws_request_id)"),
        ("N = 0", "global N; N += 1"),
        ("C = []", "C.append(1) if len(C) < 12 else None"),
        ("class Order: pass", "Order().me = [event]"),
    ],
)
def test_what_levels_off_is_no_growth(environment, before, body):
    env = environment(f"{HEAD}{before}\ndef handler(event, context):\n    {body}")
    assert growth(env) == []


def test_a_function_makes_the_events(environment):
    env = environment("C = {}\ndef handler(event, context): C[event['id']] = 1")
    assert growth(env, {"id": 1}) == []
    assert growth(env, lambda index: {"id": index}, ignore=["app.C"]) == []
    assert growth(env, lambda index: {"id": index + 100}) == [
        "app.C: 25 -> 40, 1.00 per invoke, at app.py:2"
    ]


def test_allowed_state_may_grow(environment):
    env = environment("C = []\ndef handler(event, context): C.append(1)", allowed_state=["app.C"])
    assert growth(env) == []


def test_memory_is_traced_on_request(environment):
    import tracemalloc

    env = environment("C = []\ndef handler(event, context):\n    C.append(bytes(1000))")
    found = growth(env, tracemalloc=True, ignore=["app.C"])
    assert [re.sub(r"\d+ -> .*", "...", line) for line in found] == [
        "bytes allocated at app.py:3: ..."
    ]
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
