"""``docs/architecture.md`` names folders, files and objects that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_generated import GENERATE
from test_layers import FLOORS, PACKAGES

import pytest_lambda_lifecycle

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(pytest_lambda_lifecycle.__file__).parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`", PAGE)))


def test_the_table_has_every_folder_on_its_floor():
    floors = range(len(GENERATE.FLOORS) + 1, 1, -1)
    table = {
        name: floor
        for floor, names in zip(floors, GENERATE.FLOORS, strict=True)
        for name in names.split()
    }
    assert set(table) == PACKAGES
    assert {
        name: floor for name, floor in table.items() if FLOORS[name.partition(".")[0]] != floor
    } == {}


def test_the_page_names_paths():
    assert len(NAMED) > 40


@pytest.mark.parametrize("path", NAMED)
def test_a_path_exists(path):
    # The sentences of a folder name the folders inside it.
    assert any((folder / path).exists() for folder in (PACKAGE, PACKAGE / "isolation", ROOT))


@pytest.mark.parametrize(("path", "name"), re.findall(r"`([a-z_/]+\.py)`: `(\w+(?:\.\w+)?)`", PAGE))
def test_an_object_on_a_way_exists(path, name):
    source = (PACKAGE / path).read_text(encoding="utf-8")
    for part in name.split("."):
        assert re.search(rf"^\s*(?:class|def) {part}\b|^{part}\b", source, re.MULTILINE)
