"""Code outside the task root: what of it is deployed, and the error of an import that is not."""

from __future__ import annotations

import textwrap

import pytest

FILES = {
    "common/__init__.py": "",
    "common/cache.py": "SEEN = []",
    "common/db.py": "def table(): return 'real'",
    "libs/pricing.py": "CACHE = {}",
    "src/__init__.py": "",
    "src/shop/helper/db.py": "def table(): return 'real'",
    "src/shop/other.py": "",
    "src/shop/orders/app.py": """
        from src.shop.helper import db
        def handler(event, context):
            return db.table()
    """,
    "src/shop/orders/both.py": "import src.shop.helper.db, src.shop.other\ndef handler(e, c): pass",
    "functions/orders/app.py": """
        from common import cache
        def handler(event, context):
            cache.SEEN.append(event)
            return cache.SEEN
    """,
    "functions/orders/lazy.py": """
        def handler(event, context):
            from common.db import table
            return table()
    """,
    "functions/orders/optional.py": """
        import importlib.util, sys
        try:
            import common
        except ImportError:
            common = None
        def handler(event, context):
            return [common is None, importlib.util.find_spec("common") is None, event in sys.path]
    """,
    "functions/orders/priced.py": """
        import pricing
        def handler(event, context):
            pricing.CACHE[event] = 1
            return sorted(pricing.CACHE)
    """,
}


@pytest.fixture
def monorepo(pytester):
    """Run tests beside functions that share code."""

    def run(test, *arguments, ini="pythonpath = .", outcomes=None, **files):
        for name, text in {**FILES, **files, "tests/test_it.py": test}.items():
            file = pytester.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
        pytester.makeini(f"[pytest]\n{ini}\n")
        result = pytester.runpytest(
            "-p", "no:randomly", "-W", "error", "-W", "ignore:Module already imported", *arguments
        )
        result.assert_outcomes(**(outcomes or {"passed": 1}))
        return result

    return run


# -- the error -------------------------------------------------------------------------------------


FAILS = """
    import pytest
    from pytest_lambda_lifecycle import FunctionError

    def test_it(lambda_lifecycle):
        env = lambda_lifecycle({handler!r}, code_dir={code_dir!r})
        with pytest.raises(FunctionError) as raised:
            env.invoke()
        print("<", str(raised.value), *getattr(raised.value, "__notes__", ()), sep="\\n", end=">")
"""


def printed(result):
    text = "\n".join(result.outlines)
    return text[text.index("<\n") + 2 : text.rindex(">")]


@pytest.mark.parametrize("handler", ["app.handler", "lazy.handler"])
def test_the_error_names_the_file_the_entry_and_the_line_that_allows_it(
    monorepo, pytester, handler
):
    """In init, and inside a handler."""
    root = pytester.path
    result = monorepo(FAILS.format(handler=handler, code_dir="functions/orders"), "-s")
    assert (
        f"No module named 'common' (as on Lambda). Found at {root}/common by the sys.path entry "
        f"{root} (tox.ini: pythonpath).\n"
        "If your build copies it: lambda_lifecycle_bundled = common"
    ) in printed(result)


def test_the_line_of_the_error_allows_the_import(monorepo):
    monorepo(
        """
        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("app.handler", code_dir="functions/orders")
            assert env.invoke(1).payload == [1]
            assert lambda_lifecycle("priced.handler", code_dir="functions/orders").invoke(1)
        """,
        ini="pythonpath = . libs\nlambda_lifecycle_bundled = common pricing",
    )


def test_what_is_bundled_already_stays_in_the_line(monorepo):
    ini = "pythonpath = . libs\nlambda_lifecycle_bundled = common libs2"
    test = FAILS.format(handler="priced.handler", code_dir="functions/orders")
    result = monorepo(test, "-s", ini=ini)
    assert "copies it: lambda_lifecycle_bundled = common libs2 pricing" in printed(result)


@pytest.mark.parametrize(
    ("ini", "files", "environment", "origin"),
    [
        ("", {"conftest.py": "import sys\nsys.path.insert(0, 'libs')"}, None, "conftest.py: sys.p"),
        ("", {}, "libs", "environment variable PYTHONPATH"),
        ("pythonpath = libs", {}, None, "tox.ini: pythonpath"),
    ],
)
def test_the_error_says_who_has_added_the_entry(
    monorepo, pytester, monkeypatch, ini, files, environment, origin
):
    if environment:
        monkeypatch.setenv("PYTHONPATH", str(pytester.path / environment))
        monkeypatch.syspath_prepend(pytester.path / environment)
    test = FAILS.format(handler="priced.handler", code_dir="functions/orders")
    result = monorepo(test, "-s", ini=ini, **files)
    assert f"({origin}" in printed(result)
    assert "pricing.py by the sys.path entry" in printed(result)


