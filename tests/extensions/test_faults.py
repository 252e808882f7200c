"""Faults that a test causes, in each state; extensions in markers, hooks and fixtures."""

import pytest

from pytest_lambda_lifecycle import (
    Extension,
    ExtensionError,
    ExtensionFault,
    InvalidTransition,
    LifecycleError,
    RuntimeExit,
)

COUNTER = """
    COUNT = 0
    def handler(event, context):
        global COUNT
        COUNT += 1
        return COUNT
"""


@pytest.fixture
def ready(environment, either_time):
    """An environment after one invoke, with extensions: ``flusher``, and ``inside`` (internal)."""
    env = environment(COUNTER)
    env.extension("flusher")
    env.extension("inside", internal=True)
    assert env.invoke({}).payload == 1
    return env


# -- faults on demand


def fails_then_inits(env, error, message):
    with pytest.raises(error) as caught:
        env.invoke({}, request_id="r-2")
    assert caught.value.error_message == f"RequestId: r-2 Error: {message}"
    failed = caught.value.phase
    assert not failed.cold_start
    assert failed.duration_ms == 0
    assert "handler" not in [event.name for event in failed.events]
    assert env.phases.names == ["init", "invoke", "invoke", "shutdown"]
    reset = env.phases[-1]
    assert reset.reason == "failure"
    names = env.timeline.names
    assert names.index("shutdown_start") > len(names) - 1 - names[::-1].index("invoke_report")
    again = env.invoke({})
    assert (again.payload, again.cold_start, env.init.phase) == (1, True, "invoke")
    return reset


def test_crash_of_the_runtime(ready):
    ready.crash()
    assert ready.state == "crashed"
    assert ready.timeline.names[-1] == "invoke_report"  # nothing shows yet
    reset = fails_then_inits(ready, RuntimeExit, "Runtime exited with error: exit status 1")
    assert reset.signals == []
    assert [event["eventType"] for event in ready.extensions[0].events][:2] == [
        "INVOKE",
        "SHUTDOWN",
    ]


@pytest.mark.parametrize("name", ["flusher", "inside"])
@pytest.mark.parametrize(
    ("way", "message"), [("crash", "exit status 1"), ("kill_extension", "signal: killed")]
)
def test_crash_of_an_extension(ready, name, way, message):
    getattr(ready, way)(name)
    assert ready.state == "crashed"
    reset = fails_then_inits(ready, ExtensionError, message)
    [fault] = ready.timeline.of(ExtensionFault)
    assert (fault.extension, fault.error_type, fault.detail) == (name, "Extension.Crash", message)
    assert reset.signals == ["SIGTERM"]
    told = [event for event in ready.extensions[0].events if event["eventType"] == "SHUTDOWN"]
    assert len(told) == (name == "inside")
    assert set(reset.durations_ms) == ({"runtime", "flusher"} if name == "inside" else {"runtime"})


def test_the_first_of_two_crashes_counts(ready):
    ready.kill_extension("flusher")
    ready.crash()
    ready.crash("inside")
    reset = fails_then_inits(ready, ExtensionError, "signal: killed")
    assert reset.signals == []  # the runtime has ended too


def test_a_second_crash_of_the_same_extension(ready):
    ready.crash("flusher")
    ready.kill_extension("flusher")
    fails_then_inits(ready, ExtensionError, "exit status 1")


@pytest.mark.parametrize("participant", ["runtime", "flusher"])
def test_shutdown_after_a_crash(ready, participant):
    ready.crash(participant)
    end = ready.shutdown()
    assert end.reason == "spindown"
    assert end.signals == ([] if participant == "runtime" else ["SIGTERM"])
    assert set(end.durations_ms) == ({"flusher"} if participant == "runtime" else {"runtime"})
    assert end.killed == ()


