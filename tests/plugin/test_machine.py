"""`lifecycle_machine`: lifecycles that Hypothesis draws, in virtual time, and shrinks."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from pytest_lambda_lifecycle import FunctionError, LifecycleError, lifecycle_machine

# The suite freezes the garbage collector once its tests are collected (see conftest.py), so
# Hypothesis does not see who holds its own generator, and warns.
pytestmark = pytest.mark.filterwarnings("ignore:It looks like `register_random`")

IDS = st.fixed_dictionaries({"id": st.integers(0, 100)})
FUNCTIONS = """
    import pathlib, random, sys, tempfile, time
    count, started = 0, time.time()

    def good(event, context):
        return event["id"]

    def counts(event, context):
        global count
        count += 1
        return count

    def expires(event, context):
        if time.time() - started > 3600 and event["id"] > 10:
            raise ValueError("expired")

    def resumes(event, context):
        file = pathlib.Path(tempfile.gettempdir(), "count")
        if file.exists() and file.read_text() != str(count):
            raise ValueError("another process has written it")
        counts(event, context)
        file.write_text(str(count))

    def draws(event, context):
        random.random()
        if count > 2 and random.random() > 0.5:
            raise ValueError("unlucky")
        counts(event, context)
"""


@pytest.fixture
def run(write):
    """Run a machine as Hypothesis does, without pytest; return the steps of its failure."""
    root = write("app.py", FUNCTIONS).parent

    def run(handler, examples=30, steps=20, **options):
        machine = lifecycle_machine(f"app.{handler}", code_dir=root, **{"events": IDS, **options})
        limits = settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        try:
            run_state_machine_as_test(machine, settings=limits)
        except (AssertionError, FunctionError) as failure:
            notes = "\n".join(getattr(failure, "__notes__", ()))
            return str(failure), [line.strip() for line in notes.splitlines() if "(env=" in line]
        return None

    return run


needs_notes = pytest.mark.skipif(sys.version_info < (3, 11), reason="Hypothesis prints the steps")


def test_a_good_function_passes(run):
    assert (
        run("good", invariants=[lambda env: env.invocations[-1].error_type != "ValueError"]) is None
    )


@needs_notes
def test_it_shrinks_to_the_shortest_lifecycle_in_virtual_time(run):
    text, steps = run("expires")
    assert "ValueError: expired" in text
    assert steps == [
        "state.invoke(env=environments_0, event={'id': 0})",
        "state.idle(env=environments_0, minutes=61)",
        "state.invoke(env=environments_0, event={'id': 11})",
    ]


@needs_notes
def test_an_action_that_ends_the_process_is_found(run):
    text, steps = run("resumes", actions=["reset", "idle"])
    assert "another process has written it" in text
    assert [step.split("(")[0] for step in steps] == ["state.invoke", "state.reset", "state.invoke"]


def test_an_error_that_an_action_has_caused_is_no_failure(run):
    assert run("good", actions=["timeout", "crash", "shutdown", "new"]) is None


@pytest.mark.parametrize("check", [lambda env: env.invocations[-1].payload != 3, "raises"])
def test_an_invariant_fails_by_false_or_by_an_exception(run, check):
    def raises(env):
        assert env.invocations[-1].payload != 3, "three"

    text, _ = run("counts", invariants=[raises if check == "raises" else check], actions=[])
    assert "three" in text or "the invariant <lambda> does not hold" in text


@needs_notes
def test_callables_are_actions_of_their_names(run):
    def spoil(env):
        (env.tmp / "count").write_text("spoilt")

    _, steps = run("resumes", actions=[spoil, lambda env: None])
    assert [step.split("(")[0] for step in steps] == ["state.spoil", "state.invoke"]


def test_a_failure_by_random_numbers_is_repeated(run):
    text, _ = run("draws", actions=[])
    assert "unlucky" in text


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"events": [{"id": 1}]}, "it takes a strategy"),
        ({"events": None}, "it takes a strategy"),
        ({"actions": "idle"}, "actions='idle': it takes a list"),
        ({"actions": ["restart"]}, "did you mean 'reset'"),
        ({"actions": [7]}, "the actions are idle, timeout"),
        ({"invariants": [True]}, "a callable that takes an environment"),
        ({"invariants": len}, "it takes a list"),
    ],
)
def test_bad_arguments(options, why):
    with pytest.raises(LifecycleError, match=why) as error:
        lifecycle_machine("app.good", **{"events": IDS, **options})
    assert error.value.code == "LLC875"


SUITE = """
    from hypothesis import settings, strategies as st
    from pytest_lambda_lifecycle import lifecycle_machine

    def of_the_suite(env):
        return env.config.memory_size == 512 and env.config.timeout == 7

    Machine = lifecycle_machine(
        "app.handler", events=st.just({}), invariants=[of_the_suite], timeout=7
    )
    TestGood = Machine.TestCase
    TestGood.settings = settings(TestGood.settings, max_examples=5)
    TestBad = lifecycle_machine("app.fails", events=st.just({})).TestCase
"""


def test_under_pytest_it_has_the_settings_of_the_suite(pytester):
    pytester.makepyfile(
        app="""
            def handler(event, context): return 1
            def fails(event, context): raise ValueError("always")
        """,
        test_suite=SUITE,
    )
    pytester.makeini("[pytest]\nlambda_lifecycle_memory_size = 512")
    result = pytester.runpytest("--lambda-lifecycle-cold", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*FunctionError: ValueError: always*"])


def test_a_subclass_may_have_rules_of_its_own(write):
    root = write("app.py", FUNCTIONS).parent
    base = lifecycle_machine("app.good", events=IDS, actions=[], code_dir=root)
    called = []

    class Machine(base):
        @rule(env=base.environments)
        def own(self, env):
            called.append(env.state)

    limits = settings(max_examples=5, deadline=None, database=None, derandomize=True)
    run_state_machine_as_test(Machine, settings=limits)
    assert called
