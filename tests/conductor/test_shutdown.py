"""Shutdown: SIGTERM, budgets, events of extensions, kills, and causes."""

import signal

import pytest

from pytest_lambda_lifecycle import (
    Extension,
    ExtensionDone,
    ExtensionFault,
    FunctionTimeout,
    InvalidTransition,
    LifecycleError,
    Recycled,
    Signal,
)

needs_signals = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="needs POSIX signals and timers"
)

SIGTERM = """
    import atexit, os, signal, sys, time
    HEARD = []
    def on_sigterm(number, frame):
        print("heard", number)
        exec(os.environ.get("THEN", ""))
    if os.environ.get("INSTALL", "yes") == "yes":
        signal.signal(signal.SIGTERM, on_sigterm)
    elif os.environ["INSTALL"] != "no":
        signal.signal(signal.SIGTERM, getattr(signal, os.environ["INSTALL"]))
    atexit.register(lambda: print("atexit"))
    def handler(event, context):
        exec(event.get("do", ""))
        return "ok"
"""


class Told(Extension):
    """An extension that logs its event."""

    name = "told"

    def on_shutdown(self, event):
        print("told of", event["shutdownReason"])


@pytest.fixture
def make(environment):
    """Make an environment with one extension; ``then`` is the code of the signal handler."""

    def make(then="", install="yes", extensions=(Told,), runtime="python3.13", **settings):
        variables = {"THEN": then, "INSTALL": install}
        return environment(
            SIGTERM, environment=variables, extensions=extensions, runtime=runtime, **settings
        )

    return make


# -- SIGTERM


def test_without_extensions_there_is_no_signal_and_no_time(make, either_time):
    env = make(extensions=())
    env.invoke({})
    end = env.shutdown()
    assert (end.reason, end.status, end.budget_ms, end.signals, end.killed) == (
        "spindown",
        "success",
        0,
        [],
        (),
    )
    assert end.durations_ms == {}
    assert "heard" not in env.log
    assert "atexit" not in env.log.replace("atexit:", "")


def test_the_handler_runs_first_then_the_extensions(make, clock):
    env = make("time.sleep(0.25); sys.exit(0)", extensions=[Told(delay_ms=500), Extension("quick")])
    env.invoke({})
    end = env.shutdown()
    assert (end.budget_ms, end.signals, end.killed) == (2000, ["SIGTERM"], ())
    assert end.durations_ms == {"runtime": 250, "quick": 0, "told": 500}
    assert list(end.durations_ms) == ["runtime", "quick", "told"]
    assert end.duration_ms == 750
    assert end.log == "heard 15\ntold of spindown\n"
    names = [event.name for event in end.events]
    assert names[0] == "shutdown_start"
    assert names[-1] == "shutdown_report"
    assert names.index("signal") < names.index("extension_notified")
    assert (
        env.extensions[0].events[-1]["deadlineMs"] == int(end.started_at.timestamp() * 1000) + 2000
    )
    assert "Shutdown spindown, 750.00 of 2000 ms" in repr(end)


@pytest.mark.parametrize(
    ("then", "outcome", "killed", "runtime_ms"),
    [
        ("sys.exit(0)", "exit status 0", (), 0),
        ("sys.exit(3)", "exit status 3", (), 0),
        ("os._exit(4)", "exit status 4", (), 0),
        ("raise ValueError('boom')", "ValueError: boom", (), 0),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: ", (), 0),
        ("time.sleep(0.1)", "returned", ("runtime",), 600),
        ("time.sleep(0.6); sys.exit(0)", "exit status 0", (), 600),
        ("time.sleep(0.601); sys.exit(0)", "still running", ("runtime",), 600),
        ("time.sleep(10)", "still running", ("runtime",), 600),
    ],
)
def test_ways_in_which_the_signal_handler_ends(make, clock, then, outcome, killed, runtime_ms):
    env = make(then)
    env.invoke({})
    end = env.shutdown()
    [sent, *more] = env.timeline.of(Signal)
    assert (sent.participant, sent.signal, sent.outcome) == ("runtime", "SIGTERM", outcome)
    assert [(one.participant, one.signal) for one in more] == [(name, "SIGKILL") for name in killed]
    assert end.killed == killed
    assert end.durations_ms == {"runtime": runtime_ms, "told": 0}
    assert end.duration_ms == runtime_ms
    assert "heard 15\n" in end.log
    assert end.log.endswith("told of spindown\n")