@pytest.mark.parametrize("name", ["conftest.py", "test_more.py"])
def test_the_error_names_pytest_for_the_folders_that_it_adds(monorepo, name):
    files = {name: "def test_more(): pass"}
    test = FAILS.format(handler="app.handler", code_dir="functions/orders")
    outcomes = {"passed": 1 + (name == "test_more.py")}
    result = monorepo(test, "-s", ini="", outcomes=outcomes, **files)
    assert "(pytest, which adds the folders of tests and of conftest.py files to it)" in printed(
        result
    )


def test_a_module_file_beside_a_test_is_found_with_a_warning(monorepo, pytester):
    """It may be a stand-in of the test; it is imported afresh all the same."""
    files = {"tests/helpers.py": "SEEN = []", "test_more.py": "", "pricing.py": "CACHE = {}"}
    monorepo(
        """
        import pricing, pytest
        from pytest_lambda_lifecycle import ForeignImport, LifecycleWarning

        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("priced.handler", code_dir="functions/orders")
            with pytest.warns(LifecycleWarning, match="'pricing'.*it lies beside the tests"):
                assert env.invoke("a").payload == ["a"]
            env.reset()
            assert env.invoke("b").payload == ["b"]
            assert pricing.CACHE == {}
            assert not env.timeline.of(ForeignImport)[0].refused
        """,
        ini="",
        **{**files, "conftest.py": ""},
    )


def test_a_layer_is_named_as_one(monorepo):
    files = {"layers/money/python/pricing.py": "CACHE = {}"}
    test = FAILS.format(handler="priced.handler", code_dir="functions/orders")
    result = monorepo(test, "-s", ini="pythonpath = layers/money/python", **files)
    assert printed(result).endswith("If it is a layer: lambda_lifecycle_layers = layers/money")


def test_a_task_root_further_up_is_named_as_one(monorepo, pytester):
    result = monorepo(FAILS.format(handler="app.handler", code_dir="src/shop/orders"), "-s")
    assert printed(result).endswith(
        f"If Lambda unpacks {pytester.path} itself: code_dir={str(pytester.path)!r}, with the "
        "handler 'src/shop/orders/app.handler'"
    )


def test_a_fallback_of_the_function_runs_and_the_timeline_says_so(monorepo, pytester):
    """As on Lambda, nothing there tells function code of the module."""
    root = str(pytester.path)
    monorepo(
        f"""
        from pytest_lambda_lifecycle import ForeignImport

        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("optional.handler", code_dir="functions/orders")
            assert env.invoke({root!r}).payload == [True, True, False]
            first, second = env.timeline.of(ForeignImport)
            assert (first.module, first.phase, first.refused) == ("common", "init", True)
            assert first.path == {root + "/common"!r} and first.entry == {root!r}
            assert first.where == "optional.py:4"
            assert "no module named 'common'" in repr(env.timeline)
        """
    )


# -- what is deployed ------------------------------------------------------------------------------


@pytest.mark.parametrize("bundled", ["src", "src.shop.helper", "src/shop/helper", "./src/shop"])
def test_a_part_of_a_package_is_bundled(monorepo, bundled):
    """By its name or its folder; the packages above it are there, their other modules are not."""
    part = "helper" in bundled
    monorepo(
        f"""
        import pytest
        from pytest_lambda_lifecycle import InitError

        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("app.handler", code_dir="src/shop/orders")
            assert env.invoke().payload == "real"
            env = lambda_lifecycle("both.handler", code_dir="src/shop/orders")
            if {part}:
                with pytest.raises(InitError, match="No module named 'src.shop.other'"):
                    env.invoke()
            else:
                env.invoke()
        """,
        ini=f"pythonpath = .\nlambda_lifecycle_bundled = {bundled}",
    )


@pytest.mark.parametrize("pythonpath", ["libs", "."])
def test_a_bundled_folder_without_init_is_a_folder_of_modules(monorepo, pythonpath):
    """Whether `sys.path` leads there or, as from the rootdir, to a package of its name."""
    files = {"functions/orders/priced.py": FILES["functions/orders/priced.py"]}
    if pythonpath == ".":
        files["functions/orders/priced.py"] = files["functions/orders/priced.py"].replace(
            "import pricing", "from libs import pricing"
        )
    monorepo(
        """
        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("priced.handler", code_dir="functions/orders")
            assert env.invoke("a").payload == ["a"]
            env.reset()
            assert env.invoke("b").payload == ["b"]
        """,
        ini=f"pythonpath = {pythonpath}\nlambda_lifecycle_bundled = libs",
        **files,
    )


def test_a_bundled_folder_that_no_entry_leads_to(monorepo):
    monorepo(
        """
        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("priced.handler", code_dir="functions/orders")
            assert env.invoke("a").payload == ["a"]
            env = lambda_lifecycle("app.handler", code_dir="functions/orders")
            assert env.invoke("a").payload == ["a"]
        """,
        ini="lambda_lifecycle_bundled = libs ./common",
    )


