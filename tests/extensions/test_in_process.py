"""Extensions that are objects in this process: their events, their time, their failures."""

import contextlib
import copy
import os
import pickle
import signal
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial

import freezegun
import pytest

from pytest_lambda_lifecycle import (
    ConfigError,
    Extension,
    ExtensionDone,
    ExtensionError,
    ExtensionFault,
    ExtensionLog,
    ExtensionNotified,
    ExtensionRegistered,
    ExtensionState,
    FunctionConfig,
    FunctionError,
    FunctionTimeout,
    InitError,
    InvalidTransition,
    LambdaClock,
    LifecycleError,
    RuntimeDone,
    RuntimeExit,
)

SLEEPER = """
    import time, os, sys
    time.sleep(float(os.environ.get("INIT", "0")))
    RUNS = []
    def handler(event, context):
        RUNS.append(event)
        print("handler begins")
        if isinstance(event, dict):
            exec(event.get("do", ""))
        else:
            time.sleep(event)
        return len(RUNS)
"""
START_MS = int(datetime(2030, 1, 31, 12, tzinfo=timezone.utc).timestamp() * 1000)


class Doing(Extension):
    """An extension that calls the functions it was made with."""

    def __init__(
        self, name=None, events=None, *, init=None, invoke=None, shutdown=None, **keywords
    ):
        super().__init__(name, events, **keywords)
        self._do = {"init": init, "invoke": invoke, "shutdown": shutdown}

    def on_init(self):
        self._run("init")

    def on_invoke(self, event):
        self._run("invoke")

    def on_shutdown(self, event):
        self._run("shutdown")

    def _run(self, what):
        if self._do[what] is not None:
            self._do[what]()


def sleeping(seconds, then=lambda: None):
    def sleep():
        import time

        time.sleep(seconds)
        then()

    return sleep


def raising(exception):
    def raise_():
        raise exception

    return raise_


def ms_of(env, *types):
    """Return names and times (ms since the first event) of events of these types."""
    first = env.timeline[0].at
    return [(event.name, (event.at - first) / 1000) for event in env.timeline.of(*types)]


# -- events


def test_the_events_are_those_of_the_extensions_api(environment, clock):
    env = environment(SLEEPER, timeout=7)
    told = env.extension("flusher")
    invocation = env.invoke(0, request_id="r-1", trace_id="Root=1-2-3;Sampled=1")
    clock.advance(1)
    env.shutdown("failure")
    assert told.events == [
        {
            "eventType": "INVOKE",
            "deadlineMs": START_MS + 7000,
            "requestId": "r-1",
            "invokedFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:function",
            "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-2-3;Sampled=1"},
        },
        {
            "eventType": "SHUTDOWN",
            "deadlineMs": START_MS + 1000 + 2000,
            "shutdownReason": "failure",
        },
    ]
    assert [event.event for event in env.timeline.of(ExtensionNotified)] == told.events
    assert invocation.payload == 1


def test_without_a_trace_id_there_is_no_tracing(environment, either_time):
    env = environment(SLEEPER)
    told = env.extension("flusher")
    env.invoke(0, headers={"Lambda-Runtime-Trace-Id": None})
    assert set(told.events[0]) == {"eventType", "deadlineMs", "requestId", "invokedFunctionArn"}


def test_each_extension_gets_its_own_copy_of_the_event(environment, either_time):
    class Vandal(Extension):
        def on_invoke(self, event):
            event.clear()

    env = environment(SLEEPER, extensions=[Vandal("a-vandal")])
    other = env.extension("other")
    env.invoke(0)
    assert other.events[0]["eventType"] == "INVOKE"
    assert [event.event["eventType"] for event in env.timeline.of(ExtensionNotified)] == [
        "INVOKE",
        "INVOKE",
    ]


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([], []),
        (["INVOKE"], ["INVOKE", "INVOKE"]),
        (["SHUTDOWN"], ["SHUTDOWN"]),
        (("SHUTDOWN", "INVOKE", "INVOKE"), ["INVOKE", "INVOKE", "SHUTDOWN"]),
        ("INVOKE", ["INVOKE", "INVOKE"]),
    ],
)
def test_subscriptions(environment, either_time, events, told):
    env = environment(SLEEPER)
    one = env.extension("one", events=events)
    env.invoke(0)
    env.invoke(0)
    end = env.shutdown()
    assert [event["eventType"] for event in one.events] == told
    assert (end.budget_ms, end.signals) == (2000, ["SIGTERM"])
    assert end.killed == (() if "SHUTDOWN" in events else ("one",))
    assert [state.state for state in env.timeline.of(ExtensionState)] == ["Ready"]