@pytest.mark.parametrize(
    ("then", "outcome", "killed"),
    [
        ("sys.exit(0)", "exit status 0", ()),
        ("", "returned", ("runtime",)),
        ("raise ValueError('x')", "ValueError: x", ()),
    ],
)
def test_ways_in_which_the_signal_handler_ends_in_real_time(make, then, outcome, killed):
    env = make(then)
    env.invoke({})
    end = env.shutdown()
    assert end.signals == ["SIGTERM"]
    assert end.killed == killed
    assert env.timeline.of(Signal)[0].outcome == outcome
    assert end.duration_ms < 20_000


def test_an_internal_extension_gives_the_runtime_500_ms(make, clock):
    env = make("time.sleep(0.5); sys.exit(0)", extensions=[Extension("inside", internal=True)])
    env.invoke({})
    end = env.shutdown()
    assert (end.budget_ms, end.killed, end.durations_ms) == (500, (), {"runtime": 500})
    env = make("time.sleep(0.501)", extensions=[Extension("inside", internal=True)])
    env.invoke({})
    end = env.shutdown()
    assert (end.budget_ms, end.killed, end.duration_ms) == (500, ("runtime",), 500)


@pytest.mark.parametrize(
    ("install", "killed", "runtime_ms"),
    [("no", (), 0), ("SIG_DFL", (), 0), ("SIG_IGN", ("runtime",), 600)],
)
def test_a_function_without_a_signal_handler_ends(make, clock, install, killed, runtime_ms):
    env = make(install=install)
    env.invoke({})
    end = env.shutdown()
    assert end.signals == ["SIGTERM"]
    assert "heard" not in env.log
    assert (end.killed, end.durations_ms) == (killed, {"runtime": runtime_ms, "told": 0})


def test_a_handler_of_the_test_is_not_called(make, clock):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *arguments: heard.append(arguments))
    try:
        env = make(install="no")
        env.invoke({})
        assert env.shutdown().killed == ()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == []


@pytest.mark.parametrize("install", ["yes", "no"])
@pytest.mark.parametrize("when", ["on_init", "on_invoke"])
def test_a_handler_that_an_extension_installs_is_not_called(make, either_time, install, when):
    """Extensions install handlers, as AWS's samples do; on Lambda each has its own process."""
    heard = []

    class Installing(Extension):
        def install(self, *event):
            signal.signal(signal.SIGTERM, lambda *arguments: heard.append(arguments))
            signal.signal(signal.SIGINT, lambda *arguments: heard.append(arguments))

    setattr(Installing, when, Installing.install)
    before = signal.getsignal(signal.SIGINT)
    env = make("sys.exit(0)", install=install, extensions=[Installing])
    env.invoke({})
    end = env.shutdown()
    assert heard == []
    assert end.killed == ()
    assert ("heard 15" in end.log) is (install == "yes")
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("runtime", "heard"),
    [
        ("python3.10", False),
        ("python3.11", False),
        ("python3.12", True),
        ("python3.13", True),
        ("python3.14", True),
    ],
)
def test_an_idle_runtime_handles_the_signal_from_python_3_12_on(make, clock, runtime, heard):
    env = make("sys.exit(0)", runtime=runtime)
    env.invoke({})
    end = env.shutdown()
    assert ("heard" in end.log) is heard
    assert end.signals == ["SIGTERM"]
    assert end.killed == (() if heard else ("runtime",))
    assert env.timeline.of(Signal)[0].outcome == (
        "exit status 0" if heard else "not heard: the runtime waits for its next event"
    )
    assert end.durations_ms["runtime"] == (0 if heard else 600)


