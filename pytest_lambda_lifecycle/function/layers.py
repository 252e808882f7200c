"""Layers: the folders of their modules, and the extensions in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = ["find_extensions", "import_folders", "opt_layers", "search_paths"]


def import_folders(layers: Iterable[Path]) -> list[Path]:
    """Return the folders of layers from which function code imports, in the order of the search.

    Layers are unpacked over each other in ``/opt``, so a later layer comes first.
    """
    minor = f"python3.{sys.version_info.minor}"
    ordered = [layer.resolve() for layer in layers][::-1]
    folders = [layer / "python" / "lib" / minor / "site-packages" for layer in ordered]
    folders += [layer / "python" for layer in ordered]
    return [folder for folder in folders if os.path.isdir(folder)]


def search_paths(layers: Iterable[Path]) -> dict[str, list[str]]:
    """Return the folders of layers that Lambda puts on the variables with paths, in their order.

    ``/opt/bin`` is the last entry of ``PATH``, and ``/opt/lib`` that of ``LD_LIBRARY_PATH``.
    """
    ordered = [layer.resolve() for layer in layers][::-1]
    found = {
        variable: [str(layer / name) for layer in ordered if os.path.isdir(layer / name)]
        for variable, name in (("PATH", "bin"), ("LD_LIBRARY_PATH", "lib"))
    }
    return {variable: folders for variable, folders in found.items() if folders}


def find_extensions(layers: Iterable[Path]) -> list[tuple[str, Path]]:
    """Return name and path of each extension that Lambda would start, sorted by name.

    They are the files in the ``extensions`` folders of the layers.  As in the Runtime Interface
    Emulator folders are no extensions, and hidden files and symbolic links are.  Layers are
    unpacked over each other, so of two files with one name the later layer's counts.
    """
    found: dict[str, Path] = {}
    for layer in layers:
        folder = Path(layer).absolute() / "extensions"
        if folder.is_dir():
            with os.scandir(folder) as entries:
                found |= {
                    entry.name: folder / entry.name
                    for entry in entries
                    if not entry.is_dir(follow_symlinks=False)
                }
    return sorted(found.items())


def opt_layers(config: FunctionConfig) -> list[Path]:
    """Return the directories whose content is in ``/opt``.

    They are the layers, and the folders around each ``extensions`` folder of which the setting
    ``extensions`` names a file.
    """
    paths = [path for path in config.extensions if isinstance(path, Path)]
    named = [path.parents[1] for path in paths if path.parent.name == "extensions"]
    return [*config.layers, *dict.fromkeys(named)]
