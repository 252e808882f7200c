"""Initialization types: whether Init is a part of the first request."""

from __future__ import annotations


def test_with_other_types_init_is_not_a_part_of_the_request(environment):
    env = environment(
        "def handler(event, context): return 1", initialization_type="provisioned-concurrency"
    )
    first = env.invoke()
    assert (first.cold_start, first.init_duration_ms) == (False, None)
    assert env.phases == ["init", "invoke"]
    env.reset()
    assert env.invoke().cold_start  # a suppressed init is
