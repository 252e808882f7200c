"""Small facts that ``docs/fidelity.md`` states and that no other test shows."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    FunctionConfig,
    InitError,
    InvalidTransition,
)
from pytest_lambda_lifecycle.isolation.stage import stage

needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="needs POSIX signals and timers"
)
needs_snap_start = pytest.mark.skipif(
    importlib.util.find_spec("snapshot_restore_py") is None,
    reason="snapshot_restore_py is not installed",
)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Callable[..., ExecutionEnvironment]]:
    """Make an environment from the source of ``app.py``; settings as keywords."""
    made: list[ExecutionEnvironment] = []
    root = tmp_path / "task"
    root.mkdir()

    def make(source: str, **settings: object) -> ExecutionEnvironment:
        (root / "app.py").write_text(textwrap.dedent(source), encoding="utf-8")
        made.append(ExecutionEnvironment(FunctionConfig("app.handler", code_dir=root, **settings)))
        return made[-1]

    yield make
    for env in made:
        env.close()


# --- ends of the process ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["os._exit(1)", "os.abort()", "os.kill(os.getpid(), 9)"])
def test_finally_blocks_run_after_an_exit_that_was_intercepted(environment, end):
    env = environment(f"""
        import os
        def handler(event, context):
            try: {end}
            finally: print("on Lambda this is never printed")
    """)
    assert env.invoke(check=False).error_type == "Runtime.ExitError"
    assert "never printed" in env.log


def test_an_exit_through_another_name_of_the_function_is_not_intercepted(environment):
    env = environment("""
        import os, posix
        def handler(event, context): return [posix._exit is os._exit, posix.abort is os.abort]
    """)
    assert env.invoke().payload == [False, False]  # the real ones: a call would end pytest


def test_atexit_does_not_run_after_sys_exit(environment):
    env = environment("""
        import atexit, sys
        atexit.register(print, "the real runtime prints this: its interpreter ends in order")
        def handler(event, context): sys.exit(0)
    """)
    assert env.invoke(check=False).error_type == "Runtime.ExitError"
    env.close()
    assert "the real runtime prints" not in env.log


def test_changed_variables_end_with_the_process(environment):
    env = environment("""
        import os
        def handler(event, context): os.environ["N"] = os.environ.get("N", "") + "1"; return os.environ["N"]
    """)
    assert [env.invoke().payload, env.invoke().payload] == ["1", "11"]
    env.reset()
    assert env.invoke().payload == "1"


@needs_signals
def test_a_sigterm_handler_hears_nothing_of_a_shutdown_without_extensions(environment):
    env = environment("""
        import signal
        signal.signal(signal.SIGTERM, lambda *_: print("terminated"))
        def handler(event, context): return 1
    """)
    env.invoke()
    assert env.shutdown().signals == []
    assert "terminated" not in env.log


# --- time ------------------------------------------------------------------------------------------------------------


def test_background_threads_run_on_between_invokes(environment):
    env = environment("""
        import threading
        go, done = threading.Event(), threading.Event()
        def work(): go.wait(10); done.set()
        def handler(event, context): threading.Thread(target=work, daemon=True).start()
    """)
    env.invoke()
    env.module.go.set()  # on Lambda the thread stays frozen until the next invoke
    assert env.module.done.wait(10)


@needs_signals
def test_one_call_in_c_is_judged_when_it_returns(environment):
    env = environment("def handler(event, context): return sum(range(10_000_000))")
    env.initialize()
    late = env.invoke(remaining_ms=20, check=False)
    assert late.status == "timeout"
    assert late.duration_ms > 20


@needs_signals
def test_function_code_can_see_its_timeout(environment):
    env = environment("""
        import time
        def handler(event, context):
            try: time.sleep(30)
            finally: print("on Lambda this is never printed")
    """)
    assert env.invoke(remaining_ms=50, check=False).status == "timeout"
    assert "never printed" in env.log


# --- one request at a time -------------------------------------------------------------------------------------------


def test_a_second_request_does_not_start_a_second_environment(environment, invoke_meanwhile):
    env = environment("""
        import threading
        entered, leave = threading.Event(), threading.Event()
        def handler(event, context): entered.set(); leave.wait(10)
    """)
    _, refused = invoke_meanwhile(env, env)
    assert [type(problem) for problem in refused] == [InvalidTransition]


# --- output ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        "os.write(1, b'unheard')",
        "subprocess.run([sys.executable, '-c', 'print(\"unheard\")'])",
    ],
)
def test_output_below_pythons_streams_is_not_in_the_log(environment, capfd, write):
    env = environment(
        f"import os, subprocess, sys\ndef handler(event, context): {write}; print('heard')"
    )
    env.invoke()
    assert "heard" in env.log
    assert "unheard" not in env.log
    assert "unheard" in capfd.readouterr().out


def test_platform_lines_stay_text_when_logs_are_json(environment):
    env = environment("def handler(event, context): return 1", log_format="JSON")
    assert env.invoke().report.startswith("REPORT RequestId: ")
    assert all(not line.startswith("{") for line in env.log.splitlines())


def test_max_memory_used_repeats_the_memory_size(environment):
    env = environment("def handler(event, context): return 1", memory_size=512)
    assert "\tMemory Size: 512 MB\tMax Memory Used: 512 MB" in env.invoke().report


def test_warnings_obey_the_tests_filters(environment):
    env = environment("import warnings\ndef handler(event, context): warnings.warn('careful')")
    # This suite turns warnings into errors; on Lambda it would be a line on stderr.
    assert env.invoke(check=False).error_type == "UserWarning"


# --- files, the interpreter, the context -----------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="needs /tmp")
def test_a_literal_tmp_is_the_machines(environment):
    env = environment("import os\ndef handler(event, context): return os.path.realpath('/tmp')")
    assert env.invoke().payload == os.path.realpath("/tmp") != os.path.realpath(env.tmp)


def test_the_task_root_and_other_places_can_be_written(environment):
    env = environment("def handler(event, context): open(__file__ + '.new', 'w').close()")
    assert env.invoke().status == "success"


def test_the_runtime_setting_tells_but_does_not_choose_the_interpreter(environment):
    env = environment(
        "import os, sys\ndef handler(e, c): return [os.environ['AWS_EXECUTION_ENV'], list(sys.version_info[:2])]",
        runtime="python3.15",
    )
    assert env.invoke().payload == ["AWS_Lambda_python3.15", list(sys.version_info[:2])]


def test_random_numbers_follow_the_tests_seed(environment):
    import random

    source = "import random\nFIRST = random.random()\ndef handler(event, context): return FIRST"
    before = random.getstate()
    try:
        random.seed(7)
        seen = [environment(source).invoke().payload, environment(source).invoke().payload]
    finally:
        random.setstate(before)
    assert seen[0] == seen[1] == random.Random(7).random()


def test_the_context_is_no_instance_of_the_real_class(environment):
    lambda_context = pytest.importorskip("awslambdaric.lambda_context")
    env = environment("""
        def handler(event, context):
            import awslambdaric.lambda_context as real
            cls = type(context)
            return [cls.__module__, cls.__name__, isinstance(context, real.LambdaContext)]
    """)
    assert env.invoke().payload == [lambda_context.__name__, "LambdaContext", False]


# --- provisioned concurrency and SnapStart ---------------------------------------------------------------------------


def test_provisioned_concurrency_always_writes_init_report(environment):
    env = environment(
        "def handler(event, context): return 1", initialization_type="provisioned-concurrency"
    )
    env.initialize()
    assert "INIT_REPORT Init Duration: " in env.init.log
    first = env.invoke()
    assert not first.cold_start
    assert "Init Duration" not in first.report


SNAP = """
    from snapshot_restore_py import register_after_restore, register_before_snapshot
    calls = []
    for number in (1, 2):
        register_before_snapshot(calls.append, f"before {number}")
        register_after_restore(calls.append, f"after {number}")
    def handler(event, context): return calls
