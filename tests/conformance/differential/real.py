"""The real side: `awslambdaric` in a process of its own, against a small Runtime API."""

from __future__ import annotations

import fcntl
import os
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from pytest_lambda_lifecycle import FunctionConfig
from pytest_lambda_lifecycle.function.variables import function_variables

from .notes import Note, normal
from .programs import Program

__all__ = ["TIMEOUT", "Process", "observe", "plain_variables"]

TIMEOUT = 30
"""The function's timeout, and the time after which a process counts as hanging, in seconds."""

_PIPE_SIZE = 1 << 20
_LOG_STREAM = "2026/01/02/[$LATEST]0123456789abcdef0123456789abcdef"


def observe(program: Program, task_root: Path) -> list[Note]:
    """Run *program*, whose files are in *task_root*; return a note for each phase."""
    notes: list[Note] = []
    turn = 0
    while not notes or turn < len(program.turns):
        run = Process(program, task_root, turn)
        run.conduct()
        first, *others = run.notes
        if not notes:
            notes.append(first)
        elif others:  # a new process begins inside the invoke
            others[0].stdout = first.stdout + others[0].stdout
            others[0].stderr = first.stderr + others[0].stderr
        notes += others
        turn = len(notes) - 1
        if first.exit_code is not None or any(note.broken for note in notes):
            break
    for note in notes:
        for name in ("body", "stdout", "stderr"):
            setattr(note, name, normal(getattr(note, name), str(task_root)))
    return notes


def plain_variables() -> dict[str, str]:
    """Return the variables of this process without those that change how Python acts."""
    names = {"PYTHONUNBUFFERED", "PYTHONDEVMODE", "PYTHONWARNINGS", "PYTHONUTF8"}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass
class Process:
    """One process, from its start until it waits for an event that does not come, or ends."""

    program: Program
    task_root: Path
    turn: int
    """The turn of its first event."""
    handler: str = "app.handler"
    notes: list[Note] = field(default_factory=lambda: [Note("init")])
    outputs: list[dict[str, bytes]] = field(
        default_factory=lambda: [{"stdout": b"", "stderr": b""}]
    )
    waiting: bool = False
    connections: dict[socket.socket, bytes] = field(default_factory=dict)

    def conduct(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        with listener:
            process = self._start(listener.getsockname()[1])
            try:
                self._serve(process, listener)
            finally:
                process.kill()
                process.wait()
                for pipe in (process.stdout, process.stderr, *self.connections):
                    pipe.close()  # type: ignore[union-attr]
        for note, output in zip(self.notes, self.outputs, strict=True):
            note.stdout = output["stdout"].decode("utf-8", "replace")
            note.stderr = output["stderr"].decode("utf-8", "replace")

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        config = FunctionConfig(
            self.handler, code_dir=self.task_root, **{"timeout": TIMEOUT, **self.program.settings}
        )
        variables = function_variables(
            config,
            outside=plain_variables(),
            log_stream_name=_LOG_STREAM,
            task_root=self.task_root,
            api=f"127.0.0.1:{port}",
        )
        # The locale of Lambda, which not every machine has, makes stdout strict.
        variables["PYTHONIOENCODING"] = "utf-8:strict"
        process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", self.handler],
            cwd=self.task_root,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            fcntl.fcntl(pipe, 1031, _PIPE_SIZE)  # F_SETPIPE_SZ
            os.set_blocking(pipe.fileno(), False)
        return process

    def _serve(self, process: subprocess.Popen[bytes], listener: socket.socket) -> None:
        deadline = time.monotonic() + TIMEOUT
        pid = os.pidfd_open(process.pid)
        selector = selectors.DefaultSelector()
        selector.register(listener, selectors.EVENT_READ, "listener")
        selector.register(pid, selectors.EVENT_READ, "exit")
        selector.register(process.stdout, selectors.EVENT_READ, "stdout")  # type: ignore[arg-type]
        selector.register(process.stderr, selectors.EVENT_READ, "stderr")  # type: ignore[arg-type]
        try:
            while not self.waiting:
                ready = selector.select(deadline - time.monotonic())
                if not ready:
                    self.notes[-1].broken = "the process hangs"
                    return
                ended = False
                for key, _ in ready:
                    if key.data == "listener":
                        connection, _ = listener.accept()
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        self.connections[connection] = b""
                        selector.register(connection, selectors.EVENT_READ, "request")
                    elif key.data in ("stdout", "stderr"):
                        if not self._read(key.fileobj, key.data):
                            selector.unregister(key.fileobj)
                    elif key.data == "exit":
                        ended = True
                    elif not self._request(key.fileobj, process):  # type: ignore[arg-type]
                        selector.unregister(key.fileobj)
                if ended:
                    self._drain(process)
                    self.notes[-1].exit_code = process.wait()
                    return
        finally:
            os.close(pid)
            selector.close()

    # -- output

    def _read(self, pipe: object, name: str) -> bool:
        try:
            data = os.read(pipe.fileno(), _PIPE_SIZE)  # type: ignore[attr-defined]
        except BlockingIOError:
            return True
        self.outputs[-1][name] += data
        return bool(data)

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        for name in ("stdout", "stderr"):
            before = -1
            while before != len(self.outputs[-1][name]):
                before = len(self.outputs[-1][name])
                self._read(getattr(process, name), name)

    # -- requests

    def _request(self, connection: socket.socket, process: subprocess.Popen[bytes]) -> bool:
        try:
            data = connection.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            return False
        text = self.connections[connection] + data
        self.connections[connection] = text
        head, end, body = text.partition(b"\r\n\r\n")
        if not end:
            return True
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)
        }
        if headers.get("expect") and not body:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(body) < int(headers.get("content-length", "0")):
            return True
        self.connections[connection] = b""
        method, path, _ = first.split(" ")
        if "/extension/" in path:
            self._extension(connection, method)
        elif method == "GET":
            self._next(connection, process)
        else:
            self._post(connection, path, headers, body)
        return True

    def _next(self, connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
        self._drain(process)
        number = self.turn + len(self.notes) - 1
        if number == len(self.program.turns):
            self.waiting = True
            return
        self.notes.append(Note(f"turn {number}"))
        self.outputs.append({"stdout": b"", "stderr": b""})
        body = self.program.turns[number].event.encode()
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + TIMEOUT) * 1000)),
            **self.program.headers(number),
            "Content-Length": str(len(body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head.encode("latin-1") + b"\r\n" + body)

    @staticmethod
    def _extension(connection: socket.socket, method: str) -> None:
        """Register an extension inside the runtime; it waits for its next event for good."""
        if method == "POST":
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: id\r\n"
                b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            )

    def _post(
        self, connection: socket.socket, path: str, headers: dict[str, str], body: bytes
    ) -> None:
        note = self.notes[-1]
        kind = path.rpartition("/")[2]
        note.posted = "init/error" if path.endswith("/init/error") else kind
        note.body = body.decode("utf-8", "backslashreplace")
        if note.posted == "response":
            note.content_type = headers.get("content-type", "")
        elif note.posted == "init/error":
            note.error_type = headers.get("lambda-runtime-function-error-type", "")
        connection.sendall(
            b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
            b'Content-Length: 16\r\n\r\n{"status":"OK"}\n'
        )
