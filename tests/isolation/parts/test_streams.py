"""Streams of the function: its output is in the log, its changes do not reach the test."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import re
import signal
import sys
import textwrap
import time
import warnings
from unittest import mock

import pytest

from pytest_lambda_lifecycle import FunctionError, LifecycleWarning

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


class TestStreamOfTheFunction:
    @pytest.mark.parametrize(
        "wrap",
        [
            "io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')",
            "io.TextIOWrapper(sys.stdout.detach(), line_buffering=True)",
            "codecs.getwriter('utf-8')(sys.stdout.detach())",
            "codecs.getwriter('utf-8')(sys.stdout.buffer)",
        ],
    )
    def test_a_collected_wrapper_does_not_close_the_stream_of_the_test(
        self, environment, capsys, wrap
    ):
        env = environment(f"""
            import codecs, io, sys
            sys.stdout = {wrap}
            def handler(event, context):
                print("h\\N{{LATIN SMALL LETTER I WITH DIAERESIS}}", flush=True)
        """)
        invocation = env.invoke()
        assert "hï\n" in invocation.log
        env.close()
        del env, invocation
        gc.collect()
        print("the test goes on")
        assert capsys.readouterr().out == "hï\nthe test goes on\n"

    @pytest.mark.parametrize(
        "close", ["sys.stdout.close()", "sys.stdout.buffer.close()", "sys.stdout.detach()"]
    )
    def test_closing_the_stream_does_not_close_that_of_the_test(self, environment, capsys, close):
        env = environment(f"""
            import sys
            def handler(event, context):
                if event: {close}
                try: print("hi", flush=True)
                except ValueError as error: return str(error)
        """)
        env.invoke("")
        why = (
            "underlying buffer has been detached"
            if "detach" in close
            else "I/O operation on closed file."
        )
        assert env.invoke("close").payload == why
        assert env.invoke("").payload == why
        print("the test goes on")
        env.reset()
        assert "hi\n" in env.invoke("").log
        assert capsys.readouterr().out == "hi\nthe test goes on\nhi\n"

    def test_an_error_that_cannot_be_reported_ends_the_process(self, environment):
        env = environment("import sys\ndef handler(event, context): sys.stdout.close(); 1/0")
        assert env.invoke(check=False).error_type == "Runtime.ExitError"

    def test_bytes_are_in_the_log_and_reach_the_test(self, environment, capsysbinary):
        env = environment("""
            import sys
            def handler(event, context):
                print("text")
                assert sys.stdout.buffer.write(b"by\\xc3") == 3
                sys.stdout.flush()
                sys.stdout.buffer.write(bytearray(b"\\xa4tes \\xff\\n"))
                sys.stdout.buffer.flush()
                sys.stdout.buffer.raw.write(memoryview(b"raw\\n"))
                sys.stderr.buffer.write(b"error\\n")
                sys.stderr.flush()
                return [sys.stdout.buffer.writable(), sys.stdout.closed, sys.stdout.buffer.name]
        """)
        invocation = env.invoke()
        assert invocation.payload == [True, False, "<stdout>"]
        assert "text\nbyä" in invocation.log
        assert "tes \N{REPLACEMENT CHARACTER}\nraw\nerror\n" in invocation.log
        captured = capsysbinary.readouterr()
        assert (captured.out, captured.err) == (b"text\nby\xc3\xa4tes \xff\nraw\n", b"error\n")

    def test_an_incomplete_letter_is_recorded_when_the_stream_closes(self, environment):
        env = environment(
            "import sys\ndef handler(e, c): sys.stderr.buffer.write(b'\\xc3'); sys.stderr.close()"
        )
        assert "\N{REPLACEMENT CHARACTER}" in env.invoke().log

    def test_a_stream_of_the_test_without_bytes_gets_text(self, environment, monkeypatch):
        monkeypatch.setattr(sys, "stdout", outside := io.StringIO())
        environment("""
            import sys
            def handler(event, context):
                sys.stdout.buffer.write(b"bytes\\xff")
                sys.stdout.flush()
        """).invoke()
        assert outside.getvalue() == "bytes\N{REPLACEMENT CHARACTER}"

    def test_the_descriptor_is_a_duplicate_of_that_of_the_test(self, environment, capfd):
        env = environment("""
            import sys
            def handler(event, context):
                return [sys.stdout.fileno(), sys.stdout.buffer.fileno()]
        """)
        number, same = env.invoke().payload
        assert number == same
        assert os.path.sameopenfile(number, sys.stdout.fileno())

    @pytest.mark.parametrize(
        "close",
        [
            "with os.fdopen(sys.stdout.fileno(), 'w', buffering=1) as own: own.write('hi')",
            "os.close(sys.stdout.fileno())",
            "os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())",
        ],
    )
    def test_function_code_cannot_close_the_descriptor_of_the_test(self, environment, capfd, close):
        env = environment(f"""
            import os, sys
            def handler(event, context):
                {close}
                os.write(sys.stdout.fileno(), b"on")
                return sys.stdout.fileno()
        """)
        written = os.write(sys.stdout.fileno(), b"before")
        number = env.invoke().payload
        env.reset()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
        env.invoke()
        assert os.write(sys.stdout.fileno(), b"behind") == written
        print("text", flush=True)
        env.close()
        for stream in sys.stdout, sys.stderr:
            os.fstat(stream.fileno())
        assert re.fullmatch("before(hi)?on(hi)?onbehindtext\n", capfd.readouterr().out)

    def test_a_kept_descriptor_follows_the_stream_of_the_test(
        self, environment, capfd, tmp_path, monkeypatch
    ):
        env = environment("""
            import os, sys
            kept = os.fdopen(sys.stdout.fileno(), "w", buffering=1, closefd=False)
            def handler(event, context):
                kept.write(event)
                return sys.stdout.fileno() == kept.fileno()
        """)
        assert env.invoke("one\n").payload
        with (tmp_path / "other").open("w+") as other:
            monkeypatch.setattr(sys, "stdout", other)
            assert env.invoke("still one\n").payload
            assert env.invoke("two\n").payload
            monkeypatch.undo()
            assert (tmp_path / "other").read_text() == "two\n"
        assert capfd.readouterr().out == "one\nstill one\n"

    def test_a_descriptor_that_was_reused_stays_open(self, environment, capfd, tmp_path):
        env = environment(
            "import os, sys\ndef handler(e, c): n = sys.stdout.fileno(); os.close(n); return n"
        )
        number = env.invoke().payload
        with (tmp_path / "other").open("w") as other:
            assert other.fileno() == number
            env.close()
            other.write("is open")

    def test_an_error_has_line_feeds_in_the_stream_of_the_test(self, environment, capsys):
        env = environment("""
            import sys
            def handler(event, context):
                print("50 %", end="\\r"); print("windows\\r\\n", end="")
                1/0
        """)
        log = env.invoke(check=False).log
        out = capsys.readouterr().out
        assert "[ERROR] ZeroDivisionError: division by zero\rTraceback" in log
        assert "[ERROR] ZeroDivisionError: division by zero\nTraceback" in out
        assert out.startswith("50 %\rwindows\r\n[ERROR]")


def test_output_of_a_nested_invoke_is_in_its_own_log(environment, write, capsys):
    write("inner.py", "def handler(event, context): print('inner')")
    inner = environment(handler="inner.handler")
    outer = environment(
        "def handler(event, context): print('before'); call(); print('after')\ndef call(): ..."
    )
    outer.patch("app.call", lambda: inner.invoke() and None)
    outer.invoke()
    assert "inner\n" in inner.log
    assert "inner" not in outer.log
    assert "before\nafter\n" in outer.log
    assert capsys.readouterr().out == "before\ninner\nafter\n"


class TestPlatformLines:
    def test_platform_lines_start_on_a_new_line(self, environment):
        env = environment("print('init', end='')\ndef handler(event, context): print('x', end='')")
        first, second = env.invoke(), env.invoke()
        assert f"init\nSTART RequestId: {first.request_id}" in env.log
        for invocation in (first, second):
            assert f"\nx\nEND RequestId: {invocation.request_id}\nREPORT" in invocation.log
        assert "\n\n" not in env.log

    def test_output_of_two_streams_stays_in_order(self, environment):
        env = environment("""
            import sys
            def handler(event, context):
                print("a", end=""); print("b", end="", file=sys.stderr); print("c")
        """)
        assert "\nabc\nEND" in env.invoke().log


def test_output_of_a_thread_between_phases_goes_to_the_test(environment, capsys):
    env = environment("""
        import threading
        go, done = threading.Event(), threading.Event()
        def work():
            go.wait(10); print("from the thread"); done.set()
        def handler(event, context):
            threading.Thread(target=work, daemon=True).start()
    """)
    env.invoke()
    env.module.go.set()
    assert env.module.done.wait(10)
    assert "from the thread" in capsys.readouterr().out


@pytest.mark.parametrize(
    "statement",
    [
        "os.write(1, b'unheard')",
        "os.spawnlp(os.P_WAIT, 'echo', 'echo', 'unheard')",
    ],
)
def test_output_that_bypasses_sys_stdout_is_not_in_the_log(environment, capfd, statement):
    env = environment(
        f"import os, subprocess, sys\ndef handler(event, context): {statement}; print('heard')"
    )
    env.invoke()
    assert "heard" in env.log
    assert "unheard" not in env.log
    assert "unheard" in capfd.readouterr().out


def test_a_coroutine_that_is_not_awaited_is_reported_in_the_invoke(environment, recwarn):
    """As on Lambda, where it is collected at once, and not in a later test."""
    gc.collect()  # what earlier tests have left would be collected, and reported, below
    recwarn.clear()
    env = environment("""
        async def handler(event, context):
            return {}
    """)
    failed = env.invoke(check=False)
    assert failed.error["errorType"] == "Runtime.MarshalError"
    assert re.search(
        r"\S+\.py:\d+: RuntimeWarning: coroutine 'handler' was never awaited\n"
        r"  handle_event_request\(\n"
        "RuntimeWarning: Enable tracemalloc to get the object allocation traceback\n",
        failed.log,
    )
    # Python warns once of each line, and the line is that of the runtime.
    assert "never awaited" not in env.invoke(check=False).log
    env.reset()
    assert "never awaited" in env.invoke(check=False).log
    del failed, env
    gc.collect()
    assert [str(one.message) for one in recwarn if "awaited" in str(one.message)] == []


def test_output_reaches_the_streams_of_the_test(environment, capsys, caplog):
    env = environment("""
        import logging, sys
        print("out at init")
        def handler(event, context):
            print("out"); print("err", file=sys.stderr); logging.getLogger("svc").warning("logged")
    """)
    env.invoke(request_id="r-1")
    captured = capsys.readouterr()
    assert "out at init\nout\n" in captured.out
    assert captured.err == "err\n"
    assert "\tr-1\tlogged\n" in captured.out
    assert caplog.messages == ["logged"]


def test_a_kept_stream_writes_to_the_current_stdout(environment, capsys):
    env = environment("""
        import logging, sys
        logger = logging.getLogger("svc"); logger.addHandler(logging.StreamHandler(sys.stdout))
        logger.setLevel("INFO"); logger.propagate = False
        def handler(event, context): logger.info("kept")
    """)
    env.invoke()
    assert capsys.readouterr().out == "kept\n"
    env.invoke()
    assert capsys.readouterr().out == "kept\n"
    assert env.log.count("kept") == 2


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("call", ["write({!r})", "writelines([{!r}])"])
@pytest.mark.parametrize("written", [b"x", 5, None])
def test_only_text_can_be_written(environment, stream, call, written):
    """The words are those of CPython's `io.TextIOWrapper`, which the real runtime writes to."""
    env = environment(f"""
        import sys
        def handler(event, context):
            sys.{stream}.{call.format(written)}
    """)
    kind = "None" if written is None else type(written).__name__
    with pytest.raises(FunctionError, match=f"argument must be str, not {kind}") as failed:
        env.invoke()
    assert failed.value.error_type == "TypeError"
    assert "TypeError" in env.log


