"""Errors of Init that a shared library raises at the second import of a module."""

import sys
from types import ModuleType

import pytest

from pytest_lambda_lifecycle import InitError
from pytest_lambda_lifecycle.observation import second_imports

METRICS = """
NAMES = set()
def counter(name):
    if name in NAMES:
        raise ValueError(f"Duplicated: {name}")
    NAMES.add(name)
"""
SOURCE = """
    import once_metrics
    once_metrics.counter("orders")
    def handler(event, context): return "ok"
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "once_metrics.py").write_text(METRICS)
    monkeypatch.syspath_prepend(str(folder))
    yield
    sys.modules.pop("once_metrics", None)


@pytest.mark.usefixtures("library")
def test_the_error_names_the_setting(environment):
    env = environment(SOURCE)
    assert env.invoke().payload == "ok"
    env.reset()
    with pytest.raises(InitError, match="Duplicated: orders") as caught:
        env.invoke()
    shown = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "lambda_lifecycle_fresh_packages = once_metrics" in shown
    env.close()
    cured = environment(SOURCE, fresh_packages=["once_metrics"])
    for _ in range(2):
        assert cured.invoke().payload == "ok"
        cured.reset()


def test_for_a_compiled_package_the_error_names_the_one_that_holds_its_registry(
    environment, tmp_path, monkeypatch
):
    """The base class of the models is in a package, and SQLAlchemy refuses a second table."""
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "once_tables.py").write_text(METRICS)
    (folder / "own_models.py").write_text(
        "import once_tables\nclass Base:\n"
        "    def __init_subclass__(cls): once_tables.counter(cls.__name__)\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    compiled = ModuleType("once_tables.fast")
    compiled.__file__ = str(folder / "fast.cpython-311.so")
    monkeypatch.setattr(second_imports, "_COMPILED", (".so",))
    monkeypatch.setitem(sys.modules, "once_tables.fast", compiled)
    env = environment("""
        from own_models import Base
        exec(compile("class Order(Base): ...", "<string>", "exec"))
        def handler(event, context): return "ok"
    """)
    assert env.invoke().payload == "ok"
    env.reset()
    with pytest.raises(InitError, match="Duplicated: Order") as caught:
        env.invoke()
    shown = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "lambda_lifecycle_fresh_packages = own_models" in shown
    env.close()
    for name in ("once_tables", "own_models"):
        del sys.modules[name]


@pytest.mark.usefixtures("library")
def test_an_error_at_the_first_import_has_no_such_hint(environment):
    env = environment(SOURCE.replace('("orders")', '("orders"), once_metrics.counter("orders")'))
    with pytest.raises(InitError, match="Duplicated: orders") as caught:
        env.initialize()
    shown = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "fresh_packages" not in shown


@pytest.mark.usefixtures("library")
def test_an_error_of_function_code_has_no_such_hint(environment):
    env = environment("""
        import json, pathlib, tempfile
        once = pathlib.Path(tempfile.gettempdir(), "once")
        if once.exists(): json.loads("{")
        once.touch()
        def handler(event, context): return "ok"
    """)
    env.invoke()
    env.reset()
    with pytest.raises(InitError, match="Expecting property name") as caught:
        env.invoke()
    assert "fresh_packages" not in "".join(getattr(caught.value, "__notes__", [""]))
