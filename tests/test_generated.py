"""Generated parts of files are what ``python docs/generate.py`` would write."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = load("generate")
PICTURES = load("pictures").PICTURES


@pytest.mark.parametrize("file", GENERATE.PARTS)
def test_a_generated_part_is_up_to_date(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert text == GENERATE.regenerated(file), "run python docs/generate.py"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_the_plugin_draws(name):
    text = (ROOT / "docs" / "pictures" / name).read_text(encoding="utf-8")
    assert text == PICTURES[name](), "run python docs/pictures.py"
