"""What each import of Init costs: `env.init.imports`."""

from __future__ import annotations

import sys
import traceback

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, ImportTime, InitError
from pytest_lambda_lifecycle.lifecycle.import_times import ImportSpan, import_times


def span(name, began, ended, thread=1):
    return ImportSpan((name, began * 1_000_000, ended * 1_000_000, thread, began))


def test_an_import_counts_for_the_one_around_it_in_its_own_thread():
    spans = [
        span("app", 0, 100),
        span("of_thread", 5, 95, thread=2),
        span("a", 10, 50),
        span("a.b", 20, 40),
        span("c", 60, 70),
        span("late", 200, 201),
    ]
    assert import_times(spans) == [
        ImportTime("app", 50, 100),
        ImportTime("of_thread", 90, 90),
        ImportTime("a", 20, 40),
        ImportTime("a.b", 20, 20),
        ImportTime("c", 10, 10),
        ImportTime("late", 1, 1),
    ]


def test_imports_that_begin_at_one_virtual_moment_are_in_order(tmp_path, lambda_clock):
    with environment(
        tmp_path,
        timed_app="import timed_none, timed_outer, time; time.sleep(0.01)\nhandler = print",
        timed_none="",
        timed_outer="import timed_inner, time; time.sleep(0.02)",
        timed_inner="import time; time.sleep(0.03)",
    ) as env:
        env.invoke()
        assert env.init.imports == [
            ImportTime("timed_app", 10, 60),
            ImportTime("timed_none", 0, 0),
            ImportTime("timed_outer", 20, 50),
            ImportTime("timed_inner", 30, 30),
        ]


def environment(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    return ExecutionEnvironment(FunctionConfig("timed_app.handler", code_dir=tmp_path))


def test_each_init_lists_its_imports_and_no_others(tmp_path):
    with environment(
        tmp_path,
        timed_app="""
import importlib.util
import timed_inner
importlib.util.find_spec("timed_late")
try:
    import timed_missing
except ImportError:
    pass
def handler(event, context):
    import timed_late
    return type(timed_inner.__spec__) is type(importlib.util.__spec__)
""",
        timed_inner="",
        timed_late="",
    ) as env:
        assert env.invoke().payload is True
        env.reset()
        env.invoke()
        for init in env.inits:
            outer, inner = (one for one in init.imports if one.name.startswith("timed_"))
            assert (outer.name, inner.name) == ("timed_app", "timed_inner")
            assert outer.cumulative_ms == pytest.approx(outer.own_ms + inner.cumulative_ms)
            assert inner.own_ms == inner.cumulative_ms > 0
            assert outer.cumulative_ms <= init.duration_ms


def test_a_failed_import_is_in_the_list_and_has_no_frames_of_the_import_system(tmp_path):
    with (
        environment(tmp_path, timed_app="import timed_broken", timed_broken="1 / 0") as env,
        pytest.raises(InitError) as failure,
    ):
        env.invoke()
    assert [one.name for one in env.init.imports] == ["timed_app", "timed_broken"]
    files = [
        frame.filename for frame in traceback.extract_tb(failure.value.__cause__.__traceback__)
    ]
    app = str(tmp_path / "timed_app.py")
    assert files[files.index(app) :] == [app, str(tmp_path / "timed_broken.py")]


def test_the_import_system_is_as_before(tmp_path):
    locks = vars(sys.modules["_frozen_importlib"]._ModuleLockManager)
    before = locks["__exit__"]
    with environment(
        tmp_path,
        timed_app="""
raise SystemExit
""",
    ) as env:
        with pytest.raises(InitError):
            env.invoke()
        assert locks["__exit__"] is before


def test_imports_of_a_thread_that_outlasts_init_are_left_out(tmp_path):
    with environment(
        tmp_path,
        timed_app="""
import threading
go_on = threading.Event()
thread = threading.Thread(target=lambda: __import__("timed_slow"))
begun = threading.Event()
thread.start()
begun.wait(30)
def handler(event, context):
    go_on.set()
    thread.join()
""",
        timed_slow="""
import sys
app = sys.modules["timed_app"]  # an import would wait for the end of its own
app.begun.set()
app.go_on.wait(30)
""",
    ) as env:
        env.invoke()
        assert [one.name for one in env.init.imports] == ["timed_app"]
