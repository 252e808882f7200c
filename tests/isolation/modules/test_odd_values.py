"""Values of the import system and of `sys` without which nobody can import or print anything.

Function code may set or delete them: on Lambda it breaks its own process alone.
"""

from __future__ import annotations

import importlib.util
import sys

import pytest

ODD = """
import sys

class Raises:
    def __getattribute__(self, name):
        raise RuntimeError(name)

    def __eq__(self, other):
        raise RuntimeError("==")

    __hash__ = None

class Bare:
    __slots__ = ()
"""


def test_entries_of_sys_modules_that_are_no_modules_end_with_the_process(environment):
    env = environment(f"""{ODD}
sys.modules["blocked_at_init"] = None
def handler(event, context):
    if event == 0:
        sys.modules.update(
            blocked=None, number=5, text="x", raising=Raises(), bare=Bare(), requests_of_mine=None
        )
        sys.modules["json.of_mine"] = Raises()
        sys.modules["app.part"] = 5
        sys.modules[5] = 5
    import number, text, bare
    found = [number, text, type(sys.modules["raising"]).__name__, type(bare).__name__]
    for name in ("blocked", "blocked_at_init"):
        try:
            __import__(name)
        except ModuleNotFoundError as error:
            found.append(str(error))
    return found
""")
    before = dict(sys.modules)
    for event in range(3):
        assert env.invoke(event).payload == [
            5,
            "x",
            "Raises",
            "Bare",
            "import of blocked halted; None in sys.modules",
            "import of blocked_at_init halted; None in sys.modules",
        ]
        # The test can import anything between phases.
        assert not {"blocked", "blocked_at_init", "number", "raising", 5} & sys.modules.keys()
    env.reset()
    assert env.invoke(0).payload[0] == 5
    env.close()
    assert {name for name in sys.modules if name not in before} == set()


def test_an_object_that_the_test_puts_into_sys_modules_stays(environment, monkeypatch):
    env = environment(
        "def handler(event, context):\n import stub_of_test as stub\n return stub.answer"
    )
    env.initialize()
    monkeypatch.setitem(sys.modules, "stub_of_test", Stub())
    assert env.invoke().payload == 42
    assert env.invoke().payload == 42
    env.close()
    assert type(sys.modules["stub_of_test"]) is Stub


class Stub:
    """What a test may put in the place of a library."""

    answer = 42


def test_a_library_may_put_an_object_of_its_own_in_its_place(environment, write, tmp_path):
    library = tmp_path / "lib" / "site-packages"
    write(
        f"{library}/selfmade.py",
        "import sys\nclass Me:\n    count = 0\nsys.modules[__name__] = Me()",
    )
    env = environment(
        f"import sys\nsys.path.append({str(library)!r})\n"
        "def handler(event, context):\n import selfmade\n return type(selfmade).__name__"
    )
    assert env.invoke().payload == "Me"
    assert type(sys.modules["selfmade"]).__name__ == "Me"  # between phases as well
    assert env.invoke().payload == "Me"


@pytest.mark.parametrize(
    "change",
    [
        "del sys.path",
        "sys.path = None",
        "sys.path = ('/x',)",
        "sys.meta_path = None",
        "del sys.meta_path",
        "sys.meta_path = ()",
        "sys.path_hooks = None",
        "del sys.path_hooks",
        "sys.argv = None",
        "del sys.argv",
        "del sys.path, sys.meta_path, sys.path_hooks, sys.argv, sys.stdout, sys.stderr",
    ],
)
def test_lists_of_sys_that_function_code_deletes_or_replaces(environment, change):
    names = ("path", "meta_path", "path_hooks", "argv")
    before = {name: (getattr(sys, name), list(getattr(sys, name))) for name in names}
    env = environment(f"""
import sys
NAMES = {names!r}
def handler(event, context):
    if event == 0:
        {change}
    return [type(getattr(sys, name, "gone")).__name__ for name in NAMES]
""")
    left = env.invoke(0).payload
    assert left != ["list"] * 4
    assert importlib.util.find_spec("antigravity")  # the test can import between phases
    assert env.invoke(1).payload == left
    assert env.invoke(2).payload == left
    env.reset()
    assert env.invoke(1).payload == ["list"] * 4
    env.close()
    for name, (one, entries) in before.items():
        assert getattr(sys, name) is one
        assert list(one) == entries


def test_an_import_fails_as_python_says_it(environment):
    env = environment("""
import sys
def handler(event, context):
    if event == 0:
        sys.meta_path = None
        return "gone"
    import no_such_module_of_mine
""")
    assert env.invoke(0).payload == "gone"
    raised = env.invoke(1, check=False)
    assert raised.error_type == "ImportError"
    assert raised.error["errorMessage"] == "sys.meta_path is None, Python is likely shutting down"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_that_function_code_deletes(environment, name):
    env = environment(f"""
import sys
kept = sys.{name}
def handler(event, context):
    if event == 0:
        del sys.{name}
        kept.write("kept\\n")
    return hasattr(sys, {name!r})
""")
    stream = getattr(sys, name)
    assert env.invoke(0).payload is False
    assert getattr(sys, name) is stream
    assert env.invoke(1).payload is False
    assert "kept\n" in env.log
    env.reset()
    assert env.invoke(1).payload is True
    env.close()
    assert getattr(sys, name) is stream


def test_without_stdout_an_exception_cannot_be_reported(environment):
    """The runtime writes the line ``[ERROR]`` to stdout, and its process ends if it cannot."""
    env = environment(
        "import sys\ndef handler(event, context):\n del sys.stdout\n raise ValueError"
    )
    ended = env.invoke(check=False)
    assert ended.error_type == "Runtime.ExitError"
    assert ended.outcome.exit_code == 1


def test_an_environment_that_enters_again_inside_a_phase_keeps_odd_values(environment, write):
    inner = environment("def handler(event, context): import colorsys; return 1")
    write(
        "outer_app.py",
        """
import sys
invoke = None
def handler(event, context):
    sys.meta_path = None
    sys.modules["blocked"] = None
    answer = invoke()
    return [answer, sys.meta_path, "blocked" in sys.modules]
""",
    )
    outer = environment(handler="outer_app.handler")
    outer.initialize()
    outer.import_module("outer_app").invoke = lambda: inner.invoke().payload
    assert outer.invoke().payload == [1, None, True]
    outer.close()
    assert isinstance(sys.meta_path, list)
    assert "blocked" not in sys.modules


@pytest.mark.parametrize("value", ["None", "{}", "dict(sys.modules)"])
def test_another_object_in_the_place_of_sys_modules(environment, value):
    before = sys.modules
    env = environment(f"""
import sys
def handler(event, context):
    sys.modules = {value}
    if event == "raise":
        raise ValueError("x")
    return "replaced"
""")
    assert env.invoke().payload == "replaced"
    assert sys.modules is before
    assert env.invoke("raise", check=False).error_type == "ValueError"
    assert env.invoke().payload == "replaced"
    env.close()
    assert sys.modules is before
