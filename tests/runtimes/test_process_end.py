"""The end of the interpreter.

Expectations are the exit statuses and the output of `awslambdaric` 4.2.2, on Python 3.11 and 3.13.
"""

from __future__ import annotations

import re
import sys

import pytest

from pytest_lambda_lifecycle import FunctionLog

HOOK = "import os, sys\ndef hook(kind, error, trace): {}\n"
END = "raise GeneratorExit('x')"
TRACE = (
    "Traceback (most recent call last):\n"
    f'  File "app.py", line 5, in handler\n    {END}\nGeneratorExit: x\n'
)
FLUSHING = (
    "Exception ignored on flushing sys.stdout:\n"
    if sys.version_info >= (3, 13)
    else "Exception ignored in: <awslambdaric.bootstrap.Unbuffered object at 0x>\n"
)
DETACHED = f"{FLUSHING}ValueError: underlying buffer has been detached\n"


@pytest.fixture
def end(environment):
    """End a process by a statement of the handler; return its exit status and its streams."""

    def end(statement, init=""):
        env = environment(f"{init}def handler(event, context):\n    {statement}\n")
        outcome = env.invoke(check=False).outcome
        text = {"stdout": "", "stderr": ""}
        for event in env.timeline.of(FunctionLog):
            text[event.stream] += event.text
        return outcome.exit_code, text["stdout"], _plain(text["stderr"])

    return end


def _plain(text):
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"    [~^]+\n", "", text)
    return re.sub(r'File "[^"]*/app.py"', 'File "app.py"', text)


class TestExcepthook:
    def test_it_is_called_when_the_process_dies(self, end):
        init = HOOK.format("print('hook', kind.__name__, error, bool(trace))")
        for statement in (END, "raise KeyboardInterrupt('x')"):
            status, out, error = end(statement, init + "sys.excepthook = hook\n")
            assert out == f"hook {statement[6:-5]} x True\n"
            assert error == ""
            assert status == (1 if statement == END else -2)

    def test_it_is_not_called_for_errors_that_the_runtime_reports(self, environment):
        env = environment(
            HOOK.format("print('hook')")
            + "sys.excepthook = hook\ndef handler(event, context): 1/0 if event else sys.exit(3)"
        )
        for event in (True, False):
            assert "hook" not in env.invoke(event, check=False).log

    def test_it_is_called_in_init(self, environment):
        env = environment(HOOK.format("print('hook', error)") + "sys.excepthook = hook\n" + END)
        env.invoke(check=False)
        assert "hook x\n" in env.log

    @pytest.mark.parametrize(
        ("body", "status", "text"),
        [
            ("sys.exit(7)", 7, ""),
            ("sys.exit('bye')", 1, "bye\n"),
            ("os._exit(8)", 8, ""),
            ("sys.__excepthook__(kind, error, trace)", 1, TRACE),
        ],
    )
    def test_the_end_of_the_hook(self, end, body, status, text):
        assert end(END, HOOK.format(body) + "sys.excepthook = hook\n") == (status, "", text)

    def test_an_error_in_the_hook(self, end):
        status, _, error = end(END, HOOK.format("1/0") + "sys.excepthook = hook\n")
        assert status == 1
        first, _, second = error.partition("\nOriginal exception was:\n")
        assert first.startswith("Error in sys.excepthook:\nTraceback (most recent call last):\n")
        assert "During handling" not in first
        assert second == TRACE

    def test_a_deleted_hook(self, end):
        status, _, error = end(f"del sys.excepthook; {END}", "import sys\n\n\n")
        assert status == 1
        assert error.startswith("sys.excepthook is missing\nTraceback (most recent call last):\n")

    def test_the_hook_of_the_test_is_not_that_of_the_function(self, end, monkeypatch):
        monkeypatch.setattr(sys, "excepthook", lambda *_: pytest.fail("called"))
        assert end(END, "\n\n\n")[2] == TRACE


