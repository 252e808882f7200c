"""The architecture: imports go down only, and each danger has one place."""

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

LAYERS = {
    5: "plugin options fixtures hookspecs assertions summary kept patched patchers clock_fixture marks wide",
    4: "environment extending assembly attributes history lambda_clock reuse_assertion spies",
    3: "api api.channel api.connection api.delivery api.endpoint api.lines api.registry api.remote_api api.replies "
    "api.routes  api.runtime_api api.server api.states api.subscription api.telemetry api.waiting extensions "
    "extensions.barrier  extensions.files extensions.group extensions.guard extensions.local extensions.objects "
    "extensions.opt  extensions.output extensions.process extensions.programs watching runtimes runtimes.client "
    "runtimes.faults  runtimes.hooks runtimes.loading runtimes.local runtimes.logs runtimes.remote",
    2: "conductor ending failures lifecycle participants phase phases projections standing stopping telemetry turns",
    1: "alarm capture captured clock ephemeral_storage event_loop exits finders forkserver fresh frozen_types "
    "importing interruption leftovers logging_tree namespaces process reach replacements reuse rival rotation setters "
    "sleeping slots surroundings threads timeline unclosed undoing virtual_clock working_directory world",
    0: "codec config context encoded errors events extension extension_events folders kept_encoder outcome real_time "
    "isolation isolation.frames sandbox sandbox.lambda_sandbox_names sandbox.sitecustomize settings task_root "
    "variables",
}
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names.split()}
EXCEPTIONS = {
    ("timeline", "projections"): "print(env.timeline) is worth reading in a REPL: its repr asks for the projection",
}
EDGE = set(LAYERS[5].split())
ELSEWHERE = {"sandbox.sitecustomize"}  # at work in the Python of an extension process, never in this one

SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path.read_text(encoding="utf-8")
    for path in sorted(ROOT.rglob("*.py"))
}


def imports(node: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a module imports at run time, also inside functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        else:
            yield from imports(child)


IMPORTS = {name: set(imports(ast.parse(text))) for name, text in SOURCES.items()}


def own_imports(name: str) -> set[str]:
    short = {found.removeprefix("pytest_lambda_lifecycle.") for found in IMPORTS[name]}
    return {found for found in short if found in LAYER_OF}


def test_every_module_has_its_layer():
    assert set(SOURCES) - {"__init__"} == set(LAYER_OF)


@pytest.mark.parametrize("name", LAYER_OF)
def test_imports_go_down_only(name):
    upwards = {found for found in own_imports(name) if LAYER_OF[found] > LAYER_OF[name]}
    assert {found for found in upwards if (name, found) not in EXCEPTIONS} == set()


def test_no_two_modules_import_each_other():
    def reachable(name: str, seen: set[str]) -> set[str]:
        for found in own_imports(name) - seen - {to for origin, to in EXCEPTIONS if origin == name}:
            seen.add(found)
            reachable(found, seen)
        return seen

    packages = {name.rpartition(".")[0] for name in LAYER_OF}
    assert [name for name in LAYER_OF if name not in packages and name in reachable(name, set())] == []


def test_the_package_itself_imports_nothing_of_its_own():
    assert {found for found in IMPORTS["__init__"] if "lambda" in found} == set()


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("freezegun", {"clock"}),
        ("responses", {"http"}),
        ("requests", set()),
        ("http.server", {"api.connection"}),
        # leftovers only watches what function code starts
        ("subprocess", {"leftovers", "extensions.guard", "extensions.process", "runtimes.process"}),
        ("unittest.mock", set()),
        ("boto3", set()),
        ("asyncio", {"sleeping"}),
        ("atexit", {"exits", "surroundings", "parts"}),
        ("simplejson", {"codec", "kept_encoder"}),
        ("pytest", EDGE),
        ("_pytest", set()),
    ],
)
def test_who_may_import(module, allowed):
    who = {name for name, found in IMPORTS.items() if any(f == module or f.startswith(f"{module}.") for f in found)}
    assert who <= allowed


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (
            r"sys\.modules\[[^\]]+\]\s*=[^=]|del sys\.modules|sys\.modules\.(update|pop|setdefault|clear)\(",
            {"world", "plugin", *ELSEWHERE},
        ),
        (
            r"sys\.path(\[[^\]]*\])?\s*=[^=]|sys\.path\.(insert|append|remove|extend)\(",
            {"surroundings", "world", *ELSEWHERE},
        ),
        (r"sys\.meta_path(\[[^\]]*\])?\s*=[^=]|sys\.meta_path\.(insert|append|remove)\(", {"finders"}),
    ],
)
def test_who_may_write(pattern, allowed):
    assert {name for name, text in SOURCES.items() if re.search(pattern, text)} <= allowed


@pytest.mark.parametrize("name", [name for name in LAYER_OF if name.startswith("sandbox.")])
def test_what_extension_processes_import_works_in_their_python(name):
    """It is theirs, not ours: any from 3.7 on, without this package and what it depends on."""
    ast.parse(SOURCES[name], feature_version=(3, 7))
    assert {found.partition(".")[0] for found in IMPORTS[name]} <= sys.stdlib_module_names


def test_no_drawers_for_anything():
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
    from pytest_lambda_lifecycle import errors, events, extension_events

    assert {*errors.__all__, *events.__all__, *extension_events.__all__} <= set(pytest_lambda_lifecycle.__all__)
    assert pytest_lambda_lifecycle.__all__ == sorted(pytest_lambda_lifecycle.__all__)
    for name in pytest_lambda_lifecycle.__all__:
        assert getattr(pytest_lambda_lifecycle, name) is not None
        assert name in dir(pytest_lambda_lifecycle)
    with pytest.raises(AttributeError, match="has no attribute 'NoSuchName'"):
        _ = pytest_lambda_lifecycle.NoSuchName