@pytest.mark.parametrize("participant", ["runtime", "flusher"])
def test_reset_and_recycle_after_a_crash(environment, either_time, participant):
    env = environment(COUNTER)
    env.extension("flusher")
    for end in (env.reset, env.recycle):
        env.invoke({})
        env.crash(participant)
        end()
        assert env.invoke({}).payload == 1
    assert [one.status for one in env.invocations] == ["success"] * 4


def test_idle_after_a_crash(environment, clock):
    env = environment(COUNTER, idle_timeout=60)
    env.extension("flusher")
    env.invoke({})
    env.crash("flusher")
    env.idle(30)
    assert env.state == "crashed"
    env.idle(60)
    assert env.phases[-1].name == "shutdown"
    assert env.invoke({}).payload == 1


def test_a_crash_between_initialize_and_invoke(environment, either_time):
    env = environment(COUNTER)
    env.extension("flusher")
    env.initialize()
    env.crash("flusher")
    with pytest.raises(ExtensionError):
        env.invoke({})


def test_a_crash_without_any_extension(environment, either_time):
    env = environment(COUNTER)
    env.invoke({})
    with pytest.raises(
        LifecycleError, match="cannot end 'flusher': no extension of this name is registered"
    ):
        env.crash("flusher")
    env.crash()
    with pytest.raises(RuntimeExit, match="exit status 1"):
        env.invoke({})
    assert env.phases.names == ["init", "invoke", "invoke"]
    assert env.invoke({}).payload == 1


def test_a_crash_of_an_unknown_extension_is_refused(ready):
    for way in (ready.crash, ready.kill_extension):
        with pytest.raises(
            LifecycleError, match="cannot end 'flushr': .*; there are flusher, inside"
        ):
            way("flushr")
    with pytest.raises(LifecycleError, match=r"that is the runtime; use crash\(\)"):
        ready.kill_extension("runtime")
    assert ready.state == "ready"
    assert ready.invoke({}).payload == 2


@pytest.mark.parametrize("way", ["crash", "kill_extension", "drop_telemetry"])
def test_states_in_which_faults_are_refused(environment, either_time, way):
    env = environment(COUNTER)
    env.extension("flusher")
    fault = getattr(env, way)
    with pytest.raises(
        InvalidTransition, match="the environment is in state 'new', .* call initialize"
    ):
        fault("flusher")
    env.invoke({})
    env.reset()
    with pytest.raises(InvalidTransition, match="in state 'reset'"):
        fault("flusher")
    env.recycle()
    with pytest.raises(InvalidTransition, match="in state 'new'"):
        fault("flusher")
    env.shutdown()
    with pytest.raises(InvalidTransition, match="this environment was shut down"):
        fault("flusher")


def test_faults_in_a_snapshot_are_refused(environment, either_time):
    env = environment(COUNTER, initialization_type="snap-start", function_version="1")
    env.extension("flusher")
    env.snapshot()
    with pytest.raises(InvalidTransition, match="in state 'snapshot'"):
        env.crash()
    env.restore()
    env.crash("flusher")
    with pytest.raises(ExtensionError):
        env.invoke({})


def test_faults_inside_a_phase_are_refused(environment, either_time):
    tried = []

    class Meddler(Extension):
        def on_invoke(self, event):
            for attempt in (
                env.crash,
                env.shutdown,
                env.reset,
                lambda: env.extension("late"),
                lambda: env.invoke({}),
            ):
                with pytest.raises(InvalidTransition) as caught:
                    attempt()
                tried.append(str(caught.value))

    env = environment(COUNTER, extensions=[Meddler])
    assert env.invoke({}).payload == 1
    assert len(tried) == 5


def test_an_extension_may_invoke_another_environment(environment, write, either_time):
    write("other.py", "def handler(event, context): print('in other'); return 'other'")
    other = environment(None, "other.handler")
    payloads = []

    class Calling(Extension):
        def on_invoke(self, event):
            payloads.append(other.invoke({}).payload)

        def on_shutdown(self, event):
            payloads.append(other.invoke({}).payload)

    env = environment(COUNTER, extensions=[Calling])
    assert env.invoke({}).payload == 1
    env.shutdown()
    assert payloads == ["other", "other"]
    assert "in other" not in env.log


