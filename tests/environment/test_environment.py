"""The lifecycle as a test sees it: init once, invoke again and again, reset, recycle, shut down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial

import pytest

from pytest_lambda_lifecycle import (
    ConfigError,
    ExecutionEnvironment,
    FunctionConfig,
    FunctionError,
    InitError,
    InvalidTransition,
    LifecycleError,
    PayloadTooLarge,
    RuntimeExit,
)

COUNTER = """
    import os, sys
    print("init")
    COUNT = 0
    CLIENT = object()
    def handler(event, context):
        global COUNT
        COUNT += 1
        exec(event.get("do", ""), globals())
        return {"count": COUNT, "event": event}
"""


def test_init_runs_once_and_globals_stay(environment):
    env = environment(COUNTER)
    cold, warm = env.invoke({"id": 1}), env.invoke({"id": 2})
    assert cold.payload == {"count": 1, "event": {"id": 1}}
    assert warm.payload == {"count": 2, "event": {"id": 2}}
    assert (cold.cold_start, warm.cold_start) == (True, False)
    assert env.init_count == 1
    assert env.phases == ["init", "invoke", "invoke"]


def test_no_code_runs_before_the_first_phase(environment):
    env = environment(COUNTER)
    assert env.state == "new"
    assert env.phases == []
    assert "app" not in sys.modules


def test_initialize_runs_init_ahead_of_the_first_invoke(environment):
    env = environment(COUNTER)
    init = env.initialize()
    assert (init.status, init.type, init.phase, init.error) == (
        "success",
        "on-demand",
        "init",
        None,
    )
    first = env.invoke()
    assert not first.cold_start
    assert first.init_duration_ms is None
    with pytest.raises(
        InvalidTransition, match="cannot initialize: this environment is in state 'ready'"
    ):
        env.initialize()


def test_the_default_event_is_an_empty_object_and_none_is_null(environment):
    env = environment("def handler(event, context): return [event]")
    assert env.invoke().payload == [{}]
    assert env.invoke(None).payload == [None]


def test_the_handler_gets_a_copy_of_the_event(environment):
    env = environment("def handler(event, context): event['list'].append(1); return event")
    event = {"list": []}
    assert env.invoke(event).payload == {"list": [1]}
    assert event == {"list": []}


def test_a_handler_error_raises_and_keeps_the_environment_warm(environment):
    env = environment(COUNTER)
    with pytest.raises(FunctionError, match="ZeroDivisionError: division by zero") as caught:
        env.invoke({"do": "1/0"})
    assert caught.value.error_type == "ZeroDivisionError"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.stack_trace
    assert caught.value.phase is env.invocations[-1]
    assert env.invoke().payload["count"] == 2
    assert env.init_count == 1


def test_check_false_returns_the_failed_invocation(environment):
    env = environment(COUNTER)
    failed = env.invoke({"do": "1/0"}, check=False)
    assert failed.status == "error"
    assert failed.error["errorType"] == "ZeroDivisionError"
    assert failed.error == failed.payload
    assert failed.error["requestId"] == failed.request_id
    assert isinstance(failed.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("sys.exit()", "Runtime exited without providing a reason"),
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("raise KeyboardInterrupt", "Runtime exited with error: signal: interrupt"),
        ("os.abort()", "Runtime exited with error: signal: aborted"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.kill(os.getpid(), 15)", "Runtime exited with error: signal: terminated"),
        ("import signal; signal.raise_signal(15)", "Runtime exited with error: signal: terminated"),
        ("raise BaseException('x')", "Runtime exited with error: exit status 1"),
    ],
)
def test_a_process_exit_resets_the_environment(environment, do, message):
    env = environment(COUNTER)
    env.invoke()
    (env.tmp / "kept").write_text("x")
    with pytest.raises(RuntimeExit) as caught:
        env.invoke({"do": do}, request_id="r-1")
    assert caught.value.error_message == f"RequestId: r-1 Error: {message}"
    assert env.state == "reset"
    again = env.invoke()
    assert again.payload["count"] == 1
    assert again.cold_start
    assert (env.tmp / "kept").exists()
    assert env.init.phase == "invoke"
    assert again.init_duration_ms is None
    assert again.duration_ms >= env.init.duration_ms


def test_os_exit_on_a_thread_of_the_function_ends_the_process(environment):
    env = environment("""
        import os, threading
        def handler(event, context):
            thread = threading.Thread(target=lambda: os._exit(4))
            thread.start()
            thread.join()
            return "the handler went on"
    """)
    with pytest.raises(RuntimeExit, match="exit status 4"):
        env.invoke()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_os_exit_in_a_forked_child_ends_that_child(environment):
    env = environment("""
        import os
        def handler(event, context):
            child = os.fork()
            if child == 0:
                if event.get("return"):
                    return "in the child"
                os._exit(5)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    """)
    assert env.invoke().payload == 5
    assert env.invoke({"return": True}).payload == 0
    assert env.init_count == 1


def test_a_failed_init_is_retried_inside_the_invoke(environment):
    env = environment("print('body'); raise RuntimeError('no table')")
    with pytest.raises(InitError, match="RuntimeError: no table") as caught:
        env.invoke()
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert [init.phase for init in env.inits] == ["init", "invoke"]
    assert env.log.splitlines().count("body") == 2
    assert env.phases == ["init", "init", "invoke"]
    assert env.invocations[0].error == {**env.init.error}
    with pytest.raises(InitError):
        env.invoke()
    assert [init.phase for init in env.inits] == ["init", "invoke", "invoke"]


def test_an_init_that_succeeds_the_second_time_serves_the_request(environment, tmp_path):
    flag = tmp_path / "flag"
    env = environment(f"""
        import pathlib
        flag = pathlib.Path({str(flag)!r})
        if not flag.exists():
            flag.touch()
            raise RuntimeError("first time")
        def handler(event, context): return "served"
    """)
    served = env.invoke()
    assert served.payload == "served"
    assert served.cold_start
    assert env.init_count == 2


def test_initialize_does_not_retry(environment):
    env = environment("raise RuntimeError('no table')")
    with pytest.raises(InitError):
        env.initialize()
    assert env.init_count == 1
    with pytest.raises(InitError):
        env.invoke()
    assert [init.phase for init in env.inits] == ["init", "invoke"]


def test_sys_exit_at_import_is_an_init_error(environment):
    env = environment("import sys; sys.exit(5)")
    with pytest.raises(InitError, match="exit status 5"):
        env.invoke()


def test_reset_drops_globals_and_keeps_tmp(environment):
    env = environment(COUNTER)
    env.invoke()
    (env.tmp / "cache").write_text("x")
    stream = env.import_module("os").environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    env.reset()
    again = env.invoke()
    assert again.payload["count"] == 1
    assert again.cold_start
    assert (env.tmp / "cache").exists()
    assert env.init.phase == "invoke"
    assert os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] == stream


def test_recycle_starts_a_new_environment(environment):
    env = environment(COUNTER)
    env.invoke()
    (env.tmp / "cache").write_text("x")
    (env.tmp / "folder").mkdir()
    stream = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert env.recycle().reason == "spindown"
    again = env.invoke()
    assert again.payload["count"] == 1
    assert again.cold_start
    assert list(env.tmp.iterdir()) == []
    assert env.init.phase == "init"
    assert os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] != stream
    assert env.phases == ["init", "invoke", "shutdown", "init", "invoke"]


def test_after_shutdown_every_call_is_refused(environment):
    env = environment(COUNTER)
    env.invoke()
    end = env.shutdown()
    assert (end.reason, end.budget_ms, end.signals, end.killed) == ("spindown", 0, [], ())
    assert env.state == "closed"
    with pytest.raises(
        InvalidTransition,
        match=r"shut down \(reason spindown\) at .*test_environment\.py:\d+; start",
    ):
        env.invoke()
    with pytest.raises(InvalidTransition, match="cannot shut down: this environment was shut down"):
        env.shutdown()
    for ask in (env.reset, env.recycle, env.initialize, env.restore):
        with pytest.raises(InvalidTransition, match="shut down"):
            ask()
    with pytest.raises(
        InvalidTransition,
        match=r"cannot spy on 'app\.CLIENT': this environment was shut down .*; start",
    ):
        env.spy("app.CLIENT")
    with pytest.raises(
        InvalidTransition, match=r"cannot patch 'app\.CLIENT': this environment was shut down"
    ):
        env.patch("app.CLIENT", 1)
    with pytest.raises(
        InvalidTransition,
        match=r"cannot give 'app\.CLIENT' a latency: this environment was shut down",
    ):
        env.latency("app.CLIENT", 1)


def test_shutdown_before_the_first_phase(environment):
    env = environment(COUNTER)
    env.shutdown("failure")
    assert env.phases == ["shutdown"]


def test_an_unknown_shutdown_reason_names_the_known_ones(environment):
    env = environment(COUNTER)
    with pytest.raises(LifecycleError, match="'spindown', 'timeout', 'failure'"):
        env.shutdown("bored")


def test_the_context_manager_closes(write, tmp_path):
    write("app.py", COUNTER)
    with ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path / "task")) as env:
        env.invoke()
        tmp = env.tmp
        assert tmp.exists()
    assert env.state == "closed"
    assert not tmp.exists()
    env.close()


def test_the_handler_cannot_invoke_its_own_environment(environment):
    env = environment("""
        import builtins
        def handler(event, context):
            return builtins.the_environment.invoke() if event.get("again") else "fine"
    """)
    import builtins

    builtins.the_environment = env
    try:
        with pytest.raises(
            InvalidTransition, match="cannot invoke: this environment is inside invoke"
        ):
            env.invoke({"again": True})
    finally:
        del builtins.the_environment
    assert env.invoke().payload == "fine"
    assert env.init_count == 1


WAITS = """
    import threading
    entered, leave = threading.Event(), threading.Event()
    def handler(event, context):
        entered.set()
        leave.wait(10)
        return "done"
