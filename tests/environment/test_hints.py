"""Hints beside failures of the function: what was probably meant, and what to do next."""

import sys

import pytest

from pytest_lambda_lifecycle import ConfigError, FunctionError


def text_of(error):
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


@pytest.fixture
def failure(write, lambda_lifecycle, tmp_path):
    """Return the text of the error of an invoke."""

    def failure(handler, files, /, event=None, code_dir="", **settings):
        for name, source in files.items():
            write(name, source)
        root = tmp_path / "task" / code_dir
        with pytest.raises(FunctionError) as raised:
            lambda_lifecycle(handler, code_dir=root, **settings).invoke(event)
        assert not raised.value.error_message.count("\n")
        return text_of(raised.value)

    return failure


HANDLERS = """
    from json import dumps as handle_json
    def lambda_handler(event, context): return event
    def other_handler(event, context): return event
"""


class TestNamesOfHandlers:
    @pytest.mark.parametrize(
        ("handler", "hint"),
        [
            ("app.lambda_handlr", "Did you mean 'lambda_handler', as in 'app.lambda_handler'?"),
            ("app.main", "are: lambda_handler, other_handler."),
            ("app", "did you mean 'app.lambda_handler' or 'app.other_handler'?"),
            ("app:lambda_handler", "with a dot: did you mean 'app.lambda_handler'?"),
            ("App.lambda_handler", "Did you mean 'app.lambda_handler'?"),
            ("app.Lambda_Handler", "as in 'app.lambda_handler'?"),
            ("app.lambda_handler()", "as in 'app.lambda_handler'?"),
            ("app::lambda_handler", "with a dot: did you mean 'app.lambda_handler'?"),
            ("app.py:lambda_handler", "with a dot: did you mean 'app.lambda_handler'?"),
            ("app.py", "without '.py': did you mean 'app.handler'?"),
            ("app/lambda_handler", "before the function: did you mean 'app.lambda_handler'?"),
            ("handler", "such as 'app.handler' for the function handler in app.py"),
            ("ap.lambda_handler", "Did you mean 'app.lambda_handler'?"),
            ("app.lambda_handler.run", "did you mean 'app.run'?"),
            ("time.handler", "Give time.py another name"),
        ],
    )
    def test_what_was_probably_meant(self, failure, handler, hint):
        assert hint in failure(handler, {"app.py": HANDLERS})

    def test_a_module_further_down(self, failure):
        text = failure("app.handler", {"src/app.py": HANDLERS, ".venv/app.py": HANDLERS})
        assert "The module app lies in:\n  code_dir='src'" in text
        assert ".venv" not in text

    def test_nothing_like_it(self, failure, tmp_path):
        names = "abcdefghijklm"
        text = failure("orders.handler", {f"{name * 3}.py": HANDLERS for name in names})
        root = tmp_path / "task"
        assert f"Correct the handler's name or code_dir: the task root is {root}." in text


class TestCalls:
    @pytest.mark.parametrize("source", ["def handler(event): pass", "def handler(): pass"])
    def test_a_handler_without_two_parameters(self, failure, source):
        assert "def handler(event, context)" in failure("app.handler", {"app.py": source})

    def test_a_handler_that_is_no_function(self, failure):
        assert "handler in app is no function" in failure("app.handler", {"app.py": "handler = 3"})

    def test_a_type_error_inside_the_handler_is_no_such_mistake(self, failure):
        source = "def help(): pass\ndef handler(event, context): help(1)"
        assert "two arguments" not in failure("app.handler", {"app.py": source})

    def test_an_async_handler(self, failure):
        source = "async def handler(event, context): return 1"
        text = failure("app.handler", {"app.py": source})
        assert "handler is an async def function" in text
        assert "asyncio.run()" in text

    def test_a_coroutine_in_the_result(self, failure):
        source = """
            async def name(): return 1
            def handler(event, context):
                found = name()
                found.close()  # otherwise Python warns, whenever it is collected
                return {"name": found}
        """
        text = failure("app.handler", {"app.py": source})
        assert "The result holds a coroutine" in text

    def test_a_result_without_json_form(self, failure):
        source = "def handler(event, context): return {1, 2}"
        assert "convert other objects first" in failure("app.handler", {"app.py": source})

    def test_events_that_are_json_already(self, failure):
        source = "def handler(event, context): return event['id']"
        assert "pass the dict" in failure("app.handler", {"app.py": source}, '{"id": 1}')
        assert "pass a dict" in failure("app.handler", {"app.py": source}, b'{"id": ')