@pytest.mark.parametrize(
    "statement",
    [
        r"sys.stderr.write('caf\udce9')",
        r"print('caf\udce9', file=sys.stderr)",
        r"logging.StreamHandler().emit(logging.makeLogRecord({'msg': 'caf\udce9'}))",
        r"sys.exit('caf\udce9')",
    ],
)
def test_lone_surrogates_on_stderr_are_escaped(environment, statement):
    env = environment(f"""
        import logging, sys
        def handler(event, context):
            {statement}
    """)
    env.invoke(check=False)
    assert r"caf\udce9" in env.log
    env.log.encode()


class TestStandardStreams:
    """Expectations are the output of `awslambdaric` 4.2.2, on Python 3.11 and 3.13."""

    def test_the_streams_of_the_start_are_those_of_the_function(self, environment, capsys):
        env = environment("""
            import sys
            def handler(event, context):
                proxy = sys.stdout
                sys.stdout = sys.__stdout__
                print("out", flush=True)
                print("error", file=sys.__stderr__)
                return [proxy.stream is sys.__stdout__, proxy.buffer is sys.__stdout__.buffer]
        """)
        before = sys.__stdout__, sys.__stderr__
        first, second = env.invoke(), env.invoke(check=False)
        assert first.payload == [True, True]
        assert second.error["errorMessage"].endswith("has no attribute 'stream'")
        assert "out\nerror\n" in first.log
        assert "out\nerror\n" in second.log
        assert (sys.__stdout__, sys.__stderr__) == before
        assert capsys.readouterr() == ("out\n" * 2 + _error_line(second), "error\n" * 2)

    def test_attributes(self, environment):
        env = environment("""
            import sys
            def handler(event, context):
                names = "name mode errors encoding newlines closed line_buffering write_through"
                return {
                    name: [getattr(stream, one) for one in names.split()]
                    + [stream.readable(), stream.writable(), stream.seekable(), stream.isatty()]
                    + [repr(stream.buffer), type(stream.buffer).__name__, stream.buffer.mode]
                    + [stream.buffer.raw.name, stream.buffer.raw.mode, stream.buffer.raw.closefd]
                    for name, stream in vars(sys).items()
                    if name.strip("_") in ("stdout", "stderr")
                }
        """)
        start = {"stdout": "strict", "stderr": "backslashreplace"}
        text = ["utf-8", None, False]
        capabilities = [False, True, False, False]
        out, error = (
            [f"<{name}>", "w", errors, *text, name == "stderr", False, *capabilities]
            for name, errors in start.items()
        )
        for name, expected in (("stdout", out), ("stderr", error)):
            expected += [f"<_io.BufferedWriter name='<{name}>'>", "BufferedWriter", "wb"]
            expected += [f"<{name}>", "wb", False]
        assert env.invoke().payload == {
            "stdout": out,
            "__stdout__": out,
            "stderr": error,
            "__stderr__": error,
        }

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            ("sys.stdout.read()", "UnsupportedOperation: not readable"),
            ("sys.stdout.readline()", "UnsupportedOperation: not readable"),
            ("sys.stdout.buffer.read()", "UnsupportedOperation: read"),
            ("sys.stdout.tell()", "UnsupportedOperation: underlying stream is not seekable"),
            ("sys.stdout.seek(0)", "UnsupportedOperation: underlying stream is not seekable"),
            ("sys.stdout.truncate()", "OSError: [Errno 29] Illegal seek"),
            ("list(sys.stdout)", "TypeError: 'Unbuffered' object is not iterable"),
            ("sys.stdout.reconfigure(foo=1)", "reconfigure()"),
            ("sys.stdout.write()", "write() missing 1 required positional argument: 'msg'"),
            ("sys.stderr.writelines(None)", "TypeError: 'NoneType' object is not iterable"),
        ],
    )
    def test_calls_that_fail(self, environment, call, message):
        env = environment(f"import sys\ndef handler(event, context): {call}")
        assert message in env.invoke(check=False).log

    @pytest.mark.parametrize(
        ("statement", "log"),
        [
            ("sys.stdout.reconfigure(errors='replace'); print('\\udce9')", "?"),
            (
                "sys.stdout.reconfigure(encoding='latin-1'); print('\\xe9')",
                "\N{REPLACEMENT CHARACTER}",
            ),
            ("sys.stdout.reconfigure(newline='\\r\\n'); print('a')", "a\r"),
            ("sys.__stdout__.reconfigure(line_buffering=True); sys.__stdout__.write('a\\n')", "a"),
        ],
    )
    def test_reconfigured(self, environment, statement, log):
        env = environment(f"import sys\ndef handler(event, context): {statement}")
        assert f"\n{log}\nEND" in env.invoke().log

    @pytest.mark.parametrize(
        "hold",
        [
            "sys.stdout.buffer.write(b'held\\n')",
            "print('held', file=sys.__stdout__)",
            "print('held', file=wrapper)",
        ],
    )
    def test_text_waits_in_a_buffer_for_the_next_flush(self, environment, hold):
        env = environment(f"""
            import io, sys
            wrapper = io.TextIOWrapper(sys.stdout.buffer, write_through=True)
            def handler(event, context):
                if event == "hold": {hold}
                elif event == "exit": sys.exit(event)
                elif event == "kill": os._exit(1)
                elif event: print(event)
            import os
        """)
        assert "held" not in env.invoke("hold").log
        assert "held" not in env.invoke("").log
        assert "\nheld\nnext\nEND" in env.invoke("next").log
        env.invoke("hold")
        assert (
            "held\n" in env.invoke("exit", check=False).log
        )  # the interpreter flushes its streams
        env.invoke("hold")
        assert "held" not in env.invoke("kill", check=False).log
        assert "held" not in env.invoke("next").log

    def test_text_that_waits_is_lost_with_the_process(self, environment, capsys):
        env = environment("""
            import io, sys
            wrapper = io.TextIOWrapper(sys.stdout.buffer)
            def handler(event, context): wrapper.write("wrapped"); sys.__stderr__.write("held")
        """)
        env.invoke()
        env.close()
        log = env.log
        del env
        gc.collect()
        assert "wrapped" not in log
        assert "held" not in log
        assert capsys.readouterr() == ("", "")

    @pytest.mark.parametrize("name", ["stdout", "__stdout__", "stderr", "__stderr__"])
    def test_a_deleted_stream_is_that_of_the_function_alone(self, environment, name):
        env = environment(f"""
            import sys
            def handler(event, context):
                if event: del sys.{name}
                return hasattr(sys, {name!r})
        """)
        before = getattr(sys, name)
        assert [env.invoke(event).payload for event in ("", "del", "")] == [True, False, False]
        assert getattr(sys, name) is before
        env.reset()
        assert env.invoke("").payload


