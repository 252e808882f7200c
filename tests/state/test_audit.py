"""The audit beside other parts of an environment: time, extensions, resets, and what it keeps."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    FunctionConfig,
    LambdaClock,
    LifecycleError,
)

GROWS = "import time\nN = []\ndef handler(event, context):\n    time.sleep(event or 0); N.append(1)"


def changed(env) -> list[str]:
    return [change.path for change in env.invocations[-1].state_changes]


def test_virtual_time_is_that_of_the_function_alone(environment):
    with LambdaClock():
        env = environment(GROWS, audit=True)
        assert [env.invoke(2).duration_ms for _ in range(2)] == [2000, 2000]
        env.idle(hours=1)
        env.invoke(0.5)
        assert changed(env) == ["app.N[2]"]
        first, *_, last = env.invocations[-1].events
        assert last.at - first.at == 500_000


def test_an_invoke_beside_an_extension_is_audited(environment):
    env = environment(GROWS, audit=True)
    env.extension("monitor")
    env.invoke(0)
    assert changed(env) == ["app.N[0]"]
    assert env.timeline.names[-1] == "invoke_report"


def test_nothing_is_compared_with_a_process_that_has_ended(environment):
    env = environment(
        "import os\nN = []\n"
        "def handler(event, context):\n    N.append(1)\n    if event: os._exit(3)",
        audit=True,
    )
    env.invoke(0)
    env.invoke(1, check=False)
    assert changed(env) == []
    env.invoke(0)
    assert changed(env) == ["app.N[0]"]


def test_a_snapshot_is_audited_after_its_restore(environment):
    env = environment(GROWS, audit=True, initialization_type="snap-start")
    env.snapshot()
    env.restore()
    env.invoke(0)
    assert changed(env) == ["app.N[0]"]


def test_a_module_that_is_imported_late_is_no_change(environment, write):
    write("late.py", "TABLE = {}\ndef add(): TABLE[len(TABLE)] = 1")
    env = environment("def handler(event, context):\n    import late\n    late.add()", audit=True)
    for _ in range(3):
        env.invoke()
    assert [change.path for change in env.timeline.of(*{type(one) for one in env.timeline})
            if getattr(change, "path", "").startswith("late")] == [
        "late.TABLE[1]", "late.TABLE[2]"]  # fmt: skip


def test_a_module_that_replaces_itself_is_looked_at_by_its_attributes(environment, write):
    write("odd.py", """
        import sys
        class Odd:
            def __init__(self): self.seen = []
            def __getattr__(self, name): raise AttributeError(name)
            def add(self): self.seen.append(1)
        sys.modules[__name__] = Odd()
    """)  # fmt: skip
    env = environment("import odd\ndef handler(event, context): odd.add()", audit=True)
    for _ in range(3):
        env.invoke()
    with pytest.raises(AssertionError, match=r"odd.seen\[2\]: added 1 by invoke 3"):
        env.assert_no_state_leaks()


def test_what_was_taken_out_is_freed_after_the_next_invoke(environment):
    env = environment(
        "class Order: pass\nlast = {}\nseen = []\n"
        "def handler(event, context):\n"
        "    last.clear(); last[event] = Order()\n"
        "    import weakref; seen.append(weakref.ref(last[event]))\n"
        "    return [one() is not None for one in seen]",
        audit=True,
    )
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        alive = [env.invoke(number).payload for number in range(4)]
    finally:
        if was_enabled:
            gc.enable()
    assert alive[-1][0] is False
    assert alive[-1][-1] is True
    assert sum(alive[-1]) <= 2


@pytest.mark.parametrize("end", ["reset", "recycle"])
def test_the_objects_of_a_process_are_freed_with_it(environment, end):
    env = environment(
        "class Order: pass\norder = Order()\ndef handler(e, c): order.n = e", audit=True
    )
    env.invoke(1)
    watched = weakref.ref(env.module.order)
    getattr(env, end)()
    env.invoke(2)  # until then the runtime has the handler
    gc.collect()
    assert watched() is None


def test_an_audited_environment_is_freed_without_the_collector(tmp_path):
    (tmp_path / "app.py").write_text("N = []\ndef handler(event, context): N.append(1)")
    env = ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path, audit=True))
    env.invoke(1)
    env.close()
    watched = weakref.ref(env)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        del env
        assert watched() is None
    finally:
        if was_enabled:
            gc.enable()


def test_without_the_audit_none_of_its_modules_is_imported(pytester):
    pytester.makepyfile(
        app="def handler(event, context): return 1",
        test_it="""
            import sys
            def test(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                env.invoke()
                env.shutdown()
                assert not [n for n in sys.modules if n.startswith("pytest_lambda_lifecycle.state")]
        """,
    )
    pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1)


def test_the_audit_notices_no_change_of_the_collector(environment):
    env = environment("import gc\ndef handler(event, context): return gc.isenabled()", audit=True)
    gc.disable()
    try:
        assert env.invoke().payload == env.invoke().payload
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_an_error_of_misuse_comes_before_any_finding(environment):
    env = environment(GROWS, audit=True)
    for _ in range(3):
        env.invoke(0)
    with pytest.raises(LifecycleError, match="has to be a list of paths"):
        env.assert_no_state_leaks(ignore="app.N")
    assert "app" in sys.modules