@pytest.mark.parametrize("runtime", ["python3.11", "python3.13"])
def test_a_busy_runtime_always_handles_the_signal(make, clock, runtime):
    env = make("sys.exit(0)", runtime=runtime, timeout=2)
    with pytest.raises(FunctionTimeout):
        env.invoke({"do": "time.sleep(10)"})
    reset = env.phases[-1]
    assert (reset.reason, reset.signals, reset.killed) == ("timeout", ["SIGTERM"], ())
    assert "heard 15\n" in reset.log


def test_a_runtime_that_has_answered_is_idle_when_an_extension_overruns(make, clock):
    env = make("sys.exit(0)", runtime="python3.11", extensions=[Extension("slow", delay_ms=9000)])
    with pytest.raises(FunctionTimeout):
        env.invoke({})
    assert env.phases[-1].killed == ("runtime", "slow")
    assert "told SHUTDOWN" not in repr(env.timeline)  # it never asked for an event again
    assert "heard" not in env.log


def test_sigterm_after_an_init_that_timed_out(environment, write, clock):
    write(
        "late.py",
        "import signal, sys, time\n"
        "signal.signal(15, lambda *a: sys.exit(print('heard')))\ntime.sleep(11)\n",
    )
    env = environment("", handler="late.handler", runtime="python3.11", extensions=[Told])
    env.invoke({}, check=False)
    ends = [phase for phase in env.phases if phase.name == "shutdown"]
    assert [(end.reason, end.signals, end.killed) for end in ends] == [
        ("timeout", ["SIGTERM"], ())
    ] * 2
    assert env.log.count("heard\n") == 2


def test_no_signal_after_the_process_has_exited(make, either_time):
    env = make("sys.exit(0)")
    env.invoke({"do": "sys.exit(7)"}, check=False)
    reset = env.phases[-1]
    assert (reset.name, reset.reason, reset.signals) == ("shutdown", "failure", [])
    assert "heard" not in env.log
    assert env.extensions[0].events[-1]["shutdownReason"] == "failure"


def test_no_signal_to_a_runtime_that_posted_an_init_error(environment, either_time):
    env = environment(
        "import signal; signal.signal(15, print); import nothing_of_this_name", extensions=[Told]
    )
    env.invoke({}, check=False)
    assert [phase.signals for phase in env.phases if phase.name == "shutdown"] == [[], []]


def test_output_of_the_handler_is_in_the_log(make, either_time, capsys):
    env = make("print('flushing', file=sys.stderr); sys.exit(0)")
    env.invoke({})
    end = env.shutdown()
    assert [event.text for event in end.events if event.name == "function_log"] == [
        "heard 15\n",
        "flushing\n",
    ]
    captured = capsys.readouterr()
    assert captured.err == "flushing\n"
    assert "heard 15\ntold of spindown\n" in captured.out


def test_atexit_does_not_run(make, either_time, capsys):
    env = make("sys.exit(0)")
    env.invoke({})
    env.shutdown()
    assert "atexit" not in capsys.readouterr().out
    assert "atexit_ignored" in env.timeline.names


@pytest.mark.parametrize("leave", ["fail", "skip"])
def test_control_flow_of_the_test_passes_through_the_handler(make, either_time, leave):
    env = make(f"import pytest; pytest.{leave}('the test')")
    env.invoke({})
    with pytest.raises(getattr(pytest, leave).Exception, match="the test"):
        env.shutdown()
    assert env.state == "closed"
    assert env.phases.names == ["init", "invoke", "shutdown"]
    assert env.extensions[0].events[-1]["eventType"] == "SHUTDOWN"
    with pytest.raises(InvalidTransition, match="cannot invoke"):
        env.invoke({})


# -- extensions at the end


