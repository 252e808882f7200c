"""Modules that an environment imports afresh; afterwards the test has its own modules again."""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    FunctionConfig,
    InitError,
    LifecycleError,
)

pytestmark = pytest.mark.usefixtures("compared_by")


def test_the_test_keeps_its_own_copies(environment, write, outside):
    write("orders/__init__.py", "")
    write("orders/db.py", "CONNECTION = object()")
    write(
        "orders/app.py",
        "from orders import db\ndef handler(event, context): return id(db.CONNECTION)",
    )
    package, db, app = outside("orders", "orders.db", "orders.app")
    env = environment(handler="orders.app.handler")
    assert (
        env.invoke().payload == id(env.import_module("orders.db").CONNECTION) != id(db.CONNECTION)
    )
    assert sys.modules["orders.db"] is env.import_module("orders.db") is not db
    env.close()
    assert (sys.modules["orders"], sys.modules["orders.db"], sys.modules["orders.app"]) == (
        package,
        db,
        app,
    )
    assert package.db is db
    assert app.db is db


def test_no_module_of_the_function_stays(environment, write):
    write("pkg/__init__.py", "")
    write("pkg/mod.py", "def handler(event, context): import pkg.late; return pkg.late.X")
    write("pkg/late.py", "X = 1")
    env = environment(handler="pkg/mod.handler")
    assert env.invoke().payload == 1
    env.close()
    assert not [name for name in sys.modules if name.partition(".")[0] == "pkg"]


def test_a_module_imported_in_a_later_invoke_belongs_to_the_environment(environment, write):
    write("late.py", "X = []")
    env = environment(
        "def handler(event, context):\n if event: import late; late.X.append(1); return late.X"
    )
    env.invoke(0)
    assert env.invoke(1).payload == [1]
    assert env.invoke(1).payload == [1, 1]
    assert env.import_module("late").X == [1, 1]


@pytest.mark.parametrize("when", ["before", "between", "renamed"])
def test_modules_of_the_test_under_names_of_the_function(environment, write, monkeypatch, when):
    """They are found also where an environment of the same function has seen others before."""
    write("helper.py", "WHOSE = 'function'")
    source = "import helper\ndef handler(event, context): return helper.WHOSE"
    tests_own = ModuleType("helper")
    tests_own.__file__ = str(Path(__file__).with_name("helper.py"))
    if when == "before":
        monkeypatch.setitem(sys.modules, "helper", tests_own)
    for number in range(4):
        if number == 2 and when == "between":
            monkeypatch.setitem(sys.modules, "helper", tests_own)
        if number == 1 and when == "renamed":
            monkeypatch.setitem(sys.modules, "helper_of_test", tests_own)
        if number == 3 and when == "renamed":
            monkeypatch.delitem(sys.modules, "helper_of_test")
            monkeypatch.setitem(sys.modules, "helper", tests_own)
        env = environment(source if number == 0 else None)
        assert env.invoke().payload == "function"
        env.close()
        assert (sys.modules.get("helper") is tests_own) == (
            when == "before" or number >= {"between": 2, "renamed": 3}.get(when, 0)
        )


def test_a_file_that_makes_a_module_of_the_test_a_namesake(environment, write, monkeypatch):
    tests_own = ModuleType("helper")
    tests_own.__file__ = str(Path(__file__).with_name("helper.py"))
    monkeypatch.setitem(sys.modules, "helper", tests_own)
    source = "def handler(event, context):\n    import helper\n    return helper.WHOSE"
    for _ in range(2):
        env = environment(source)
        env.initialize()
        env.close()
    write("helper.py", "WHOSE = 'function'")
    assert environment().invoke().payload == "function"


def test_relative_circular_and_namespace_imports(environment, write):
    write("ns/a.py", "from . import b\nA = 1\ndef handler(event, context): return [A, b.get()]")
    write("ns/b.py", "import ns.a\ndef get(): return ns.a.A + 1")
    env = environment(handler="ns.a.handler")
    assert env.invoke().payload == [1, 2]