def test_installed_packages_are_deployed(monorepo):
    """In whatever folder: its ``.dist-info`` says so."""
    files = {"libs/pricing-1.0.dist-info/METADATA": "Name: pricing"}
    monorepo(
        """
        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("priced.handler", code_dir="functions/orders")
            assert env.invoke("a").payload == ["a"]
        """,
        ini="pythonpath = libs",
        **files,
    )


@pytest.mark.parametrize("kind", ["pth", "finder"])
def test_editable_installs_are_deployed_and_imported_afresh(monorepo, kind):
    install = {
        "pth": "site.addsitedir(str(packages))",
        "finder": "sys.meta_path.append(Finder)",
    }[kind]
    monorepo(
        """
        import importlib, sys
        import pytest

        @pytest.mark.parametrize("event", ["a", "b"])
        def test_it(lambda_lifecycle, event):
            env = lambda_lifecycle("priced.handler", code_dir="functions/orders")
            assert env.invoke(event).payload == [event]
            env.reset()
            assert env.invoke("c").payload == ["c"]
        """,
        ini="",
        outcomes={"passed": 2},
        **{
            "conftest.py": f"""
            import importlib.util, pathlib, pytest, site, sys
            root = pathlib.Path(__file__).parent
            packages = root / "venv" / "site-packages"
            packages.mkdir(parents=True)
            (packages / "_pricing.pth").write_text(str(root / "libs"))

            class Finder:
                __module__ = "__editable___pricing_1_0_finder"
                @classmethod
                def find_spec(cls, name, path=None, target=None):
                    if name == "pricing":
                        file = root / "libs" / "pricing.py"
                        return importlib.util.spec_from_file_location(name, file)

            sys.path.append(str(packages))
            before = sys.path[:], sys.meta_path[:]
            {install}

            def pytest_unconfigure():
                sys.meta_path[:] = before[1]
            """
        },
    )


def test_function_code_may_add_folders_itself(monorepo):
    """On Lambda it adds folders that are there; here the test cannot tell."""
    monorepo(
        """
        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("adding.handler", code_dir="functions/orders")
            assert env.invoke("a").payload == ["a"]
            env.idle(1)
            assert env.invoke("b").payload == ["a", "b"]
            env.reset()
            assert env.invoke("c").payload == ["c"]
        """,
        ini="pythonpath = libs",
        **{
            "functions/orders/adding.py": """
                import os, sys
                libs = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../libs"))
                if libs not in sys.path:
                    sys.path.append(libs)
                def handler(event, context):
                    import pricing
                    assert libs in sys.path
                    pricing.CACHE[event] = 1
                    return sorted(pricing.CACHE)
            """
        },
    )


def test_modules_that_a_test_puts_into_sys_modules_are_there(monorepo):
    """Made by hand, by another name, or loaded from a file."""
    monorepo(
        """
        import importlib.util, sys, types
        import pytest

        def by_hand():
            module = types.ModuleType("pricing")
            module.CACHE = {"fake": 1}
            return module

        def by_another_name():
            import fake_pricing
            return fake_pricing

        def from_a_file():
            spec = importlib.util.spec_from_file_location("pricing", "stubs/fake_pricing.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module

        @pytest.mark.parametrize("make", [by_hand, by_another_name, from_a_file])
        @pytest.mark.parametrize("before", [True, False])
        def test_it(lambda_lifecycle, monkeypatch, make, before):
            monkeypatch.syspath_prepend("stubs")
            env = lambda_lifecycle("priced_late.handler", code_dir="functions/orders")
            if not before:
                env.initialize()
            monkeypatch.setitem(sys.modules, "pricing", make())
            assert env.invoke("fake").payload == ["fake"]
        """,
        outcomes={"passed": 6},
        **{
            "stubs/fake_pricing.py": "CACHE = {'fake': 1}",
            "functions/orders/priced_late.py": """
                def handler(event, context):
                    import pricing
                    return sorted(pricing.CACHE)
            """,
        },
    )


# -- the test itself -------------------------------------------------------------------------------


