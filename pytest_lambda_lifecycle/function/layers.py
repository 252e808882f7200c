"""Where the extensions of layers are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.function.config import FunctionConfig

if TYPE_CHECKING:
    pass


__all__ = ["find_extensions", "opt_layers"]


def find_extensions(layers: Iterable[Path]) -> list[tuple[str, Path]]:
    """Return name and path of what Lambda would start: the files in the layers' ``extensions``
    folders, by name.

    As in the Runtime Interface Emulator folders are no extensions, and hidden files and symbolic
    links are.  Layers are unpacked over each other, so of two files with one name the later layer's
    counts.
    """
    found: dict[str, Path] = {}
    for layer in layers:
        folder = Path(layer).absolute() / "extensions"
        if folder.is_dir():
            with os.scandir(folder) as entries:
                found |= {
                    one.name: folder / one.name
                    for one in entries
                    if not one.is_dir(follow_symlinks=False)
                }
    return sorted(found.items())


def opt_layers(config: FunctionConfig) -> list[Path]:
    """Return what is in ``/opt``: the layers, and the folders around ``extensions`` folders whose
    files were named.
    """
    paths = [path for path in config.extensions if isinstance(path, Path)]
    return [
        *config.layers,
        *dict.fromkeys(path.parents[1] for path in paths if path.parent.name == "extensions"),
    ]


def _layer_folders(layers: Iterable[Path]) -> list[Path]:
    """Return the import folders of layers, unpacked over each other in ``/opt``: what comes later
    wins.
    """
    minor = f"python3.{sys.version_info.minor}"
    ordered = [layer.resolve() for layer in layers][::-1]
    folders = [layer / "python" / "lib" / minor / "site-packages" for layer in ordered]
    folders += [layer / "python" for layer in ordered]
    return [folder for folder in folders if folder.is_dir()]
