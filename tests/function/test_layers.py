"""The folders of layers from which function code imports."""

from __future__ import annotations

import os
import sys

from pytest_lambda_lifecycle.function.layers import import_folders

SITE_PACKAGES = f"python/lib/python3.{sys.version_info.minor}/site-packages"


def test_a_later_layer_comes_first_and_its_site_packages_before_all(tmp_path):
    for name in ("one/python", f"one/{SITE_PACKAGES}", "two/python", "three"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    folders = import_folders([tmp_path / "one", tmp_path / "two", tmp_path / "three"])
    assert folders == [
        tmp_path / "one" / SITE_PACKAGES,
        tmp_path / "two" / "python",
        tmp_path / "one" / "python",
    ]


def test_a_folder_that_may_not_be_searched_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "python").mkdir()
    stat = os.stat

    def refuse(path, *arguments, **keywords):  # root may search everything
        if os.fspath(path).endswith("site-packages"):
            raise PermissionError(13, os.strerror(13), str(path))
        return stat(path, *arguments, **keywords)

    monkeypatch.setattr("os.stat", refuse)
    assert import_folders([tmp_path]) == [tmp_path / "python"]
