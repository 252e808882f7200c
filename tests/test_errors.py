"""Errors of misuse: each has a code, and ``docs/errors.md`` explains it with a real message."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
import traceback
from pathlib import Path
from typing import Any

import pytest

import pytest_lambda_lifecycle
from pytest_lambda_lifecycle.errors import CODES, ConfigError, InvalidTransition, LifecycleError

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pytest_lambda_lifecycle"
PAGE = ROOT / "docs" / "errors.md"
ERRORS = {"ConfigError", "InvalidTransition", "LifecycleError"}
PROJECT = "/home/me/orders"
"""Stands in the page for the folder of the project."""

SHOP = {
    "shop/__init__.py": "",
    "shop/tables.py": "def find(key):\n    return key\n",
    "shop/database.py": 'URL = "postgres://orders"\n\n\ndef connect():\n    return object()\n',
    "shop/app.py": """
import socket

from shop import tables
from shop.database import connect

table = connect()


def handler(event, context):
    while event.get("spin"):
        pass
    if "host" in event:
        socket.gethostbyname(event["host"])
    return tables.find(event.get("id"))
""",
    "tests/sealed.py": """
class Sealing(type):
    sealed = False

    def seal(cls):
        type.__setattr__(cls, "sealed", True)

    def __setattr__(cls, name, value):
        if cls.sealed:
            raise AttributeError("the settings are sealed")
        super().__setattr__(name, value)


class Settings(metaclass=Sealing):
    url = "postgres://orders"
""",
    "tests/test_orders.py": Path(__file__).with_name("misuse.py").read_text(encoding="utf-8"),
    "tests/test_config.py": """
import pytest


@pytest.fixture(scope="session")
def lambda_lifecycle_config():
    return ["timeout", 10]


def test_LLC210(lambda_lifecycle):
    lambda_lifecycle("shop.app.handler")
""",
    "conftest.py": """
import json

errors = {}


def pytest_exception_interact(node, call):
    name = node.name.rpartition("test_")[2]
    error = call.excinfo.value
    errors.setdefault(name, f"{type(error).__name__}: {error}")


def pytest_sessionfinish():
    with open("errors.json", "w") as file:
        json.dump(errors, file)
""",
    "pytest.ini": "[pytest]\npythonpath = .\nlambda_lifecycle_watchdog = 1\n",
}


def by_pickle(error: Exception) -> Any:
    return pickle.loads(pickle.dumps(error))


def _entries() -> dict[str, tuple[str, str]]:
    """Return the heading and the text of each entry of the page, by code."""
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^#{2,3} ", text, flags=re.MULTILINE)
    entries = [re.fullmatch(r"(LLC\d+): (.+?)\n(.*)", part, flags=re.DOTALL) for part in parts]
    return {entry[1]: (entry[2], entry[3]) for entry in entries if entry}


def _plain(message: str) -> str:
    """Return a message without line numbers and ids, which differ from run to run."""
    message = re.sub(r"\.py:\d+", ".py:N", message)
    message = re.sub(r"\[Errno \d+\]", "[Errno N]", message)
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", message)


def _calls() -> list[tuple[str, ast.Call]]:
    """Return each call in the package that makes an error of misuse, with its place."""
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS
    ]


def test_each_code_has_its_entry_in_the_docs() -> None:
    headings = {code: heading for code, (heading, _) in _entries().items()}
    assert headings == {code: meaning.rstrip(".") for code, meaning in CODES.items()}
    assert list(headings) == list(CODES) == sorted(CODES)


def test_each_entry_has_a_usual_cause_and_a_remedy() -> None:
    for code, (_, text) in _entries().items():
        found = re.findall(r"^```text$|^\*Usual cause:\*|^\*What to do:\*", text, re.MULTILINE)
        assert found == ["```text", "*Usual cause:*", "*What to do:*"], code


def test_each_error_of_misuse_has_a_code_of_the_table() -> None:
    for place, call in _calls():
        codes = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
        assert codes, f"{place} gives no code"
        texts = [node.value for node in ast.walk(codes[0]) if isinstance(node, ast.Constant)]
        named = [text for text in texts if isinstance(text, str) and text.startswith("LLC")]
        assert set(named) <= set(CODES), place


def test_each_code_of_the_table_is_used() -> None:
    used = {
        code
        for path in PACKAGE.rglob("*.py")
        if path.name != "errors.py"
        for code in re.findall(r'"(LLC\d+)"', path.read_text(encoding="utf-8"))
    }
    assert used == set(CODES)


def test_the_messages_in_the_docs_are_those_of_the_library(pytester: pytest.Pytester) -> None:
    for name, text in SHOP.items():
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    pytester.runpytest_subprocess("-q", "--no-summary", "--show-capture=no", "--tb=no")
    raised = json.loads((pytester.path / "errors.json").read_text())
    assert set(CODES) - set(raised) <= {"LLC405"}, "time-machine need not be installed"
    for code, message in raised.items():
        message = message.replace(str(pytester.path), PROJECT)
        assert message.endswith(f" [{code}]"), message
        shown = _entries()[code][1].partition("```text\n")[2].partition("\n```")[0]
        assert _plain(shown) == _plain(message), f"put into docs/errors.md:\n{message}"


def test_the_text_has_all_lines_and_ends_with_the_code() -> None:
    error = LifecycleError("cannot do this.", "The state is that.", code="LLC101")
    assert str(error) == "cannot do this.\nThe state is that. [LLC101]"
    assert error.code == "LLC101"
    assert str(LifecycleError("cannot do this")) == "cannot do this"


def test_a_subclass_with_a_constructor_of_its_own_has_a_text() -> None:
    class OfTheSuite(LifecycleError):
        def __init__(self, attempt: int) -> None:
            self.attempt = attempt

    assert str(OfTheSuite(2)) == "2"


def test_an_error_keeps_its_lines_and_code_through_pickle() -> None:
    made = by_pickle(ConfigError("one", "two", code="LLC202"))
    assert type(made) is ConfigError
    assert (made.args, made.code) == (("one", "two"), "LLC202")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, by_pickle])
def test_copies_of_an_error_keep_notes_and_attributes(duplicate: Any) -> None:
    error = InvalidTransition("cannot invoke", code="LLC101")
    error.__notes__ = ["seen in the nightly run"]  # `add_note` is of Python 3.11
    error.attempt = 2
    made = duplicate(error)
    assert (made.args, made.code) == (("cannot invoke",), "LLC101")
    assert (made.__notes__, made.attempt) == (["seen in the nightly run"], 2)


@pytest.mark.parametrize(
    "name",
    [
        "ExtensionError",
        "FunctionError",
        "FunctionTimeout",
        "InitError",
        "PayloadTooLarge",
        "RuntimeExit",
    ],
)
def test_reports_name_a_failure_of_the_function_as_tests_import_it(name: str) -> None:
    error = getattr(pytest_lambda_lifecycle, name)("ValueError", "no id")
    shown = traceback.format_exception_only(error)[0]
    assert shown.startswith(f"pytest_lambda_lifecycle.{name}: ValueError: no id")
    assert type(by_pickle(error)) is type(error)
    assert by_pickle(error).error_type == "ValueError"