def test_a_shared_namespace_package_has_the_modules_of_the_test_again(
    environment, write, outside, tmp_path, monkeypatch
):
    other = tmp_path / "other" / "shared_ns"
    other.mkdir(parents=True)
    (other / "theirs.py").write_text("X = object()")
    monkeypatch.syspath_prepend(str(tmp_path / "other"))
    write("shared_ns/mine.py", "X = object()\ndef handler(event, context): return id(X)")
    mine, theirs, package = outside("shared_ns.mine", "shared_ns.theirs", "shared_ns")
    env = environment(handler="shared_ns.mine.handler")
    inside = env.invoke().payload
    assert inside != id(mine.X)
    env.close()
    assert package.mine is mine
    assert package.theirs is theirs
    assert sys.modules["shared_ns.mine"] is mine


def test_reload_in_function_code(environment, write):
    write("conf.py", "import os; VALUE = os.environ.get('VALUE', 'none')")
    env = environment("""
        import conf, importlib, os
        def handler(event, context):
            os.environ["VALUE"] = event
            importlib.reload(conf)
            return conf.VALUE
    """)
    assert env.invoke("one").payload == "one"
    assert env.invoke("two").payload == "two"


def test_pickles_and_dataclasses_of_function_code(environment):
    env = environment("""
        import copy, dataclasses, pickle
        @dataclasses.dataclass(frozen=True)
        class Order:
            id: int
        def handler(event, context):
            order = Order(event)
            return pickle.loads(pickle.dumps(order)) == copy.deepcopy(order) == Order(event)
    """)
    assert env.invoke(3).payload is True


def test_two_functions_with_modules_of_the_same_names(write, tmp_path):

    for name in ("one", "two"):
        write(f"{name}/utils.py", f"NAME = {name!r}")
        write(
            f"{name}/handler.py",
            "import utils\nCALLS = []\ndef main(e, c): CALLS.append(utils.NAME); return CALLS",
        )
    folders = [tmp_path / "task" / name for name in ("one", "two")]
    one, two = (
        ExecutionEnvironment(FunctionConfig("handler.main", code_dir=folder)) for folder in folders
    )
    with one, two:
        assert one.invoke().payload == ["one"]
        assert two.invoke().payload == ["two"]
        assert one.invoke().payload == ["one", "one"]
        assert two.invoke().payload == ["two", "two"]
        assert (one.init_count, two.init_count) == (1, 1)
        one.close()  # in any order
        assert two.invoke().payload == ["two"] * 3
    assert "handler" not in sys.modules
    assert "utils" not in sys.modules


def test_a_helper_of_the_tests_with_the_same_name_is_not_used(
    environment, write, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "colliding.py").write_text("WHO = 'the tests'")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    theirs = importlib.import_module("colliding")
    write("colliding.py", "WHO = 'the function'")
    env = environment("import colliding\ndef handler(event, context): return colliding.WHO")
    assert env.invoke().payload == "the function"
    env.close()
    assert sys.modules.pop("colliding") is theirs


def test_mock_patch_between_invokes_acts_on_the_environment(environment, monkeypatch):
    env = environment("TABLE = 'real'\ndef handler(event, context): return TABLE")
    assert env.invoke().payload == "real"
    with mock.patch("app.TABLE", "mocked"):
        assert env.invoke().payload == "mocked"
    assert env.invoke().payload == "real"
    monkeypatch.setattr("app.TABLE", "patched")
    assert env.invoke().payload == "patched"


def test_a_patch_before_the_environment_is_an_error(environment, outside):
    env = environment(
        "TABLE = 'real'\ndef handler(event, context): return TABLE",
        tampered=lambda module: [
            name for name, one in vars(module).items() if isinstance(one, mock.NonCallableMock)
        ],
    )
    outside("app")
    with (
        mock.patch("app.TABLE"),
        pytest.raises(
            LifecycleError,
            match=r"(?s)app\.TABLE is patched on the test.*env\.patch\('app",
        ),
    ):
        env.invoke()
    assert env.invoke().payload == "real"


