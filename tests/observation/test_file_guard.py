"""The file system of function code: read-only but for /tmp."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sqlite3
import sys
import tempfile
import threading
import warnings
import weakref
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    Extension,
    FileRefusal,
    FunctionConfig,
    FunctionError,
    InitError,
    LifecycleWarning,
    StorageExceeded,
    TmpWrite,
)
from pytest_lambda_lifecycle.isolation.parts.tmp import OUTSIDE_TMP
from pytest_lambda_lifecycle.observation.file_guard import Folders

ERRNO_30 = "[Errno 30] Read-only file system"

WRITES = """
    import pathlib
    def handler(path, context):
        try:
            pathlib.Path(path).write_text("x")
        except OSError as error:
            return str(error)
        return "written"
"""


@pytest.fixture
def literal():
    """Return a path in the machine's /tmp, which is removed afterwards."""
    path = Path(OUTSIDE_TMP, f"literal-{os.getpid()}")
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def here(tmp_path):
    """Return the folders that the plugin would give to an environment of this test."""
    return lambda: Folders(of_test=(tmp_path,))


class TestPlaces:
    @pytest.mark.parametrize("path", ["new", "app.py", "../task/new", "package/new"])
    def test_the_task_root_is_read_only(self, environment, write, tmp_path, path):
        write("package/__init__.py", "")
        env = environment(WRITES)
        assert env.invoke(path).payload == f"{ERRNO_30}: {path!r}"
        files = [file.name for file in tmp_path.rglob("*") if file.suffix != ".pyc"]
        assert sorted(set(files) - {"__pycache__"}) == ["__init__.py", "app.py", "package", "task"]

    def test_layers_are_read_only(self, environment, tmp_path):
        (tmp_path / "layer" / "python").mkdir(parents=True)
        env = environment(WRITES, layers=[tmp_path / "layer"])
        for path in (tmp_path / "layer" / "new", tmp_path / "layer" / "python" / "new.py"):
            assert env.invoke(str(path)).payload == f"{ERRNO_30}: {str(path)!r}"
            assert not path.exists()

    @pytest.mark.parametrize(
        "folder",
        [
            Path.home(),
            Path.cwd(),
            Path(sys.prefix),
            Path(pytest.__file__).parent,
            Path(os.__file__).parent,
            Path("/var"),
        ],
        ids="home project environment site-packages stdlib var".split(),
    )
    def test_other_folders_are_read_only(self, environment, folder):
        path = folder / "file-of-function-code"
        assert environment(WRITES).invoke(str(path)).payload == f"{ERRNO_30}: {str(path)!r}"
        assert not path.exists()

    @pytest.mark.parametrize("path", ["/var/task/new", "/opt/new"])
    def test_the_names_of_lambda_are_read_only_where_they_do_not_exist(self, environment, path):
        assert environment(WRITES).invoke(path).payload == f"{ERRNO_30}: {path!r}"

    def test_a_missing_folder_is_missing(self, environment):
        assert "[Errno 2]" in str(environment(WRITES).invoke("missing/new").payload)

    def test_files_of_the_test_are_writable(self, environment, tmp_path, here):
        env = environment(WRITES, folders=here)
        assert env.invoke(str(tmp_path / "new")).payload == "written"
        assert (tmp_path / "new").read_text() == "x"
        assert TmpWrite not in env.timeline

    def test_files_of_the_test_are_writable_below_the_task_root(self, environment, tmp_path):
        inner = tmp_path / "task" / "pytest-of-me"
        inner.mkdir(parents=True)
        env = environment(WRITES, folders=lambda: Folders(of_test=(inner,)))
        assert env.invoke(str(inner / "new")).payload == "written"
        assert ERRNO_30 in str(env.invoke("new").payload)

    def test_a_project_in_tmp_is_read_only(self, environment, tmp_path):
        env = environment(WRITES, folders=lambda: Folders(project=(tmp_path,)))
        assert ERRNO_30 in str(env.invoke(str(tmp_path / "new")).payload)

    def test_the_folder_of_the_environment_is_writable(self, environment):
        env = environment("""
            import os, tempfile
            def handler(event, context):
                with tempfile.NamedTemporaryFile("w", delete=False) as file: file.write("x")
                with tempfile.TemporaryDirectory() as folder:
                    os.makedirs(folder + "/a/b")
                    open(folder + "/a/b/c", "w").close()
                    os.rename(folder + "/a/b/c", folder + "/d")
                return file.name
        """)
        name = env.invoke().payload
        assert Path(name).parent == env.tmp
        assert FileRefusal not in env.timeline
        assert TmpWrite not in env.timeline

    def test_a_link_in_tmp_to_the_task_root_leads_to_the_task_root(self, environment, tmp_path):
        env = environment("""
            import os, tempfile
            def handler(event, context):
                link = tempfile.gettempdir() + "/link"
                os.symlink(os.getcwd(), link)
                try:
                    open(link + "/new", "w")
                except OSError as error:
                    return error.errno
        """)
        assert env.invoke().payload == 30
        assert not (tmp_path / "task" / "new").exists()

    def test_the_working_directory_that_function_code_chooses_counts(self, environment):
        env = environment("""
            import os, tempfile
            def handler(event, context):
                os.chdir(tempfile.gettempdir())
                open("new", "w").close()
        """)
        env.invoke()
        assert (env.tmp / "new").exists()

    def test_devices_are_writable(self, environment):
        assert environment(WRITES).invoke("/dev/null").payload == "written"


