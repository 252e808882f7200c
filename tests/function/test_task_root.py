"""The search for the directory of a function's code."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.function.task_root import find_task_root, working_directory_candidates


@pytest.fixture
def places(tmp_path):
    """Two candidate directories."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    return [(tmp_path / "one", "first place"), (tmp_path / "two", "second place")]


def touch(directory, *names):
    for name in names:
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


@pytest.mark.parametrize(
    ("handler", "file"),
    [
        ("app.handler", "app.py"),
        ("app.handler", "app/__init__.py"),
        ("pkg.app.handler", "pkg/app.py"),
        ("pkg/app.handler", "pkg/app.py"),
        ("pkg/sub.app.handler", "pkg/sub/app/__init__.py"),
        ("app.handler", "app.abi3.so"),
        ("my-app.handler", "my-app.py"),
    ],
)
def test_the_first_directory_that_holds_the_module(places, handler, file):
    (_, _), (two, _) = places
    touch(two, file)
    assert find_task_root(handler, None, places, source="the call") == two
    touch(places[0][0], file)
    assert find_task_root(handler, None, places, source="the call") == places[0][0]


def test_a_namespace_package_counts_only_where_no_module_is_found(places):
    (one, _), (two, _) = places
    (one / "app").mkdir()
    assert find_task_root("app.handler", None, places, source="the call") == one
    touch(two, "app.py")
    assert find_task_root("app.handler", None, places, source="the call") == two


def test_a_package_without_the_module_does_not_count(places):
    touch(places[0][0], "pkg/__init__.py")
    with pytest.raises(ConfigError, match=r"pkg/app\.py and pkg/app/__init__\.py"):
        find_task_root("pkg.app.handler", None, places, source="the call")


def test_code_dir_wins_without_a_search(places, tmp_path):
    touch(places[0][0], "app.py")
    assert find_task_root("app.handler", tmp_path, places, source="the call") == tmp_path
    assert find_task_root("nowhere.handler", tmp_path, places, source="the call") == tmp_path


@pytest.mark.parametrize(
    "handler",
    ["", "handler", ".", ".x", "a..b", "/app.x", "./app.x", "../app.x", "sys.x", "sys.path.x"],
)
def test_handlers_that_the_runtime_refuses_are_not_searched_for(places, handler):
    assert find_task_root(handler, None, places, source="the call") == places[0][0]


def test_a_handler_of_a_layer_needs_no_directory(places, tmp_path):
    touch(tmp_path / "layer" / "python", "wrapper/handler.py")
    assert (
        find_task_root("wrapper.handler.run", None, places, [tmp_path / "layer"], source="the call")
        == places[0][0]
    )


def test_a_name_that_is_too_long_for_a_file_is_not_found(places):
    with pytest.raises(ConfigError, match="no task root for the handler 'xxx"):
        find_task_root(f"{'x' * 5000}.handler", None, places, source="the call")


def test_the_error_lists_the_places_with_their_reasons(places, tmp_path):
    places.append((tmp_path / "three", "third place"))
    with pytest.raises(ConfigError) as caught:
        find_task_root("orders/app.handler", None, places, source="the call")
    message = str(caught.value)
    assert (
        "no task root for the handler 'orders/app.handler' (from the call): looked for" in message
    )
    assert "orders/app.py and orders/app/__init__.py" in message
    assert f"{tmp_path / 'one'}  (first place)" in message
    assert f"{tmp_path / 'three'}  (third place; it does not exist)" in message
    assert "code_dir=" in message
    assert "lambda_lifecycle_code_dir" in message


def test_outside_of_pytest_the_working_directory_is_searched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "src/app.py")
    assert (
        find_task_root("app.handler", None, working_directory_candidates(), source="the call")
        == tmp_path / "src"
    )
