"""Function code that replaces or removes what Python, pytest and this package need at each line."""

from __future__ import annotations

import builtins
import contextlib
import signal
import sys
from types import ModuleType
from unittest import mock

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage
from pytest_lambda_lifecycle.lifecycle.events import SharedChange

HOW = {
    "raises": "setattr({owner}, {name!r}, broken)",
    "is None": "setattr({owner}, {name!r}, None)",
    "is gone": "delattr({owner}, {name!r})",
}
NAMES = {
    builtins: (
        "__build_class__ __import__ abs all any callable dict enumerate getattr hasattr id int "
        "isinstance issubclass iter len list map next property reversed set setattr str sum "
        "super tuple type vars zip Exception OSError TypeError BaseException"
    ).split(),
    sys: (
        "_getframe argv exc_info intern meta_path modules path path_hooks path_importer_cache "
        "stderr stdout"
    ).split(),
    contextlib: ["_GeneratorContextManager", "contextmanager", "suppress"],
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("when", ["init", "handler"])
@pytest.mark.parametrize(
    ("owner", "name"), [(owner, name) for owner, names in NAMES.items() for name in names]
)
def test_a_function_breaks_its_own_process_alone(
    environment, write, owner: ModuleType, name: str, how, when
):
    if name in ("stdout", "stderr") and how == "is None":
        pytest.skip("Python itself allows that")
    write("plain.py", "import os\ndef handler(event, context): return 2")
    before = dict(vars(owner))
    change = HOW[how].format(owner=owner.__name__, name=name)
    env = environment(f"""
        import builtins, contextlib, sys
        def broken(*_, **__): raise RuntimeError("broken")
        {change if when == "init" else ""}
        def handler(event, context):
            {change if when == "handler" else "pass"}
    """)
    with contextlib.suppress(Exception):  # the runtime needs some of them, too, as on Lambda
        env.invoke()
    assert vars(owner) == before or owner is sys
    assert getattr(owner, name) is not None
    env.close()
    assert vars(owner).get(name) is before[name]
    assert environment(handler="plain.handler").invoke().payload == 2


def test_the_change_is_in_place_in_each_turn_and_reported_once(environment):
    env = environment("""
        import builtins
        if not hasattr(builtins, "of_the_function"):
            builtins.of_the_function, builtins.abs = 1, len
        def handler(event, context):
            return [getattr(builtins, "of_the_function", 0), abs("four")]
    """)
    for number in range(40):  # not each of so many turns would be watched
        assert env.invoke().payload == [1, 4]
        assert not hasattr(builtins, "of_the_function")
        assert abs(-4) == 4
        if number == 20:
            stage.leave()
    targets = [event.target for event in env.timeline.of(SharedChange)]
    assert sorted(targets) == ["builtins.abs", "builtins.of_the_function"]
    env.reset()
    assert env.invoke().payload == [1, 4]
    env.close()
    assert not hasattr(builtins, "of_the_function")


def test_a_patch_of_the_test_wins_over_the_function(environment):
    env = environment("""
        import builtins
        builtins.input = lambda: "of the function"
        def handler(event, context): return input()
    """)
    assert env.invoke().payload == "of the function"
    with mock.patch("builtins.input", return_value="of the test"):
        assert env.invoke().payload == "of the test"
    assert env.invoke().payload == "of the function"


def test_a_handler_that_invokes_another_environment(environment, write):
    write("other.py", "def handler(event, context): return abs(-1)")
    other = environment(handler="other.handler")
    env = environment("""
        import builtins
        real = abs
        def handler(event, context):
            builtins.abs = lambda value: "of the function"
            return [event_of_the_test(), abs(-2)]
    """)
    env.initialize()
    env.module.event_of_the_test = lambda: other.invoke().payload
    assert env.invoke().payload == [1, "of the function"]
    assert env.module.real is builtins.abs


def test_a_signal_as_the_turn_ends(environment, monkeypatch):
    """The handler of the test raises before all is mended; the next step mends it."""
    env = environment("""
        import builtins
        def handler(event, context): builtins.abs = None
    """)
    env.initialize()

    def raise_once(self: object) -> None:
        patches.undo()
        raise KeyboardInterrupt

    patches = pytest.MonkeyPatch()
    patches.setattr(
        "pytest_lambda_lifecycle.isolation.modules.essentials.Essentials.after_turn", raise_once
    )
    with pytest.raises(KeyboardInterrupt):
        env.invoke()
    stage.leave()
    assert callable(abs)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
