"""What each import of Init costs: `env.init.imports`."""

from __future__ import annotations

import importlib.machinery
import traceback

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, ImportTime, InitError
from pytest_lambda_lifecycle.lifecycle.import_times import ImportSpan, import_times


def span(name, began, ended, thread=1):
    return ImportSpan((name, began * 1_000_000, ended * 1_000_000, thread))


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


def test_a_spec_of_another_class_stays_as_it_is(tmp_path, monkeypatch):
    class Spec(importlib.machinery.ModuleSpec):
        pass

    class Finder:
        def find_spec(self, name, path, target=None):
            found = importlib.machinery.PathFinder.find_spec(name, [str(tmp_path)])
            if name == "timed_app" and found is not None:
                return Spec(name, found.loader, origin=found.origin)
            return None

    monkeypatch.setattr("sys.meta_path", [Finder(), *__import__("sys").meta_path])
    code = "kind = type(__spec__).__name__\ndef handler(event, context): return kind"
    with environment(tmp_path, timed_app=code) as env:
        assert env.invoke().payload == "Spec"
        assert env.init.imports == []
