"""What tracers that are imported afresh replace in shared modules that nobody else watches."""

import sqlite3
import sys

import pytest

TRACER = """
import functools
def wrap(owner, name):
    original = getattr(owner, name)
    @functools.wraps(original)
    def traced(*arguments, **keywords):
        return original(*arguments, **keywords)
    setattr(owner, name, traced)
"""
SOURCE = """
import sqlite3
{before}
import tracer
import shop_db
tracer.wrap(sqlite3, "connect")
tracer.wrap(shop_db.Engine, "connect")
def depth(function):
    return 1 + depth(function.__wrapped__) if hasattr(function, "__wrapped__") else 0
def handler(event, context):
    return [depth(sqlite3.connect), depth(shop_db.Engine.connect)]
"""


@pytest.fixture
def shop_db(tmp_path, monkeypatch):
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "tracer.py").write_text(TRACER)
    (folder / "shop_db.py").write_text("class Engine:\n    def connect(self): ...\n")
    monkeypatch.syspath_prepend(str(folder))
    yield
    for name in ("shop_db", "tracer"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("shop_db")
@pytest.mark.parametrize("before", ["", "import shop_db"])
def test_each_process_wraps_them_once(environment, before):
    genuine = sqlite3.connect
    source = SOURCE.format(before=before)
    first = environment(source, fresh_packages=["tracer"])
    second = environment(fresh_packages=["tracer"])
    for env in (first, second, first):
        assert env.invoke().payload == [1, 1]
    first.reset()
    assert first.invoke().payload == [1, 1]
    first.close()
    second.close()
    assert sqlite3.connect is genuine
    assert not hasattr(sys.modules["shop_db"].Engine.connect, "__wrapped__")


@pytest.mark.usefixtures("shop_db")
def test_a_patch_of_the_test_is_not_taken_for_one_of_the_tracer(environment, monkeypatch):
    import shop_db

    env = environment(SOURCE.format(before=""), fresh_packages=["tracer"])
    env.initialize()
    own = object()
    monkeypatch.setattr(shop_db, "setting", own, raising=False)
    env.close()
    assert shop_db.setting is own
