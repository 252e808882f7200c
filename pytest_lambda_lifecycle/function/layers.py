"""Layers: the folders of their modules, and the extensions in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.function.config import FunctionConfig

__all__ = ["find_extensions", "hint_at_layers", "import_folders", "opt_layers", "search_paths"]

_OTHER_CONTENT: Final = ("bin", "extensions", "lib")
"""Folders of a layer that Lambda looks into, beside ``python``."""
_PYTHON: Final = f"python3.{sys.version_info.minor}"


def import_folders(layers: Iterable[Path]) -> list[Path]:
    """Return the folders of layers from which function code imports, in the order of the search.

    Layers are unpacked over each other in ``/opt``, so a later layer comes first.
    """
    ordered = [layer.resolve() for layer in layers][::-1]
    folders = [layer / "python" / "lib" / _PYTHON / "site-packages" for layer in ordered]
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


def hint_at_layers(layers: Iterable[Path], missing: str) -> str:
    """Say of each layer that seems to hold a missing module why nothing is imported from there."""
    return "\n".join(filter(None, (_why_not_from(layer, missing) for layer in layers)))


def _why_not_from(layer: Path, missing: str) -> str:
    wanted = missing.partition(".")[0]
    imports = layer / "python"
    if not imports.is_dir():
        return _without_python(layer, wanted)
    for folder in sorted(imports.glob("lib/python3.*/site-packages")):
        version = folder.parent.name
        if version != _PYTHON and _has(folder, wanted):
            return (
                f"The layer {layer} has {wanted} for {version} alone, in {folder}, and the tests "
                f"run on {_PYTHON}: build the layer for {_PYTHON}, or run the tests on {version}."
            )
    for folder in import_folders([layer]):
        built = sorted(folder.glob(f"{missing.replace('.', '/')}.cpython-*"))
        if built:
            return (
                f"The layer {layer} has {missing} for another Python or platform, as {built[0]}: "
                f"build the layer for {_PYTHON}."
            )
    return ""


def _without_python(layer: Path, wanted: str) -> str:
    first = f"The layer {layer} has no folder python/, so nothing is imported from it: "
    if layer.name == "python":
        return f"{first}name the folder around it, {layer.parent}, as in layers=['{layer.parent}']."
    inner = sorted(path.parent for path in layer.glob("*/python") if path.is_dir())
    fitting = [path for path in inner if _has(path / "python", wanted)] or inner
    if fitting:
        return f"{first}a layer is the folder with python/ in it, such as {fitting[0]}."
    if _has(layer, wanted):
        return (
            f"{first}Lambda imports {wanted} from the folder python/ of an unpacked layer, which a "
            f"build (sam build, pip install --target {layer.name}/python) makes; name the folder "
            f"with the result, or the sources of the layer in another setting: bundled=['{layer}']."
        )
    if any((layer / name).is_dir() for name in _OTHER_CONTENT):
        return ""  # nobody has to import anything from it
    return f"{first}a layer is an unpacked layer, with its modules in python/."


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_dir() or (folder / f"{name}.py").is_file()


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
