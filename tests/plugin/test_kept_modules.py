"""Modules of tests, conftest files, helpers and plugins are never imported afresh."""

from __future__ import annotations

import pytest

MODES = [
    [],
    ["--import-mode=append"],
    ["--import-mode=importlib"],
    ["--assert=plain"],
    ["--assert=plain", "--import-mode=importlib"],
    ["-p", "no:logging"],
    ["-p", "no:capture", "-p", "no:logging"],
    ["-s"],
    ["-p", "xdist", "-n", "2"],
]


def run_in(mode: list[str], pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run in a mode: in a new process if this run's import hook would rewrite assertions."""
    run = pytester.runpytest_subprocess if "--assert=plain" in mode else pytester.runpytest
    return run(*mode, *arguments)


@pytest.mark.parametrize("mode", MODES, ids=" ".join)
def test_modules_are_kept_in_every_mode(pytester, mode):
    if "xdist" in mode:
        pytest.importorskip("xdist")
    pytester.makeini("[pytest]\npythonpath = .")
    pytester.makeconftest(
        "import sys\nSTATE = []\nME = sys.modules[__name__]\n"
        "import myplugin\npytest_plugins = ['myplugin']"
    )
    pytester.makepyfile(myplugin="STATE = []")
    orders = pytester.mkpydir("orders")
    (orders / "app.py").write_text("from orders import db\ndef handler(e, c): return id(db)")
    (orders / "db.py").write_text("table = object()")
    tests = pytester.mkpydir("tests")
    (tests / "util.py").write_text("STATE = []")
    deep = tests / "unit"
    deep.mkdir()
    (deep / "conftest.py").write_text("")
    (deep / "__init__.py").touch()
    for number in (1, 2):
        (deep / f"test_{number}.py").write_text(
            """
import sys
import textwrap
import tests.util
from orders import db

NAMES = [__name__, "tests.util", "tests", "tests.unit", "myplugin"]

def test_it(lambda_lifecycle, request):
    before = {name: sys.modules.get(name) for name in NAMES}
    conftests = [plugin for plugin in request.config.pluginmanager.get_plugins()
                 if getattr(plugin, "__file__", None) and plugin.__file__.endswith("conftest.py")]
    present = [plugin for plugin in conftests if plugin in sys.modules.values()]
    assert conftests
    env = lambda_lifecycle("orders.app.handler")
    inside = env.invoke().payload
    assert inside != id(db)
    assert id(sys.modules["orders.db"]) == inside
    assert {name: sys.modules.get(name) for name in NAMES} == before
    assert [plugin for plugin in conftests if plugin in sys.modules.values()] == present
    env.close()
    assert sys.modules["orders.db"] is db
"""
        )
    run_in(mode, pytester).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "mode", [[], ["--assert=plain"], ["--import-mode=importlib"]], ids=" ".join
)
def test_tests_beside_the_handler(pytester, mode):
    pytester.makeini("[pytest]\npythonpath = .")
    pytester.makepyfile(
        app="import db\ndef handler(e, c): db.calls.append(1); return len(db.calls)",
        db="calls = []",
        test_app="""
            import sys, db

            def test_fresh(lambda_lifecycle):
                me = sys.modules[__name__]
                for _ in range(2):
                    assert lambda_lifecycle("app.handler").invoke().payload == 1
                    assert sys.modules[__name__] is me
                assert db.calls == []
        """,
    )
    run_in(mode, pytester).assert_outcomes(passed=1)


def test_shared_function_code_with_tests_in_its_folder_is_fresh(pytester):
    pytester.makeini("[pytest]\npythonpath = functions")
    functions = pytester.mkdir("functions")
    for name in ("orders", "shared"):
        (functions / name).mkdir()
        (functions / name / "__init__.py").touch()
    (functions / "orders" / "app.py").write_text(
        "from shared import db\ndef handler(e, c): return db.connect()"
    )
    (functions / "shared" / "db.py").write_text(
        "n = 0\ndef connect():\n    global n\n    n += 1\n    return n"
    )
    (functions / "shared" / "test_db.py").write_text(
        "import sys\n"
        "from shared import db\n"
        "def test_db(lambda_lifecycle):\n"
        "    me = sys.modules[__name__]\n"
        "    assert db.connect() == 1\n"
        "    assert lambda_lifecycle('orders.app.handler').invoke().payload == 1\n"
        "    assert sys.modules[__name__] is me\n"
    )
    pytester.runpytest().assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", [[], ["--assert=plain"]], ids=" ".join)