def test_the_order_on_the_timeline(environment, either_time):
    env = environment(SLEEPER, extensions=[Doing("b", invoke=lambda: print("b works"))])
    env.extension("a")
    env.invoke(0)
    assert env.timeline == [
        "init_start",
        "extension_init",
        "extension_registered",
        "extension_registered",
        "runtime_init",
        "function_init",
        "init_runtime_done",
        "extension_state",
        "extension_state",
        "init_report",
        "invoke_start",
        "extension_notified",
        "extension_notified",
        "extension_log",
        "extension_done",
        "extension_done",
        "function_log",
        "runtime_done",
        "invoke_report",
    ]
    assert [event.extension for event in env.timeline.of(ExtensionRegistered)] == ["b", "a"]
    assert "EXTENSION\tName: b\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n" in env.log


def test_the_timeline_is_in_the_order_of_virtual_time(environment, clock):
    def work():
        import time

        print("slow begins")
        time.sleep(1)
        print("slow ends")

    env = environment(
        SLEEPER, extensions=[Doing("slow", invoke=work), Doing("quick", delay_ms=250)]
    )
    env.invoke({"do": "time.sleep(0.5); print('handler ends')"})
    assert [(event.at - env.timeline[0].at) // 1000 for event in env.timeline] == sorted(
        (event.at - env.timeline[0].at) // 1000 for event in env.timeline
    )
    lines = [
        line for line in env.invocations[0].log.splitlines() if "begins" in line or "ends" in line
    ]
    assert lines == ["slow begins", "handler begins", "handler ends", "slow ends"]
    assert ms_of(env, ExtensionDone, RuntimeDone) == [
        ("extension_done", 250),
        ("runtime_done", 500),
        ("extension_done", 1000),
    ]


# -- time


@pytest.mark.parametrize(
    ("extensions_s", "handler_s", "duration_ms", "overhead_ms"),
    [
        ([1], 0, 1000, 1000),
        ([1], 2, 2000, 0),
        ([1, 1.5, 0.25], 0.5, 1500, 1000),
        ([], 2, 2000, 0),
        ([0], 0, 0, 0),
        ([3], 0, 3000, 3000),
    ],
)
def test_extensions_run_beside_the_handler(
    environment, clock, extensions_s, handler_s, duration_ms, overhead_ms
):
    extensions = [
        Doing(f"e{i}", invoke=sleeping(seconds)) for i, seconds in enumerate(extensions_s)
    ]
    env = environment(SLEEPER, extensions=extensions, timeout=3)
    env.initialize()
    before = clock.now
    invocation = env.invoke(handler_s)
    assert (invocation.duration_ms, invocation.extension_overhead_ms) == (duration_ms, overhead_ms)
    assert invocation.billed_duration_ms == duration_ms
    assert f"Duration: {duration_ms:.2f} ms\tBilled Duration: {duration_ms} ms" in invocation.report
    assert (clock.now - before).total_seconds() * 1000 == duration_ms
    done = env.timeline.of(RuntimeDone)[0]
    assert done.duration_us == handler_s * 1_000_000
    assert done.at - env.timeline.of(ExtensionNotified, RuntimeDone)[0].at == (
        handler_s * 1_000_000
    ) * bool(extensions)


def test_overhead_belongs_to_its_invoke(environment, clock):
    env = environment(SLEEPER, timeout=3)
    slow = env.extension("slow", delay_ms=1000)
    assert env.invoke(0).extension_overhead_ms == 1000
    slow.delay_ms = 0
    assert env.invoke(0).extension_overhead_ms == 0
    slow.delay_ms = 1000
    env.invoke(0)
    exited = env.invoke({"do": "sys.exit(1)"}, check=False)
    assert (exited.extension_overhead_ms, exited.duration_ms) == (0, 0)


def test_in_real_time_the_handler_runs_after_the_extensions(environment):
    env = environment(SLEEPER, extensions=[Doing("slow", invoke=sleeping(0.03))])
    env.initialize()
    invocation = env.invoke(0)
    assert 10 <= invocation.extension_overhead_ms <= invocation.duration_ms