"""


def test_two_threads_invoking_one_environment(environment, invoke_during):
    env = environment(WAITS)
    invocation, refused = invoke_during(env, env)
    assert invocation.payload == "done"
    assert isinstance(refused[0], InvalidTransition)
    assert "handles one event at a time" in str(refused[0])


def test_two_threads_invoking_two_environments(environment, write, invoke_during):
    slow = environment(WAITS)
    write("quick.py", "def handler(event, context): return 'quick'")
    quick = environment(handler="quick.handler")
    invocation, refused = invoke_during(slow, quick)
    assert invocation.payload == "done"
    assert "inside a phase on another thread" in str(refused[0])
    assert quick.invoke().payload == "quick"


def test_a_handler_may_invoke_another_environment(environment, write):
    write(
        "inner.py", "import os; NAME = os.environ['NAME']\ndef handler(event, context): return NAME"
    )
    inner = environment(handler="inner.handler", environment={"NAME": "inner"})
    outer = environment(
        """
        import os, sys
        def handler(event, context):
            import builtins
            answer = builtins.the_inner.invoke().payload
            return [answer, os.environ["NAME"], "inner" in sys.modules, type(sys.stdout).__name__]
        """,
        environment={"NAME": "outer"},
    )
    import builtins

    builtins.the_inner = inner
    try:
        assert outer.invoke().payload == ["inner", "outer", False, "Unbuffered"]
        assert outer.invoke().payload == ["inner", "outer", False, "Unbuffered"]
    finally:
        del builtins.the_inner


@pytest.mark.parametrize("size", [6_291_456, 6_291_457])
def test_the_event_limit_to_the_byte(environment, size):
    env = environment("def handler(event, context): return len(event)")
    event = b'"' + b"x" * (size - 2) + b'"'
    if size > 6_291_456:
        with pytest.raises(PayloadTooLarge, match="6291457 byte payload is too large") as caught:
            env.invoke(event)
        assert caught.value.error_type == "RequestTooLargeException"
        assert env.phases == []
    else:
        assert env.invoke(event).payload == size - 2


@pytest.mark.parametrize("size", [6_291_556, 6_291_557])
def test_the_response_limit_to_the_byte(environment, size):
    env = environment("def handler(event, context): return 'x' * (event - 2)")
    if size > 6_291_556:
        with pytest.raises(
            PayloadTooLarge, match="exceeded maximum allowed payload size"
        ) as caught:
            env.invoke(size)
        assert caught.value.error_type == "Function.ResponseSizeTooLarge"
    else:
        assert len(env.invoke(size).raw) == size
    assert not env.invoke(10).cold_start


@pytest.mark.parametrize(
    ("event", "where"),
    [
        ({"a": [1, {2}]}, r"event\[.a.\]\[1\]"),
        (float("nan"), "event"),
        ({"a": object()}, r"event\[.a.\]"),
    ],
)
def test_an_event_that_is_not_json(environment, event, where):
    env = environment(COUNTER)
    with pytest.raises(LifecycleError, match=where):
        env.invoke(event)
    assert env.phases == []


def test_a_circular_event(environment):
    env = environment(COUNTER)
    event: dict[str, object] = {}
    event["self"] = event
    with pytest.raises(LifecycleError, match="contains itself"):
        env.invoke(event)


def test_the_context_has_the_arguments_of_the_caller(environment):
    env = environment(
        """
        import os
        def handler(event, context):
            return [context.aws_request_id, context.tenant_id, context.identity.cognito_identity_id,
                    context.client_context.custom, context.invoked_function_arn,
                    os.environ["_X_AMZN_TRACE_ID"],
                    0 < context.get_remaining_time_in_millis() <= 3000]
        """,
        function_name="orders",
        region="eu-west-1",
        account_id="999999999999",
    )
    got = env.invoke(
        request_id="r-1",
        tenant_id="t",
        identity={"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"},
        client_context={"custom": {"k": "v"}},
        trace_id="Root=1-2-3",
    ).payload
    arn = "arn:aws:lambda:eu-west-1:999999999999:function:orders"
    assert got == ["r-1", "t", "i", {"k": "v"}, arn, "Root=1-2-3", True]


def test_headers_win_and_none_removes_one(environment):
    env = environment("""
        import os
        def handler(event, context):
            return [context.aws_request_id, context.tenant_id, os.environ.get("_X_AMZN_TRACE_ID")]
    """)
    headers = {"lambda-runtime-aws-request-id": "from-headers", "Lambda-Runtime-Trace-Id": None}
    invocation = env.invoke(tenant_id="t", request_id="r", headers=headers)
    assert invocation.payload == ["from-headers", "t", None]
    assert invocation.request_id == "from-headers"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"request_id": 7}, "request_id=7: it takes a str"),
        ({"trace_id": b"Root=1"}, "trace_id=b'Root=1': it takes a str"),
        ({"tenant_id": 7}, "tenant_id=7: it takes a str"),
        ({"content_type": 7}, "content_type=7: it takes a str"),
        (
            {"headers": ["a"]},
            r"headers=\['a'\]: it takes a mapping of header names to str, or None",
        ),
        ({"headers": {"A": "b", "Content-Type": 7}}, r"headers=\{'Content-Type': 7\}: it takes"),
        ({"headers": {7: "a"}}, r"headers=\{7: 'a'\}: it takes"),
        ({"client_context": "{}"}, "client_context='{}': it takes a mapping that JSON can express"),
        (
            {"client_context": {"custom": {1, 2}}},
            "client_context=.*: it takes a mapping that.*set is not JSON",
        ),
        (
            {"client_context": {"custom": {(1, 2): 3}}},
            "client_context=.*: it takes a mapping that.*keys must be",
        ),
        (
            {"identity": "me"},
            "identity='me': it takes a mapping to str with no other keys than "
            "'cognitoIdentityId' and",
        ),
        (
            {"identity": {"cognito_identity_id": "i"}},
            "identity=.*no other keys than 'cognitoIdentityId' and 'cognito",
        ),
        ({"identity": {"cognitoIdentityId": {1}}}, "identity=.*it takes a mapping to str"),
    ],
)
def test_arguments_that_cannot_be_sent_are_refused_before_init(environment, arguments, message):
    env = environment(COUNTER)
    with pytest.raises(LifecycleError, match=f"cannot invoke with {message}"):
        env.invoke(**arguments)
    assert env.phases == []
    assert env.invoke().payload["count"] == 1


def test_generated_ids_have_the_formats_of_lambda(environment):
    env = environment(
        "import os\ndef handler(event, context): return os.environ['_X_AMZN_TRACE_ID']"
    )
    first, second = env.invoke(), env.invoke()
    assert first.request_id != second.request_id
    import re

    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", first.request_id
    )
    assert re.fullmatch(
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", str(first.payload)
    )


def test_control_flow_of_pytest_passes_through(environment):
    env = environment(
        "import pytest\ndef handler(event, context): getattr(pytest, event)('because')"
    )
    with pytest.raises(pytest.fail.Exception, match="because"):
        env.invoke("fail")
    with pytest.raises(pytest.skip.Exception, match="because"):
        env.invoke("skip")
    assert env.init_count == 1


def test_control_flow_during_init_passes_through(environment):
    env = environment("import pytest\npytest.skip('because', allow_module_level=True)")
    with pytest.raises(pytest.skip.Exception, match="because"):
        env.invoke()
    assert env.state == "reset"


def test_a_real_interrupt_passes_through(environment):
    press = partial(signal.raise_signal, signal.SIGINT)
    env = environment("def handler(event, context): press()\ndef press(): ...")
    env.patch("app.press", press)
    with pytest.raises(KeyboardInterrupt):
        env.invoke()


def test_module_and_import_module(environment, write):
    write("late.py", "VALUE = 1")
    env = environment(COUNTER)
    with pytest.raises(
        LifecycleError, match="cannot import 'app' as the function .* state 'new'; call initialize"
    ):
        _ = env.module
    env.invoke()
    assert env.module.COUNT == 1
    late = env.import_module("late")
    late.VALUE = 2
    assert env.invoke({"do": "import late; COUNT = late.VALUE"}).payload["count"] == 2
    env.shutdown()
    with pytest.raises(LifecycleError, match="it has ended"):
        _ = env.module


def test_a_missing_handler_is_a_config_error_and_an_empty_one_an_init_error():
    with pytest.raises(ConfigError, match="no handler"):
        FunctionConfig()
    with (
        ExecutionEnvironment(FunctionConfig("")) as env,
        pytest.raises(InitError, match="MalformedHandlerName"),
    ):
        env.invoke()


def test_the_repr_shows_state_and_phases(environment):
    env = environment(COUNTER)
    env.invoke()
    assert repr(env) == "<ExecutionEnvironment 'app.handler': ready, phases ['init', 'invoke']>"
    assert repr(env.invocations[0]).startswith("<Invocation cold success, ")


@pytest.mark.parametrize(
    "config", ["app.handler", None, {"handler": "app.handler"}, FunctionConfig]
)
def test_an_environment_takes_a_configuration_only(config):
    with pytest.raises(
        ConfigError, match="cannot make an environment of .*: it takes a FunctionConfig, as Func"
    ):
        ExecutionEnvironment(config)


def test_a_second_request_does_not_start_a_second_environment(environment, invoke_during):
    env = environment("""
        import threading
        entered, leave = threading.Event(), threading.Event()
        def handler(event, context): entered.set(); leave.wait(10)
    """)
    _, refused = invoke_during(env, env)
    assert [type(problem) for problem in refused] == [InvalidTransition]


def test_the_setting_runtime_does_not_choose_the_interpreter(environment):
    env = environment(
        "import os, sys\n"
        "def handler(e, c): return [os.environ['AWS_EXECUTION_ENV'], list(sys.version_info[:2])]",
        runtime="python3.15",
    )
    assert env.invoke().payload == ["AWS_Lambda_python3.15", list(sys.version_info[:2])]


def test_a_script_may_end_with_an_open_environment(tmp_path):
    (tmp_path / "app.py").write_text("def handler(event, context): return 1\n")
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig\n"
        "env = ExecutionEnvironment(FunctionConfig('app.handler', code_dir='.'))\n"
        "print(env.invoke().payload)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (run.stdout, run.stderr) == ("1\n", "")
