"""Contents and metadata of wheel and sdist; README, tox.ini and .ci/run agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from importlib.metadata import distribution, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator
    from email.message import Message

ROOT = Path(__file__).resolve().parent.parent
INFO = "pytest_lambda_lifecycle-0.1.0.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Generator[zipfile.ZipFile]:
    with zipfile.ZipFile(_build("build_wheel", tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Generator[tarfile.TarFile]:
    with tarfile.open(_build("build_sdist", tmp_path_factory.mktemp("sdist"))) as archive:
        yield archive


@pytest.fixture
def metadata(wheel: zipfile.ZipFile) -> Message:
    return Parser().parsestr(wheel.read(f"{INFO}/METADATA").decode())


def _build(hook: str, folder: Path) -> Path:
    """Call a PEP 517 hook of hatchling in a new process; it needs no network."""
    pytest.importorskip("hatchling")
    call = f"import hatchling.build; print(hatchling.build.{hook}({str(folder)!r}))"
    built = subprocess.run(
        [sys.executable, "-c", call], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return folder / built.stdout.split()[-1]


def _package_files() -> set[str]:
    package = ROOT / "pytest_lambda_lifecycle"
    files = (
        path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return {path.relative_to(ROOT).as_posix() for path in files}


def _readme_section(heading: str) -> str:
    sections = re.split(
        r"^(?=## )", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    [section] = [section for section in sections if section.startswith(f"## {heading}\n")]
    return section


def test_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if not name.startswith(f"{INFO}/")}
    assert names == _package_files()
    assert "pytest_lambda_lifecycle/py.typed" in names


def test_wheel_has_licence_and_entry_point(wheel: zipfile.ZipFile) -> None:
    assert b"MIT License" in wheel.read(f"{INFO}/licenses/LICENSE")
    declared = ConfigParser()
    declared.read_string(wheel.read(f"{INFO}/entry_points.txt").decode())
    assert dict(declared["pytest11"]) == {"lambda_lifecycle": "pytest_lambda_lifecycle.plugin"}


def test_sdist_can_be_tested(sdist: tarfile.TarFile) -> None:
    names = {name.partition("/")[2] for name in sdist.getnames()}
    assert names >= _package_files()
    assert names >= {
        "pyproject.toml",
        "tox.ini",
        "toxfile.py",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        ".ci/run",
    }
    assert names >= {"tests/test_packaging.py", "examples/run.py"}
    assert not [
        name for name in names if "__pycache__" in name or name.startswith((".tox", ".venv"))
    ]


def test_metadata(metadata: Message) -> None:
    assert metadata["Name"] == "pytest-lambda-lifecycle"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "MIT"
    urls = dict(url.split(", ") for url in metadata.get_all("Project-URL", []))
    assert list(urls) == ["Homepage", "Documentation", "Changelog", "Issues"]
    assert all(url.startswith(urls["Homepage"]) for url in urls.values())
    classifiers = metadata.get_all("Classifier", [])
    assert {"Framework :: Pytest", "Typing :: Typed"} <= set(classifiers)
    minors = [name.rpartition(" ")[2] for name in classifiers if re.search(r":: 3\.\d+$", name)]
    assert minors == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    assert metadata.get_all("Provides-Extra") == ["examples", "hypothesis", "process", "test"]


def test_lowest_environment_pins_every_lower_bound(metadata: Message) -> None:
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    pinned = tox["testenv:lowest"]["deps"].split()
    assert sorted(pinned) == sorted(line.replace(">=", "==") for line in required)


USE_OF_DEPENDENCIES = """
import time
import freezegun, requests, responses, simplejson
frozen = freezegun.freeze_time("2030-01-01T00:00:00Z", real_asyncio=True)
with frozen, responses.RequestsMock() as mock:
    mock.get("https://config.example/v1", json={"at": time.time()})
    print(simplejson.dumps(requests.get("https://config.example/v1").json()))
"""


def test_dependencies_work_together() -> None:
    """With `tox -e lowest`, this tests lower bounds that few other tests would notice."""
    done = subprocess.run(
        [sys.executable, "-c", USE_OF_DEPENDENCIES], check=True, capture_output=True, text=True
    )
    assert done.stdout == '{"at": 1893456000.0}\n'


def test_the_installed_plugin_is_the_one_declared() -> None:
    [point] = [
        point for point in entry_points(group="pytest11") if point.name == "lambda_lifecycle"
    ]
    assert point.value == "pytest_lambda_lifecycle.plugin"
    assert distribution("pytest-lambda-lifecycle").version == "0.1.0"


@pytest.mark.skipif("LAMBDA_LIFECYCLE_TEST_INSTALLED" not in os.environ, reason="tox asks for this")
def test_the_checkout_does_not_shadow_the_wheel() -> None:
    import pytest_lambda_lifecycle

    assert Path(pytest_lambda_lifecycle.__file__).is_relative_to(sys.prefix)
    assert not {"", str(ROOT)} & set(sys.path)


@pytest.mark.parametrize("heading", ["Run it", "Test it"])
def test_readme_has_one_command_block(heading: str) -> None:
    section = _readme_section(heading)
    assert section.count("```") == 2
    assert section.count("```bash\n") == 1


def test_ci_runs_the_block_of_the_readme(tmp_path: Path) -> None:
    block = _readme_section("Test it").partition("```bash\n")[2].partition("```")[0]
    shell = tmp_path / "bash"
    shell.write_text('#!/bin/sh\nprintf "%s" "$4" > "$BLOCK"\n')
    shell.chmod(0o755)
    environ = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "BLOCK": str(tmp_path / "block"),
    }
    subprocess.run(
        ["/bin/bash", ROOT / ".ci" / "run"], env=environ, check=True, capture_output=True
    )
    assert (tmp_path / "block").read_text().strip() == block.strip()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