def test_delay_ms_passes_before_on_invoke(environment, clock):
    seen = []

    class Reader(Extension):
        delay_ms = 500

        def on_invoke(self, event):
            seen.append(clock.now.timestamp() * 1000 - START_MS)

    env = environment(SLEEPER, extensions=[Reader])
    env.invoke(0)
    env.invoke(2)
    assert seen == [500, 1000]


def test_init_takes_as_long_as_the_longest_extension(environment, clock):
    extensions = [
        Doing("a", init=sleeping(2)),
        Doing("b", init=sleeping(1)),
        Doing("c", init=sleeping(4), internal=True),
    ]
    env = environment(SLEEPER, extensions=extensions, environment={"INIT": "0.5"})
    # an internal extension registers after the code of the function
    assert env.initialize().duration_ms == 4500
    assert env.invoke(0).duration_ms == 0


def test_on_init_runs_beside_the_init_of_the_function(environment, clock):
    env = environment(SLEEPER, extensions=[Doing("a", init=sleeping(2))], environment={"INIT": "3"})
    assert env.initialize().duration_ms == 3000


# -- overruns


def test_an_overrun_is_a_timeout_that_keeps_the_payload(environment, clock):
    env = environment(SLEEPER, timeout=3)
    slow, other = env.extension("slow", delay_ms=10_000), env.extension("other")
    with pytest.raises(FunctionTimeout, match="Task timed out after 3.00 seconds") as caught:
        env.invoke(1)
    failed = caught.value.phase
    assert failed.payload == 1
    assert failed.raw == b"1"
    assert (failed.status, failed.duration_ms, failed.extension_overhead_ms) == (
        "timeout",
        3000,
        2000,
    )
    assert failed.error["errorType"] == "Sandbox.Timedout"
    assert failed.report.endswith("\tStatus: timeout")
    reset = env.phases[-1]
    assert (reset.name, reset.reason, reset.killed) == ("shutdown", "timeout", ("slow",))
    assert reset.duration_ms == 2000
    assert [event["eventType"] for event in slow.events] == ["INVOKE"]
    assert other.events[-1]["shutdownReason"] == "timeout"
    slow.delay_ms = 0
    again = env.invoke(0)
    assert again.cold_start
    assert again.payload == 1


def test_an_overrun_of_handler_and_extension(environment, clock):
    env = environment(SLEEPER, timeout=2)
    env.extension("slow", delay_ms=10_000)
    failed = env.invoke(5, check=False)
    assert (failed.status, failed.duration_ms, failed.extension_overhead_ms) == ("timeout", 2000, 0)
    assert failed.payload["errorType"] == "Sandbox.Timedout"


def test_an_overrun_in_real_time(environment):
    env = environment(SLEEPER)
    env.extension("slow", delay_ms=5000)
    failed = env.invoke(0, check=False, remaining_ms=40)
    assert (failed.status, failed.payload) == ("timeout", 1)
    assert env.phases[-1].reason == "timeout"
    assert env.phases[-1].killed == ("slow",)


def test_an_extension_that_swallows_exceptions_is_cut(environment, clock):
    class Stubborn(Extension):
        def on_invoke(self, event):
            import time

            with contextlib.suppress(BaseException):
                time.sleep(10)

    env = environment(SLEEPER, extensions=[Stubborn])
    assert env.invoke(0, check=False).status == "timeout"


# -- crashes

ENDS = pytest.mark.parametrize(
    ("end", "message", "detail"),
    [
        ("raise ValueError('boom')", "exit status 1", "exit status 1 (ValueError: boom)"),
        ("sys.exit(5)", "exit status 5", "exit status 5"),
        ("sys.exit()", "exit code 0", "exit code 0"),
        ("sys.exit('text')", "exit status 1", "exit status 1"),
        ("sys.exit(256 + 7)", "exit status 7", "exit status 7"),
        ("os._exit(4)", "exit status 4", "exit status 4"),
        ("os.kill(os.getpid(), 9)", "signal: killed", "signal: killed"),
        ("os.abort()", "signal: aborted", "signal: aborted"),
        ("raise KeyboardInterrupt", "signal: interrupt", "signal: interrupt (KeyboardInterrupt: )"),
    ],
)


def ending(end):
    return lambda: exec("import os, sys\n" + end, {})


