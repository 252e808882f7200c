"""Code and places of modules that are kept between cold starts."""

import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import shutil
import sys
import traceback

import pytest

from pytest_lambda_lifecycle import InitError
from pytest_lambda_lifecycle.isolation.modules import kept_code
from pytest_lambda_lifecycle.isolation.stage import stage

HANDLER = """
    import shop.items
    def handler(event, context): return [shop.items.f(), id(shop.items.f.__code__)]
"""


@pytest.fixture(autouse=True)
def nothing_kept(request, monkeypatch):
    """Files of these tests are new, and count as old ones unless the test says otherwise."""
    kept_code._CODE.clear()
    kept_code._PLACES.clear()
    if "new_files" not in request.fixturenames:
        monkeypatch.setattr(kept_code, "is_settled", lambda state: True)
    yield
    kept_code._CODE.clear()
    kept_code._PLACES.clear()


@pytest.fixture
def new_files():
    """Files that have just changed are told from old ones."""


@pytest.fixture
def shop(write, environment):
    write("shop/__init__.py", "")
    write("shop/items.py", "def f(): return 1")
    return lambda: environment(HANDLER)


def replace(write, name, source):
    """Replace a file by another one, as editors do."""
    path = write(f"{name}.new", source)
    os.replace(path, path.with_suffix(""))


def test_later_cold_starts_execute_the_same_code(shop):
    env = shop()
    first = env.invoke().payload
    env.reset()
    assert env.invoke().payload == first


@pytest.mark.parametrize("bytecode", [True, False])
def test_a_source_that_was_edited_is_imported_anew(shop, write, monkeypatch, bytecode):
    monkeypatch.setattr(sys, "dont_write_bytecode", not bytecode)
    env = shop()
    for value in (1, 22, 3):  # Python itself sees sizes and whole seconds where it has bytecode
        replace(write, "shop/items.py", f"def f(): return {value}")
        env.reset()
        assert env.invoke().payload[0] == value


def test_edits_of_one_moment_are_seen(shop, write, monkeypatch, new_files):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    env = shop()
    for value in range(9):
        write("shop/items.py", f"def f(): return {value}")
        env.reset()
        assert env.invoke().payload[0] == value


def test_a_file_in_front_of_a_kept_place_is_found(shop, write, tmp_path):
    env = shop()
    env.invoke()
    write("shop/items/__init__.py", "def f(): return 'package'")
    env.reset()
    assert env.invoke().payload[0] == "package"
    shutil.rmtree(tmp_path / "task/shop/items")
    (tmp_path / "task/shop/items.py").unlink()
    env.reset()
    with pytest.raises(InitError, match="items"):
        env.invoke()


def test_specs_and_loaders_are_those_of_python(shop):
    env = shop()
    for _ in range(2):
        env.invoke()
        for name in ("shop", "shop.items"):
            module = sys.modules[name]
            path = None if name == "shop" else sys.modules["shop"].__path__
            plain = importlib.machinery.PathFinder.find_spec(name, path)
            spec = module.__spec__
            assert (type(spec), spec) == (type(plain), plain)
            assert (spec.cached, spec.has_location) == (plain.cached, plain.has_location)
            assert vars(module.__loader__) == vars(plain.loader)
            assert (module.__file__, module.__cached__) == (plain.origin, plain.cached)
            assert type(module.__loader__) is importlib.machinery.SourceFileLoader
        assert inspect.getsource(sys.modules["shop.items"].f).strip() == "def f(): return 1"
        env.reset()


def test_a_reload_executes_what_the_file_has_then(write, environment):
    write("items.py", "value = 1")
    env = environment("""
        import importlib, items
        def handler(event, context):
            items.value = 0
            return importlib.reload(items).value
    """)
    assert [env.invoke().payload for _ in range(2)] == [1, 1]
    replace(write, "items.py", "value = 22")
    assert env.invoke().payload == 22


def test_a_spec_that_function_code_asks_for(write, environment):
    write("items.py", "value = 1")
    env = environment("""
        import importlib.util
        def handler(event, context):
            spec = importlib.util.find_spec("items")
            module = importlib.util.module_from_spec(spec)
            codes = [spec.loader.get_code("items") for _ in range(2)]
            spec.loader.exec_module(module)
            return [module.value, *map(type, codes)].__repr__()
    """)
    for _ in range(2):
        assert env.invoke().payload == "[1, <class 'code'>, <class 'code'>]"
        env.reset()


@pytest.mark.parametrize("source", ["def f(:", "x = '\0'", "import gone", "1 / 0", "x = '\xff'"])
def test_errors_of_imports_have_the_traceback_of_python(
    write, environment, tmp_path, monkeypatch, source
):
    path = write("broken.py", "")
    path.write_bytes(source.encode("latin-1"))
    asks = "try:\n    import broken\nexcept Exception:\n    text = traceback.format_exc()"
    monkeypatch.syspath_prepend(tmp_path / "task")
    namespace = {"traceback": traceback}
    exec(compile(asks, "asks", "exec"), namespace)
    env = environment(f"""
        import traceback
        def handler(event, context):
            namespace = {{"traceback": traceback}}
            exec(compile({asks!r}, "asks", "exec"), namespace)
            return namespace["text"]
    """)
    for _ in range(2):
        assert env.invoke().payload == namespace["text"]
        env.reset()