class TestVariables:
    SOURCE = "import os\nTABLE = os.environ['TABLE']\ndef handler(event, context): pass\n"

    def test_one_that_is_not_set(self, failure, monkeypatch):
        monkeypatch.delenv("TABLE", raising=False)
        text = failure("app.handler", {"app.py": self.SOURCE})
        assert "environment={'TABLE': ...}" in text
        assert "lambda_lifecycle_environment" in text

    def test_one_that_a_source_takes_out(self, failure):
        text = failure("app.handler", {"app.py": self.SOURCE}, environment={"TABLE": None})
        assert "TABLE is not set: environment has None for it (from the call at " in text

    def test_one_behind_another_error(self, failure):
        source = """
            import os
            def handler(event, context):
                try: os.environ["TABLE"]
                except KeyError as error: raise ValueError("no table") from error
        """
        assert "environment={'TABLE': ...}" in failure("app.handler", {"app.py": source})

    def test_another_key_error_has_no_hint(self, failure):
        source = "def handler(event, context): return {}['TABLE']"
        assert "environment" not in failure("app.handler", {"app.py": source})


IMPORTS = {"app.py": "import shared\ndef handler(event, context): pass\n"}


class TestImports:
    def test_what_nobody_has(self, failure, tmp_path):
        text = failure("app.handler", IMPORTS)
        assert f"shared is neither in the task root, {tmp_path / 'task'}, nor in a layer" in text
        assert sys.executable in text

    def test_a_relative_import_in_the_task_root(self, failure):
        text = failure("app.handler", {"app.py": "from . import shared\n"})
        assert "Write 'import helper'" in text
        assert "'task.app.handler'" in text

    def test_a_package_that_lies_deeper(self, failure, tmp_path):
        files = {"src/app.py": IMPORTS["app.py"], "src/shared/__init__.py": ""}
        text = failure("src.app.handler", files)
        assert f"shared lies in {tmp_path / 'task' / 'src'}" in text or "from src import" in text

    def test_a_task_root_inside_its_package(self, failure, tmp_path):
        files = {"shared/__init__.py": "", "shared/app.py": "import shared.app\n"}
        text = failure("app.handler", files, code_dir="shared")
        assert f"make {tmp_path / 'task'} the task root (code_dir)" in text
        assert "'shared.app.handler'" in text