@ENDS
def test_a_crash_at_once_comes_before_the_response(environment, either_time, end, message, detail):
    env = environment(SLEEPER, extensions=[Doing("faulty", invoke=ending(end))])
    other = env.extension("other")
    with pytest.raises(ExtensionError) as caught:
        env.invoke(0, request_id="r-1")
    assert caught.value.error_type == "Extension.Crash"
    assert caught.value.error_message == f"RequestId: r-1 Error: {message}"
    failed = caught.value.phase
    assert failed.payload == {
        "errorType": "Extension.Crash",
        "errorMessage": f"RequestId: r-1 Error: {message}",
    }
    assert failed.status == "error"
    assert "handler begins" not in failed.log
    assert failed.report.endswith("\tStatus: error\tError Type: Extension.Crash")
    [fault] = env.timeline.of(ExtensionFault)
    assert (fault.extension, fault.error_type, fault.detail) == (
        "faulty",
        "Extension.Crash",
        detail,
    )
    assert env.phases.names == ["init", "invoke", "shutdown"]
    assert env.phases[-1].reason == "failure"
    assert other.events[-1]["shutdownReason"] == "failure"
    assert env.state == "reset"


def test_the_cause_is_the_exception_of_the_extension(environment, either_time):
    problem = ValueError("boom")
    env = environment(SLEEPER, extensions=[Doing("faulty", invoke=raising(problem))])
    with pytest.raises(ExtensionError) as caught:
        env.invoke(0)
    assert caught.value.__cause__ is problem
    assert "ValueError: boom\n" in env.log  # the traceback, written to stderr
    assert "extensions/local.py" not in env.log


def test_a_crash_while_the_handler_runs_cuts_the_handler(environment, clock):
    env = environment(
        SLEEPER, extensions=[Doing("faulty", invoke=sleeping(0.5, raising(ValueError("x"))))]
    )
    env.initialize()
    with pytest.raises(ExtensionError) as caught:
        env.invoke({"do": "time.sleep(1); print('too late')"})
    assert "handler begins" in env.log
    assert "too late" not in env.log
    assert caught.value.phase.duration_ms == 500


def test_a_crash_after_the_response_keeps_the_payload(environment, clock):
    env = environment(
        SLEEPER, extensions=[Doing("faulty", invoke=sleeping(1, ending("sys.exit(5)")))]
    )
    late = env.extension("late", delay_ms=2000)
    with pytest.raises(ExtensionError, match="exit status 5") as caught:
        env.invoke(0.5)
    failed = caught.value.phase
    assert failed.payload == 1
    assert (failed.status, failed.error_type, failed.duration_ms) == (
        "error",
        "Extension.Crash",
        1000,
    )
    assert failed.extension_overhead_ms == 500
    assert failed.error["errorMessage"].endswith("Error: exit status 5")
    assert env.phases[-1].reason == "failure"
    assert late.events[-1]["eventType"] == "SHUTDOWN"


def test_a_crash_after_the_response_in_real_time(environment):
    env = environment(
        SLEEPER, extensions=[Doing("faulty", invoke=sleeping(0.5, ending("sys.exit(5)")))]
    )
    env.initialize()
    failed = env.invoke(0, check=False)
    assert (failed.payload, failed.error_type) == (1, "Extension.Crash")


def test_the_first_crash_counts(environment, clock):
    env = environment(
        SLEEPER,
        extensions=[
            Doing("second", invoke=sleeping(0.7, ending("sys.exit(2)"))),
            Doing("first", invoke=sleeping(0.3, ending("sys.exit(3)"))),
            Doing("slow", delay_ms=60_000),
        ],
    )
    with pytest.raises(ExtensionError, match="exit status 3"):
        env.invoke(0)
    assert [fault.extension for fault in env.timeline.of(ExtensionFault)] == ["first"]


def test_the_handler_ends_its_process_before_the_extension_crashes(environment, clock):
    env = environment(
        SLEEPER, extensions=[Doing("faulty", invoke=sleeping(1, ending("sys.exit(2)")))]
    )
    with pytest.raises(RuntimeExit, match="exit status 9"):
        env.invoke({"do": "time.sleep(0.5); sys.exit(9)"})


def test_an_error_of_the_handler_does_not_reset(environment, either_time):
    env = environment(SLEEPER)
    told = env.extension("told")
    with pytest.raises(FunctionError, match="division"):
        env.invoke({"do": "1/0"})
    assert env.invoke(0).payload == 2
    assert [event["eventType"] for event in told.events] == ["INVOKE", "INVOKE"]


