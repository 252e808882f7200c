"""Objects of a failed invoke: when they end, and in whose log their ``__del__`` prints."""

from __future__ import annotations

import gc
import weakref

import pytest

from pytest_lambda_lifecycle import FunctionLog, Phase

CODE = """
    class Noisy:
        def __init__(self, name): self.name = name
        def __del__(self): print("del", self.name)
    def handler(event, context):
        noisy = Noisy(event)
        {end}
"""


@pytest.fixture(autouse=True)
def no_collection():
    """Free nothing by the way."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def written(phase: Phase) -> str:
    """Return what the function has written to stdout."""
    return "".join(
        event.text
        for event in phase.events
        if isinstance(event, FunctionLog) and event.stream == "stdout"
    )


def test_a_result_that_cannot_be_encoded_ends_with_the_turn(environment):
    env = environment(CODE.format(end="return [noisy]"))
    for name in ("one", "two"):
        failed = env.invoke(name, check=False)
        assert failed.error_type == "Runtime.MarshalError"
        assert written(failed).splitlines()[-1] == f"del {name}"


@pytest.mark.parametrize("end", ["raise SystemExit(3)", "raise KeyboardInterrupt", "exit()"])
def test_objects_of_a_process_that_exits_end_in_its_log(environment, end):
    env = environment(CODE.format(end=end))
    assert written(env.invoke("one", check=False)).splitlines()[-1] == "del one"


def test_variables_of_handlers_that_have_failed_end_with_the_interpreter(environment):
    env = environment("""
        import sys
        class Noisy:
            def __init__(self, name): self.name = name
            def __del__(self): print("del", self.name)
        def fail(name):
            noisy = Noisy(name)
            raise ValueError(name)
        def handler(event, context):
            if event != "exit": fail(event)
            try: fail("handled")
            except ValueError: sys.exit(4)
    """)
    env.invoke("one", check=False)
    assert written(env.invoke("two", check=False)).startswith("[ERROR] ValueError: two")
    ended = written(env.invoke("exit", check=False)).splitlines()
    assert sorted(ended) == ["del handled", "del one", "del two"]


def test_a_coroutine_of_one_environment_does_not_warn_in_the_log_of_another(environment, write):
    one = environment("""
        class Kept: pass
        async def never(): ...
        def handler(event, context):
            kept = Kept()
            kept.me, kept.coroutine = kept, never()
    """)
    one.invoke()
    one.close()
    write("two.py", "import gc\ndef handler(event, context): return gc.collect()")
    two = environment(handler="two.handler")
    with pytest.warns(RuntimeWarning, match="never awaited"):
        invoked = two.invoke()
    assert "never awaited" not in invoked.log


def test_a_test_can_look_at_the_variables_of_a_handler_that_has_failed(environment):
    """As in the real runtime, whose own frame keeps the exception until garbage is collected."""
    env = environment(CODE.format(end="raise ValueError('x')"))
    failed = env.invoke("one", check=False)
    assert "del one" not in written(failed)
    traceback = failed.exception.__traceback__
    assert traceback.tb_frame.f_code.co_name == "handler"
    assert traceback.tb_frame.f_locals["noisy"].name == "one"


def test_nothing_but_the_environment_holds_a_failed_invoke(environment, capsys):
    env = environment(CODE.format(end="raise ValueError('x')"))
    noisy = weakref.ref(
        env.invoke("one", check=False).exception.__traceback__.tb_frame.f_locals["noisy"]
    )
    assert noisy() is not None
    env.close()
    timeline = env.timeline
    for event in timeline:
        exception = getattr(getattr(event, "outcome", None), "exception", None)
        if exception is not None:
            exception.__traceback__ = None  # no circle of frames refers to it
    assert noisy() is None
    assert "del one\n" in capsys.readouterr().out


@pytest.mark.parametrize("ended", [True, False])
def test_garbage_of_one_environment_does_not_print_into_the_log_of_another(
    environment, write, capsys, ended
):
    one = environment("""
        class Noisy:
            def __init__(self): self.me = self
            def __del__(self): print("garbage of one")
        def handler(event, context): Noisy()
    """)
    one.invoke()
    if ended:
        one.close()
    write(
        "two.py",
        """
import gc
def handler(event, context):
    gc.collect()
    print("of two")
""",
    )
    two = environment(handler="two.handler")
    invoked = two.invoke()
    assert written(invoked) == "of two\n"
    assert "garbage of one\n" in capsys.readouterr().out


def test_garbage_of_the_same_process_prints_into_its_log(environment):
    env = environment("""
        import gc
        class Noisy:
            def __init__(self): self.me = self
            def __del__(self): print("garbage")
        def handler(event, context):
            if event == "collect": gc.collect()
            else: Noisy()
    """)
    assert written(env.invoke()) == ""
    assert written(env.invoke("collect")) == "garbage\n"


def test_a_timeout_leaves_no_circle(environment, capsys):
    env = environment(CODE.format(end="\n        while True: pass"), timeout=1)
    env.invoke("one", check=False, remaining_ms=50)
    assert "del one\n" in capsys.readouterr().out