def test_extensions_share_the_time_that_the_runtime_has_left(make, clock):
    env = make(
        install="SIG_IGN",
        extensions=[Told(delay_ms=1400), Extension("b", delay_ms=1401), Extension("c", [])],
    )
    env.invoke({}, check=False)
    end = env.shutdown()
    assert end.duration_ms == 2000
    assert end.killed == ("runtime", "c", "b")
    assert end.durations_ms == {"runtime": 600, "told": 1400, "b": 1400}
    assert [
        (one.participant, (one.at - end.events[0].at) / 1000) for one in env.timeline.of(Signal)
    ] == [
        ("runtime", 0),
        ("runtime", 600),
        ("c", 600),
        ("b", 2000),
    ]


@pytest.mark.parametrize(
    ("end", "detail"),
    [
        ("raise ValueError('boom')", "exit status 1 (ValueError: boom)"),
        ("sys.exit(3)", "exit status 3"),
        ("sys.exit(0)", None),
        ("os._exit(0)", None),
        ("self.exit_error('Extension.Own')", "exit status 1"),
    ],
)
def test_ends_of_an_extension_do_not_change_the_status(make, either_time, end, detail):
    class Ending(Extension):
        def on_shutdown(self, event):
            exec("import os, sys\n" + end, {"self": self})

    env = make(extensions=[Ending, Told], install="no")
    env.invoke({})
    shutdown = env.shutdown()
    assert (shutdown.status, shutdown.killed) == ("success", ())
    assert [fault.detail for fault in env.timeline.of(ExtensionFault)] == (
        [detail] if detail else []
    )
    assert [event["eventType"] for event in env.extensions[1].events] == ["INVOKE", "SHUTDOWN"]


def test_the_budget_in_real_time(make):
    env = make(install="no", extensions=[Told(delay_ms=20), Extension("b", delay_ms=20)])
    env.invoke({})
    end = env.shutdown()
    assert end.killed == ()
    assert all(15 <= end.durations_ms[name] < 1400 for name in ("told", "b"))


# -- causes


@pytest.mark.parametrize("reason", ["spindown", "timeout", "failure"])
def test_extensions_get_the_reason(make, either_time, reason):
    env = make(install="no")
    env.invoke({})
    assert env.shutdown(reason).reason == reason
    assert env.extensions[0].events[-1]["shutdownReason"] == reason


def test_an_unknown_reason_and_a_second_shutdown(make, either_time):
    env = make(install="no")
    env.invoke({})
    with pytest.raises(LifecycleError, match="cannot shut down with reason 'TIMEOUT'"):
        env.shutdown("TIMEOUT")
    env.shutdown()
    with pytest.raises(InvalidTransition, match="cannot shut down"):
        env.shutdown()
    assert len(env.extensions[0].events) == 2


def test_shutdown_before_the_first_phase(make, either_time):
    env = make("sys.exit(0)")
    end = env.shutdown()
    assert (end.budget_ms, end.signals, end.killed, end.duration_ms) == (
        0,
        [],
        (),
        pytest.approx(0, abs=1000),
    )
    assert env.extensions == ()


def test_idling_past_idle_timeout_is_a_shutdown(make, clock):
    env = make("sys.exit(0)", idle_timeout=60)
    env.invoke({})
    first = env.extensions[0]
    env.idle(59)
    assert env.phases.names == ["init", "invoke"]
    env.idle(61)
    assert env.phases.names == ["init", "invoke", "shutdown"]
    assert first.events[-1]["shutdownReason"] == "spindown"
    assert env.phases[-1].signals == ["SIGTERM"]
    assert env.invoke({}).cold_start
    assert env.extensions[0] is not first


def test_an_invoke_after_max_lifetime_begins_with_a_shutdown(make, clock):
    env = make("sys.exit(0)", max_lifetime=3600)
    env.invoke({})
    clock.advance(hours=2)
    env.invoke({})
    assert env.phases.names == ["init", "invoke", "shutdown", "init", "invoke"]
    assert "heard 15\n" in env.phases[2].log


