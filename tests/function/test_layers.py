"""The folders of layers from which function code imports."""

from __future__ import annotations

import os
import sys

from pytest_lambda_lifecycle.function.layers import import_folders, search_paths

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


def test_tools_and_libraries_of_a_later_layer_come_first(tmp_path):
    for name in ("one/bin", "one/lib", "two/bin", "three/python"):
        (tmp_path / name).mkdir(parents=True)
    layers = [tmp_path / name for name in ("one", "two", "three")]
    one, two = tmp_path / "one", tmp_path / "two"
    assert search_paths(layers) == {
        "PATH": [str(two / "bin"), str(one / "bin")],
        "LD_LIBRARY_PATH": [str(one / "lib")],
    }


def test_layers_without_tools_change_no_variable(tmp_path):
    (tmp_path / "python").mkdir()
    assert search_paths([tmp_path]) == {}


def test_function_code_finds_the_tools_of_a_layer(environment, tmp_path, monkeypatch):
    tool = tmp_path / "layer" / "bin" / "greet"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\necho hello from a layer\n")
    tool.chmod(0o755)
    env = environment(
        """
        import subprocess
        def handler(event, context): return subprocess.check_output(["greet"], text=True)
        """,
        layers=[tmp_path / "layer"],
    )
    assert env.invoke().payload == "hello from a layer\n"
    assert os.environ["PATH"].endswith(f"{os.pathsep}{tool.parent}")
    env.close()
    assert str(tool.parent) not in os.environ["PATH"]
