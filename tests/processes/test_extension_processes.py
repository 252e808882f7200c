"""Processes of external extensions: start, output, freeze, end, and cleaning up."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import freezegun
import pytest

from pytest_lambda_lifecycle import LifecycleError
from pytest_lambda_lifecycle.extensions.programs import SANDBOX, extension_variables
from pytest_lambda_lifecycle.function.layers import find_extensions
from pytest_lambda_lifecycle.isolation.parts.children import Children
from pytest_lambda_lifecycle.isolation.parts.threads import StartedThreads
from pytest_lambda_lifecycle.processes import child as processes
from pytest_lambda_lifecycle.processes import guard as guarding
from pytest_lambda_lifecycle.processes.child import ExtensionProcess, LaunchError
from pytest_lambda_lifecycle.processes.guard import Guard
from pytest_lambda_lifecycle.processes.output import OUTPUT_LIMIT

from .open_files import left_open, open_files

pytestmark = pytest.mark.skipif(os.name != "posix", reason="extension processes need POSIX")
on_linux = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="takes /proc")

WAITS = "#!/bin/sh\necho ready\nwhile :; do sleep 60; done\n"
_clock, _sleep = time.perf_counter, time.sleep


def until(condition, seconds=20.0):
    end = _clock() + seconds
    while not condition():
        assert _clock() < end, "it did not happen"
        _sleep(0.005)


def state_of(pid):
    """Return the letter that ps shows, or "" for no process; ``Z`` is ended and not reaped."""
    if Path("/proc/self/stat").exists():
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return ""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return done.stdout.strip()[:1]


def gone(*pids):
    return all(state_of(pid) in ("", "Z", "X") for pid in pids)


class Extension:
    """A process, its output and its exit code."""

    def __init__(self, path, variables, directory, guard):
        self.told, self.lost = [], []
        self.process = ExtensionProcess(
            path.name,
            path,
            variables=variables,
            directory=directory,
            wrote=self.told.append,
            exited=self.told.append,
            dropped=lambda lines, size: self.lost.append((lines, size)),
            guard=guard,
        )

    def start(self, ready="ready\n"):
        self.process.start()
        until(lambda: ready in self.told)
        return self

    @property
    def text(self):
        return "".join(one for one in self.told if isinstance(one, str))

    def end(self):
        assert self.process.join(20)
        return self.told[-1]


@pytest.fixture
def address():
    """An address that no other test uses: processes are found by it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def guard(address):
    guard = Guard(address)
    yield guard
    guard.end_strays()
    guard.close()


@pytest.fixture
def extension(tmp_path, guard, address):
    """Write an executable and make its process; nothing may be left of it after the test."""
    made, before, threads = [], open_files(), set(threading.enumerate())

    def make(source, name="agent", directory="/", **variables):
        path = tmp_path / "extensions" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(source))
        path.chmod(0o755)
        given = {"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": address, **variables}
        made.append(Extension(path, extension_variables(given), directory, guard))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        assert one.process.join(20)
    guard.end_strays()
    guard.close()
    assert set(threading.enumerate()) <= threads
    assert left_open(before) == {}
    for one in made:
        assert one.process.pid is None or gone(one.process.pid)


# -- started, written, ended


def test_a_shell_script(extension, tmp_path, address):
    one = extension(
        """\
        #!/bin/sh
        echo "$(basename "$0") in $(pwd): $AWS_LAMBDA_RUNTIME_API $COLOUR"
        echo "to stderr" >&2
        read -r line || echo "nothing to read"
        printf "no end"
        exit 7
        """,
        directory=tmp_path,
        COLOUR="red",
    )
    one.process.start()
    assert one.end() == one.process.exit_code == 7
    assert one.text == f"agent in {tmp_path}: {address} red\nto stderr\nnothing to read\nno end"


def test_a_python_script_resolves_the_names_of_the_sandbox(extension):
    source = f"""\
        #!{sys.executable}
        import http.server, os, sys
        handler = http.server.BaseHTTPRequestHandler
        server = http.server.HTTPServer(("sandbox.localdomain", 0), handler)
        leads = os.getpgid(0) == os.getpid() == os.getsid(0)
        print(server.server_address[0], os.path.basename(__file__), leads)
        """
    one = extension(source, name="agent.py")
    one.process.start()
    assert one.end() == 0
    assert one.text == "127.0.0.1 agent.py True\n"