class TestLayers:
    @pytest.fixture
    def text(self, failure, tmp_path):
        def text(layer, *files):
            for name in files:
                path = tmp_path / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("X = 1\n")
            return failure("app.handler", IMPORTS, layers=[tmp_path / layer])

        return text

    def test_the_folder_python_itself(self, text, tmp_path):
        shown = text("common/python", "common/python/shared.py")
        assert f"The layer {tmp_path / 'common' / 'python'} has no folder python/" in shown
        assert f"layers=['{tmp_path / 'common'}']" in shown

    def test_the_folder_of_all_layers(self, text, tmp_path):
        shown = text("layers", "layers/a/python/other.py", "layers/b/python/shared.py")
        assert f"such as {tmp_path / 'layers' / 'b'}." in shown

    def test_sources_before_the_build(self, text):
        assert "pip install --target common/python" in text("common", "common/shared.py")

    def test_nothing_of_it(self, text):
        assert "with its modules in python/" in text("common", "common/notes/tool")

    def test_a_layer_that_is_for_something_else(self, text):
        shown = text("tools", "tools/bin/tool")
        assert "has no folder python/" not in shown
        assert "shared is neither in the task root" in shown

    def test_the_module_of_the_handler(self, lambda_lifecycle, tmp_path):
        (tmp_path / "common").mkdir()
        (tmp_path / "common" / "handlers.py").write_text("def handler(event, context): pass\n")
        with pytest.raises(ConfigError, match=r"(?s)no task root.*has no folder python/"):
            lambda_lifecycle("handlers.handler", layers=[tmp_path / "common"])

    def test_one_for_another_python(self, text):
        shown = text("deps", "deps/python/lib/python3.9/site-packages/shared/__init__.py")
        assert "has shared for python3.9 alone" in shown

    def test_one_for_another_platform(self, text):
        shown = text("deps", "deps/python/shared.cpython-39-x86_64-linux-gnu.so")
        assert "for another Python or platform" in shown


class TestNamesakes:
    """A module of the test process that was imported in the place of the function's."""

    def test_what_was_imported_and_failed_has_no_such_hint(self, failure, tmp_path, monkeypatch):
        (tmp_path / "task" / "a").mkdir(parents=True)
        (tmp_path / "task" / "a" / "app.py").write_text("def handler(e, c): pass\n")
        monkeypatch.syspath_prepend(str(tmp_path / "task" / "a"))
        import app  # noqa: F401

        try:
            text = failure("app.handler", {"b/app.py": "import not_there\n"}, code_dir="b")
        finally:
            del sys.modules["app"]
        assert "another name" not in text
        assert "not_there is neither" in text

    def test_a_library_of_the_same_name(self, failure, tmp_path):
        text = failure("json.handler", {"json.py": "def handler(e, c): pass\n"})
        assert f"so json in {tmp_path / 'task'} is not imported; give it another name" in text


def test_a_candidate_inside_a_package(failure):
    files = {"src/shop/__init__.py": "", "src/shop/app.py": HANDLERS}
    text = failure("app.lambda_handler", files)
    assert "  code_dir='src', and the handler 'shop.app.lambda_handler'" in text


def test_candidates_below_rootdir(pytester):
    pytester.makepyfile(
        **{
            "functions/orders/app": "def handler(event, context): pass\n",
            "functions/users/app": "def handler(event, context): pass\n",
            "test_it": """
                def test_it(lambda_lifecycle):
                    lambda_lifecycle("app.handler")
            """,
        }
    )
    pytester.runpytest().stdout.fnmatch_lines(
        [
            "*The module app lies in:",
            "*  code_dir='functions/orders'",
            "*  code_dir='functions/users'",
        ]
    )


def test_a_candidate_that_the_test_has_imported(pytester):
    elsewhere = pytester.mkdir("elsewhere")
    (elsewhere / "app.py").write_text("def handler(event, context): pass\n")
    project = pytester.mkdir("project")
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "test_it.py").write_text(
        "import sys\n"
        f"sys.path.append({str(elsewhere)!r})\n"
        "import app\n"
        "def test_it(lambda_lifecycle): lambda_lifecycle('app.handler')\n"
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", str(project))
    result.stdout.fnmatch_lines([f"*  code_dir={str(elsewhere)!r}"])


def test_the_module_of_the_handler_is_named_although_only_its_neighbours_exist(pytester):
    pytester.makepyfile(**{"shop/__init__": "", "shop/tables": "", "shop/reports": ""})
    from pathlib import Path

    from pytest_lambda_lifecycle.function.task_root import find_task_root

    root = Path(str(pytester.path))
    with pytest.raises(ConfigError, match=r"The modules of shop are: shop\.reports, shop\.tables"):
        find_task_root("shop.app.handler", None, [(root, "rootdir")], source="a test")
