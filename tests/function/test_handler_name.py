"""The name of a handler, split as the Python runtime splits it."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle.function.handler_name import HandlerName


@pytest.mark.parametrize(
    ("text", "path", "module", "attribute"),
    [
        ("app.handler", "app", "app", "handler"),
        ("orders.app.handler", "orders.app", "orders.app", "handler"),
        ("orders/app.handler", "orders/app", "orders.app", "handler"),
        ("handler", "", "", "handler"),
        (".handler", "", "", "handler"),
        ("app.", "app", "app", ""),
    ],
)
def test_the_last_dot_separates_module_and_attribute(text, path, module, attribute):
    name = HandlerName.parse(text)
    assert (name.path, name.module, name.attribute) == (path, module, attribute)


@pytest.mark.parametrize(
    "text", ["handler", ".handler", "a..b", "/a.b", "./a.b", "sys.x", "sys.a.x"]
)
def test_the_runtime_does_not_look_for_these_modules(text):
    assert not HandlerName.parse(text).is_importable


def test_only_the_first_name_with_a_dot_can_be_built_in():
    assert HandlerName.parse("sys.path.x").is_built_in
    assert not HandlerName.parse("sys/path.x").is_built_in


def test_a_module_is_a_file_or_a_package():
    name = HandlerName.parse("orders/app.handler")
    assert name.sources == ("orders/app.py", "orders/app/__init__.py")