def test_a_compiled_program(extension, tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    one = extension("")
    source = tmp_path / "agent.c"
    source.write_text(
        '#include <stdio.h>\nint main(int n, char **a) { printf("%d %s\\n", n, a[0]); return 5; }\n'
    )
    subprocess.run([compiler, "-o", one.process.path, source], check=True)
    one.process.start()
    assert one.end() == 5
    assert one.text == f"1 {one.process.path}\n"


def test_a_process_has_the_given_variables_only(extension, monkeypatch):
    monkeypatch.setenv("OF_THE_TEST", "1")
    one = extension(f"#!{sys.executable}\nimport os; print(*sorted(os.environ))\n", TABLE="orders")
    one.process.start()
    one.end()
    assert set(one.text.split()) - {"LC_CTYPE"} == {
        "AWS_LAMBDA_RUNTIME_API",
        "PATH",
        "PYTHONPATH",
        "TABLE",
    }


def test_a_process_that_exits_at_once(extension):
    one = extension("#!/bin/sh\n")
    one.process.start()
    assert one.end() == 0
    assert one.told == [0]


def test_a_process_that_closes_its_output_runs_on(extension):
    one = extension("#!/bin/sh\necho ready\nexec >&- 2>&-\nwhile :; do sleep 60; done\n").start()
    assert not one.process.join(0.05)
    one.process.kill()
    assert one.end() == -signal.SIGKILL


def test_a_process_that_ignores_sigterm(extension):
    one = extension(
        "#!/bin/sh\ntrap 'echo no' TERM\necho ready\nwhile :; do sleep 60 & wait $!; done\n"
    ).start()
    one.process.terminate()
    until(lambda: "no\n" in one.told)
    assert one.process.exit_code is None
    one.process.kill()
    assert one.end() == -signal.SIGKILL
    one.process.kill()
    one.process.terminate()
    assert one.told.count(-signal.SIGKILL) == 1


def test_a_process_that_handles_sigterm(extension):
    one = extension(
        "#!/bin/sh\ntrap 'exit 4' TERM\necho ready\nwhile :; do sleep 60 & wait $!; done\n"
    ).start()
    one.process.terminate()
    assert one.end() == 4


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_children_end_with_the_process(extension, how):
    wait = "wait" if how == "kill" else "exit 0"
    one = extension(
        f"#!/bin/sh\nsleep 60 &\necho $!\nsleep 60 &\necho $!\necho ready\n{wait}\n"
    ).start()
    children = [int(line) for line in one.text.split()[:2]]
    if how == "kill":
        assert not gone(children[0])
        one.process.kill()
    assert one.end() == (-signal.SIGKILL if how == "kill" else 0)
    until(lambda: gone(*children))


def test_many_processes_at_once(extension):
    many = [
        extension(f"#!/bin/sh\necho {number}\nexit {number}\n", name=f"agent{number}")
        for number in range(20)
    ]
    for one in many:
        one.process.start()
    assert [one.end() for one in many] == list(range(20))
    assert [one.text for one in many] == [f"{number}\n" for number in range(20)]


def test_freeze_and_thaw(extension):
    one = extension("#!/bin/sh\nexec cat /dev/zero\n")  # a shell in vfork would not show as stopped
    one.process.start()
    for _ in range(3):
        one.process.freeze()
        until(lambda: state_of(one.process.pid) == "T")
        one.process.thaw()
        until(lambda: state_of(one.process.pid) != "T")
    one.process.freeze()
    one.process.kill()
    assert one.end() == -signal.SIGKILL


def test_output_over_the_limit(extension):
    one = extension("#!/bin/sh\nexec yes the same again and again\n")
    one.process.start()
    fits = OUTPUT_LIMIT // len("the same again and again\n")
    until(lambda: len(one.told) >= fits)
    _sleep(0.02)
    one.process.freeze()
    ((lines, size),) = one.lost
    assert size > 0
    assert lines == pytest.approx(size / len("the same again and again\n"), abs=2)
    until(lambda: state_of(one.process.pid) == "T")
    _sleep(0.02)  # the content of the pipe has been read
    kept = len(one.told)
    assert kept < 1.5 * fits
    one.process.thaw()
    until(lambda: len(one.told) > kept)
    one.process.kill()
    assert one.end() == -signal.SIGKILL


def test_output_of_a_process_that_exits_is_complete(extension):
    one = extension("#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' 'x'\necho\necho last\n")
    one.process.start()
    assert one.end() == 0
    assert one.text == "x" * 300_000 + "\nlast\n"
    assert one.lost == []


# -- what cannot be started


@pytest.mark.parametrize(
    ("content", "mode", "error_type", "message"),
    [
        (
            "#!/bin/sh\n",
            0o644,
            "PermissionDenied",
            "permission denied (make it executable: chmod +x)",
        ),
        (
            "echo no shebang\n",
            0o755,
            "UnknownError",
            "exec format error (its first line has to name an interpreter",
        ),
        (
            "#!/no/such/interpreter\n",
            0o755,
            "UnknownError",
            "no such file or directory (is the interpreter there",
        ),
        (None, 0, "UnknownError", "no such file or directory"),
        ("folder", 0, "PermissionDenied", "permission denied (it is a folder)"),
    ],
)
def test_launch_errors(extension, content, mode, error_type, message):
    if content == "#!/bin/sh\n" and os.access("/root", os.W_OK):
        mode = 0o600  # for root, at least one bit has to be set
    one = extension(content or "")
    path = one.process.path
    path.chmod(mode)
    if content in (None, "folder"):
        path.unlink()
    if content == "folder":
        path.mkdir()
    with pytest.raises(LaunchError) as caught:
        one.process.start()
    assert caught.value.error_type == error_type
    assert str(caught.value).startswith(f"fork/exec {path}: {message}")
    assert one.told == []
    assert one.process.pid is None


def test_a_system_without_process_groups(extension, monkeypatch):
    one = extension(WAITS)
    monkeypatch.setattr(processes, "os", SimpleNamespace(name="nt"))
    with pytest.raises(
        LifecycleError, match=r"extension 'agent' .* need a POSIX system; pass an Extension object"
    ):
        one.process.start()


def test_importing_works_without_functions_that_windows_lacks():
    code = """
        import os, select, signal, subprocess
        for module, names in [
            (os, "killpg waitid register_at_fork pidfd_open P_PID WNOWAIT WEXITED"),
            (select, "poll"),
            (signal, "SIGKILL SIGSTOP SIGCONT pidfd_send_signal"),
        ]:
            for name in names.split():
                if hasattr(module, name): delattr(module, name)
        import pytest_lambda_lifecycle.processes.guard
    """
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    subprocess.run([sys.executable, "-c", path + textwrap.dedent(code)], check=True)


# -- in the company of function code and of tools


def test_a_process_does_not_count_as_a_child_of_the_function(extension):
    children, threads = Children(lambda: True), StartedThreads(lambda: None, lambda: True)
    undo = [children.enter(), threads.enter()]
    try:
        one = extension(WAITS).start()
    finally:
        for leave in undo:
            leave()
    assert dict(children.where) == dict(threads.where) == {}
    one.process.kill()
    assert one.end() == -signal.SIGKILL


def test_a_process_under_freeze_time(extension):
    with freezegun.freeze_time("2030-01-01"):
        one = extension("#!/bin/sh\nread -r x\nexit 2\n")
        one.process.start()
        assert one.end() == 2


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="the platform has no waitid")
def test_a_process_that_function_code_reaps(extension):
    """`os.wait` takes the exit code; the end of the process is noticed all the same."""
    one = extension("#!/bin/sh\necho ready\nread -r x </dev/tty\nexit 0\n", name="short")
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        one.process.start()
        assert one.process.join(20)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert one.text.startswith("ready\n")


