"""Calls that change files, run in a folder that is read-only: of a mount, or of an environment.

As a script, it mounts the folder of its first argument read-only and prints the answers as JSON;
the second argument is a folder that stays writable.  It needs ``unshare --map-root-user --mount``.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile


def opened(path, mode):
    """Open a file, and close it if that was possible."""
    with open(path, mode):
        pass


def with_open(path, use):
    """Open a file or folder for the call."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        use(descriptor)
    finally:
        os.close(descriptor)


def create_in(folder):
    """Make a file in an open folder."""
    os.close(os.open("made", os.O_CREAT | os.O_WRONLY, dir_fd=folder))


def bind(path):
    """Bind a UNIX socket."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path)


def query(database, statement):
    """Run a statement in a database."""
    connection = sqlite3.connect(database)
    try:
        connection.execute(statement)
    finally:
        connection.close()


CALLS = {
    "open(new, w)": lambda r, t: opened("new", "w"),
    "open(file, w)": lambda r, t: opened("file", "w"),
    "open(absolute, a)": lambda r, t: opened(f"{r}/file", "a"),
    "open(bytes, w)": lambda r, t: opened(b"new", "w"),
    "Path.write_text": lambda r, t: pathlib.Path("file").write_text("x"),
    "open(file, r+)": lambda r, t: opened("file", "r+"),
    "open(new, r+)": lambda r, t: opened("new", "r+"),
    "open(file, x)": lambda r, t: opened("file", "x"),
    "open(new, x)": lambda r, t: opened("new", "x"),
    "open(no/new, w)": lambda r, t: opened("no/new", "w"),
    "open(folder, w)": lambda r, t: opened("folder", "w"),
    "open(file/new, w)": lambda r, t: opened("file/new", "w"),
    "open(link to file, w)": lambda r, t: opened("link", "w"),
    "open(dangling link, w)": lambda r, t: opened("dangling", "w"),
    "open(link to /tmp, w)": lambda r, t: opened("to_tmp", "w"),
    "open(fifo)": lambda r, t: os.close(os.open("fifo", os.O_RDWR)),
    "open(/dev/null, w)": lambda r, t: opened("/dev/null", "w"),
    "open(file, r)": lambda r, t: opened("file", "r"),
    "os.open(file, CREAT)": lambda r, t: os.close(os.open("file", os.O_CREAT)),
    "os.open(new, CREAT)": lambda r, t: os.open("new", os.O_CREAT),
    "os.open(file, TRUNC)": lambda r, t: os.open("file", os.O_TRUNC),
    "os.open(link, EXCL)": lambda r, t: os.open("link", os.O_CREAT | os.O_EXCL | os.O_WRONLY),
    "os.open(link, NOFOLLOW)": lambda r, t: os.open("link", os.O_NOFOLLOW | os.O_WRONLY),
    "os.open(., TMPFILE)": lambda r, t: os.open(".", os.O_TMPFILE | os.O_RDWR),
    "os.open(file, PATH)": lambda r, t: os.close(os.open("file", os.O_PATH | os.O_WRONLY)),
    "os.open(dir_fd of /tmp)": lambda r, t: with_open(t, create_in),
    "mkdir(new)": lambda r, t: os.mkdir("new"),
    "mkdir(folder)": lambda r, t: os.mkdir("folder"),
    "mkdir(no/new)": lambda r, t: os.mkdir("no/new"),
    "mkdir(dir_fd)": lambda r, t: with_open("folder", lambda fd: os.mkdir("n", dir_fd=fd)),
    "makedirs(a/b)": lambda r, t: os.makedirs("a/b"),
    "makedirs(folder, exist_ok)": lambda r, t: os.makedirs("folder", exist_ok=True),
    "remove(file)": lambda r, t: os.remove("file"),
    "remove(new)": lambda r, t: os.remove("new"),
    "remove(no/new)": lambda r, t: os.remove("no/new"),
    "unlink(new, missing_ok)": lambda r, t: pathlib.Path("new").unlink(missing_ok=True),
    "rmdir(folder)": lambda r, t: os.rmdir("folder"),
    "rmdir(file)": lambda r, t: os.rmdir("file"),
    "rename(file, new)": lambda r, t: os.rename("file", "new"),
    "rename(new, other)": lambda r, t: os.rename("new", "other"),
    "rename(file, /tmp)": lambda r, t: os.rename("file", f"{t}/moved"),
    "replace(/tmp, new)": lambda r, t: os.replace(f"{t}/source", "new"),
    "rename(file, no/new)": lambda r, t: os.rename("file", "no/new"),
    "link(file, new)": lambda r, t: os.link("file", "new"),
    "link(file, file)": lambda r, t: os.link("file", "file"),
    "link(file, /tmp)": lambda r, t: os.link("file", f"{t}/linked"),
    "link(/tmp, new)": lambda r, t: os.link(f"{t}/source", "new"),
    "symlink(x, new)": lambda r, t: os.symlink("x", "new"),
    "symlink(x, file)": lambda r, t: os.symlink("x", "file"),
    "truncate(file)": lambda r, t: os.truncate("file", 0),
    "truncate(new)": lambda r, t: os.truncate("new", 0),
    "truncate(folder)": lambda r, t: os.truncate("folder", 0),
    "chmod(file)": lambda r, t: os.chmod("file", 0o600),
    "chmod(folder)": lambda r, t: os.chmod("folder", 0o700),
    "chmod(new)": lambda r, t: os.chmod("new", 0o600),
    "chown(file)": lambda r, t: os.chown("file", -1, -1),
    "fchmod(file)": lambda r, t: with_open("file", lambda fd: os.fchmod(fd, 0o600)),
    "utime(file)": lambda r, t: os.utime("file"),
    "utime(new)": lambda r, t: os.utime("new"),
    "touch(file)": lambda r, t: pathlib.Path("file").touch(),
    "touch(new)": lambda r, t: pathlib.Path("new").touch(),
    "setxattr(file)": lambda r, t: os.setxattr("file", "user.x", b"1"),
    "bind(new)": lambda r, t: bind("new"),
    "bind(file)": lambda r, t: bind("file"),
    "rmtree(folder)": lambda r, t: shutil.rmtree("folder"),
    "rmtree(ignore_errors)": lambda r, t: shutil.rmtree("folder", ignore_errors=True),
    "move(/tmp, new)": lambda r, t: shutil.move(f"{t}/source", "new"),
    "copy(/tmp, new)": lambda r, t: shutil.copy(f"{t}/source", "new"),
    "mkdtemp": lambda r, t: tempfile.mkdtemp(dir=r, prefix="p", suffix="s")[: len(r)],
    "connect(new.db)": lambda r, t: query("new.db", "create table t (a)"),
    "connect(data.db), read": lambda r, t: query("data.db", "select a from t"),
    "connect(file:data.db?mode=ro)": lambda r, t: sqlite3.connect(
        "file:data.db?mode=ro", uri=True
    ).close(),
    "connect(file:new.db)": lambda r, t: sqlite3.connect("file:new.db?mode=rwc", uri=True),
    "connect(:memory:)": lambda r, t: query(":memory:", "create table t (a)"),
}


def prepare(root: str, tmp: str) -> None:
    """Make the files that the calls are about."""
    os.makedirs(f"{root}/folder", exist_ok=True)
    pathlib.Path(root, "file").write_text("x")
    pathlib.Path(root, "folder", "inner").write_text("x")
    os.mkfifo(f"{root}/fifo")
    os.symlink("file", f"{root}/link")
    os.symlink("nowhere", f"{root}/dangling")
    os.symlink(f"{tmp}/through", f"{root}/to_tmp")
    connection = sqlite3.connect(f"{root}/data.db")
    connection.executescript("create table t (a); insert into t values (1)")
    connection.close()
    pathlib.Path(tmp, "source").write_text("x")


def answer(name: str, root: str, tmp: str) -> str:
    """Return the text of the error of a call, or ``"ok"``."""
    try:
        CALLS[name](root, tmp)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return text.replace(root, "{root}").replace(tmp, "{tmp}").partition("{root}/p")[0]
    return "ok"


def answers(root: str, tmp: str) -> dict[str, str]:
    """Return the answers to all calls."""
    os.chdir(root)
    return {name: answer(name, root, tmp) for name in CALLS}


def answers_of_a_mount(root: str, tmp: str) -> dict[str, str] | None:
    """Return the answers of a real mount; None where this user may not make one."""
    command = ["unshare", "--map-root-user", "--mount", sys.executable, __file__, root, tmp]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return json.loads(done.stdout) if done.returncode == 0 else None


if __name__ == "__main__":
    subprocess.run(["mount", "--bind", sys.argv[1], sys.argv[1]], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", sys.argv[1]], check=True)
    print(json.dumps(answers(*sys.argv[1:])))