def _error_line(invocation):
    """Return the [ERROR] line of an invoke as the stream of the test has it."""
    return "".join(
        line.replace("\r", "\n") for line in re.findall(r"\[ERROR\].*\n", invocation.log)
    )


def test_a_lone_surrogate_on_stdout_raises(environment):
    env = environment(r"def handler(event, context): print('caf\udce9')")
    with pytest.raises(FunctionError, match="UnicodeEncodeError"):
        env.invoke()


SNOWMAN = r"""
    import logging, sys
    def handler(event, context):
        print("snow: \u2603")
        print("to stderr: \u2603", file=sys.stderr)
        sys.stdout.buffer.write("bytes: \u2603\n".encode())
        logging.getLogger().error("logged: \u2603")
        return [sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors]
"""


class TestStreamOfTheTestThatRefusesText:
    @pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "shift_jis"])
    def test_what_its_encoding_lacks_is_escaped(self, environment, monkeypatch, encoding):
        outside = io.TextIOWrapper(io.BytesIO(), encoding, newline="\n")
        monkeypatch.setattr(sys, "stdout", outside)
        monkeypatch.setattr(sys, "stderr", outside)
        env = environment(SNOWMAN)
        assert env.invoke().payload == ["utf-8", "strict", "backslashreplace"]
        written = outside.buffer.getvalue()
        for what in "snow", "to stderr", "bytes", "logged":
            assert f"{what}: \u2603\n" in env.log
            assert f"{what}: \\u2603\n".encode() in written

    @pytest.mark.parametrize(
        "error",
        [
            OSError(errno.ENOSPC, "No space left on device"),
            BrokenPipeError(errno.EPIPE, "Broken pipe"),
            ValueError("I/O operation on closed file."),
            RuntimeError("not now"),
        ],
    )
    @pytest.mark.parametrize("method", ["write", "flush"])
    def test_another_error_is_reported_once(self, environment, monkeypatch, error, method):
        outside = io.StringIO()
        monkeypatch.setattr(outside, method, mock.Mock(side_effect=error), raising=False)
        monkeypatch.setattr(sys, "stdout", outside)
        env = environment("def handler(event, context):\n    print('one')\n    print('two')")
        with pytest.warns(LifecycleWarning) as warned:
            assert [env.invoke().payload for _ in range(2)] == [None, None]
        (warning,) = warned
        assert str(error) in str(warning.message)
        assert "sys.stdout of the test has refused output" in str(warning.message)
        assert warning.filename == __file__
        assert env.log.count("one\ntwo\n") == 2

    def test_a_full_disk(self, environment, monkeypatch):
        if not os.path.exists("/dev/full"):
            pytest.skip("needs /dev/full")
        with open("/dev/full", "w", buffering=1) as outside, contextlib.suppress(OSError):
            monkeypatch.setattr(sys, "stdout", outside)
            env = environment(SNOWMAN)
            with pytest.warns(LifecycleWarning, match="No space left"):
                env.invoke()
            monkeypatch.undo()
            outside.close()
        assert "logged: \u2603\n" in env.log

    def test_a_warning_that_is_an_error_is_the_error_of_the_test(self, environment, monkeypatch):
        monkeypatch.setattr(sys, "stdout", mock.Mock(closed=False))
        sys.stdout.write.side_effect = OSError(errno.ENOSPC, "full")
        env = environment("""
            def handler(event, context):
                try: print("text")
                except BaseException as error: return str(error)
        """)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(LifecycleWarning, match="full"):
                env.invoke()
        assert env.invoke().payload is None

    def test_a_nested_invoke_does_not_raise_into_the_outer_handler(
        self, environment, write, monkeypatch
    ):
        write("inner.py", "def handler(event, context): print('inner')")
        inner = environment(handler="inner.handler")
        outer = environment("""
            def handler(event, context):
                try: call()
                except BaseException: pass
            def call(): ...
        """)
        outer.patch("app.call", lambda: inner.invoke() and None)
        monkeypatch.setattr(sys, "stdout", mock.Mock(closed=False))
        sys.stdout.write.side_effect = OSError(errno.ENOSPC, "full")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(LifecycleWarning, match="full"):
                outer.invoke()
        assert "inner\n" in inner.log

    def test_a_stream_with_write_alone_is_enough(self, environment, monkeypatch):
        class Minimal:
            text = ""

            def write(self, text):
                self.text += text

        monkeypatch.setattr(sys, "stdout", outside := Minimal())
        with pytest.warns(LifecycleWarning, match="no attribute 'flush'"):
            environment("def handler(event, context): print('text')").invoke()
        assert outside.text == "text\n"

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
    @pytest.mark.parametrize(
        ("timer", "number"), [("ITIMER_REAL", "SIGALRM"), ("ITIMER_PROF", "SIGPROF")]
    )
    def test_a_signal_handler_of_the_function_still_raises(
        self, environment, monkeypatch, timer, number
    ):
        class Slow(io.StringIO):
            def write(self, text):
                until = time.monotonic() + 5
                while text == "text" and time.monotonic() < until:
                    pass
                return len(text)

        env = environment(f"""
            import signal
            def late(number, frame):
                signal.setitimer(signal.{timer}, 0)
                raise TimeoutError("too late")
            def handler(event, context):
                signal.signal(signal.{number}, late)
                signal.setitimer(signal.{timer}, 0.05)
                try: print("text", end="")
                except TimeoutError: return "timed out"
        """)
        monkeypatch.setattr(sys, "stdout", Slow())
        assert env.invoke().payload == "timed out"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_run_without_capture_on_a_terminal_that_is_not_utf_8(pytester, monkeypatch, encoding):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    pytester.makepyfile(app=textwrap.dedent(SNOWMAN))
    pytester.makepyfile(
        test_it="""
            def test_it(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                env.invoke()
                assert "snow: \\u2603" in env.log
        """
    )
    result = pytester.runpytest_subprocess("-s", "-p", "no:randomly")
    result.assert_outcomes(passed=1)
    assert r"snow: \u2603" in result.stdout.str()


def test_a_shared_library_that_keeps_a_stream_writes_to_the_log_of_the_process_that_runs(
    environment, tmp_path, monkeypatch
):
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "keeps_streams.py").write_text("import sys\nout, err = sys.stdout, sys.stderr")
    monkeypatch.syspath_prepend(str(folder))
    env = environment("""
        import keeps_streams
        def handler(event, context):
            print("to stdout", event, file=keeps_streams.out)
            print("to stderr", event, file=keeps_streams.err)
    """)
    for number in range(3):
        log = env.invoke(number).log
        assert f"to stdout {number}\n" in log
        assert f"to stderr {number}\n" in log
        env.reset()
    env.close()
    library = sys.modules.pop("keeps_streams")
    library.out.write("after the end")
    assert "after the end" not in env.log
