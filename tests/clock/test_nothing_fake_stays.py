"""A thousand tests in random order leave nothing fake in any module."""

from __future__ import annotations

import os

from .projects import HEAD

LIBRARY = """
import datetime, time
from datetime import datetime as moment
from time import sleep
class Held: now, tick = datetime.datetime, staticmethod(time.time)
def read(clock=time.monotonic, *, kind=datetime.date, nap=time.sleep): ...
"""


FAKES = """
import random, sys, time
from types import FunctionType, MethodType, ModuleType
import pytest

def fakes():
    for name, module in list(sys.modules.items()):
        if name.startswith(("freezegun", "pytest_lambda_lifecycle")): continue
        if not issubclass(type(module), ModuleType): continue
        classes = [one for one in list(vars(module).values()) if issubclass(type(one), type)]
        for owner in [module, *classes]:
            for key, value in list(vars(owner).items()):
                held = [value.__func__ if type(value) in (staticmethod, classmethod) else value]
                if type(held[0]) is FunctionType:
                    held += held[0].__defaults__ or ()
                    held += (held[0].__kwdefaults__ or {}).values()
                yield from (f"{name}: {owner}.{key}" for one in held if is_fake(one))

def is_fake(value):
    if type(value) is MethodType: return type(value.__self__).__name__ == "_Readings"
    if not issubclass(type(value), (FunctionType, type)): return False
    return value.__module__ == "freezegun.api" and value.__name__.lower().startswith("fake")

@pytest.fixture(scope="session", autouse=True)
def nothing_fake():
    real = time.time, time.monotonic, time.sleep, sys.modules["datetime"].datetime
    yield
    assert (time.time, time.monotonic, time.sleep, sys.modules["datetime"].datetime) == real
    assert {f"lib{n}" for n in range(9)} <= set(sys.modules)
    assert list(fakes()) == []

def pytest_collection_modifyitems(items): random.shuffle(items)
"""


HUNDREDS = """
from freezegun import freeze_time
@pytest.fixture
def frozen():
    with freeze_time("2040-01-01"): yield
@pytest.mark.parametrize("n", range(120))
def test_virtual(lambda_clock, n):
    lambda_clock.advance(1)
    assert time.time() == lambda_clock.now.timestamp()
@pytest.mark.parametrize("n", range(20))
def test_frozen_outside(frozen, lambda_clock, n): assert lambda_clock.now.year == 2040
@pytest.mark.parametrize("n", range(20))
def test_frozen_inside(lambda_clock, frozen, n): assert datetime.now().year == 2040
@pytest.mark.parametrize("n", range(30))
def test_environment(lambda_clock, lambda_lifecycle, n):
    lambda_lifecycle(f"app{n % 9}.handler").invoke(1)
@pytest.mark.parametrize("n", range(30))
def test_idle(lambda_lifecycle, n): lambda_lifecycle(f"app{n % 9}.handler").idle(hours=1)
"""


def test_hundreds_of_tests_in_random_order_leave_nothing_fake(project, monkeypatch):
    libraries = project.mkdir("site-packages")
    for number in range(9):  # the first test that needs one imports it
        (libraries / f"lib{number}.py").write_text(LIBRARY)
        (project.path / f"app{number}.py").write_text(
            f"import lib{number}\n{LIBRARY}\ndef handler(e, c): sleep(e)"
        )
    monkeypatch.setenv("PYTHONPATH", str(libraries), prepend=os.pathsep)
    project.makepyfile(test_it=HEAD + HUNDREDS)
    project.makeconftest(FAKES)
    project.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=220)
