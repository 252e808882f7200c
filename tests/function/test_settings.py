"""The table of settings, and the places that repeat it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from itertools import pairwise

import pytest

from pytest_lambda_lifecycle.function import setting_types
from pytest_lambda_lifecycle.function.config import FunctionConfig
from pytest_lambda_lifecycle.function.settings import (
    SETTINGS,
    FunctionSettings,
    Settings,
    SettingsLayer,
    validate,
)
from pytest_lambda_lifecycle.plugin.options import OPTIONS


def documented_fields(cls: type) -> dict[str, str]:
    """Return the fields of a class with their docstrings, in order."""
    (body,) = [
        node.body
        for node in ast.walk(ast.parse(inspect.getsource(setting_types)))
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    ]
    return {
        field.target.id: " ".join(docstring.value.value.split())
        for field, docstring in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(docstring, ast.Expr)
        and isinstance(docstring.value, ast.Constant)
    }


def test_the_typed_keywords_repeat_the_table():
    described = {name: setting.description for name, setting in SETTINGS.items()}
    handler = {"handler": described.pop("handler")}
    assert list(documented_fields(FunctionSettings).items()) == list(described.items())
    assert documented_fields(Settings) == handler
    assert set(Settings.__annotations__) == set(SETTINGS)


def test_the_configuration_has_the_fields_of_the_table():
    fields = [field.name for field in dataclasses.fields(FunctionConfig)]
    assert [name for name in fields if not name.startswith("_")] == list(SETTINGS)


def test_the_options_are_the_settings_with_a_metavar():
    assert [option.setting for option in OPTIONS] == [
        name for name, setting in SETTINGS.items() if setting.metavar
    ]


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "handler"])
def test_a_default_is_a_value_that_the_setting_takes(name):
    default = SETTINGS[name].default
    assert validate(name, default, "the table") == default
    assert getattr(FunctionConfig("app.handler"), name) == default


@pytest.mark.parametrize("name", SETTINGS)
def test_none_is_taken_where_it_has_a_meaning(name):
    if SETTINGS[name].kind.none or name == "handler":
        assert validate(name, None, "the call") is None
    else:
        with pytest.raises(ValueError, match=rf"{name}=None .*\(from the call\)"):
            validate(name, None, "the call")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_help_is_one_line_for_the_command_line(name):
    help = SETTINGS[name].help
    assert "\n" not in help
    assert not help.endswith(".")
    assert "%" not in help  # argparse would replace it


def test_an_error_has_one_line_for_each_kind_of_fact():
    layer = SettingsLayer("the call at a.py:1", {"handler": "a.b", "log_format": "json"})
    with pytest.raises(ValueError) as caught:
        FunctionConfig._resolve(layer)
    assert str(caught.value).splitlines() == [
        "log_format='json' is not one of 'Text', 'JSON' (from the call at a.py:1)",
        "Hint: did you mean 'JSON'? [LLC202]",
    ]
