import pytest


def events(*tenants):
    return [{"tenant": tenant, "profile": "billing"} for tenant in tenants]


def test_one_tenant_alone_shows_nothing(lambda_lifecycle):
    env = lambda_lifecycle("profiles.leaky.handler")
    for event in events("tenant-a", "tenant-a"):
        assert env.invoke(event).payload == {"owner": "tenant-a", "profile": "billing"}


def test_the_answer_to_another_tenant_shows_the_first_one(lambda_lifecycle):
    env = lambda_lifecycle("profiles.leaky.handler")
    with pytest.raises(AssertionError) as found:
        env.assert_isolates(*events("tenant-a", "tenant-b"))
    assert "'tenant-a' of event 1 (event['tenant']) is in the response of the invoke with " in str(
        found.value
    )


def test_the_audit_names_the_path_and_the_line(lambda_lifecycle):
    env = lambda_lifecycle("profiles.leaky.handler", audit=True)
    for number in range(3):
        last = env.invoke({"tenant": "tenant-a", "profile": f"profile {number}"})
    assert repr(last.state_changes) == (
        "[<profiles.leaky.CACHE['profile 2']: added {'owner': 'tenant-a', 'profile': 'profile 2'} "
        "by invoke 3, profiles/leaky.py:9>]"
    )
    with pytest.raises(AssertionError, match="profiles.leaky.CACHE"):
        env.assert_no_state_leaks()
    env.assert_no_state_leaks(ignore=["profiles.leaky.CACHE"])
