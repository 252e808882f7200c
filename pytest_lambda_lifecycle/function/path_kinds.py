"""The kinds of settings that lead to files: the task root, layers, extensions."""

from __future__ import annotations

import difflib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.function.extension import Extension, check_extension, extension_name
from pytest_lambda_lifecycle.function.kinds import Given, Kind, is_import_name

if TYPE_CHECKING:
    StrPath: TypeAlias = str | os.PathLike[str]

__all__ = ["Bundled", "Directory", "Extensions", "Layers"]


class Directory(Kind):
    """The path of a directory, or None."""

    takes = "a path"
    none = "where the handler's module lies"

    def check(self, given: Given) -> Path | None:
        return None if given.value is None else _directory(given)


class Layers(Kind):
    """The paths of a few directories."""

    ini_type = "paths"

    def __init__(self, most: int) -> None:
        self.most = most
        self.limits = f"directories, at most {most}"
        self.takes = f"a list of {self.limits}"

    def check(self, given: Given) -> tuple[Path, ...]:
        entries = given.items("directories")
        if len(entries) > self.most:
            raise ConfigError(
                f"{len(entries)} layers are more than Lambda's maximum of {self.most} "
                f"(from {given.source})",
                code="LLC202",
            )
        return tuple(
            _directory(given._replace(name=f"{given.name}[{index}]", value=entry))
            for index, entry in enumerate(entries)
        )


class Bundled(Kind):
    """Import names, and the paths of directories."""

    ini_type = "args"
    limits = "import names such as common, or directories"
    takes = "a list of import names such as 'common', and of directories"

    def check(self, given: Given) -> tuple[str | Path, ...]:
        found: list[str | Path] = []
        for index, entry in enumerate(given.items("import names, or directories")):
            one = given._replace(name=f"{given.name}[{index}]", value=entry)
            if isinstance(entry, str) and is_import_name(entry) and not _is_directory(one, entry):
                found.append(entry)
            else:
                found.append(_directory(one))
        return tuple(found)


class Extensions(Kind):
    """`Extension` objects and classes, and the paths of executables."""

    ini_type = "paths"
    takes = "a list of Extension objects or classes, and paths of executables"
    limits = "executables"

    def check(self, given: Given) -> tuple[Extension | type[Extension] | Path, ...]:
        found: dict[str, Extension | type[Extension] | Path] = {}
        entries = given.items("Extension objects, or paths of executables")
        for index, entry in enumerate(entries):
            checked = _extension(given._replace(name=f"{given.name}[{index}]", value=entry))
            name = checked.name if isinstance(checked, Path) else extension_name(checked)
            if name in found:
                raise ConfigError(
                    f"extensions: two are called {name!r} (from {given.source})",
                    "Each extension registers under its name, so the names have to differ.",
                    code="LLC207",
                )
            found[name] = checked
        return tuple(found.values())


def _is_directory(given: Given, text: str) -> bool:
    return os.path.isdir(_absolute(text, given.directory))


def _directory(given: Given) -> Path:
    if not given.value or not isinstance(given.value, str | os.PathLike):
        raise given.error(" has to be the path of a directory", code="LLC206")
    text = os.fspath(cast("StrPath", given.value))
    path = _absolute(text, given.directory)
    problem = _problem_with(path)
    if not problem:
        return path
    resolved = "" if text == str(path) else f" = {path}"
    raise given._replace(value=text).error(f"{resolved} {problem}", code="LLC206")


def _extension(given: Given) -> Extension | type[Extension] | Path:
    entry = given.value
    if isinstance(entry, Extension) or (isinstance(entry, type) and issubclass(entry, Extension)):
        problem = check_extension(entry)
        if problem:
            raise given.error(f": {problem}", code="LLC207")
        return entry
    if not entry or not isinstance(entry, str | os.PathLike):
        takes = "an Extension object or class, or the path of an executable"
        raise given.error(f" has to be {takes}", code="LLC207")
    text = os.fspath(cast("StrPath", entry))
    path = _absolute(text, given.directory)
    if os.path.isfile(path):
        return path
    is_directory = os.path.isdir(path)
    problem = "is a directory, not an executable" if is_directory else _problem_with(path)
    raise given._replace(value=text).error(f" = {path} {problem}", code="LLC206")


def _absolute(given: StrPath, directory: Path | None) -> Path:
    path = Path(directory or Path.cwd(), os.path.expanduser(os.fspath(given)))
    return Path(os.path.abspath(path))


def _nearest(path: Path) -> str:
    """Propose the sibling of a similar name, for a path that does not exist."""
    try:
        near = difflib.get_close_matches(path.name, os.listdir(path.parent), n=1)
    except (OSError, ValueError):
        return ""
    return f"; did you mean {near[0]!r}?" if near else ""


def _problem_with(path: Path) -> str:
    """Say why a path is no directory that can be used; return ``""`` for one that is."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return f"does not exist{_nearest(path)}"
    except OSError as error:
        return f"cannot be reached: {error.strerror}"
    if not stat.S_ISDIR(mode):
        unpack = "; unpack the archive and give the directory" if path.suffix == ".zip" else ""
        code = "" if path.suffix != ".py" else f"; the directory around it is {path.parent}"
        return f"is a file, not a directory{unpack}{code}"
    readable = os.access(path, os.R_OK | os.X_OK)
    return "" if readable else "cannot be read: this user lacks the permission"