# -- none outlives us

DETACHES = f"""\
    #!{sys.executable}
    import os, sys, time
    for _ in range(2):  # as a daemon does
        if os.fork():
            time.sleep(60 if "wait" in sys.argv[0] else 0)
            os._exit(0)
        os.setsid()
    print("detached", os.getpid(), flush=True)
    time.sleep(60)
"""


def detached(extension, name):
    one = extension(DETACHES, name=name)
    one.process.start()
    until(lambda: "detached" in one.text)
    return one, int(one.text.split()[1])


@on_linux
def test_a_process_that_detaches_is_found(extension, guard):
    one, stray = detached(extension, "wait")
    one.process.kill()
    assert one.end() == -signal.SIGKILL  # although the stray still holds the pipe
    assert not gone(stray)
    assert stray in guard.end_strays()
    assert gone(stray)
    assert guard.end_strays() == []


@on_linux
@pytest.mark.parametrize("missing", ["pidfd_open", "kernel"])
def test_detached_processes_end_on_an_old_kernel(extension, guard, monkeypatch, missing):
    def refuse(pid):
        raise OSError(38, "Function not implemented")

    one, stray = detached(extension, "wait")
    one.process.kill()
    one.end()
    monkeypatch.setattr(guarding, "_open_process", None if missing == "pidfd_open" else refuse)
    assert stray in guard.end_strays()
    until = time.monotonic() + 5  # without a handle, the end cannot be waited for
    while not gone(stray) and time.monotonic() < until:
        time.sleep(0.01)
    assert gone(stray)


