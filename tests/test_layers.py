"""The architecture: a folder imports only folders below it, and each danger has one place."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_lambda_lifecycle

ROOT = Path(pytest_lambda_lifecycle.__file__).parent

FLOORS = {
    "plugin": 8,
    "environment": 7,
    "observation": 6,
    "extensions": 6,
    "state": 6,
    "conductor": 5,
    "runtimes": 5,
    "api": 4,
    "clock": 4,
    "processes": 4,
    "isolation": 3,
    "lifecycle": 2,
    "function": 2,
    "report": 3,
    "errors": 1,
    "__init__": 0,
}
EXCEPTIONS = {
    (
        "lifecycle.timeline",
        "lifecycle.timeline_table",
    ): "the repr of a timeline asks for the table, in its method",
    (
        "environment.execution_environment",
        "environment.checks.snapshot_safety",
    ): "a method runs the check, which makes environments",
    (
        "environment.execution_environment",
        "environment.checks.snapshots",
    ): "a method returns the snapshot, which makes environments",
}
ELSEWHERE = "isolation.sandbox."
"""Modules that run in the Python of an extension's process, never in this one."""

SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path.read_text(encoding="utf-8")
    for path in sorted(ROOT.rglob("*.py"))
}
PACKAGES = {name.rpartition(".")[0] for name in SOURCES if "." in name}


