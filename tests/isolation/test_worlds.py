"""Which modules an environment imports afresh, and that the outside gets the very same objects
back.
"""

import importlib
import re
import sys
from unittest import mock

import pytest

from pytest_lambda_lifecycle import InitError, LifecycleError, LifecycleWarning


def test_the_outside_keeps_its_own_copies(environment, write, outside):
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


def test_nothing_stays_that_was_not_there(environment, write):
    write("pkg/__init__.py", "")
    write("pkg/mod.py", "def handler(event, context): import pkg.late; return pkg.late.X")
    write("pkg/late.py", "X = 1")
    env = environment(handler="pkg/mod.handler")
    assert env.invoke().payload == 1
    env.close()
    assert not [name for name in sys.modules if name.partition(".")[0] == "pkg"]


def test_a_submodule_imported_in_a_later_invoke_is_this_environments(environment, write):
    write("late.py", "X = []")
    env = environment(
        "def handler(event, context):\n if event: import late; late.X.append(1); return late.X"
    )
    env.invoke(0)
    assert env.invoke(1).payload == [1]
    assert env.invoke(1).payload == [1, 1]
    assert env.import_module("late").X == [1, 1]


def test_relative_circular_and_namespace_imports(environment, write):
    write("ns/a.py", "from . import b\nA = 1\ndef handler(event, context): return [A, b.get()]")
    write("ns/b.py", "import ns.a\ndef get(): return ns.a.A + 1")
    env = environment(handler="ns.a.handler")
    assert env.invoke().payload == [1, 2]


def test_a_namespace_package_that_stays_hands_out_no_old_modules(
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
    from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig

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


def test_a_helper_of_the_tests_with_the_same_name_does_not_stand_in(
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


def test_patched_before_the_environment_existed(environment, outside):
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
            match=r"app\.TABLE was patched before this environment.*env\.patch\('app",
        ),
    ):
        env.invoke()
    assert env.invoke().payload == "real"


def test_a_failure_of_the_search_for_patches_is_not_the_functions(environment, outside):
    env = environment("def handler(event, context): ...", tampered=lambda module: 1 / 0)
    outside("app")
    with pytest.raises(
        LifecycleError, match="whether a test has patched app .*ZeroDivisionError.* no fault of the"
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


def test_fresh_packages_are_imported_again(environment, write, tmp_path, monkeypatch):
    folder = tmp_path / "lib" / "site-packages" / "stateful"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("STATE = []")
    monkeypatch.syspath_prepend(str(folder.parent))
    source = "import stateful\ndef handler(event, context): stateful.STATE.append(1); return len(stateful.STATE)"
    shared = environment(source)
    assert [shared.invoke().payload, shared.invoke().payload] == [1, 2]
    shared.close()
    outside = sys.modules["stateful"]
    fresh = environment(fresh_packages=["stateful"])
    assert fresh.invoke().payload == 1
    fresh.close()
    assert sys.modules.pop("stateful") is outside


@pytest.mark.parametrize("name", ["stateful_nope", "json.nope"])
def test_an_unknown_fresh_package_is_a_warning_that_names_the_source(environment, name):
    with pytest.warns(LifecycleWarning, match=f"fresh_packages has '{name}'.*FunctionConfig"):
        environment(
            "def handler(event, context): ...", fresh_packages=[name, "json", "json.decoder"]
        )


def test_layers_are_importable_and_fresh_and_the_task_root_comes_first(
    environment, write, tmp_path
):
    minor = f"python3.{sys.version_info.minor}"
    write("../layer1/python/layered.py", "WHO = 'layer 1'")
    write("../layer2/python/layered.py", "WHO = 'layer 2'")
    write(f"../layer1/python/lib/{minor}/site-packages/deep.py", "WHO = 'deep'")
    write("../layer1/python/both.py", "WHO = 'layer'")
    write("both.py", "WHO = 'task root'")
    env = environment(
        "import layered, deep, both\ndef handler(event, context): return [layered.WHO, deep.WHO, both.WHO]",
        layers=[tmp_path / "layer1", tmp_path / "layer2"],
    )
    assert env.invoke().payload == ["layer 2", "deep", "task root"]
    env.close()
    assert not {"layered", "deep", "both"} & set(sys.modules)


def test_a_compiled_package_is_imported_once_and_the_timeline_says_so(environment, write, tmp_path):
    import shutil
    import sysconfig
    from pathlib import Path

    # A compiled module of the standard library, copied under another package, stands for a vendored
    # numpy.
    folder = Path(str(sysconfig.get_config_var("DESTSHARED")))
    compiled = next(
        file for name in ("_statistics", "_csv", "_json") for file in folder.glob(f"{name}.*.so")
    )
    write("vendored/__init__.py", f"from vendored import {compiled.name.partition('.')[0]}")
    shutil.copy(compiled, tmp_path / "task" / "vendored" / compiled.name)
    source = "import vendored\nX = 1\ndef handler(event, context): return id(vendored)"
    first = environment(source)
    identity = first.invoke().payload
    first.close()
    assert [event.module for event in first.timeline.of(shared_module())] == ["vendored"]
    second = environment()
    assert second.invoke().payload == identity
    second.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "vendored"]:
        del sys.modules[name]


def shared_module():
    from pytest_lambda_lifecycle.lifecycle.events import SharedModule

    return SharedModule


