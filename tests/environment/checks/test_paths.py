"""Paths to ignore: which values a pattern names."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle import LifecycleError
from pytest_lambda_lifecycle.environment.checks.paths import Ignored, Index, path_text

ID = ("headers", "x-request-id")
FIRST, LAST = ("items", Index(0, 2), "id"), ("items", Index(1, 2), "id")


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        ("items", [FIRST, LAST]),
        ("items[0]", [FIRST]),
        ("items[-1].id", [LAST]),
        ("items[*].id", [FIRST, LAST]),
        ("items[].id", [FIRST, LAST]),
        ("items.*", [FIRST, LAST]),
        ("items[*].name", []),
        ("headers[*]", []),
        ('headers."x-request-id"', [ID]),
        ("headers['x-request-id']", [ID]),
        ("headers.x-request-id", [ID]),
        ("*.x-request-id", [ID]),
        ("**.id", [FIRST, LAST]),
        ("id", []),
    ],
)
def test_a_pattern_covers_what_it_names_and_everything_beneath(pattern, covered):
    ignored = Ignored([pattern])
    assert [path for path in (ID, FIRST, LAST) if ignored.covers(path, None)] == covered
    assert ignored.unused() == ([] if covered else [pattern])


def test_a_path_is_shown_as_a_pattern_that_covers_it():
    for path in (FIRST, ("a b", 'say "x"'), ("", "x")):
        assert Ignored(path_text(path)).covers(path, None)
    assert path_text(ID) == "headers.x-request-id"


def test_a_callable_gets_the_path_and_the_value_if_it_takes_one():
    asked = []
    ignored = Ignored([lambda path, value: asked.append((path, value)), str.isupper])
    assert not ignored.covers(FIRST, 7)
    assert asked == [("items[0].id", 7)]
    assert ignored.covers(("DATE",), 7)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "it is empty"),
        (".a", "a dot without a name before it"),
        ("a..b", "a dot without a name before it"),
        ("a.", "it ends in a dot"),
        ("a[?b]", r"'\[\?b\]' in it is not understood"),
        ("a | b", "is not understood"),
        ("a*", "there is no dot before"),
        ("length(a)", "is not understood"),
        (7, "a list of paths and of callables"),
        (None, "a list of paths and of callables"),
        (b"a", "a list of paths and of callables"),
        ([7], "neither text nor callable"),
    ],
)
def test_anything_else_is_an_error_that_shows_what_a_path_is(bad, why):
    with pytest.raises(LifecycleError, match=why) as error:
        Ignored(bad)
    assert error.value.code == "LLC871"
    assert "items[*].id" in str(error.value)


def test_a_callable_that_raises_is_an_error_with_the_path():
    with pytest.raises(LifecycleError, match=r"raised ZeroDivisionError for the path 'a'"):
        Ignored(lambda path: 1 / 0).covers(("a",), 1)
