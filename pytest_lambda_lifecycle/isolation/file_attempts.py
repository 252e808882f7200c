"""Attempts to change a file, and the answers of a read-only file system.

The answers are those of Linux, as a read-only mount gives them
(``tests/isolation/test_file_attempts.py`` has the table).  Its order of checks matters: function
code that calls ``os.makedirs(folder, exist_ok=True)`` for a folder of its package works on Lambda,
because "File exists" comes before "Read-only file system".  So each rule here refuses only a call
that Linux would refuse for that reason; all other calls are left to the real file system.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import unquote

from pytest_lambda_lifecycle.isolation.file_places import LAMBDA_FOLDERS, Place
from pytest_lambda_lifecycle.isolation.real import RealOs

__all__ = ["Attempt", "attempt", "no_space"]

PlaceOf: TypeAlias = Callable[[str], Place]

_READ_ONLY: Final = (30, "Read-only file system")
_CROSS_DEVICE: Final = (18, "Invalid cross-device link")
_NO_SPACE: Final = (28, "No space left on device")
_UNNAMED_FILE: Final = getattr(os, "O_TMPFILE", -1)
_PATH_ONLY: Final = getattr(os, "O_PATH", 0)
_NO_FOLDER: Final = -1
"""Stands in an event for the argument ``dir_fd`` that was not given."""
_GET_PATH: Final = 50
"""``F_GETPATH`` of macOS."""


class Attempt(NamedTuple):
    """A call that would change a file or a folder."""

    asked: str
    """The request in words, which the path follows."""
    path: str
    """The path without symbolic links."""
    place: Place
    error: Exception | None = None
    """With what Lambda would answer, if not with success."""
    adds: bool = False
    """It may make the file longer, or a new one."""


def attempt(event: str, arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    """Return what a call is about to change; None if it fails by itself, or changes nothing.

    Raises `OSError`, `TypeError` or `ValueError` for arguments that the call will refuse as well.
    """
    return _RULES[event](arguments, place_of)


def no_space(path: object) -> OSError:
    """Return the error of a full file system."""
    return OSError(*_NO_SPACE, path)


# -- paths -----------------------------------------------------------------------------------------


def _absolute(path: Any, folder: int = _NO_FOLDER) -> str:  # noqa: ANN401  # as given to a call
    text = os.fsdecode(path)
    if os.path.isabs(text):
        return text
    return os.path.join(RealOs.getcwd() if folder == _NO_FOLDER else _of_descriptor(folder), text)


def _of_descriptor(descriptor: int) -> str:
    """Return the path of an open file or folder; raise `OSError` for a pipe, or a closed one."""
    if sys.platform == "darwin":
        import fcntl

        found = fcntl.fcntl(descriptor, _GET_PATH, b"\0" * 1024)
        return os.fsdecode(found.rstrip(b"\0"))
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    if not path.startswith("/"):
        raise OSError(path)
    return path


def _entry(path: Any, folder: int = _NO_FOLDER) -> str | None:  # noqa: ANN401
    """Return the path of a folder's entry, which may be a link; None if there is no such folder."""
    parent, name = os.path.split(_absolute(path, folder).rstrip("/"))
    parent = os.path.realpath(parent)
    if name in ("", ".", "..") or not _is_folder(parent):
        return None
    return os.path.join(parent, name)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) or path in LAMBDA_FOLDERS


def _mode_of(path: str) -> int:
    """Return the mode of a file; 0 if there is none."""
    try:
        return os.stat(path).st_mode
    except OSError:
        return 0


# -- rules -----------------------------------------------------------------------------------------


def _open(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    given, _, flags = arguments
    if isinstance(given, int) or flags & _PATH_ONLY:  # a descriptor has been opened before
        return None
    path = _absolute(given)
    real = os.path.realpath(path)
    mode = _mode_of(real)
    if flags & _UNNAMED_FILE == _UNNAMED_FILE:
        opens = stat.S_ISDIR(mode)
    elif mode:
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC)
        as_link = flags & os.O_NOFOLLOW and os.path.islink(path)
        exclusive = flags & os.O_CREAT and flags & os.O_EXCL
        opens = bool(stat.S_ISREG(mode) and writes and not as_link and not exclusive)
    else:
        dangling = flags & (os.O_EXCL | os.O_NOFOLLOW) and os.path.islink(path)
        opens = bool(flags & os.O_CREAT and not dangling and _is_folder(os.path.dirname(real)))
    if not opens:
        return None
    place = place_of(real)
    error = OSError(*_READ_ONLY, given) if place is Place.READ_ONLY else None
    return Attempt("write", real, place, error, adds=True)