@ENDS
def test_a_crash_in_on_init(environment, either_time, end, message, detail):
    env = environment(SLEEPER, extensions=[Doing("faulty", init=ending(end))])
    with pytest.raises(ExtensionError) as caught:
        env.initialize()
    assert (caught.value.error_type, caught.value.error_message) == (
        "Extension.Crash",
        f"RequestId:  Error: {message}",
    )
    assert (env.init.status, env.init.error_type) == ("error", "Extension.Crash")
    assert "app.handler" not in [getattr(event, "handler", "") for event in env.timeline]
    [fault] = env.timeline.of(ExtensionFault)
    assert fault.detail == detail
    assert "Status: error\tError Type: Extension.Crash" in env.init.log
    assert env.phases[-1].signals == []  # the runtime had not started


def test_a_crash_in_init_is_retried_inside_the_invoke(environment, either_time):
    class Faulty(Extension):
        made = 0

        def on_init(self):
            Faulty.made += 1
            if Faulty.made == 1:
                raise ValueError("the first time")

    env = environment(SLEEPER, extensions=[Faulty])
    invocation = env.invoke(0)
    assert invocation.payload == 1
    assert [init.phase for init in env.inits] == ["init", "invoke"]
    assert Faulty.made == 2


@pytest.mark.parametrize("when", ["init", "invoke"])
@pytest.mark.parametrize("call", ["init_error", "exit_error"])
def test_posted_errors(environment, either_time, when, call):
    class Posting(Extension):
        def on_init(self):
            if when == "init":
                getattr(self, call)("Extension.ConfigInvalid")

        def on_invoke(self, event):
            getattr(self, call)("Extension.ConfigInvalid")

    env = environment(SLEEPER, extensions=[Posting])
    with pytest.raises(ExtensionError) as caught:
        env.invoke(0, request_id="r-1")
    expected = {"init_error": "Extension.InitError", "exit_error": "Extension.ExitError"}[call]
    # The API takes init/error only before the first event.
    refused = (when, call) == ("invoke", "init_error")
    assert caught.value.error_type == ("Extension.Crash" if refused else expected)
    assert caught.value.error_message == "RequestId: r-1 Error: exit status 1"
    details = [fault.detail for fault in env.timeline.of(ExtensionFault)][:2]
    assert details[0] == ("exit status 1" if refused else "Extension.ConfigInvalid")
    if when == "init":
        state = env.timeline.of(ExtensionState)[0]
        assert (state.state, state.error_type) == (
            expected.partition(".")[2],
            "Extension.ConfigInvalid",
        )


def test_a_posted_error_can_be_pickled(environment):
    with pytest.raises(SystemExit) as caught:
        Extension("x").exit_error("Extension.Own")
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (copied.call, copied.error_type, copied.code) == ("exit/error", "Extension.Own", 1)


def test_an_extension_that_never_registers(environment, clock):
    env = environment(SLEEPER, timeout=4)
    env.extension("mute", registers=False)
    other = env.extension("other")
    before = clock.now
    with pytest.raises(FunctionTimeout, match="Task timed out after 4.00 seconds"):
        env.invoke(0)
    assert [(init.phase, init.status, init.duration_ms) for init in env.inits] == [
        ("init", "timeout", 10_000),
        ("invoke", "timeout", 4000),
    ]
    assert env.invocations[0].duration_ms == 4000
    assert (clock.now - before).total_seconds() == 14
    assert "runtime_init" not in env.timeline.names
    assert "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout" in env.log
    assert [phase.signals for phase in env.phases if phase.name == "shutdown"] == [[], []]
    assert [phase.killed for phase in env.phases if phase.name == "shutdown"] == [
        ("mute", "other")
    ] * 2
    assert other.events == []  # it waits for the other one to register


def test_on_init_over_the_limit(environment, clock):
    env = environment(SLEEPER, extensions=[Doing("slow", init=sleeping(11))])
    with pytest.raises(InitError, match="Task timed out after 10.00 seconds"):
        env.initialize()


# -- classes and objects