@pytest.mark.parametrize("method", ["get_code", "exec_module", "source_to_code", "get_data"])
def test_a_patched_loader_is_asked_each_time(shop, monkeypatch, method):
    loader, asked = importlib.machinery.SourceFileLoader, []
    original = getattr(loader, method)

    def patched(self, *args, **kwargs):
        asked.append(self.name)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    env = shop()
    env.invoke()
    monkeypatch.setattr(loader, method, patched)
    for _ in range(2):
        asked.clear()
        env.reset()
        env.invoke()
        assert {"shop", "shop.items"} <= set(asked)


def test_loaders_of_others_execute_their_own_code(shop, monkeypatch):
    class Loader(importlib.machinery.SourceFileLoader):
        def source_to_code(self, data, path, **options):
            return super().source_to_code(data.replace(b"1", b"2"), path, **options)

    class Finder:
        @staticmethod
        def find_spec(name, path, target=None):
            spec = importlib.machinery.PathFinder.find_spec(name, path)
            if name == "shop.items":
                spec.loader = Loader(name, spec.origin)
            return spec

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    env = shop()
    assert env.invoke().payload[0] == 1
    stage.leave()
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    for _ in range(2):
        env.reset()
        assert env.invoke().payload[0] == 2


@pytest.mark.skipif(
    not any(type(one).__name__ == "AssertionRewritingHook" for one in sys.meta_path),
    reason="pytest does not rewrite assertions",
)
def test_a_module_whose_assertions_are_to_be_rewritten_from_now_on(write, environment):
    write("rewritten_later.py", "value = 1")
    env = environment("""
        import rewritten_later
        def handler(event, context): return type(rewritten_later.__loader__).__name__
    """)
    loaders = [env.invoke().payload]
    for _ in range(3):
        env.reset()
        loaders.append(env.invoke().payload)
        if len(loaders) == 2:
            stage.leave()
            pytest.register_assert_rewrite("rewritten_later")
    assert loaders == ["SourceFileLoader"] * 2 + ["AssertionRewritingHook"] * 2


def test_lines_that_a_tracer_sees_are_the_same_each_time(shop):
    def lines_of(env):
        lines = []

        def trace(frame, event, argument):
            if event == "line" and frame.f_code.co_filename.endswith(("items.py", "app.py")):
                lines.append((frame.f_code.co_filename, frame.f_lineno))
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            env.invoke()
        finally:
            sys.settrace(before)
        env.reset()
        return lines

    env = shop()
    first = lines_of(env)
    assert first
    assert lines_of(env) == lines_of(env) == first


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="sys.monitoring came with Python 3.12")
@pytest.mark.parametrize("frees", [True, False])
def test_events_that_function_code_sets_on_its_code_end_with_it(write, environment, frees):
    write("items.py", "def f():\n    return 1")
    env = environment(f"""
        import sys, items
        def handler(event, context):
            if not event:
                sys.monitoring.use_tool_id(3, "first")
                before = sys.monitoring.get_local_events(3, items.f.__code__)
                sys.monitoring.register_callback(3, sys.monitoring.events.LINE, lambda *_: None)
                sys.monitoring.set_local_events(3, items.f.__code__, sys.monitoring.events.LINE)
                items.f()
                if {frees}:
                    sys.monitoring.free_tool_id(3)
                return before
    """)
    for _ in range(3):
        assert env.invoke({}).payload == 0
        env.reset()


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="sys.monitoring came with Python 3.12")
def test_a_monitoring_tool_of_the_test_run_sees_code_of_each_cold_start(shop):
    monitoring, seen = sys.monitoring, []

    def start(code, offset):
        if code.co_filename.endswith("items.py"):
            seen.append(code.co_name)
        return monitoring.DISABLE

    env = shop()
    env.invoke()
    stage.leave()
    monitoring.use_tool_id(4, "a tool like coverage")
    try:
        monitoring.register_callback(4, monitoring.events.PY_START, start)
        monitoring.set_events(4, monitoring.events.PY_START)
        for _ in range(2):
            seen.clear()
            env.reset()
            env.invoke()
            assert seen == ["<module>", "f"]
    finally:
        monitoring.set_events(4, 0)
        monitoring.register_callback(4, monitoring.events.PY_START, None)
        monitoring.free_tool_id(4)


@pytest.mark.parametrize("add", ["append", "insert"])
def test_the_import_system_asks_finders_of_function_code_once(shop, environment, add):
    shop()
    env = environment(f"""
        import sys
        found = []
        class Finder:
            @staticmethod
            def find_spec(name, path, target=None):
                found.append([name, sys._getframe(1).f_code.co_name])
        def handler(event, context):
            sys.meta_path.append(Finder) if {add!r} == "append" else sys.meta_path.insert(1, Finder)
            try: import shop.missing
            except ImportError: return found
    """)
    asked = env.invoke().payload
    assert asked[-1] == ["shop.missing", "_find_spec"]
    assert len(asked) == (1 if add == "append" else 2)


def test_the_number_of_kept_modules_has_a_limit(shop, monkeypatch):
    monkeypatch.setattr(kept_code, "_MOST", 2)
    env = shop()
    for _ in range(2):
        assert env.invoke().payload[0] == 1
        env.reset()
    assert len(kept_code._CODE) == 2 >= len(kept_code._PLACES)
