"""The search for the function code of a suite."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("place", [".", "src", "lib"])
def test_code_is_found_on_the_import_path_of_the_tests(pytester, place):
    pytester.makeini("[pytest]\npythonpath = lib")
    directory = pytester.path / place
    directory.mkdir(exist_ok=True)
    (directory / "orders").mkdir()
    (directory / "orders" / "app.py").write_text(
        "import os\ndef handler(e, c): return os.environ['LAMBDA_TASK_ROOT']"
    )
    pytester.makepyfile(
        f"""
        from pathlib import Path

        def test_it(lambda_lifecycle):
            root = Path({str(directory)!r})
            assert Path(lambda_lifecycle("orders.app.handler").invoke().payload) == root
            assert Path(lambda_lifecycle("orders/app.handler").invoke().payload) == root
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_several_functions_with_tests_of_their_own(pytester):
    for name in ("billing", "orders"):
        folder = pytester.path / "functions" / name
        (folder / "tests").mkdir(parents=True)
        (folder / "handler.py").write_text("import utils\ndef handler(e, c): return utils.NAME")
        (folder / "utils.py").write_text(f"NAME = {name!r}")
        for test in (
            folder / f"test_{name}_beside.py",
            folder / "tests" / f"test_{name}_below.py",
        ):
            test.write_text(
                f"def test_it(lambda_lifecycle):\n"
                f"    assert lambda_lifecycle('handler.handler').invoke().payload == {name!r}\n"
            )
    pytester.runpytest().assert_outcomes(passed=4)


def test_relative_paths_start_at_the_rootdir(pytester, monkeypatch):
    (pytester.mkdir("code") / "app.py").write_text("def handler(e, c): return 'code'")
    pytester.makeini("[pytest]")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.lambda_lifecycle("app.handler", code_dir="code")
        def test_it(lambda_lifecycle, tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)
            assert lambda_lifecycle().invoke().payload == "code"
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_module_that_does_not_exist(suite):
    suite.makepyfile(
        """
        import pytest
        from pytest_lambda_lifecycle import ConfigError, InitError

        def test_it(lambda_lifecycle):
            match = "Runtime.ImportModuleError: Unable to import module 'gone'"
            with pytest.raises(InitError, match=match):
                lambda_lifecycle("gone.handler", code_dir=".").invoke()
            with pytest.raises(ConfigError, match="no task root for the handler 'gone.handler'"):
                lambda_lifecycle("gone.handler")

        @pytest.mark.parametrize("handler, error", [
            ("", "MalformedHandlerName"), ("app", "MalformedHandlerName"),
                ("sys.exit", "BuiltInModuleConflict")])
        def test_malformed(lambda_lifecycle, handler, error):
            with pytest.raises(InitError, match=f"Runtime.{error}"):
                lambda_lifecycle(handler).invoke()
        """
    )
    suite.runpytest().assert_outcomes(passed=4)