def test_recycle_is_a_shutdown(make, either_time):
    env = make("sys.exit(0)")
    env.invoke({})
    end = env.recycle()
    assert (end.reason, end.signals, end.budget_ms) == ("spindown", ["SIGTERM"], 2000)
    assert env.timeline.of(Recycled)
    assert env.invoke({}).cold_start
    assert env.init.phase == "init"


def test_reset_is_a_shutdown_for_extensions(make, either_time):
    env = make("sys.exit(0)")
    env.invoke({})
    env.reset()
    # As after a crash of the runtime.
    assert (env.phases[-1].reason, env.phases[-1].signals) == ("failure", [])
    assert env.extensions[0].events[-1]["shutdownReason"] == "failure"
    assert env.invoke({}).cold_start
    assert env.init.phase == "invoke"


def test_close_shuts_down(make, either_time):
    env = make("sys.exit(0)")
    env.invoke({})
    env.close()
    assert env.phases[-1].reason == "spindown"
    assert "heard 15\ntold of spindown\n" in env.log


@pytest.mark.parametrize("kind", ["provisioned-concurrency", "snap-start"])
def test_shutdown_with_each_initialization_type(make, clock, kind):
    env = make("sys.exit(0)", initialization_type=kind, function_version="1")
    env.initialize()
    told = env.extensions[0]
    assert told.events == []
    first = env.invoke({})
    assert (first.cold_start, first.payload) == (False, "ok")
    assert [event["eventType"] for event in told.events] == ["INVOKE"]
    end = env.shutdown()
    assert (end.signals, end.killed) == (["SIGTERM"], ())
    assert "heard 15\ntold of spindown\n" in end.log


def test_a_snapshot_that_is_never_restored_is_shut_down(make, clock):
    env = make("sys.exit(0)", initialization_type="snap-start", function_version="1")
    env.snapshot()
    end = env.shutdown()
    assert (end.signals, end.budget_ms) == (["SIGTERM"], 2000)


def test_init_of_provisioned_concurrency_has_130_seconds(make, clock):
    class Slow(Extension):
        def on_init(self):
            import time

            time.sleep(129)

    env = make(
        extensions=[Slow], initialization_type="provisioned-concurrency", function_version="1"
    )
    assert env.initialize().duration_ms == 129_000


def test_two_environments_end_in_any_order(make, either_time):
    one, two = make("print('one'); sys.exit(0)"), make("print('two'); sys.exit(0)")
    one.invoke({})
    two.invoke({})
    one.shutdown()
    two.shutdown()
    assert one.log.endswith("heard 15\none\ntold of spindown\n")
    assert two.log.endswith("heard 15\ntwo\ntold of spindown\n")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_each_extension_has_an_event_of_its_end(make, either_time):
    env = make("sys.exit(0)", extensions=[Told, Extension("b")])
    env.invoke({})
    end = env.shutdown()
    assert [event.extension for event in end.events if isinstance(event, ExtensionDone)] == [
        "told",
        "b",
    ]


def test_a_failing_extension_at_the_end_of_a_test_is_a_warning(pytester):
    pytester.makepyfile(app="def handler(event, context): pass")
    pytester.makepyfile("""
        from pytest_lambda_lifecycle import Extension

        class Faulty(Extension):
            def on_shutdown(self, event):
                raise ValueError("nobody there")

        def test_it(lambda_lifecycle):
            lambda_lifecycle("app.handler", extensions=[Faulty]).invoke()
    """)
    result = pytester.runpytest("-W", "default")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        "*extension 'Faulty' failed in its shutdown: exit status 1 (ValueError: nobody there)"
    )


@needs_signals
def test_a_sigterm_handler_is_not_called_without_extensions(environment):
    env = environment("""
        import signal
        signal.signal(signal.SIGTERM, lambda *_: print("terminated"))
        def handler(event, context): return 1
    """)
    env.invoke()
    assert env.shutdown().signals == []
    assert "terminated" not in env.log
