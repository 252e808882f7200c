"""The summary at the end of a run, JUnit's properties, pytest-html's extras, and progress."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import types
from xml.etree import ElementTree

import pytest

from pytest_lambda_lifecycle.environment import tally
from pytest_lambda_lifecycle.lifecycle.events import InitReport, Leftover
from pytest_lambda_lifecycle.lifecycle.outcome import Loaded
from pytest_lambda_lifecycle.plugin.progress_line import ProgressLine

TITLE = "*= Lambda environments =*"
HOSTILE = "</script>\x1b[31m\udc80"

APP = """
    import threading, urllib.request
    import costly

    def handler(event, context):
        if event == "thread":
            wait = threading.Event().wait
            threading.Thread(target=wait, args=(9,), name="w\\x1b[31m\\udc80", daemon=True).start()
        if event == "network":
            try:
                urllib.request.urlopen("http://shop.example/")
            except Exception:
                pass
        return event
"""
TESTS = """
    import pytest
    from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig

    @pytest.mark.parametrize("event", ["thread", "other"])
    def test_twice(lambda_lifecycle, event):
        env = lambda_lifecycle("app.handler")
        env.invoke(event)
        env.invoke("other")

    @pytest.mark.filterwarnings("ignore::UserWarning")
    def test_network(lambda_lifecycle):
        lambda_lifecycle("app.handler").invoke("network")

    def test_budget(lambda_lifecycle):
        lambda_lifecycle("app.handler", max_init_ms=0.001).invoke()

    def test_without_the_fixture():
        with ExecutionEnvironment(FunctionConfig("app.handler")) as env:
            env.invoke()