@on_linux
def test_other_processes_are_not_killed(guard, address):
    base = {"PATH": os.environ["PATH"]}
    ours = {"AWS_LAMBDA_RUNTIME_API": address}
    others = [
        base | ours | {"_HANDLER": "app.handler"},  # of function code
        base | {"AWS_LAMBDA_RUNTIME_API": address + "0"},  # of another environment
        base,
    ]
    children = [subprocess.Popen(["sleep", "60"], env=env) for env in others]
    try:
        assert guard.end_strays() == []
        assert [child.poll() for child in children] == [None, None, None]
    finally:
        for child in children:
            child.kill()
            child.wait()


PARENT = """
    import os, sys, time
    from pathlib import Path
    from pytest_lambda_lifecycle.processes.guard import Guard
    from pytest_lambda_lifecycle.extensions.programs import extension_variables
    from pytest_lambda_lifecycle.processes.child import ExtensionProcess
    def wrote(text): sys.stdout.write(text), sys.stdout.flush()
    guard = Guard(sys.argv[2])
    given = {"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": sys.argv[2]}
    variables = extension_variables(given)
    for path in map(Path, sys.argv[3:]):
        ExtensionProcess(
            path.name, path, variables=variables, directory="/",
            wrote=wrote, exited=print, guard=guard,
        ).start()
    if sys.argv[1] == "fork":
        child = os.fork()  # as function code with multiprocessing
        if child == 0: time.sleep(60)
        wrote(f"forked {child}\\n")
    wrote(f"guard {guard._child.pid}\\n")
    time.sleep(60)
"""


@on_linux
@pytest.mark.parametrize("how", ["killed", "interrupted", "fork"])
def test_no_process_outlives_a_parent_that_dies(tmp_path, address, how):
    paths = []
    # The first process is found by its group alone, the second one by its variables alone.
    cleared = "#!/bin/sh\nexec env -i /bin/sh -c 'echo pid $$; while :; do sleep 60; done'\n"
    for name, source in {"first": cleared, "wait": DETACHES}.items():
        paths.append(tmp_path / name)
        paths[-1].write_text(textwrap.dedent(source))
        paths[-1].chmod(0o755)
    code = f"import sys; sys.path[:] = {sys.path!r}\n" + textwrap.dedent(PARENT)
    parent = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, how, address, *map(str, paths)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    said = {}
    while {"pid", "detached", "guard"} - set(said):
        word, pid = parent.stdout.readline().split()
        said[word] = int(pid)
    assert not gone(said["pid"])
    assert not gone(said["detached"])
    assert not gone(said["guard"])
    os.kill(said["guard"], signal.SIGTERM)  # as tools do that end a tree of processes
    if how == "interrupted":  # as the terminal does: to the whole group
        os.killpg(parent.pid, signal.SIGINT)
    else:
        parent.kill()
    try:
        until(lambda: gone(*(pid for word, pid in said.items() if word != "forked")))
    finally:
        if "forked" in said:
            os.kill(said["forked"], signal.SIGKILL)
        parent.stdout.close()
        parent.wait()