def test_classes_are_instantiated_again_and_objects_are_kept(environment, either_time):
    class Fresh(Extension):
        made = 0

        def __init__(self):
            super().__init__()
            Fresh.made += 1
            self.number = Fresh.made

    kept = Extension("kept")
    env = environment(SLEEPER, extensions=[Fresh, kept])
    assert env.extensions == ()
    env.invoke(0)
    first, same = env.extensions
    env.reset()
    env.invoke(0)
    second, still = env.extensions
    assert (first.number, second.number, same, still) == (1, 2, kept, kept)
    assert [event["eventType"] for event in first.events] == ["INVOKE", "SHUTDOWN"]
    assert [event["eventType"] for event in kept.events] == ["INVOKE", "SHUTDOWN", "INVOKE"]
    env.shutdown()
    assert env.extensions == (second, kept)  # its last events can still be read
    assert second.events[-1]["shutdownReason"] == "spindown"


def test_a_class_whose_constructor_raises_has_crashed(environment, either_time):
    class Faulty(Extension):
        def __init__(self):
            print("reading the settings")
            raise KeyError("TABLE")

    env = environment(SLEEPER, extensions=[Faulty])
    with pytest.raises(ExtensionError, match="Extension.Crash") as caught:
        env.invoke(0)
    assert isinstance(caught.value.__cause__, KeyError)
    assert "reading the settings\n" in env.log
    assert env.state == "reset"


def test_a_subclass_need_not_call_the_base_class(environment, either_time):
    class Own(Extension):
        def __init__(self):
            self.buffer = []

        def on_invoke(self, event):
            self.buffer.append(event["requestId"])

    @dataclass
    class Data(Extension):
        sent: list = field(default_factory=list)

    class Inside(Own):
        internal = True

    own, data, inside = Own(), Data(), Inside()
    assert repr(own) == "<Own 'Own': 0 events>"
    assert Doing().name == "Doing"
    env = environment(SLEEPER, extensions=[own, data, inside])
    env.invoke(0, request_id="r-1")
    assert own.buffer == inside.buffer == ["r-1"]
    assert [one.name for one in env.extensions] == ["Own", "Data", "Inside"]
    assert env.log.count("EXTENSION\t") == 3
    assert "EXTENSION\tName: Inside\tState: Ready\tEvents: [INVOKE]\n" in env.log
    end = env.shutdown()
    assert set(end.durations_ms) == {"runtime", "Own", "Data"}


def test_a_class_whose_objects_have_another_name(environment, either_time):
    class Renamed(Extension):
        def __init__(self):
            super().__init__("other")

    env = environment(SLEEPER, extensions=[Renamed])
    with pytest.raises(ConfigError, match="extension 'Renamed': its objects are called 'other'"):
        env.invoke(0)


def test_internal_extensions(environment, clock):
    env = environment(SLEEPER)
    inside = env.extension("inside", internal=True, delay_ms=500)
    invocation = env.invoke(0)
    assert invocation.extension_overhead_ms == 500
    registered = env.timeline.of(ExtensionRegistered)[0]
    assert (registered.events, registered.internal) == (("INVOKE",), True)
    names = env.timeline.names
    assert names.index("extension_registered") > names.index("init_runtime_done")
    end = env.shutdown()
    assert (end.budget_ms, end.signals, end.killed) == (500, ["SIGTERM"], ())
    assert [event["eventType"] for event in inside.events] == ["INVOKE"]


def test_the_limit_of_ten_extensions(environment, either_time):
    ten = environment(SLEEPER, extensions=[Extension(f"e{i}") for i in range(10)])
    assert ten.invoke(0).payload == 1
    ten.close()
    eleven = environment(extensions=[Extension(f"e{i}") for i in range(11)])
    with pytest.raises(
        ExtensionError, match="TooManyExtensions: 11 extensions, and Lambda takes 10"
    ) as caught:
        eleven.invoke(0)
    assert caught.value.error_type == "Extension.LaunchError"
    state = eleven.timeline.of(ExtensionState)[10]
    assert (state.extension, state.state, state.error_type) == (
        "e10",
        "LaunchError",
        "TooManyExtensions",
    )