class TestWriters:
    def test_a_library_writes_for_the_function(self, environment, tmp_path, monkeypatch):
        site = tmp_path / "site-packages"
        site.mkdir()
        (site / "savelib.py").write_text("def save(path): open(path, 'w').close()")
        monkeypatch.syspath_prepend(str(site))
        env = environment("import savelib\ndef handler(event, context): savelib.save('new')")
        with pytest.raises(FunctionError, match="Errno 30"):
            env.invoke()

    @pytest.mark.parametrize("name", ["pytest_some_plugin", "vcr", "coverage", "pydevd"])
    def test_a_tool_writes_for_the_test(self, environment, tmp_path, monkeypatch, name):
        site = tmp_path / "site-packages"
        site.mkdir()
        (site / f"{name}.py").write_text("import savelib\ndef record(): savelib.save('new')")
        (site / "savelib.py").write_text("def save(path): open(path, 'w').close()")
        monkeypatch.syspath_prepend(str(site))
        for one in (name, "savelib"):
            monkeypatch.setitem(sys.modules, one, None)  # to be as it is now after the test
            del sys.modules[one]
        module = importlib.import_module(name)
        env = environment("import tool\ndef handler(event, context): tool.record()")
        with mock.patch.dict(sys.modules, tool=module):
            env.invoke()
        assert (tmp_path / "task" / "new").exists()
        assert FileRefusal not in env.timeline
        for one in (name, "savelib"):
            monkeypatch.delitem(sys.modules, one, raising=False)

    def test_a_mock_of_the_test_writes_for_the_test(self, environment, tmp_path):
        def save(name):
            (tmp_path / "task" / name).write_text("x")

        env = environment("def save(name): ...\ndef handler(event, context): save('new')")
        env.initialize()
        with mock.patch("app.save", save):
            env.invoke()
        assert (tmp_path / "task" / "new").exists()

    def test_a_spied_function_writes_for_the_function(self, environment):
        env = environment(
            "def save(name): open(name, 'w')\ndef handler(event, context): save('new')"
        )
        env.spy("app.save")
        with pytest.raises(FunctionError, match="Errno 30"):
            env.invoke()

    def test_a_thread_writes_for_the_function(self, environment):
        env = environment("""
            from concurrent.futures import ThreadPoolExecutor
            def handler(event, context):
                with ThreadPoolExecutor() as pool:
                    try:
                        pool.submit(open, "new", "w").result()
                    except OSError as error:
                        return error.errno
        """)
        assert env.invoke().payload == 30
        (refusal,) = env.timeline.of(FileRefusal)
        assert refusal.where.startswith("app.py:")

    def test_a_thread_of_the_test_writes_as_always(self, environment, tmp_path):
        env = environment("""
            import threading
            entered, leave = threading.Event(), threading.Event()
            def handler(event, context):
                entered.set()
                assert leave.wait(10)
        """)
        env.initialize()
        module = env.module

        def write():
            module.entered.wait(10)
            (tmp_path / "task" / "new").write_text("x")
            module.leave.set()

        thread = threading.Thread(target=write)
        thread.start()
        env.invoke()
        thread.join()
        assert (tmp_path / "task" / "new").exists()

    def test_a_signal_handler_of_the_test_writes_as_always(self, environment, tmp_path):
        def write(number, frame):
            (tmp_path / "task" / "new").write_text("x")
            heard.append(number)

        heard: list[int] = []
        env = environment(
            """
            import time
            def handler(event, context):
                send()
                while not heard: time.sleep(0.001)
            """
        )
        before = signal.signal(signal.SIGVTALRM, write)
        try:
            env.initialize()
            env.module.heard = heard
            env.module.send = partial(signal.pthread_kill, threading.get_ident(), signal.SIGVTALRM)
            env.invoke()
        finally:
            signal.signal(signal.SIGVTALRM, before)
        assert (tmp_path / "task" / "new").exists()

    def test_compiled_code_is_cached_as_always(self, environment, write, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, "dont_write_bytecode", False)
        write("late.py", "x = 1")
        env = environment("def handler(event, context): import late")
        env.invoke()
        cached = {one.name.partition(".")[0] for one in tmp_path.glob("task/__pycache__/*.pyc")}
        assert cached == {"app", "late"}
        assert FileRefusal not in env.timeline

    def test_text_that_function_code_executes_is_function_code(self, environment):
        env = environment("def handler(event, context): exec(\"open('new', 'w')\")")
        with pytest.raises(FunctionError, match="Errno 30"):
            env.invoke()

    def test_a_line_typed_in_a_debugger_writes_as_always(self, environment, tmp_path):
        env = environment("""
            import io, pdb
            def handler(event, context):
                commands = io.StringIO("open('new', 'w').close()\\nc\\n")
                debugger = pdb.Pdb(stdin=commands, stdout=io.StringIO())
                debugger.set_trace()
                return "done"
        """)
        trace = sys.gettrace()
        try:
            assert env.invoke().payload == "done"
        finally:
            sys.settrace(trace)
        assert (tmp_path / "task" / "new").exists()

    def test_an_extension_of_the_test_finds_the_same_file_system(self, environment, tmp_path, here):
        class Saving(Extension):
            seen = ""

            def on_invoke(self, event):
                (tmp_path / "by_extension").write_text("x")
                try:
                    (tmp_path / "task" / "new").write_text("x")
                except OSError as error:
                    self.seen = str(error)

        env = environment("def handler(event, context): ...", folders=here)
        extension = env.add_extension(Saving())
        env.invoke()
        assert ERRNO_30 in extension.seen
        assert (tmp_path / "by_extension").exists()

    def test_the_test_writes_between_phases(self, environment, tmp_path):
        env = environment(WRITES)
        env.invoke("new")
        (tmp_path / "task" / "new").write_text("x")
        assert not Path(tempfile.gettempdir()).samefile(env.tmp)

    def test_a_forked_child_writes_for_the_function(self, environment, tmp_path):
        env = environment("""
            import os
            def handler(event, context):
                read, write = os.pipe()
                child = os.fork()
                if not child:
                    try:
                        open("new", "w")
                    except OSError as error:
                        os.write(write, bytes([error.errno]))
                    os._exit(0)
                os.waitpid(child, 0)
                return os.read(read, 1)[0]
        """)
        with warnings.catch_warnings():  # of a fork beside threads
            warnings.simplefilter("ignore", DeprecationWarning)
            assert env.invoke().payload == 30

    def test_an_environment_inside_another_has_its_own_rules(self, environment, tmp_path):
        (tmp_path / "inner").mkdir()
        (tmp_path / "inner" / "inner.py").write_text(
            "def handler(event, context): open('new', 'w').close()"
        )
        inner = environment(handler="inner.handler", code_dir=tmp_path / "inner", filesystem="open")
        env = environment("""
            def handler(event, context):
                inner.invoke()
                open("new", "w")
        """)
        env.initialize()
        env.module.inner = inner
        with pytest.raises(FunctionError, match="Errno 30"):
            env.invoke()
        assert (tmp_path / "inner" / "new").exists()