def test_a_failing_search_for_patches_is_not_an_error_of_the_function(environment, outside):
    env = environment("def handler(event, context): ...", tampered=lambda module: 1 / 0)
    outside("app")
    with pytest.raises(
        LifecycleError,
        match="(?s)whether a test has patched app .*ZeroDivisionError.* no fault of function",
    ):
        env.invoke()
    assert env.init_count == 1
    assert env.invocations == []


def test_kept_modules_are_not_imported_afresh(environment, write, outside):
    write("orders/__init__.py", "")
    write("orders/app.py", "def handler(event, context): return 1")
    write("orders/tests/__init__.py", "")
    write("orders/tests/test_app.py", "THING = object()")
    (kept,) = outside("orders.tests.test_app")
    env = environment(
        handler="orders.app.handler", keep=lambda name, *_: name.startswith("orders.tests")
    )
    env.invoke()
    assert sys.modules["orders.tests.test_app"] is kept
    with mock.patch("orders.tests.test_app.THING", 1):
        assert kept.THING == 1


def test_an_in_tree_virtual_environment_is_shared(environment, write, tmp_path, monkeypatch):
    write(".venv/lib/python3/site-packages/thirdparty.py", "X = object()")
    monkeypatch.syspath_prepend(str(tmp_path / "task/.venv/lib/python3/site-packages"))
    env = environment("import thirdparty\ndef handler(event, context): return id(thirdparty.X)")
    env.invoke()
    shared = sys.modules["thirdparty"]
    env.close()
    assert sys.modules.pop("thirdparty") is shared


def test_modules_that_the_function_replaces_are_restored(environment):

    env = environment("""
        import sys, types
        sys.modules["json"] = types.SimpleNamespace(dumps="mine")
        def handler(event, context):
            import json
            return json.dumps
    """)
    assert env.invoke().payload == "mine"
    env.close()
    assert sys.modules["json"] is json


def test_a_failed_import_leaves_nothing(environment, write):
    write("half.py", "import quarter\nraise RuntimeError('half-way')")
    write("quarter.py", "")
    env = environment("import half")
    with pytest.raises(InitError, match="half-way"):
        env.initialize()
    assert not {"app", "half", "quarter"} & set(sys.modules)


def test_a_module_object_made_by_function_code_does_not_stay(environment):
    source = """
        import sys, types
        made = types.ModuleType("app")
        made.handler = lambda event, context: "made by hand"
        sys.modules["app"] = made
    """
    env = environment(source)
    assert env.invoke().payload == "made by hand"
    env.close()
    assert "app" not in sys.modules


def test_function_code_imports_a_stub_of_the_test(environment, write, monkeypatch):
    import types

    write("heavy.py", "raise RuntimeError('the real one')")
    monkeypatch.setitem(sys.modules, "heavy", types.SimpleNamespace(load=lambda: "stub"))
    env = environment("import heavy\ndef handler(event, context): return heavy.load()")
    assert env.invoke().payload == "stub"


def test_a_stub_that_is_undone_while_the_environment_is_entered(environment, monkeypatch):
    import types

    monkeypatch.setitem(sys.modules, "not_installed", types.ModuleType("not_installed"))
    env = environment("import not_installed\ndef handler(event, context): return 1")
    env.invoke()
    monkeypatch.undo()
    env.close()
    assert "not_installed" not in sys.modules


def test_patch_dict_of_sys_modules_does_not_remove_the_function(environment, write):
    write("helper.py", "CALLS = []")
    env = environment(
        "import helper\ndef handler(event, context):\n import helper as h\n return h is helper"
    )
    with mock.patch.dict(sys.modules, {"not_installed": mock.Mock()}):
        assert env.invoke().payload is True
    assert env.invoke().payload is True
    env.close()
    assert not {"app", "helper", "not_installed"} & set(sys.modules)


def test_a_module_that_is_reloaded_moves_to_the_end_of_sys_modules(
    environment, tmp_path, monkeypatch
):
    import importlib

    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "lastlib.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    last = importlib.import_module("lastlib")
    env = environment("def handler(event, context): return 1")
    env.invoke()
    importlib.reload(last)
    env.close()
    del sys.modules["lastlib"]
    assert "app" not in sys.modules