def test_the_limit_counts_internal_extensions(environment, either_time):
    env = environment(SLEEPER, extensions=[Extension(f"e{i}", internal=i > 5) for i in range(11)])
    with pytest.raises(
        LifecycleError, match=r"extension 'e10' cannot register: Extension limit \(10\) reached"
    ):
        env.invoke(0)
    assert env.state == "reset"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Extension("x", ["invoke"]),
            "events has 'invoke'; Lambda has 'INVOKE' and 'SHUTDOWN'",
        ),
        (lambda: Extension("x", [None]), "events has None"),
        (
            lambda: Extension("x", ["SHUTDOWN"], internal=True),
            "an internal extension cannot register for SHUTDOWN",
        ),
        (lambda: Extension("x", delay_ms=-1), "delay_ms=-1 has to be a number of milliseconds"),
        (lambda: Extension("x", delay_ms=float("nan")), "delay_ms=nan"),
        (lambda: Extension("x", delay_ms="5"), "delay_ms='5'"),
        (lambda: Extension("runtime"), "'runtime'"),
        (lambda: Extension(5), "name=5 has to be text"),
        (lambda: object(), "has to be an Extension object or class"),
        (
            lambda: type("Late", (Extension,), {"subscriptions": "INVOKE"}),
            "has to be a tuple of names",
        ),
        (
            lambda: type("In", (Extension,), {"subscriptions": ("SHUTDOWN",), "internal": True}),
            "an internal extension cannot",
        ),
        (
            lambda: type("A", (Extension,), {"on_invoke": _coroutine}),
            "on_invoke is a coroutine function",
        ),
    ],
)
def test_extensions_that_are_refused(environment, make, message):
    given = make()
    with pytest.raises(ConfigError, match=message):
        FunctionConfig("app.handler", extensions=[given])
    env = environment(SLEEPER)
    with pytest.raises(ConfigError, match=message):
        env.add_extension(given)


async def _coroutine(self, event):
    pass


def test_a_class_cannot_set_events():
    with pytest.raises(ConfigError, match="class .*Wrong sets events, .* is called subscriptions"):

        class Wrong(Extension):
            events = ["INVOKE"]  # noqa: RUF012


def test_names_have_to_differ(environment):
    with pytest.raises(ConfigError, match="name='': an extension has to have a name"):
        environment(SLEEPER).extension("")
    with pytest.raises(ConfigError, match="two are called 'same'"):
        FunctionConfig("app.handler", extensions=[Extension("same"), Extension("same")])
    env = environment(SLEEPER, extensions=[Doing])
    with pytest.raises(ConfigError, match="extension 'Doing': there is one of this name"):
        env.extension("Doing")
    added = Extension("added")
    assert env.add_extension(added) is added
    with pytest.raises(ConfigError, match="'added': there is one of this name"):
        env.add_extension(added)


def test_extensions_are_added_before_init(environment, either_time):
    env = environment(SLEEPER)
    env.invoke(0)
    with pytest.raises(InvalidTransition, match="cannot add the extension 'late': Init is over"):
        env.extension("late")
    env.reset()
    assert env.add_extension(Doing) is Doing
    env.invoke(0)
    assert [type(one) for one in env.extensions] == [Doing]
    env.shutdown()
    with pytest.raises(
        InvalidTransition, match="cannot add the extension 'late': this environment was shut down"
    ):
        env.extension("late")


def test_repr_copies_and_pickles():
    extension = Extension("flusher", ["INVOKE"])
    assert repr(extension) == "<Extension 'flusher': 0 events>"
    extension.events.append({"eventType": "INVOKE"})
    for copied in (copy.deepcopy(extension), pickle.loads(pickle.dumps(extension))):
        assert (copied.name, copied.subscriptions, copied.events) == (
            "flusher",
            ("INVOKE",),
            extension.events,
        )
        assert copied.events is not extension.events


# -- output, control flow


def test_output_is_in_the_log_of_the_extension(environment, either_time, capsys):
    def write():
        import os
        import sys

        print("one\ntwo", end="")
        print(" and more", file=sys.stderr)
        sys.stdout.buffer.write(b"bytes\n")
        print("no end", end="")
        assert os.environ["AWS_LAMBDA_FUNCTION_NAME"] == "function"

    env = environment(
        SLEEPER, extensions=[Doing("writer", init=lambda: print("init"), invoke=write)]
    )
    invocation = env.invoke(0)
    written = [(event.extension, event.text) for event in env.timeline.of(ExtensionLog)]
    assert written == [
        ("writer", "init\n"),
        ("writer", "one\n"),
        ("writer", "two and more\n"),
        ("writer", "bytes\n"),
        ("writer", "no end\n"),
    ]
    assert [event.text for event in invocation.events if event.name == "function_log"] == [
        "handler begins\n"
    ]
    captured = capsys.readouterr()
    assert captured.out.startswith("init\none\ntwo")
    assert captured.err == " and more\n"
    assert "no end\nhandler begins\nEND" in invocation.log