class TestText:
    @pytest.mark.parametrize(
        ("statement", "error"),
        [
            (
                "sys.stdout.close(); raise KeyError('x')",
                "ValueError: I/O operation on closed file.",
            ),
            (r"raise ValueError('caf\udce9')", "UnicodeEncodeError: 'utf-8' codec can't encode"),
        ],
    )
    def test_an_error_in_the_report_does_not_show_the_exception_of_the_handler(
        self, end, statement, error
    ):
        """The runtime has handled that one when it writes its line."""
        status, _, text = end(statement, "import sys\n")
        assert status == 1
        assert text.startswith("Traceback (most recent call last):\n")
        assert error in text
        assert "During handling" not in text

    def test_an_error_in_the_text_of_an_exception_shows_both(self, end):
        _, _, text = end(
            "raise Silent", "class Silent(Exception):\n    def __str__(self): return 5\n"
        )
        assert text.count("Traceback (most recent call last):\n") == 2
        assert "During handling of the above exception, another exception occurred" in text

    def test_frames_of_this_package_are_left_out(self, end):
        init = "import sys\nclass Bad:\n    def write(self, text): 1/0\nsys.stdout = Bad()\n"
        _, _, text = end("raise KeyError('x')", init)
        assert text.startswith(
            'Traceback (most recent call last):\n  File "app.py", line 3, in write'
        )
        assert "pytest_lambda_lifecycle" not in text

    def test_letters_outside_latin_1_in_an_error_of_init(self, environment):
        env = environment("raise ValueError('\\u20ac')", runtime="python3.13")
        env.invoke(check=False)
        assert (
            "Body ('\u20ac') is not valid Latin-1. Use body.encode('utf-8') if you want to send it "
            "encoded in UTF-8.\n"
        ) in env.log

    def test_a_class_with_a_traceback_of_its_own(self, environment):
        env = environment("""
            class Own(Exception): __traceback__ = None
            def handler(event, context): raise Own("x")
        """)
        (entry,) = env.invoke(check=False).error["stackTrace"]
        assert "line 3, in handler" in entry


class TestFlush:
    @pytest.mark.parametrize(
        ("statement", "status", "text"),
        [
            ("sys.stdout.detach(); sys.exit(0)", 120, DETACHED),
            ("sys.stdout.detach(); sys.exit(3)", 120, DETACHED),
            ("sys.stderr.detach(); sys.exit(3)", 120, ""),
            ("sys.stdout.detach(); os._exit(3)", 3, ""),
            ("sys.stdout.close(); sys.exit(3)", 3, ""),
            ("sys.stderr = None; sys.exit('bye')", 1, "bye\n"),
            ("del sys.stderr; sys.exit('bye')", 1, "bye\n"),
            ("sys.stderr.close(); sys.exit('bye')", 1, "\n"),
        ],
    )
    def test_streams_that_cannot_be_flushed(self, end, statement, status, text):
        assert end(statement, "import os, sys\n") == (status, "", text)

    def test_an_interrupt_ends_by_its_signal_all_the_same(self, end):
        status, _, text = end("sys.stdout.detach(); raise KeyboardInterrupt", "import sys\n")
        assert status == -2
        assert text.endswith(f"KeyboardInterrupt\n{DETACHED}")

    def test_an_error_of_init_ends_with_it_too(self, environment):
        env = environment(
            "import sys\nsys.stdout.write = None\nclass Bad:\n def write(self, t): 0\n"
            "sys.stdout = Bad()\nraise ValueError('x')"
        )
        env.invoke(check=False)
        assert env.init.outcome.exit_code == 120

    def test_a_hook_for_unraisable_exceptions_hears_of_it(self, end):
        init = (
            "import sys\ndef hook(args): sys.stderr.write(f'{args.exc_value}\\n')\n"
            "sys.unraisablehook = hook\n"
        )
        assert end("sys.stdout.detach(); sys.exit(0)", init) == (
            120,
            "",
            "underlying buffer has been detached\n",
        )

    def test_a_lost_stderr(self, end):
        text = end(f"del sys.stderr; {END}", "import sys\n")[2]
        assert text.startswith("object address  : 0x\nobject refcount : ")
        assert text.endswith("object repr     : GeneratorExit('x')\nlost sys.stderr\n")
