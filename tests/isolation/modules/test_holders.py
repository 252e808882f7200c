"""Packages that hold objects of a package that each cold start imports afresh."""

import importlib
import itertools
import sys

import pytest

NUMBERS = itertools.count()
TRACER = "class Provider: ...\nprovider = Provider()\n"
HOLDERS = {
    "an object": "from {tracing} import provider\ndef known(): return provider\n",
    "the module": "import {tracing} as t\ndef known(): return t.provider\n",
    "a module of another": "import {inner} as i\ndef known(): return i.known()\n",
}
SOURCE = """
import {distro}, {tracing}
def handler(event, context): return {distro}.known() is {tracing}.provider
"""


@pytest.fixture
def names(tmp_path, monkeypatch):
    """Names that no other test has: what a session has found out of a package stays known."""
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(folder))
    number = next(NUMBERS)
    made = {name: f"{name}_{number}" for name in ("tracing", "distro", "inner")}

    def write(**texts):
        for name, text in texts.items():
            (folder / f"{made[name]}.py").write_text(text.format(**made))
        return made

    yield write
    for name in made.values():
        sys.modules.pop(name, None)


@pytest.mark.parametrize("held", HOLDERS)
def test_they_work_with_the_copy_of_their_process(environment, names, held):
    made = names(tracing=TRACER, distro=HOLDERS[held], inner=HOLDERS["an object"])
    first = environment(SOURCE.format(**made), fresh_packages=[made["tracing"]])
    second = environment(fresh_packages=[made["tracing"]])
    for env in (first, second, first):
        assert env.invoke().payload is True
    first.reset()
    assert first.invoke().payload is True


def test_what_the_test_has_loaded_stays_shared(environment, names):
    made = names(tracing=TRACER, distro=HOLDERS["the module"])
    distro = importlib.import_module(made["distro"])
    env = environment(SOURCE.format(**made), fresh_packages=[made["tracing"]])
    assert env.invoke().payload is False
    env.close()
    assert sys.modules[made["distro"]] is distro


def test_no_keeps_a_holder_shared(environment, names):
    made = names(tracing=TRACER, distro=HOLDERS["the module"])
    wanted = [made["tracing"], f"no:{made['distro']}"]
    env = environment(SOURCE.format(**made), fresh_packages=wanted)
    assert env.invoke().payload is True
    env.reset()
    assert env.invoke().payload is False