def test_what_a_function_replaces_in_sys_modules_is_put_back(environment):
    import json

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


def test_sys_path_of_the_function(environment, tmp_path):
    before, entries = sys.path, list(sys.path)
    env = environment("""
        import sys
        sys.path.append("/added")
        def handler(event, context): return [sys.path[0], "/added" in sys.path]
    """)
    assert env.invoke().payload == [str(tmp_path / "task"), True]
    env.close()
    assert sys.path is before
    assert sys.path == entries


def test_a_half_finished_import_leaves_nothing(environment, write):
    write("half.py", "import quarter\nraise RuntimeError('half-way')")
    write("quarter.py", "")
    env = environment("import half")
    with pytest.raises(InitError, match="half-way"):
        env.initialize()
    assert not {"app", "half", "quarter"} & set(sys.modules)


@pytest.mark.parametrize(
    ("source", "handler", "error_type"),
    [
        ("def broken(:", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("import nope_nope", "app.handler", "Runtime.ImportModuleError"),
        ("", "app.handler", "Runtime.HandlerNotFound"),
        ("", "nope.handler", "Runtime.ImportModuleError"),
        ("", "handler", "Runtime.MalformedHandlerName"),
        ("", "sys.exit", "Runtime.BuiltInModuleConflict"),
    ],
)
def test_a_handler_that_cannot_be_loaded(environment, source, handler, error_type):
    env = environment(source, handler=handler)
    with pytest.raises(InitError) as caught:
        env.invoke()
    assert caught.value.error_type == error_type


@pytest.mark.parametrize(
    ("file", "handler", "neighbour", "remedy"),
    [
        (
            "src/app.py",
            "src/app.handler",
            "src/shop.py",
            r"from src import shop.*with the handler 'app\.handler'",
        ),
        (
            "a/b/app.py",
            "a.b.app.handler",
            "a/b/shop/x.py",
            r"from a\.b import shop.*with the handler 'app\.handler'",
        ),
        ("pkg/__init__.py", "pkg.handler", "pkg/shop.py", "from pkg import shop"),
    ],
)
def test_a_module_beside_the_handlers_file_is_hinted_at(
    environment, write, file, handler, neighbour, remedy
):
    write(file, "import shop\ndef handler(event, context): ...")
    write(neighbour, "")
    env = environment(handler=handler)
    with pytest.raises(InitError) as caught:
        env.invoke()
    told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert re.search(f"shop lies beside the handler's file, in .*{remedy}", told)
    assert "beside" not in str(env.invocations[0].error) + caught.value.error_message + env.log
    with pytest.raises(InitError, match="No module named") as caught:
        environment(handler=handler).initialize()
    assert "beside" in "".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


@pytest.mark.parametrize(
    ("file", "handler"), [("queue.py", "queue.handler"), ("email/shop.py", "email/shop.handler")]
)
def test_a_handler_whose_module_is_hidden_by_a_loaded_library_is_hinted_at(
    environment, write, file, handler
):
    library = importlib.import_module(handler.partition(".")[0].partition("/")[0])
    write(file, "def handler(event, context): ...")
    env = environment(handler=handler)
    with pytest.raises(InitError) as caught:
        env.invoke()
    told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert f"{library.__name__} is {library.__file__} here: the test process has loaded it" in told
    assert told.endswith("is not imported; give it another name")
    assert "loaded it" not in str(env.invocations[0].error) + caught.value.error_message + env.log


def test_a_handler_that_its_own_module_does_not_have_is_no_matter_of_names(environment, write):
    write("app/__init__.py", "def other(event, context): ...")
    write("shop.py", "")
    for handler in ("app.handler", "shop.handler"):
        with pytest.raises(InitError, match="Handler 'handler' missing on module") as caught:
            environment(handler=handler).invoke()
        assert not getattr(caught.value, "__notes__", ())
        assert str(caught.value).endswith("missing on module '" + handler.partition(".")[0] + "'")


@pytest.mark.parametrize("handler", ["app.handler", "src/app.handler"])
def test_a_module_that_lies_nowhere_is_not_hinted_at(environment, write, handler):
    write("app.py", "import shop_nope\ndef handler(event, context): ...")
    write("src/app.py", "import shop_nope\ndef handler(event, context): ...")
    with pytest.raises(InitError) as caught:
        environment(handler=handler).invoke()
    assert not getattr(caught.value, "__notes__", ())
    assert str(caught.value).endswith("No module named 'shop_nope'")


@pytest.mark.parametrize(
    ("definition", "message"), [("handler = 3", "not callable"), ("def handler(): ...", "takes 0")]
)
def test_a_handler_that_cannot_be_called(environment, definition, message):
    from pytest_lambda_lifecycle import FunctionError

    env = environment(definition)
    with pytest.raises(FunctionError, match=message):
        env.invoke()
    assert env.init_count == 1


def test_a_module_that_function_code_makes_by_hand_does_not_stay(environment):
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


def test_a_stub_that_a_test_puts_in_sys_modules_is_what_function_code_imports(
    environment, write, monkeypatch
):
    import types

    write("heavy.py", "raise RuntimeError('the real one')")
    monkeypatch.setitem(sys.modules, "heavy", types.SimpleNamespace(load=lambda: "stub"))
    env = environment("import heavy\ndef handler(event, context): return heavy.load()")
    assert env.invoke().payload == "stub"