def test_the_guard_starts_with_the_first_process(extension, guard):
    assert guard._child is None
    one = extension(WAITS).start()
    shell = guard._child.pid
    assert not gone(shell)
    one.process.kill()
    one.end()
    guard.close()
    assert gone(shell)
    guard.close()


def test_the_guard_kills_the_groups_that_were_added(guard):
    sleepers = [subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(3)]
    try:
        for one in sleepers[:2]:
            guard.add(one.pid)
        guard.remove(sleepers[0].pid)
        guard._child.stdin.close()  # as if this process had died
        assert sleepers[1].wait() == -signal.SIGKILL
        guard._child.wait()
        assert sleepers[0].poll() is sleepers[2].poll() is None
    finally:
        for one in sleepers:
            one.kill()
            one.wait()


def test_a_guard_that_was_killed(extension, guard):
    one = extension(WAITS).start()
    os.kill(guard._child.pid, signal.SIGKILL)
    guard._child.wait()
    two = extension(WAITS, name="second").start()
    for each in (one, two):
        each.process.kill()
        assert each.end() == -signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="the platform has no waitid")
def test_a_group_that_has_ended_is_removed_from_the_guard(extension, guard, monkeypatch):
    """While the process is a zombie, so that its number has not been reused."""
    told = []
    monkeypatch.setattr(guard, "_send", lambda line: told.append((line, state_of(one.process.pid))))
    one = extension("#!/bin/sh\n")
    one.process.start()
    one.end()
    assert [line for line, _ in told] == [f"add {one.process.pid}", f"remove {one.process.pid}"]
    assert told[1][1] == "Z"


# -- files and variables


def test_find_extensions(tmp_path):
    def add(layer, name):
        path = tmp_path / layer / "extensions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        return path

    b, hidden, upper = add("one", "b"), add("one", ".hidden"), add("one", "B")
    add("one", "folder/inside")
    add("one", "shared")
    shared, a = add("two", "shared"), add("two", "a")
    (a.parent / "link").symlink_to(b)
    (a.parent / "broken").symlink_to("nowhere")
    (a.parent / "to-folder").symlink_to(tmp_path)
    add("three", "python/x")
    (tmp_path / "four").mkdir()
    (tmp_path / "four" / "extensions").write_text("a file")
    layers = [tmp_path / name for name in ("one", "two", "three/extensions", "four", "five")]
    assert find_extensions(layers) == [
        (".hidden", hidden),
        ("B", upper),
        ("a", a),
        ("b", b),
        ("broken", a.parent / "broken"),
        ("link", a.parent / "link"),
        ("shared", shared),
        ("to-folder", a.parent / "to-folder"),
    ]


def test_paths_are_absolute(tmp_path, monkeypatch):
    (tmp_path / "layer" / "extensions").mkdir(parents=True)
    (tmp_path / "layer" / "extensions" / "agent").write_text("")
    monkeypatch.chdir(tmp_path)
    assert find_extensions([Path("layer")]) == [
        ("agent", tmp_path / "layer" / "extensions" / "agent")
    ]


HIDDEN = """
    AWS_EXECUTION_ENV AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_XRAY_CONTEXT_MISSING
    AWS_XRAY_DAEMON_ADDRESS LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT _AWS_XRAY_DAEMON_ADDRESS
    _AWS_XRAY_DAEMON_PORT _HANDLER _X_AMZN_TRACE_ID _LAMBDA_TELEMETRY_LOG_FD
""".split()
SEEN = """
    AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_LAMBDA_FUNCTION_NAME TZ
    AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_RUNTIME_API PATH
    TABLE _MINE AWS_LAMBDA_INITIALIZATION_TYPE
""".split()


def test_variables_of_an_extension():
    given = dict.fromkeys(HIDDEN + SEEN, "value")
    seen = extension_variables(given)
    assert seen.pop("PATH").endswith(f"{os.pathsep}value")
    assert seen.pop("PYTHONPATH") == str(SANDBOX)
    assert seen == dict.fromkeys(set(SEEN) - {"PATH"}, "value")
    assert given == dict.fromkeys(HIDDEN + SEEN, "value")


def test_the_folder_of_the_sandbox_comes_first_in_the_python_path():
    assert (
        extension_variables({"PYTHONPATH": "/mine"})["PYTHONPATH"] == f"{SANDBOX}{os.pathsep}/mine"
    )
