"""Phases and timeline as lists: membership, counts, comparisons."""

from pytest_lambda_lifecycle import (
    InvokeStart,
    ShutdownStart,
)


def test_names_are_found_in_phases_and_timeline(environment):
    env = environment("def handler(event, context): print('x')")
    env.invoke({})
    env.invoke({})
    assert "invoke" in env.phases
    assert env.phases[1] in env.phases
    assert "restore" not in env.phases
    assert (env.phases.count("init"), env.phases.count("invoke"), env.phases.count("shutdown")) == (
        1,
        2,
        0,
    )
    assert env.phases[1:] == ["invoke", "invoke"]
    assert env.phases[-1].name == "invoke"
    assert "invoke_start" in env.timeline
    assert InvokeStart in env.timeline
    assert env.timeline[0] in env.timeline
    assert "shutdown_start" not in env.timeline
    assert ShutdownStart not in env.timeline
    assert (
        env.timeline.count("invoke_start"),
        env.timeline.count(InvokeStart),
        env.timeline.count("x"),
    ) == (2, 2, 0)
