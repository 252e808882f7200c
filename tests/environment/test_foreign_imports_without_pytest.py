"""Code outside the task root, where a script has made the environment."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

FILES = {
    "common/__init__.py": "",
    "common/cache.py": "SEEN = []",
    "functions/orders/app.py": """
        from common import cache
        def handler(event, context):
            cache.SEEN.append(event)
            return cache.SEEN
    """,
    "tests/test_orders.py": """
        import sys, unittest
        from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, InitError
        import common.cache
        from tests import helpers

        class Test(unittest.TestCase):
            def test_it(self):
                config = FunctionConfig("app.handler", code_dir="functions/orders")
                with ExecutionEnvironment(config) as env:
                    try:
                        env.invoke(1)
                    except InitError as error:
                        print(error, *getattr(error, "__notes__", ()), sep="\\n")
                    assert sys.modules["tests.test_orders"].Test is Test
                    assert sys.modules["tests.helpers"] is helpers
                with ExecutionEnvironment(config.replace(bundled=["common"])) as env:
                    assert env.invoke(1).payload == [1]
                    env.reset()
                    assert env.invoke(2).payload == [2]
                assert common.cache.SEEN == []
                assert sys.modules["common.cache"] is common.cache
    """,
    "tests/__init__.py": "",
    "tests/helpers.py": "",
}


@pytest.mark.parametrize("entry", ["", ".", "repository"])
def test_it_fails_as_on_lambda_unless_it_is_bundled(tmp_path, entry):
    """Whatever the entry of `sys.path` is: empty, relative or absolute."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    entry = str(tmp_path) if entry == "repository" else entry
    (tmp_path / "run.py").write_text(
        f"import sys, unittest\nsys.path[0] = {entry!r}\nunittest.main('tests.test_orders')"
    )
    done = subprocess.run(
        [sys.executable, "run.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Unable to import module 'app': No module named 'common'" in done.stdout
    shown = entry or "''"
    assert f"Found at {tmp_path}/common by the sys.path entry {shown} (" in done.stdout
    assert "If your build copies it: bundled=['common']" in done.stdout
