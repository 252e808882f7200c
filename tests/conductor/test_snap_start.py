"""SnapStart: snapshot, restore, and their hooks."""

from __future__ import annotations

import importlib.util
import signal

import pytest

from pytest_lambda_lifecycle import (
    InitError,
    InvalidTransition,
)

needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="needs POSIX signals and timers"
)


needs_snap_start = pytest.mark.skipif(
    importlib.util.find_spec("snapshot_restore_py") is None,
    reason="snapshot_restore_py is not installed",
)


SNAP = """
    from snapshot_restore_py import register_after_restore, register_before_snapshot
    calls = []
    for number in (1, 2):
        register_before_snapshot(calls.append, f"before {number}")
        register_after_restore(calls.append, f"after {number}")
    def handler(event, context): return calls
"""


@needs_snap_start
def test_the_first_invoke_takes_a_snapshot_and_restores_it(environment):
    env = environment(SNAP, initialization_type="snap-start")
    first = env.invoke()
    assert first.payload == ["before 2", "before 1", "after 1", "after 2"]
    assert env.phases == ["init", "restore", "invoke"]
    assert env.invoke().payload == first.payload
    assert env.phases.names[3:] == ["invoke"]


@needs_snap_start
def test_snap_start_step_by_step(environment):
    env = environment(SNAP, initialization_type="snap-start")
    env.snapshot()
    assert env.state == "snapshot"
    env.restore()
    assert env.state == "ready"
    assert env.module.calls == ["before 2", "before 1", "after 1", "after 2"]
    with pytest.raises(InvalidTransition, match="cannot restore"):
        env.restore()  # a second restore of the same snapshot would need a copy of the memory
    first = env.invoke()
    assert not first.cold_start


@needs_snap_start
def test_snap_start_writes_its_lines(environment):
    env = environment(SNAP, initialization_type="snap-start")
    env.snapshot()
    first = env.invoke()
    lines = [line.split("\t")[0].split(":")[0] for line in env.log.splitlines()]
    assert lines == [
        "INIT_START Runtime Version",
        "INIT_REPORT Init Duration",
        "RESTORE_START",
        "RESTORE_REPORT Restore Duration",
        "START RequestId",
        "END RequestId",
        "REPORT RequestId",
    ]
    assert "Init Duration" not in first.report
    assert "\tRestore Duration: " in first.report
    assert "\tBilled Restore Duration: " in first.report
    assert "Restore Duration" not in env.invoke().report


@needs_snap_start
def test_a_snapshot_that_fails(environment):
    env = environment(
        """
        from snapshot_restore_py import register_before_snapshot
        def fail(): raise ValueError("no snapshot")
        register_before_snapshot(fail)
        def handler(event, context): return 1
        """,
        initialization_type="snap-start",
    )
    with pytest.raises(InitError, match="ValueError: no snapshot") as caught:
        env.snapshot()
    assert caught.value.fault_type == "Runtime.BeforeSnapshotError"
    with pytest.raises(InitError):
        env.invoke()
    assert env.phases == ["init", "init", "invoke"]


@needs_snap_start
def test_snap_start_inits_again_after_a_crash(environment):
    env = environment(
        "import sys\ndef handler(event, context): sys.exit(event)", initialization_type="snap-start"
    )
    env.invoke(1, check=False)
    env.invoke(1, check=False)
    assert env.phases == ["init", "restore", "invoke"] * 2


@needs_snap_start
@needs_signals
def test_the_limit_of_restore(environment, monkeypatch):
    monkeypatch.setattr("pytest_lambda_lifecycle.lifecycle.rules.RESTORE_LIMIT_US", 50_000)
    env = environment(
        """
        import time
        from snapshot_restore_py import register_after_restore
        @register_after_restore
        def slow(): time.sleep(30)
        def handler(event, context): return 1
        """,
        initialization_type="snap-start",
    )
    assert env.invoke(check=False).status == "timeout"
    assert env.phases == ["init", "restore", "invoke"]
    assert "RESTORE_REPORT Restore Duration: " in env.log
    assert env.state == "reset"


@needs_signals
@needs_snap_start
def test_a_hook_written_in_c_is_cut(environment, monkeypatch):
    monkeypatch.setattr("pytest_lambda_lifecycle.lifecycle.rules.RESTORE_LIMIT_US", 200_000)
    env = environment(
        """
        import time
        from snapshot_restore_py import register_after_restore
        register_after_restore(time.sleep, 20)
        def handler(event, context): return 1
        """,
        initialization_type="snap-start",
    )
    env.snapshot()
    with pytest.raises(InitError, match=r"Task timed out after 0\.20 seconds"):
        env.restore()
    report = next(line for line in env.log.splitlines() if line.startswith("RESTORE_REPORT"))
    assert report.endswith("\tStatus: timeout")


@needs_snap_start
def test_modules_can_be_read_between_snapshot_and_restore(environment):
    env = environment(SNAP, initialization_type="snap-start")
    env.snapshot()
    assert env.module.calls