class TestRefusals:
    def test_a_refusal_is_on_the_timeline_once(self, environment, tmp_path):
        env = environment("""
            def handler(event, context):
                for _ in range(3):
                    try:
                        open("new", "w")
                    except OSError:
                        pass
        """)
        env.invoke()
        path = tmp_path.resolve() / "task" / "new"
        (refusal,) = env.timeline.of(FileRefusal)
        assert (refusal.phase, refusal.invocation, refusal.where) == ("invoke", 0, "app.py:5")
        assert (str(refusal), refusal.refused) == (f"write {path}", True)
        assert f"read-only file system: write {path}, at app.py:5" in repr(env.timeline)
        env.invoke()
        assert env.timeline.count(FileRefusal) == 2

    @pytest.mark.parametrize(
        "source",
        [
            "def handler(event, context): open('new', 'w')",
            """
            def handler(event, context):
                try:
                    open("new", "w")
                except OSError as error:
                    raise ValueError("no cache") from error
            """,
            """
            import sqlite3
            def handler(event, context): sqlite3.connect("new")
            """,
        ],
        ids="raised wrapped sqlite".split(),
    )
    def test_the_error_of_a_failed_invoke_says_what_to_do(self, environment, tmp_path, source):
        env = environment(source)
        with pytest.raises(FunctionError) as caught:
            env.invoke()
        text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
        for part in (
            str(tmp_path.resolve() / "task" / "new"),
            "app.py:",
            "env.tmp",
            "lambda_lifecycle_filesystem = report",
            "the built-in default",
        ):
            assert part in text
        posted = env.invocations[-1].error
        assert "lambda_lifecycle" not in str(posted)
        assert "lambda_lifecycle" not in env.log
        assert str(posted["errorMessage"]) == caught.value.error_message

    def test_a_failed_init_says_what_to_do(self, environment):
        env = environment("open('new', 'w')\ndef handler(event, context): ...")
        with pytest.raises(InitError) as caught:
            env.initialize()
        text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
        assert "app.py:1" in text
        assert "lambda_lifecycle_filesystem = report" in text

    def test_another_failure_has_no_hint(self, environment):
        env = environment("""
            def handler(event, context):
                try:
                    open("new", "w")
                except OSError:
                    pass
                raise ValueError("something else")
        """)
        with pytest.raises(FunctionError) as caught:
            env.invoke()
        assert "Read-only" not in "\n".join(getattr(caught.value, "__notes__", [str(caught.value)]))

    def test_open_leaves_everything_as_it_is(self, environment, tmp_path, literal):
        env = environment(WRITES, filesystem="open")
        assert env.invoke("new").payload == env.invoke(str(literal)).payload == "written"
        assert {FileRefusal, TmpWrite}.isdisjoint(map(type, env.timeline))

    def test_a_database_that_is_there_can_be_read(self, environment, tmp_path):
        env = environment("""
            import contextlib, sqlite3
            def handler(event, context):
                with contextlib.closing(sqlite3.connect("data.db")) as connection:
                    return connection.execute("select a from t").fetchall()
        """)
        with contextlib.closing(sqlite3.connect(tmp_path / "task" / "data.db")) as connection:
            connection.executescript("create table t (a); insert into t values (1)")
        assert env.invoke().payload == [[1]]

    def test_reading_is_not_refused(self, environment):
        env = environment("def handler(event, context): return open(__file__).close()")
        assert env.invoke().payload is None