# -- markers, hooks, fixtures

PROJECT = {
    "app": "def handler(event, context): return event",
    "doubles": """
from pytest_lambda_lifecycle import Extension

class Flusher(Extension):
    def on_invoke(self, event):
        print("flushing")

    def on_shutdown(self, event):
        print("the last flush")
""",
}


@pytest.fixture
def project(pytester):
    pytester.makepyfile(**PROJECT)
    return pytester


def test_extensions_come_from_marker_hook_fixture_and_call(project):
    project.makeconftest("""
import pytest
from pytest_lambda_lifecycle import Extension

def pytest_lambda_lifecycle_config(request, settings):
    if request.node.name == "test_hook":
        return {"extensions": [Extension("by-hook")]}
""")
    project.makepyfile("""
import pytest
from doubles import Flusher
from pytest_lambda_lifecycle import Extension

def names(env):
    env.invoke({})
    return [one.name for one in env.extensions]

@pytest.mark.lambda_lifecycle("app.handler", extensions=[Flusher])
def test_marker(lambda_lifecycle):
    assert names(lambda_lifecycle()) == ["Flusher"]

@pytest.mark.lambda_lifecycle("app.handler", extensions=[Flusher])
def test_call(lambda_lifecycle):
    env = lambda_lifecycle(extensions=[Extension("by-call"), Flusher])
    assert names(env) == ["by-call", "Flusher"]
    assert names(lambda_lifecycle(extensions=())) == []

def test_hook(lambda_lifecycle):
    assert names(lambda_lifecycle("app.handler")) == ["by-hook"]
""")
    project.makepyfile(
        test_fixture="""
import pytest
from doubles import Flusher

@pytest.fixture(scope="session")
def lambda_lifecycle_config():
    return {"extensions": [Flusher]}

def test_fixture(lambda_lifecycle):
    env = lambda_lifecycle("app.handler")
    env.invoke({})
    assert [one.name for one in env.extensions] == ["Flusher"]
"""
    )
    project.runpytest().assert_outcomes(passed=4)


def test_wider_scopes_keep_their_extensions(project):
    project.makepyfile("""
import pytest
from doubles import Flusher

@pytest.fixture(scope="session")
def of_session(session_lambda_lifecycle):
    env = session_lambda_lifecycle("app.handler", extensions=[Flusher])
    yield env
    env.shutdown()
    events = [event["eventType"] for event in env.extensions[0].events]
    assert events == ["INVOKE", "INVOKE", "SHUTDOWN"]

@pytest.fixture(scope="class")
def of_class(class_lambda_lifecycle):
    return class_lambda_lifecycle("app.handler", extensions=[Flusher])

class TestIt:
    def test_one(self, of_session, of_class):
        of_session.invoke({})
        of_class.invoke({})
    def test_two(self, of_session, of_class):
        of_session.invoke({})
        of_class.invoke({})
        assert len(of_class.extensions[0].events) == 2
""")
    project.runpytest("-p", "no:randomly").assert_outcomes(passed=2)


def test_the_end_of_the_test_shuts_down(project):
    project.makepyfile("""
import doubles

def test_it(lambda_lifecycle):
    env = lambda_lifecycle("app.handler", extensions=[doubles.Flusher])
    env.invoke({})
    doubles.kept = env

def test_later():
    events = [event["eventType"] for event in doubles.kept.extensions[0].events]
    assert events == ["INVOKE", "SHUTDOWN"]
    assert doubles.kept.log.endswith("the last flush\\n")
""")
    project.runpytest("-p", "no:randomly").assert_outcomes(passed=2)