@pytest.mark.parametrize("when", ["init", "invoke", "shutdown"])
@pytest.mark.parametrize("leave", [pytest.fail, pytest.skip])
def test_control_flow_of_the_test_passes_through(environment, either_time, when, leave):
    once = [leave]

    def act():
        if once:
            once.pop()("the test's own")

    env = environment(SLEEPER, extensions=[Doing("acting", **{when: act})])
    before, after = env.extension("before"), env.add_extension(Extension("z-after"))
    with pytest.raises(leave.Exception, match="the test's own"):
        env.invoke(0)
        env.recycle()
    again = env.invoke(0)
    assert again.status == "success"
    assert len([event for event in before.events if event["eventType"] == "INVOKE"]) == 1 + (
        when == "shutdown"
    )
    end = env.shutdown()
    assert end.killed == ()
    assert before.events[-1] == after.events[-1] == env.extensions[0].events[-1]
    assert env.phases[-1] is end


def test_a_real_ctrl_c_passes_through(environment, either_time):
    once, press = [1], partial(os.kill, os.getpid(), signal.SIGINT)  # from outside the extension
    act = lambda: once and once.pop() and press()  # noqa: E731
    env = environment(SLEEPER, extensions=[Doing("acting", invoke=act)])
    with pytest.raises(KeyboardInterrupt):
        env.invoke(0)
    assert env.invoke(0).payload == 1


def test_an_extension_that_interrupts_itself_has_crashed(environment, either_time):
    act = lambda: signal.raise_signal(signal.SIGINT)  # noqa: E731
    env = environment(SLEEPER, extensions=[Doing("acting", invoke=act)])
    with pytest.raises(ExtensionError, match="signal: interrupt"):
        env.invoke(0)


def test_an_interrupt_before_the_others_have_run(environment, either_time):
    once = [1]
    env = environment(
        SLEEPER, extensions=[Doing("b", invoke=lambda: once and pytest.skip(str(once.pop())))]
    )
    first, last = env.extension("a"), env.extension("c")
    with pytest.raises(pytest.skip.Exception):
        env.invoke(0)
    env.invoke(0)
    assert [len(first.events), len(last.events)] == [1, 1]  # the others had not run
    assert [event.extension for event in env.timeline.of(ExtensionDone)] == ["b", "a", "c"]
    assert [event.extension for event in env.timeline.of(ExtensionNotified)] == ["b", "a", "c"] * 2


def test_freeze_time_around_the_environment(environment, either_time):
    env = environment(SLEEPER)
    told = env.extension("told")
    with freezegun.freeze_time("2040-01-01"):
        env.invoke(0)
        env.shutdown()
    at = int(datetime(2040, 1, 1, tzinfo=timezone.utc).timestamp() * 1000)
    assert [event["deadlineMs"] for event in told.events] == [at + 3000, at + 2000]


def test_freeze_time_inside_an_extension(environment, either_time):
    def freeze():
        with freezegun.freeze_time("2040-01-01"):
            assert datetime.now().year == 2040

    env = environment(SLEEPER, extensions=[Doing("freezing", invoke=freeze)])
    assert env.invoke(0).payload == 1


def test_the_observer_gets_events_of_extensions(environment, clock):
    seen = []
    env = environment(
        SLEEPER,
        extensions=[Doing("e", invoke=lambda: print("x"), delay_ms=100)],
        observer=seen.append,
    )
    env.invoke(0)
    env.shutdown()
    assert seen == list(env.timeline)
    assert {
        "extension_registered",
        "extension_state",
        "extension_notified",
        "extension_done",
        "signal",
    } <= {event.name for event in seen}


@pytest.mark.parametrize("when", ["make", "init", "invoke", "shutdown"])
def test_an_extension_that_spins_in_virtual_time(environment, when):
    def spin():
        if once:
            once.pop()
            while True:
                pass

    once = [1]
    with LambdaClock(watchdog=0.4):
        made = type("Spinning", (Extension,), {"__init__": lambda self: spin()})
        env = environment(
            SLEEPER, extensions=[made if when == "make" else Doing("spinning", **{when: spin})]
        )
        other = env.extension("other")
        with pytest.raises(LifecycleError, match="without moving the clock"):
            env.invoke(0)
            env.recycle()
        assert env.invoke(0).payload == 1
        assert other.events[-1]["eventType"] == "INVOKE"
        env.close()
