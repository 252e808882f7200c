"""What differs between two contents: the same as a comparison entry by entry would find."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from pytest_lambda_lifecycle.state.differences import MISSING, differences

N = [object() for _ in range(4)]
LONG = [f"key {index}" for index in range(3000)]


class Contents(NamedTuple):
    """Labels and values, as a photograph has them."""

    labels: Any
    values: list[Any]


def of_mapping(mapping: dict[Any, Any]) -> Contents:
    return Contents(list(mapping), list(mapping.values()))


def of_set(values: list[Any]) -> Contents:
    return Contents(values, values)


LARGE = dict.fromkeys(LONG, 0)
WITHOUT_FIRST = {key: value for key, value in LARGE.items() if key != LONG[0]}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": N[0]}, {"a": N[0]}, []),
        ({"a": N[0], "b": N[1]}, {"b": N[1]}, [("a", N[0], MISSING)]),
        ({"a": N[0], "b": N[1]}, {"b": N[2]}, [("a", N[0], MISSING), ("b", N[1], N[2])]),
        ({"a": N[0], "b": N[1]}, {"b": N[1], "a": N[0]}, []),
        ({"a": N[0], "b": N[1]}, {"a": N[0], "c": N[2], "b": N[1]}, [("c", MISSING, N[2])]),
        ({"a": N[0], "b": N[1]}, {"c": N[0], "b": N[3]}, [
            ("c", MISSING, N[0]), ("a", N[0], MISSING), ("b", N[1], N[3]),
        ]),
        (LARGE, WITHOUT_FIRST, [(LONG[0], 0, MISSING)]),
        (LARGE, {**WITHOUT_FIRST, LONG[-1]: 1}, [(LONG[0], 0, MISSING), (LONG[-1], 0, 1)]),
        (LARGE, {**LARGE, LONG[7]: 1, LONG[-1]: 2}, [(LONG[7], 0, 1), (LONG[-1], 0, 2)]),
    ],
)  # fmt: skip
def test_entries_of_a_mapping_that_differ_are_found(old, new, expected):
    found = differences(of_mapping(old), of_mapping(new))
    assert sorted(found, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([1, 2], [2, 1], []),
        ([1, 2], [1, 3, 2], [(3, MISSING, 3)]),
        (["a", "b"], ["b"], [("a", "a", MISSING)]),
        ([N[0], N[1]], [N[2], N[1]], [(N[0], N[0], MISSING), (N[2], MISSING, N[2])]),
        ([(1, "a")], [(*[1], "a")], []),
        (LONG, LONG[::-1], []),
        (LONG, [*LONG[5:], *LONG[:4], "x"], [(LONG[4], LONG[4], MISSING), ("x", MISSING, "x")]),
    ],
)
def test_elements_of_a_set_that_differ_are_found(old, new, expected):
    assert differences(of_set(old), of_set(new)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (LONG, [*LONG[:9], "x", *LONG[10:]], [(9, LONG[9], "x")]),
        (LONG, ["x", *LONG], [(0, MISSING, "x")]),
        (LONG, LONG[1:], [(0, LONG[0], MISSING)]),
        (LONG, [*LONG, "x"], [(3000, MISSING, "x")]),
    ],
)
def test_entries_of_a_sequence_that_differ_are_found(old, new, expected):
    assert differences(Contents(None, old), Contents(None, new)) == expected