"""


@pytest.fixture
def suite(pytester):
    pytester.makepyfile(app=APP, costly="import time; time.sleep(0.01)", test_it=TESTS)
    return pytester


def test_the_summary_counts_and_names_what_stands_out(suite):
    result = suite.runpytest("--tb=no", "-W", "ignore")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        [
            TITLE,
            "5 environments, 5 cold starts, 2 warm invokes",
            "slowest inits:",
            "  * ms  app.handler, test_it.py* (imports: *costly * ms*)",
            "left running when an invoke ended:",
            r"  thread w\x1b?31m\udc80, started at app.py:7*",
            "refusals that function code swallowed:",
            "  GET http://shop.example/*",
            "budgets exceeded:",
            "  app.handler: max_init_ms=0.001 in 1 of 1 Init *: Init: * ms",
            "*short test summary info*",
        ],
        consecutive=False,
    )


def test_the_summary_is_longer_with_v(suite):
    result = suite.runpytest("-v", "-k", "twice")
    result.stdout.fnmatch_lines([TITLE, "  * ms  app.handler, *", "  * ms    import costly"])


@pytest.mark.parametrize("option", ["-q", "--no-summary"])
def test_the_summary_is_hidden(suite, option):
    suite.runpytest(option, "-k", "twice").stdout.no_fnmatch_line(TITLE)


def test_a_run_without_environments_has_no_summary(suite):
    suite.makepyfile(test_it="def test_it(lambda_lifecycle): pass")
    suite.runpytest().stdout.no_fnmatch_line(TITLE)


def test_workers_count_also_if_one_crashes(suite):
    pytest.importorskip("xdist")
    crash = "def test_z(lambda_lifecycle): __import__('os').kill(__import__('os').getpid(), 9)"
    suite.makepyfile(test_z=crash)
    result = suite.runpytest("-p", "xdist", "-n1", "-k", "twice or z", "--max-worker-restart=0")
    result.stdout.fnmatch_lines([TITLE, "2 environments, 2 cold starts, 2 warm invokes"])
    result.stdout.fnmatch_lines([r"  thread w\x1b?31m\udc80, started at *"])


def test_junit_has_the_figures_of_each_test(suite):
    suite.runpytest("--tb=no", "-W", "ignore", "--junitxml=out.xml")
    cases = {
        case.get("name"): {
            one.get("name"): float(one.get("value")) for one in case.iter("property")
        }
        for case in ElementTree.parse(suite.path / "out.xml").iter("testcase")
    }
    name = "lambda_lifecycle."
    assert cases["test_twice[other]"].pop(f"{name}slowest_init_ms") >= 10
    assert cases["test_twice[other]"] == {
        f"{name}environments": 1,
        f"{name}cold_starts": 1,
        f"{name}warm_invokes": 1,
        f"{name}leftovers": 0,
        f"{name}swallowed_refusals": 0,
        f"{name}exceeded_budgets": 0,
    }
    assert cases["test_twice[thread]"][f"{name}leftovers"] > 0
    assert cases["test_network"][f"{name}swallowed_refusals"] == 1
    assert cases["test_budget"][f"{name}exceeded_budgets"] == 1


def test_pytest_html_gets_a_picture_of_each_timeline(suite, monkeypatch):
    """The plugin is not installed here: this is what its version 4 has and reads."""
    extras = types.ModuleType("pytest_html.extras")
    extras.html = lambda content: {"format_type": "html", "content": content}
    monkeypatch.setitem(sys.modules, "pytest_html.extras", extras)
    suite.makeconftest(
        """
        def pytest_addoption(parser):
            parser.addoption("--html", dest="htmlpath")
        def pytest_runtest_logreport(report):
            for extra in getattr(report, "extras", ()):
                print("EXTRA", report.when, extra["content"][:120])
        """
    )
    result = suite.runpytest("-s", "--html=out.html", "-k", "other")
    result.stdout.fnmatch_lines(["*EXTRA teardown <div *<p>app.handler</p><svg *"])


def test_a_tally_keeps_texts_that_any_stream_and_worker_can_take():
    counted = tally.Tally()
    events = [
        InitReport(0, "on-demand", "init", "success", "", 5000, Loaded()),
        Leftover(0, "thread", HOSTILE + "x" * 10_000_000, ""),
        *(Leftover(0, "thread", f"worker {number}", "") for number in range(500)),
    ]
    counted.ended("app.handler", events, lambda: HOSTILE)
    assert counted.count("leftover") == 501
    data = counted.drain()
    assert data["slow"]["app.handler"]["place"] == r"</script>\x1b[31m\udc80"
    texts = data["texts"]["leftover"]
    assert len(texts) == 100
    assert max(map(len, texts)) < 400
    assert all(text.isprintable() for text in texts)
    whole = tally.empty()
    for _ in range(2):
        tally.merge(whole, data)
    assert whole["more"]["leftover"] == 802
    assert whole["cold"] == 2


def test_the_memory_of_a_tally_does_not_grow_with_the_handlers():
    counted = tally.Tally()
    for number in range(300):
        report = InitReport(0, "on-demand", "init", "success", "", number, Loaded())
        counted.ended(f"app{number}.handler", [report], str)
    assert len(counted.data["slow"]) == 100
    assert min(slow["us"] for slow in counted.data["slow"].values()) == 200


class Terminal:
    """A terminal whose line begins with what pytest has written."""

    def __init__(self, **settings):
        self.time = 0.0
        self.written = ""
        self.room = 40
        self.line = ProgressLine(
            self.write,
            room=lambda: self.room,
            now=lambda: self.time,
            **{"counts": False, **settings},
        )

    def write(self, text):
        self.written += text

    def tell(self, done, whole, *, after):
        self.time += after
        self.line("growth", done, whole)

    @property
    def shown(self):
        cells, cursor = [], 0
        for character in self.written:
            if character == "\b":
                cursor -= 1
            else:
                cells[cursor : cursor + 1] = [character]
                cursor += 1
        return "".join(cells)[:cursor], "".join(cells).rstrip()


def test_progress_shows_after_a_second_and_goes_with_the_work():
    terminal = Terminal()
    terminal.tell(1, 50, after=0)
    terminal.tell(2, 50, after=0.9)
    assert terminal.written == ""
    terminal.tell(5, 50, after=0.2)
    assert terminal.shown[0] == " growth [ 10%]"
    terminal.tell(6, 50, after=0.01)  # too early for another one
    assert terminal.shown[0] == " growth [ 10%]"
    terminal.tell(60, 50, after=1)  # more than was expected
    assert terminal.shown == (" growth [60]", " growth [60]")
    terminal.line.clear()
    assert terminal.shown == ("", "")
    terminal.tell(1, 50, after=5)
    assert terminal.shown == ("", "")


@pytest.mark.parametrize(
    ("settings", "room", "text"),
    [({"counts": True}, 40, " growth [  5/100]"), ({}, 10, "")],
)
def test_progress_follows_the_style_and_the_width(settings, room, text):
    terminal = Terminal(**settings)
    terminal.room = room
    terminal.tell(1, 100, after=0)
    terminal.tell(5, 100, after=2)
    assert terminal.shown[0] == text


def test_progress_stands_behind_the_file_on_a_terminal(suite):
    suite.makeconftest(
        """
        from pytest_lambda_lifecycle.plugin import progress_line
        progress_line._PATIENCE_S = progress_line._EVERY_S = 0
        """
    )
    suite.makepyfile(
        test_it="""
            def test_grows(lambda_lifecycle):
                lambda_lifecycle("app.handler").assert_no_growth("event", invokes=10)
        """
    )
    terminal, end_of_pytest = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "--color=no"],
        stdin=subprocess.DEVNULL,
        stdout=end_of_pytest,
        stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "80", "TERM": "xterm"},
    ) as process:
        os.close(end_of_pytest)
        output = b"".join(iter(lambda: _read(terminal), b"")).decode()
        os.close(terminal)
    assert process.returncode == 0, output
    assert "test_it.py  assert_no_growth [ 10%]\b" in output
    *_, last = output.partition("assert_no_growth [100%]")[2].partition("\b" * 24)
    assert last.startswith(" " * 24 + "\b" * 24 + ".")


def _read(terminal):
    try:
        return os.read(terminal, 10_000)
    except OSError:  # Linux says so that the other end is closed
        return b""