def test_helpers_whose_names_the_function_has_too(pytester, mode):
    function = pytester.mkdir("function")
    (function / "app.py").write_text("import util\ndef handler(e, c): return util.NAME")
    (function / "util.py").write_text("NAME = 'function'")
    (function / "conftest.py").touch()
    (function / "tests").mkdir()
    (function / "tests" / "__init__.py").touch()
    (function / "tests" / "util.py").write_text("NAME = 'function tests'")
    tests = pytester.mkpydir("tests")
    pytester.makeconftest("")
    pytester.makepyfile(util="NAME = 'rootdir'")
    (tests / "helper.py").touch()
    (tests / "test_it.py").write_text(
        "import sys, util, tests.helper\n"
        "NAMES = ['tests', 'tests.helper', 'conftest', __name__]\n"
        "def test_it(lambda_lifecycle):\n"
        "    before = {name: sys.modules.get(name) for name in NAMES}\n"
        "    assert all(before.values())\n"
        "    env = lambda_lifecycle('app.handler', code_dir='function')\n"
        "    assert env.invoke().payload == 'function'\n"
        "    assert {name: sys.modules.get(name) for name in NAMES} == before\n"
        "    assert util.NAME == 'rootdir'\n"
    )
    run_in(mode, pytester, "tests").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "mode", [[], ["--assert=plain"], ["--import-mode=importlib"]], ids=" ".join
)
@pytest.mark.parametrize("folder", [".", "tests", "others"])
def test_a_test_module_whose_name_the_function_has_too(pytester, mode, folder):
    function, tests = pytester.mkdir("function"), pytester.path / folder
    tests.mkdir(exist_ok=True)
    (function / "app.py").write_text("import util\ndef handler(e, c): return util.NAME")
    (function / "util.py").write_text("NAME = 'function'")
    (function / "test_it.py").touch()
    (function / "myplugin.py").touch()
    (pytester.path / "myplugin.py").touch()
    # A helper of the tests, which makes room for the module of the function.
    (tests / "util.py").write_text("NAME = 'tests'")
    (tests / "test_it.py").write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(tests)!r})\n"
        "import util\n"
        "def test_it(lambda_lifecycle):\n"
        "    before = {name: sys.modules[name] for name in (__name__, 'myplugin')}\n"
        "    env = lambda_lifecycle('app.handler', code_dir='function')\n"
        "    assert env.invoke().payload == 'function'\n"
        "    assert {name: sys.modules.get(name) for name in before} == before\n"
        "    assert util.NAME == 'tests'\n"
    )
    pytester.syspathinsert()
    run_in(mode, pytester, "-p", "myplugin", f"{folder}/test_it.py").assert_outcomes(passed=1)


def test_python_files_that_match_everything_with_equal_names(pytester):
    pytester.makeini("[pytest]\npython_files = *.py")
    for name in ("one", "two"):
        folder = pytester.mkdir(name)
        (folder / "app.py").write_text("import util\ndef handler(e, c): return util.NAME")
        (folder / "util.py").write_text(f"NAME = {name!r}")
    pytester.makepyfile(
        checks="""
        import sys
        sys.path.insert(0, "one")
        import util

        def test_each_has_its_own(lambda_lifecycle):
            for name in ("one", "two"):
                env = lambda_lifecycle("app.handler", code_dir=name)
                assert env.invoke().payload == name
                env.close()
                assert sys.modules["util"] is util
        """
    )
    pytester.runpytest("checks.py").assert_outcomes(passed=1)


def test_python_files_that_match_everything(pytester):
    pytester.makeini("[pytest]\npython_files = *.py\npythonpath = .")
    pytester.makepyfile(
        app="import db\ndef handler(e, c): db.calls.append(1); return len(db.calls)",
        db="calls = []",
        checks="""
            import sys
            def test_fresh(lambda_lifecycle):
                me = sys.modules[__name__]
                assert lambda_lifecycle("app.handler").invoke().payload == 1
                assert lambda_lifecycle("app.handler").invoke().payload == 1
                assert sys.modules[__name__] is me
        """,
    )
    pytester.runpytest().assert_outcomes(passed=1)
