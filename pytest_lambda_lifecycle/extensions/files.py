"""Where the extensions of layers are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["find_extensions"]


def find_extensions(layers: Iterable[Path]) -> list[tuple[str, Path]]:
    """Return name and path of what Lambda would start: the files in the layers' ``extensions`` folders, by name.

    As in the Runtime Interface Emulator folders are no extensions, and hidden files and symbolic links are.  Layers are
    unpacked over each other, so of two files with one name the later layer's counts.
    """
    found: dict[str, Path] = {}
    for layer in layers:
        folder = Path(layer).absolute() / "extensions"
        if folder.is_dir():
            with os.scandir(folder) as entries:
                found |= {one.name: folder / one.name for one in entries if not one.is_dir(follow_symlinks=False)}
    return sorted(found.items())
