"""Recipes of the project's README and of `docs/state.md`, word for word."""

import pytest


def test_tenants_do_not_meet(lambda_lifecycle):
    env = lambda_lifecycle("profiles.app.handler", allowed_state=["profiles.app.latest"])
    env.assert_isolates(
        {"tenant": "tenant-a", "profile": "billing"}, {"tenant": "tenant-b", "profile": "billing"}
    )


@pytest.mark.lambda_lifecycle("profiles.app.handler", audit=True)
def test_nothing_stays(lambda_lifecycle):
    env = lambda_lifecycle(allowed_state=["profiles.app.latest"])
    for tenant in ("tenant-a", "tenant-b", "tenant-c"):
        last = env.invoke({"tenant": tenant, "profile": "billing"})
    print(last.state_changes)  # [<profiles.app.STATS['requests']: changed 2 -> 3 by invoke 3, ...
    env.assert_no_state_leaks(ignore=["profiles.app.STATS.*"])
