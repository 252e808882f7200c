"""Fixtures of the tests of the APIs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_lambda_lifecycle import FunctionConfig

from .apis import Apis, View, make


@pytest.fixture
def notes() -> list[Any]:
    return []


@pytest.fixture
def make_apis(notes: list[Any]) -> Iterator[Callable[..., Apis]]:
    made: list[Apis] = []

    def make_apis(*, remote: bool = False, view: View | None = None, **settings: Any) -> Apis:
        made.append(
            make(FunctionConfig("app.handler", **settings), notes.append, remote=remote, view=view)
        )
        return made[-1]

    yield make_apis
    for apis in made:
        apis.close()


@pytest.fixture
def apis(make_apis: Callable[..., Apis]) -> Apis:
    """A runtime in this process that handles request r-1, and the external extension "agent"."""
    apis = make_apis()
    apis.registry.begin(["agent"])
    return apis


@pytest.fixture
def remote(make_apis: Callable[..., Apis]) -> Apis:
    """A runtime outside this process that has not called yet."""
    apis = make_apis(remote=True)
    apis.runtime.begin()
    return apis