def test_the_test_goes_on_with_its_own_modules(monorepo):
    """No second copy comes about, whatever it imports while an environment is entered."""
    monorepo(
        """
        import importlib, pickle, sys
        import common.cache, common.db
        from unittest import mock

        class Fake:
            def __call__(self):
                from common import cache
                return cache is common.cache and importlib.import_module("common.db") is common.db

        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("calling.handler", code_dir="functions/orders")
            env.patch("calling.call", Fake())
            assert env.invoke().payload is True
            from common import cache
            assert cache is common.cache and sys.modules["common"] is common
            assert pickle.loads(pickle.dumps(common.db.table)) is common.db.table
            with mock.patch("common.db.table", return_value="fake"):
                assert common.db.table() == "fake"
                assert env.invoke().payload is True
            later = importlib.import_module("common.later")
            assert env.invoke().payload is True
            assert importlib.import_module("common.later") is common.later is later
            env.close()
            assert sys.modules["common.later"] is common.later
            assert importlib.import_module("common").cache is common.cache
        """,
        **{
            "common/later.py": "",
            "functions/orders/calling.py": """
                import sys
                def call(): pass
                def handler(event, context):
                    result = call()
                    assert "common.later" not in sys.modules
                    return result
            """,
        },
    )


def test_the_copy_of_the_test_does_not_let_the_function_in(monorepo):
    """The test has imported it before, or does so after init."""
    monorepo(
        """
        import pytest
        from pytest_lambda_lifecycle import FunctionError

        def test_before(lambda_lifecycle):
            import common.db
            with pytest.raises(FunctionError, match="No module named 'common'"):
                lambda_lifecycle("lazy.handler", code_dir="functions/orders").invoke()

        def test_after_init(lambda_lifecycle):
            env = lambda_lifecycle("lazy.handler", code_dir="functions/orders")
            env.initialize()
            import common.db
            with pytest.raises(FunctionError, match="No module named 'common'"):
                env.invoke()

        def test_under_a_patch(lambda_lifecycle, monkeypatch):
            monkeypatch.setattr("common.db.table", None)
            with pytest.raises(FunctionError, match="No module named 'common'"):
                lambda_lifecycle("lazy.handler", code_dir="functions/orders").invoke()
        """,
        outcomes={"passed": 3},
    )


def test_bundled_code_is_patched_and_spied_on_like_other_function_code(monorepo):
    monorepo(
        """
        import common.db, pytest
        from unittest import mock
        from pytest_lambda_lifecycle import LifecycleError

        def test_it(lambda_lifecycle):
            env = lambda_lifecycle("lazy.handler", code_dir="functions/orders")
            spy = env.spy("common.db.table")
            with mock.patch("common.db.table"), pytest.raises(LifecycleError, match="test's own"):
                env.invoke()
            assert env.invoke().payload == "real"
            with mock.patch("common.db.table", return_value="fake"):
                assert env.invoke().payload == "fake"
            with mock.patch.object(common.db, "table"):
                with pytest.raises(LifecycleError, match="common.db.table is patched on another"):
                    env.invoke()
            assert spy.phases == ["invoke"]
            env.reset()
            env.patch("common.db.table", lambda: "mine")
            assert env.invoke().payload == "mine"
            assert common.db.table() == "real"
        """,
        ini="pythonpath = .\nlambda_lifecycle_bundled = common",
    )


def test_two_environments_share_nothing(monorepo):
    monorepo(
        """
        def test_it(lambda_lifecycle):
            one = lambda_lifecycle("app.handler", code_dir="functions/orders")
            two = lambda_lifecycle("app.handler", code_dir="functions/orders")
            assert one.invoke(1).payload == [1]
            assert two.invoke(2).payload == [2]
            assert one.invoke(3).payload == [1, 3]
        """,
        ini="pythonpath = .\nlambda_lifecycle_bundled = common",
    )


def test_sys_path_is_as_before(monorepo):
    """Between phases it has all entries, and a change of the test stays."""
    monorepo(
        """
        import sys

        def test_it(lambda_lifecycle, monkeypatch):
            before, path = list(sys.path), sys.path
            env = lambda_lifecycle("paths.handler", code_dir="functions/orders")
            inside = env.invoke().payload
            assert [entry for entry in sys.path if entry in before] == before
            assert not {entry for entry in before if "tests" in entry} & set(inside)
            monkeypatch.syspath_prepend("libs")
            assert not any(entry.endswith("libs") for entry in env.invoke().payload)
            assert sys.path[0].endswith("libs")
            env.close()
            assert sys.path is path and sys.path[1:] == before
        """,
        **{
            "functions/orders/paths.py": """
                import sys
                from sys import path
                def handler(event, context):
                    assert path is sys.path
                    return path
            """
        },
    )


def test_the_error_says_of_a_layer_why_nothing_is_imported_from_it(monorepo, pytester):
    """The sources of a layer have no folder ``python/`` before the build."""
    test = FAILS.replace("code_dir={code_dir!r}", "code_dir={code_dir!r}, layers=['libs']")
    test = test.format(handler="priced.handler", code_dir="functions/orders")
    found = printed(monorepo(test, "-s", ini="pythonpath = . libs"))
    root = pytester.path
    assert "copies it: lambda_lifecycle_bundled = pricing\n" in found
    assert f"The layer {root}/libs has no folder python/" in found
    assert f"bundled=['{root}/libs']" in found