class TestReport:
    def test_a_write_goes_through_and_warns_once_for_each_path(self, write, tmp_path):
        write("app.py", WRITES)
        config = FunctionConfig("app.handler", code_dir=tmp_path / "task", filesystem="report")
        with pytest.warns(LifecycleWarning) as caught:  # noqa: SIM117  # the warnings come at the end
            with ExecutionEnvironment(config) as env:
                assert [env.invoke(name).payload for name in ("a", "a", "b")] == ["written"] * 3
        texts = [str(one.message) for one in caught]
        assert [
            f"write {tmp_path.resolve() / 'task' / name} " in text
            for name, text in zip("ab", texts, strict=True)
        ] == [True, True]
        assert all("app.py:5" in text and "env.tmp" in text for text in texts)
        assert [event.refused for event in env.timeline.of(FileRefusal)] == [False] * 3
        assert "(not refused)" in repr(env.timeline)


class TestTmp:
    def test_a_literal_path_is_on_the_timeline(self, environment, literal):
        env = environment(WRITES)
        env.invoke(str(literal))
        env.invoke(str(literal))
        (event,) = env.timeline.of(TmpWrite)
        assert (event.path, event.where, event.phase) == (
            os.path.realpath(literal),
            "app.py:5",
            "invoke",
        )
        env.close()
        assert event.stays
        assert f"wrote {os.path.realpath(literal)}, outside env.tmp, at app.py:5; it stays" in repr(
            env.timeline
        )

    def test_a_literal_path_that_was_removed_does_not_stay(self, environment, literal):
        env = environment(WRITES)
        env.invoke(str(literal))
        literal.unlink()
        env.close()
        assert [event.stays for event in env.timeline.of(TmpWrite)] == [False]

    FILLS = """
        def handler(event, context):
            for path, size in event:
                with open(path, "wb") as file:
                    file.truncate(size)
    """
    MB = 1024 * 1024

    def test_a_literal_path_counts_against_the_storage(self, environment, literal):
        env = environment(self.FILLS)
        with pytest.raises(FunctionError, match="Errno 28. No space left on device"):
            env.invoke(
                [
                    [str(literal), 300 * self.MB],
                    [str(env.tmp / "a"), 300 * self.MB],
                    [str(env.tmp / "b"), 1],
                    [str(env.tmp / "c"), 1],
                ]
            )
        (event,) = env.timeline.of(StorageExceeded)
        assert (event.used_bytes, event.limit_mb) == (600 * self.MB + 1, 512)

    def test_storage_that_was_freed_can_be_used_again(self, environment):
        env = environment(self.FILLS)
        first = [[str(env.tmp / name), 300 * self.MB] for name in "abcd"]
        assert env.invoke(first, check=False).error_type == "OSError"
        (env.tmp / "a").unlink()
        (env.tmp / "b").unlink()
        assert env.invoke([[str(env.tmp / "e"), 1]]).payload is None

    def test_storage_that_is_exceeded_at_last_warns(self, write, tmp_path):
        write("app.py", self.FILLS)
        config = FunctionConfig("app.handler", code_dir=tmp_path / "task")
        with pytest.warns(LifecycleWarning, match="ephemeral_storage=512 MB"):  # noqa: SIM117
            with ExecutionEnvironment(config) as env:
                env.invoke([[str(env.tmp / "a"), 513 * self.MB]])

    def test_the_declared_size_counts(self, environment):
        env = environment(self.FILLS, ephemeral_storage=1024)
        env.invoke([[str(env.tmp / name), 300 * self.MB] for name in "abc"])
        assert StorageExceeded not in env.timeline


def test_a_hostile_file_name_gets_the_error_of_python(environment):
    env = environment("""
        def handler(event, context):
            found = []
            for name in ("nul\\0", "x" * 5000, b"\\xff" * 300, object(), "", -1):
                try:
                    open(name, "w")
                except Exception as error:
                    found.append(type(error).__name__)
            return found
    """)
    assert env.invoke().payload == [
        "ValueError",
        "OSError",
        "OSError",
        "TypeError",
        "FileNotFoundError",
        "ValueError",
    ]


def test_an_environment_with_a_refusal_is_freed_at_once(environment, write, tmp_path):
    """A handler that catches the error; one that raises leaves a circle in any case."""
    write("app.py", WRITES)
    gc.collect()
    gc.disable()
    try:
        env = ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path / "task"))
        assert ERRNO_30 in str(env.invoke("new").payload)
        env.close()
        timeline = weakref.ref(env.timeline)
        del env
        assert timeline() is None
    finally:
        gc.enable()