def imports(node: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a module imports, also in functions and for types alone."""
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)


IMPORTS = {name: set(imports(ast.parse(text))) for name, text in SOURCES.items()}


def own_imports(name: str) -> set[str]:
    """Return the modules of this package that a module imports, by their names in `SOURCES`."""
    short = {
        found.removeprefix("pytest_lambda_lifecycle.")
        for found in IMPORTS[name]
        if "lambda_lifecycle" in found
    }
    found = {one for one in short if one in SOURCES and one != name}
    return found - {
        one
        for one in found
        if one in PACKAGES and any(other.startswith(f"{one}.") for other in found)
    }


def folder(name: str) -> str:
    return name.partition(".")[0]


def test_every_folder_has_its_floor():
    assert {folder(name) for name in SOURCES} == set(FLOORS)


def test_few_modules_lie_in_the_root():
    assert {name for name in SOURCES if "." not in name and name not in PACKAGES} <= {
        "__init__",
        "__main__",
        "errors",
    }


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "__init__"])
def test_imports_go_down_only(name):
    floor = FLOORS[folder(name)]
    assert {
        found
        for found in own_imports(name)
        if folder(found) != folder(name) and FLOORS[folder(found)] >= floor
    } == set()


def test_no_two_modules_import_each_other():
    def reachable(name: str, seen: set[str]) -> set[str]:
        for found in own_imports(name) - seen - {to for origin, to in EXCEPTIONS if origin == name}:
            seen.add(found)
            reachable(found, seen)
        return seen

    modules = set(SOURCES) - {"__init__"}
    assert [name for name in sorted(modules) if name in reachable(name, set())] == []


def test_no_part_imports_another():
    """Except where two files hold one kind of state."""
    parts = {name for name in SOURCES if name.startswith("isolation.parts.")}
    together = {
        ("isolation.parts.environ", "isolation.parts.environ_bytes"),
        ("isolation.parts.tmp", "isolation.parts.tmp_folders"),
        ("isolation.parts.values", "isolation.parts.value_table"),
    }
    assert {(name, to) for name in parts for to in own_imports(name) & parts} <= together


def test_importing_the_package_imports_no_other_module_of_it():
    code = (
        "import sys, pytest_lambda_lifecycle; "
        "print([n for n in sys.modules if n.startswith('pytest_lambda')])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT.parent
    )
    assert output.stdout.strip() == "['pytest_lambda_lifecycle']"


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_each_folder_has_a_short_docstring(package):
    text = ast.get_docstring(ast.parse(SOURCES[package])) or ""
    assert 40 < len(text) < 400


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("freezegun", {"clock.freeze"}),
        ("responses", {"observation.calls.lambda_http"}),
        ("requests", {"observation.calls.lambda_http"}),
        ("urllib3", {"observation.calls.lambda_http"}),
        ("http.server", set()),
        # the last two only watch the processes that function code starts
        ("subprocess", {"processes", "isolation.parts.children", "observation.leftovers"}),
        ("unittest.mock", set()),
        ("boto3", set()),
        ("botocore", set()),
        ("httpx", set()),
        ("aiohttp", set()),
        ("asyncio", {"clock.event_loops"}),
        ("atexit", {"isolation.parts.exits"}),
        ("simplejson", {"runtimes.codec", "runtimes.cached_encoder", "runtimes.client_contents"}),
        ("pytest", {"plugin"}),
        ("_pytest", set()),
    ],
)
def test_modules_that_may_import(module, allowed):
    who = {
        name
        for name, found in IMPORTS.items()
        if any(f == module or f.startswith(f"{module}.") for f in found)
    }
    assert {name for name in who if name not in allowed and folder(name) not in allowed} == set()


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (
            r"sys\.modules\[[^\]]+\]\s*=[^=]|del sys\.modules"
            r"|sys\.modules\.(update|pop|setdefault|clear)\(",
            {
                "isolation.modules.replaced",
                "isolation.modules.stand_ins",
                "isolation.modules.world",
                "plugin",
            },
        ),
        (
            r"sys\.path(\[[^\]]*\])?\s*=[^=]|sys\.path\.(insert|append|remove|extend)\(",
            {"isolation.modules.search_path"},
        ),
        (
            r"sys\.meta_path(\[[^\]]*\])?\s*=[^=]|sys\.meta_path\.(insert|append|remove)\(",
            {"isolation.modules.finders"},
        ),
        (r"^[^#`\"]*\bos\._exit\b(?!`)", {"isolation.parts.exits", "isolation.real"}),
        (
            r"^[^#`\"]*\bsys\.addaudithook\b",
            {"isolation.audit_hook", "isolation.parts.lasting_hooks"},
        ),
        (r"\bRealOs\.(exit|abort)\b", {"isolation.parts.exits", "isolation.ledger"}),
        (
            r"\bsys\.(stdout|stderr)\s*(,\s*sys\.\w+\s*)?=[^=]",
            {"isolation.parts.streams"},
        ),
    ],
)
def test_modules_that_may_write(pattern, allowed):
    who = {
        name
        for name, text in SOURCES.items()
        if re.search(pattern, text, re.MULTILINE) and not name.startswith(ELSEWHERE)
    }
    assert who <= allowed


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith(ELSEWHERE)])
def test_modules_for_extensions_work_in_python_3_7(name):
    """They run in any Python from 3.7 on, without this package and its dependencies."""
    ast.parse(SOURCES[name], feature_version=(3, 7))
    assert {found.partition(".")[0] for found in IMPORTS[name]} <= sys.stdlib_module_names | {
        "lambda_sandbox_names"
    }


def test_tests_mirror_the_package():
    """Each folder of the package has a folder of tests with the same name."""
    tests = Path(__file__).parent
    folders = {path.name for path in tests.iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(FLOORS) - {"errors", "__init__"} | {
        "conformance",
        "benchmarks",
        "libraries",
    }
    below = {path.parent.name for path in (tests / "isolation").glob("*/__init__.py")}
    assert below == {path.parent.name for path in (ROOT / "isolation").glob("*/__init__.py")}


def test_no_module_is_called_utils():
    drawers = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert not {part for name in SOURCES for part in name.split(".")} & drawers


def test_the_library_works_without_pytest(tmp_path):
    (tmp_path / "app.py").write_text("def handler(event, context): return event")
    code = (
        "import sys\n"
        "from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig\n"
        "with ExecutionEnvironment(FunctionConfig('app.handler')) as env:\n"
        "    assert env.invoke({'a': 1}).payload == {'a': 1}\n"
        "assert not {'pytest', '_pytest', 'pluggy'} & set(sys.modules)\n"
    )
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    subprocess.run([sys.executable, "-W", "error", "-c", path + code], check=True, cwd=tmp_path)


def test_public_names_are_lazy_and_complete():
    from pytest_lambda_lifecycle import errors
    from pytest_lambda_lifecycle.lifecycle import events, extension_events, failures

    homes = (errors, events, extension_events)
    assert {name for home in homes for name in home.__all__} <= set(pytest_lambda_lifecycle.__all__)
    assert {
        name
        for name, one in vars(failures).items()
        if isinstance(one, type) and issubclass(one, Exception)
    } <= (set(pytest_lambda_lifecycle.__all__))
    assert pytest_lambda_lifecycle.__all__ == sorted(pytest_lambda_lifecycle.__all__)
    for name in pytest_lambda_lifecycle.__all__:
        assert getattr(pytest_lambda_lifecycle, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'NoSuchName'"):
        _ = pytest_lambda_lifecycle.NoSuchName


def test_type_checkers_see_the_same_public_names():
    from pytest_lambda_lifecycle import _HOMES

    block = next(node for node in ast.parse(SOURCES["__init__"]).body if isinstance(node, ast.If))
    seen = {
        (one.module, alias.name)
        for one in block.body
        if isinstance(one, ast.ImportFrom)
        for alias in one.names
    }
    table = {
        (f"pytest_lambda_lifecycle.{home}", name)
        for home, names in _HOMES.items()
        for name in names.split()
    }
    assert seen == table
