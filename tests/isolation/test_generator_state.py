"""The state of the generator behind `random`: by its bytes, and by its functions."""

import random

import pytest

from pytest_lambda_lifecycle.isolation import generator_state
from pytest_lambda_lifecycle.isolation.generator_state import read_state, write_state


@pytest.fixture(params=["bytes", "numbers"], autouse=True)
def functions(request, monkeypatch):
    before = random.getstate()
    by_bytes = generator_state._by_bytes()
    if request.param == "bytes" and by_bytes is None:
        pytest.skip("this Python has another layout")
    read, write = by_bytes if request.param == "bytes" else generator_state._BY_NUMBERS
    monkeypatch.setattr(generator_state, "_READ", read)
    monkeypatch.setattr(generator_state, "_WRITE", write)
    yield
    random.setstate(before)


@pytest.mark.parametrize("draws", [0, 1, 623, 624, 2000])
def test_the_numbers_that_follow_are_drawn_again(draws):
    random.seed(7)
    for _ in range(draws):
        random.getrandbits(32)
    random.gauss(0, 1)  # the generator keeps the second of two numbers
    state, known = read_state(), random.getstate()
    expected = [random.gauss(0, 1), random.random(), random.randrange(10**30)]
    random.seed(8)
    random.gauss(0, 1)
    write_state(state)
    assert random.getstate() == known
    assert [random.gauss(0, 1), random.random(), random.randrange(10**30)] == expected


def test_bytes_that_are_no_state_are_not_taken():
    read, write = generator_state._by_bytes() or pytest.skip("this Python has another layout")
    assert not generator_state._are_states(lambda generator: bytes(2500), write)
    assert not generator_state._are_states(read, lambda generator, state: None)
