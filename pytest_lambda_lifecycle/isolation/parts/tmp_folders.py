"""The folders behind ``/tmp``: made, locked, removed, and swept if their session was killed.

A session that SIGTERM, SIGHUP or SIGKILL ends removes nothing.  So each folder is locked as long as
its process lives: `flock` locks the folder itself, and the kernel frees the lock however the
process ends.  The first environment of the next session removes the folders of the same user that
nobody has locked.  A process id in the name would not do, as ids are used again, and differ in
containers that share a folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from importlib import import_module
from typing import Any, Final

from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.real import RealOs

__all__ = ["PREFIX", "make_folder", "remove_folder", "sweep_folders"]

fcntl: Final[Any] = import_module("fcntl") if os.name == "posix" else None

PREFIX: Final = "lambda-tmp-"
_UNFINISHED: Final = ".making-"
_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_LOCKS: Final[dict[str, int]] = {}
"""The descriptor that holds the lock of each folder."""


def make_folder(path: str) -> None:
    """Make a folder, and keep it locked until `remove_folder`."""
    if path in _LOCKS:
        return
    parent, name = os.path.split(path)
    # Nobody may sweep it before it is locked.
    unfinished = os.path.join(parent, _UNFINISHED + name)
    try:
        with contextlib.suppress(FileExistsError):  # another thread of the function makes it
            RealOs.mkdir(unfinished, 0o700)
        descriptor = RealOs.open(unfinished, _FLAGS) if fcntl is not None else -1
        if descriptor >= 0:
            _try_to_lock(descriptor)
            _LOCKS[path] = descriptor
        os.rename(unfinished, path)
    except FileNotFoundError:
        if not os.path.isdir(path):  # otherwise another thread has made it in the meantime
            raise _refusal(path, FileNotFoundError(parent)) from None
    except OSError as problem:
        with contextlib.suppress(OSError):
            os.rmdir(unfinished)
        # A child that was forked (`multiprocessing`) may have made it, and put something into it.
        if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise _refusal(path, problem) from problem


def _refusal(path: str, problem: OSError) -> LifecycleError:
    return LifecycleError(
        f"cannot make the folder behind the function's /tmp, {path}: {problem}",
        "This is no fault of function code.  The folder lies in the temporary folder of the "
        "machine (TMPDIR), and takes one file descriptor as long as it exists (ulimit -n).",
        code="LLC114",
    )


def remove_folder(path: str) -> None:
    """Remove a folder with its contents, and free its lock."""
    empty_folder(path)
    descriptor = _LOCKS.pop(path, None)
    if descriptor is not None:
        with contextlib.suppress(OSError):  # function code has closed it
            RealOs.close(descriptor)


def empty_folder(path: str) -> None:
    """Remove a folder with its contents; links in it are not followed."""
    shutil.rmtree(path, ignore_errors=True)
    if os.path.isdir(path):
        # Function code has made folders that nobody may write to.
        for folder, names, _ in os.walk(path):
            for name in names:
                if not os.path.islink(os.path.join(folder, name)):
                    os.chmod(os.path.join(folder, name), 0o700)
        shutil.rmtree(path, ignore_errors=True)


def sweep_folders(parent: str) -> None:
    """Remove the folders of sessions that have ended without removing them."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with contextlib.suppress(OSError):  # another session has swept it
                    _sweep(entry)


def _sweep(entry: os.DirEntry[str]) -> None:
    if (
        not entry.is_dir(follow_symlinks=False)
        or entry.stat(follow_symlinks=False).st_uid != os.getuid()
        or entry.path in _LOCKS
    ):
        return
    descriptor = RealOs.open(entry.path, _FLAGS)
    try:
        if _try_to_lock(descriptor):
            empty_folder(entry.path)
    finally:
        RealOs.close(descriptor)


def _try_to_lock(descriptor: int) -> bool:
    """Lock a folder; return False if another process has locked it, or the file system cannot."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