def test_a_failing_check_in_shutdown_ends_all_environments(project):
    project.makepyfile("""
import pytest
from pytest_lambda_lifecycle import Extension

class Checking(Extension):
    def on_shutdown(self, event):
        pytest.fail("nothing was flushed")

made = []

def test_it(lambda_lifecycle):
    for _ in range(2):
        made.append(lambda_lifecycle("app.handler", extensions=[Checking]))
        made[-1].invoke({})

def test_later():
    assert [env.state for env in made] == ["closed", "closed"]
""")
    result = project.runpytest("-p", "no:randomly")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines("*Failed: nothing was flushed*")


def test_a_failed_test_shows_events_of_extensions(project):
    project.makepyfile("""
from doubles import Flusher
from pytest_lambda_lifecycle import Extension

class Faulty(Extension):
    delay_ms = 500
    def on_invoke(self, event):
        print("about to fail")
        raise RuntimeError("no route to the collector")

def test_it(lambda_clock, lambda_lifecycle):
    env = lambda_lifecycle("app.handler", extensions=[Flusher, Faulty])
    env.invoke({}, request_id="r-1")
""")
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '*raise RuntimeError("no route to the collector")*',
            "E*ExtensionError: Extension.Crash: RequestId: r-1 Error: exit status 1 "
            "(extension 'Faulty')",
            "*Lambda lifecycle*",
            "*0.000 ms    extension Flusher: registered for INVOKE, SHUTDOWN",
            "*0.000 ms    extension Flusher: Ready",
            "*0.000 ms    extension Faulty: notified of INVOKE",
            "*0.000 ms    extension Flusher: done after 0.00 ms",
            "*0.000 ms    runtime done: success",
            "*500.000 ms    Faulty: about to fail",
            "*500.000 ms    extension Faulty: Extension.Crash, exit status 1 "
            "(RuntimeError: no route to the collector)",
            "*500.000 ms  Invoke ended: error Extension.Crash, 500.00 ms, billed 500 ms",
            "*500.000 ms  Shutdown (failure), budget 2000 ms",
            "*500.000 ms    SIGTERM to runtime",
            "*500.000 ms    extension Flusher: notified of SHUTDOWN (failure)",
            "log:",
            "*EXTENSION*Name: Flusher*State: Ready*Events: [[]INVOKE, SHUTDOWN]",
            "  flushing",
        ]
    )
    result.stdout.no_fnmatch_line("*extensions/local.py*")
    result.stdout.no_fnmatch_line("*extensions/objects.py*")


def test_each_worker_of_xdist_has_its_own_extensions(project, monkeypatch):
    pytest.importorskip("xdist")
    project.makepyfile("""
import pytest
from doubles import Flusher
from pytest_lambda_lifecycle import Extension

@pytest.mark.parametrize("number", range(4))
@pytest.mark.lambda_lifecycle("app.handler", extensions=[Flusher])
def test_it(lambda_lifecycle, number):
    assert lambda_lifecycle().invoke(number).payload == number

def test_failing(lambda_lifecycle):
    env = lambda_lifecycle("app.handler")
    env.add_extension(Extension("faulty")).on_invoke = lambda event: 1 / 0
    env.invoke({})
""")
    result = project.runpytest("-p", "xdist", "-n", "2")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        ["*ExtensionError: Extension.Crash*", "*extension faulty: Extension.Crash*"]
    )


def test_the_hook_gets_events_of_extensions(project):
    project.makeconftest("""
seen = []
def pytest_lambda_lifecycle_event(environment, event):
    seen.append((event.name, getattr(event, "extension", "")))
    print("HOOK", event.name)
""")
    project.makepyfile("""
from conftest import seen
from doubles import Flusher

def test_it(lambda_lifecycle):
    env = lambda_lifecycle("app.handler", extensions=[Flusher])
    env.invoke({})
    env.shutdown()
    assert [name for name, extension in seen if extension == "Flusher"] == [
"extension_registered", "extension_state", "extension_notified", "extension_log",
        "extension_done", "extension_notified", "extension_log", "extension_done",
    ]
    assert "HOOK" not in env.log
""")
    project.runpytest().assert_outcomes(passed=1)