"""


@needs_snap_start
def test_snap_start_takes_a_snapshot_and_restores_it_by_itself(environment):
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
        env.restore()  # a second one of the same snapshot would need a copy of the memory
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


def test_with_other_types_init_is_no_part_of_the_request(environment):
    env = environment(
        "def handler(event, context): return 1", initialization_type="provisioned-concurrency"
    )
    first = env.invoke()
    assert (first.cold_start, first.init_duration_ms) == (False, None)
    assert env.phases == ["init", "invoke"]
    env.reset()
    assert env.invoke().cold_start  # a suppressed init is


@pytest.mark.parametrize(
    ("source", "error_type", "reported"),
    [
        ("1/0", "ZeroDivisionError", "Runtime.Unknown"),
        ("import nope", "Runtime.ImportModuleError", "Runtime.ImportModuleError"),
        ("import sys; sys.exit(3)", "Runtime.ExitError", "Runtime.ExitError"),
    ],
)
def test_error_types_of_reports(environment, source, error_type, reported):
    env = environment(source)
    failed = env.invoke(check=False)
    assert (failed.error_type, env.init.error_type) == (error_type, error_type)
    assert failed.report.endswith(f"\tStatus: error\tError Type: {reported}")
    assert f"\tPhase: init\tStatus: error\tError Type: {reported}\n" in env.log


@needs_signals
@needs_snap_start
def test_a_hook_written_in_c_is_cut_and_its_timeout_names_no_error_type(environment, monkeypatch):
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
def test_modules_can_be_looked_at_between_snapshot_and_restore(environment):
    env = environment(SNAP, initialization_type="snap-start")
    env.snapshot()
    assert env.module.calls


# --- what stays in the process ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["init", "invoke"])
def test_what_function_code_sets_on_shared_modules(environment, when, monkeypatch):
    import colorsys
    import json

    monkeypatch.setattr(json, "loads", json.loads)  # to put back what stays
    monkeypatch.setattr(colorsys, "ONE_THIRD", colorsys.ONE_THIRD)
    before = json.loads, colorsys.ONE_THIRD
    env = environment(f"""
        import colorsys, json
        def change(): json.loads, colorsys.ONE_THIRD = print, 0
        if {when == "init"}: change()
        def handler(event, context):
            if {when == "invoke"}: change()
    """)
    env.invoke()
    env.close()
    assert (json.loads is before[0]) is (
        when == "init"
    )  # one of the modules that are looked at, around Init
    assert before[1] != colorsys.ONE_THIRD  # none of them


@pytest.mark.parametrize(
    ("change", "stays", "undo"),
    [
        (
            "gc.callbacks.append(lambda *_: None)",
            "any(getattr(one, '__module__', '') == 'app' for one in gc.callbacks)",
            "gc.callbacks[:] = [one for one in gc.callbacks if getattr(one, '__module__', '') != 'app']",
        ),
        (
            "mimetypes.add_type('a/b', '.of_the_function')",
            "mimetypes.guess_type('x.of_the_function')[0]",
            "",
        ),
        (
            "sys.modules['of_the_function'] = None",
            "'of_the_function' in sys.modules",
            "del sys.modules['of_the_function']",
        ),
        (
            "__main__.of_the_function = 1",
            "hasattr(__main__, 'of_the_function')",
            "del __main__.of_the_function",
        ),
        ("sys.ps3 = 1", "hasattr(sys, 'ps3')", "del sys.ps3"),
    ],
)
def test_what_else_stays_in_the_process(environment, change, stays, undo):
    names: dict[str, object] = {}
    exec("import __main__, gc, mimetypes, sys", names)
    before = bool(eval(stays, names))
    env = environment(
        f"import __main__, gc, mimetypes, sys\n{change}\ndef handler(event, context): ..."
    )
    env.invoke()
    env.close()
    assert (before, bool(eval(stays, names))) == (False, True)
    exec(undo, names)


def test_the_level_of_the_root_logger_between_phases(environment, caplog, monkeypatch):
    monkeypatch.setattr(logging.root, "level", logging.INFO)  # as by pytest's setting log_level
    env = environment("def handler(event, context): pass")
    env.invoke()
    logging.getLogger("of.the.test").info("lost")
    caplog.set_level(logging.INFO)
    logging.getLogger("of.the.test").info("kept")
    stage.leave()
    assert [record.message for record in caplog.records] == ["kept"]
