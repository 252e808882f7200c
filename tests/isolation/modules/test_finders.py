"""Finders and path hooks of the import system."""

import sys
import textwrap

import pytest

from pytest_lambda_lifecycle import InitError
from pytest_lambda_lifecycle.isolation.stage import stage

FINDERS = """
    import importlib.machinery, sys, types
    class Finder:
        @staticmethod
        def find_spec(name, path, target=None):
            if name == "made_up": return importlib.machinery.ModuleSpec(name, Finder)
        @staticmethod
        def create_module(spec): return types.ModuleType(spec.name)
        @staticmethod
        def exec_module(module): module.value = 1
    first, last = Finder(), Finder()
    sys.meta_path.insert(0, first)
    sys.meta_path.append(last)
    sys.path_hooks.insert(0, importlib.machinery.FileFinder.path_hook((Finder, [".never"])))
    sys.path_hooks.append(lambda path: (_ for _ in ()).throw(ImportError))
    def handler(event, context):
        import made_up
        here = [sys.meta_path.index(first) < 2, sys.meta_path[-1] is last, len(sys.path_hooks)]
        return [made_up.value, *here]
"""


def test_finders_of_function_code_are_removed(environment):
    finders, hooks = list(sys.meta_path), list(sys.path_hooks)
    lists = sys.meta_path, sys.path_hooks
    env = environment(FINDERS)
    for _ in range(2):
        assert env.invoke().payload == [1, True, True, len(hooks) + 2]
        stage.leave()
        assert (sys.meta_path, sys.path_hooks) == (finders, hooks)
        assert (sys.meta_path is lists[0], sys.path_hooks is lists[1]) == (True, True)
    env.reset()
    env.invoke()
    assert len(sys.path_hooks) == len(hooks) + 2
    env.close()
    assert (sys.meta_path, sys.path_hooks) == (finders, hooks)


def test_a_list_that_function_code_replaces(environment):
    finders = sys.meta_path
    before = list(finders)
    env = environment("""
        import sys
        class Finder: find_spec = staticmethod(lambda *_: None)
        sys.meta_path = [*sys.meta_path, Finder]
        def handler(event, context): return sys.meta_path[-1] is Finder
    """)
    assert env.invoke().payload
    stage.leave()
    assert sys.meta_path is finders
    assert finders == before
    assert env.invoke().payload


def test_finders_of_a_failed_init_are_removed(environment):
    before = list(sys.meta_path), list(sys.path_hooks)
    env = environment(textwrap.dedent(FINDERS).partition("def handler")[0] + "1 / 0")
    for _ in range(2):
        with pytest.raises(InitError):
            env.invoke()
        stage.leave()
        assert (sys.meta_path, sys.path_hooks) == before


def test_finders_that_function_code_removes_are_restored(environment):
    before = list(sys.meta_path), list(sys.path_hooks), dict(sys.path_importer_cache)
    objects = sys.meta_path, sys.path_hooks, sys.path_importer_cache
    env = environment("""
        import importlib.machinery, sys, zipimport
        sys.path_hooks.remove(zipimport.zipimporter)
        sys.path_importer_cache = {}
        def handler(event, context):
            for finder in importlib.machinery.PathFinder, importlib.machinery.BuiltinImporter:
                if finder in sys.meta_path:
                    sys.meta_path.remove(finder)
            sys.path_importer_cache["/made/up"] = object()
            return [importlib.machinery.PathFinder in sys.meta_path,
                    zipimport.zipimporter in sys.path_hooks]
    """)
    for _ in range(2):
        assert env.invoke().payload == [False, False]
        stage.leave()
        assert (sys.meta_path, sys.path_hooks) == before[:2]
        assert "/made/up" not in sys.path_importer_cache
        now = sys.meta_path, sys.path_hooks, sys.path_importer_cache
        assert all(one is other for one, other in zip(now, objects, strict=True))
    env.reset()
    assert env.invoke().cold_start


def test_entries_of_function_code_in_the_cache_are_removed(environment):
    env = environment("""
        import sys
        sys.path_importer_cache["/made/up"] = object()
        def handler(event, context): ...
    """)
    env.invoke()
    stage.leave()
    assert "/made/up" not in sys.path_importer_cache


def test_finders_of_tests_and_libraries_stay(environment, monkeypatch, tmp_path):
    (tmp_path / "site-packages").mkdir()
    library = (
        "import sys\nclass Finder: find_spec = staticmethod(lambda *_: None)\n"
        "sys.meta_path.append(Finder)"
    )
    (tmp_path / "site-packages" / "finderlib.py").write_text(library)
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    env = environment("import finderlib\ndef handler(event, context): ...")
    env.invoke()

    class Own:
        find_spec = staticmethod(lambda *_: None)

    sys.meta_path.insert(0, Own)
    stage.leave()
    libraries = sys.modules.pop("finderlib").Finder
    try:
        assert (sys.meta_path[0], sys.meta_path[-1]) == (Own, libraries)
        env.invoke()
        sys.meta_path.remove(Own)
        stage.leave()
        assert Own not in sys.meta_path
    finally:
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder not in (Own, libraries)]
