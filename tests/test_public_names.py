"""What an editor offers after the dot of a public class: names that the reference explains."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import pytest_lambda_lifecycle
from pytest_lambda_lifecycle import Event, ExecutionEnvironment, LambdaClock, Timeline

REFERENCE = (Path(__file__).parent.parent / "docs" / "reference.md").read_text("utf-8")
CLASSES = [
    one
    for name in pytest_lambda_lifecycle.__all__
    if isinstance(one := getattr(pytest_lambda_lifecycle, name), type)
]


def public(cls: type) -> set[str]:
    """Return the public names of a class that this package has given it."""
    own = [one for one in cls.__mro__ if one.__module__.startswith("pytest_lambda_lifecycle")]
    return {name for one in own for name in vars(one) if not name.startswith("_")}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_methods_of_a_public_class_are_in_the_reference(cls: type) -> None:
    fields = {one.name for one in dataclasses.fields(cls)} if issubclass(cls, Event) else set()
    foreign = [one for one in cls.__mro__ if not one.__module__.startswith("pytest_lambda_lifecyc")]
    inherited = {name for one in foreign for name in vars(one)}
    for name in public(cls) - fields - inherited:
        if callable(getattr(cls, name)) and name != "source_of":
            assert re.search(rf"[`.]{name}\b|^{name}\(", REFERENCE, re.MULTILINE), name


def test_the_clock_can_be_read_and_moved() -> None:
    assert public(LambdaClock) == {"now", "advance", "move_to"}


def test_a_timeline_can_be_read() -> None:
    own = {"of", "names", "svg"}
    assert public(Timeline) <= {name for name in dir(Sequence) if name[0] != "_"} | own


def test_the_timeline_of_an_environment_is_the_public_one(lambda_lifecycle, tmp_path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context): return event\n")
    env = lambda_lifecycle("app.handler", code_dir=tmp_path)
    before = env.timeline
    env.invoke({})
    assert type(before) is Timeline
    assert before.names[-1] == "invoke_report"  # it goes on
    assert before == env.timeline


def test_an_environment_is_made_from_a_configuration_and_a_clock() -> None:
    assert list(inspect.signature(ExecutionEnvironment).parameters) == ["config", "clock"]
