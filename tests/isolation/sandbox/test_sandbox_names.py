"""The names of the sandbox in the Python of an extension."""

import subprocess
import sys
from pathlib import Path

import pytest

import pytest_lambda_lifecycle.isolation.sandbox

SANDBOX = str(Path(pytest_lambda_lifecycle.isolation.sandbox.__file__).parent)


def run(code, *folders, flags=()):
    path = ":".join([SANDBOX, *map(str, folders)])
    done = subprocess.run(
        [sys.executable, *flags, "-c", code],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr, done.stderr
    return done.stdout.split()


NAMES_OF_MODULES = (
    "import sys, socket; print(socket.gethostbyname('sandbox'), 'sitecustomize' in sys.modules)"
)


def test_an_extension_resolves_the_names(tmp_path):
    assert run(NAMES_OF_MODULES) == ["127.0.0.1", "False"]
    assert run("import sys; print(*sys.path)") == run(
        "import sys; print(*sys.path)", flags=["-W", "error"]
    )
    assert SANDBOX not in run("import sys; print(*sys.path)")


def test_another_sitecustomize_runs_too(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.other = __file__")
    code = "import sys, sitecustomize; print(sys.other, sitecustomize.__file__)"
    file = str(tmp_path / "sitecustomize.py")
    assert run(code, tmp_path) == [file, file]
    assert run(NAMES_OF_MODULES, tmp_path) == ["127.0.0.1", "True"]


def test_another_sitecustomize_that_fails(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("1 / 0")
    with pytest.raises(
        AssertionError, match="Error in sitecustomize; set PYTHONVERBOSE for traceback"
    ):
        run("print('goes on')", tmp_path)


def test_children_of_an_extension_resolve_the_names():
    child = "import socket; print(socket.gethostbyname('sandbox.localdomain'))"
    assert run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])") == [
        "127.0.0.1"
    ]