def _make_folder(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    given, _, folder = arguments
    return _new(given, folder, place_of, "make the folder", (given,))


def _make_link(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    target, given, folder = arguments
    return _new(given, folder, place_of, "make the link", (target, None, given))


def _bind(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    address = arguments[1]  # a path is that of a UNIX socket; one that begins with NUL is no file
    if not isinstance(address, str | bytes) or not address or address[0] in ("\0", 0):
        return None
    return _new(address, _NO_FOLDER, place_of, "make the socket", ())


def _new(
    given: Any,  # noqa: ANN401
    folder: int,
    place_of: PlaceOf,
    asked: str,
    names: tuple[object, ...],
) -> Attempt | None:
    """Judge a call that makes an entry; ``names`` are those that the error has."""
    path = _entry(given, folder)
    if path is None or os.path.lexists(path):
        return None
    place = place_of(path)
    return Attempt(asked, path, place, _error(place, names), adds=True)


def _remove(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    given, folder = arguments
    path = _entry(given, folder)
    if path is None:
        return None
    place = place_of(path)
    return Attempt("remove", path, place, _error(place, (given,)))


def _rename(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    source, target, source_folder, target_folder = arguments
    old, new = _entry(source, source_folder), _entry(target, target_folder)
    if old is None or new is None:
        return None
    names = (source, None, target)
    places = place_of(old), place_of(new)
    if places[0] is places[1] is Place.READ_ONLY:
        return Attempt("rename", old, places[0], OSError(*_READ_ONLY, *names))
    if Place.READ_ONLY in places:
        path = new if places[1] is Place.READ_ONLY else old
        asked = "move a file to" if path is new else "move away"
        return Attempt(asked, path, Place.READ_ONLY, OSError(*_CROSS_DEVICE, *names))
    return Attempt("move a file to", new, places[1], adds=True) if os.path.lexists(old) else None


def _link(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    source, target, source_folder, target_folder = arguments
    old, new = _entry(source, source_folder), _entry(target, target_folder)
    if old is None or new is None or not os.path.lexists(old) or os.path.lexists(new):
        return None
    names = (source, None, target)
    place = place_of(new)
    error = _error(place, names)
    if error is None and place_of(old) is Place.READ_ONLY:
        # A write through the second name would change the file.
        return Attempt("make a link to", old, Place.READ_ONLY, OSError(*_CROSS_DEVICE, *names))
    return Attempt("make the link", new, place, error)


def _truncate(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    given = arguments[0]
    if isinstance(given, int):
        return None
    real = os.path.realpath(_absolute(given))
    if not stat.S_ISREG(_mode_of(real)):
        return None
    place = place_of(real)
    return Attempt("write", real, place, _error(place, (given,)), adds=True)


def _change(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    """Judge a change of mode, owner or attributes."""
    return _change_of(arguments[0], place_of, arguments[-1], named=True)


def _set_times(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    # Before Python 3.13 the error does not name the file.
    named = sys.version_info >= (3, 13)
    return _change_of(arguments[0], place_of, arguments[-1], named=named)


def _set_attribute(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    return _change_of(arguments[0], place_of, _NO_FOLDER, named=True)


def _change_of(given: Any, place_of: PlaceOf, folder: int, *, named: bool) -> Attempt | None:  # noqa: ANN401
    if isinstance(given, int):
        path, named = _of_descriptor(given), False
    else:
        path = _absolute(given, folder)
    real = os.path.realpath(path)
    if not os.path.lexists(real):
        return None
    place = place_of(real)
    return Attempt("change", real, place, _error(place, (given,) if named else ()))


def _error(place: Place, names: tuple[object, ...]) -> OSError | None:
    return OSError(*_READ_ONLY, *names) if place is Place.READ_ONLY else None


def _open_database(arguments: tuple[Any, ...], place_of: PlaceOf) -> Attempt | None:
    """Judge `sqlite3.connect`, which opens files in C; a database that is there may be read."""
    text = os.fsdecode(arguments[0])
    if text.startswith("file:"):
        text, _, options = text[len("file:") :].partition("?")
        if "mode=memory" in options or "mode=ro" in options.split("&"):
            return None
        text = unquote(text)
        if text.startswith("//"):
            text = "/" + text[2:].partition("/")[2]
    if not text or text == ":memory:":
        return None
    real = os.path.realpath(_absolute(text))
    if _mode_of(real) or not _is_folder(os.path.dirname(real)):
        return None
    place = place_of(real)
    error = None
    if place is Place.READ_ONLY:
        error = sys.modules["sqlite3"].OperationalError("unable to open database file")
    return Attempt("make the database", real, place, error, adds=True)


_RULES: Final[Mapping[str, Callable[[tuple[Any, ...], PlaceOf], Attempt | None]]] = {
    "open": _open,
    "os.mkdir": _make_folder,
    "os.symlink": _make_link,
    "os.link": _link,
    "os.remove": _remove,
    "os.rmdir": _remove,
    "os.rename": _rename,
    "os.truncate": _truncate,
    "os.chmod": _change,
    "os.chown": _change,
    "os.utime": _set_times,
    "os.setxattr": _set_attribute,
    "os.removexattr": _set_attribute,
    "socket.bind": _bind,
    "sqlite3.connect": _open_database,
}
