"""Environment variables of the function, of the test, and of the machine."""

from __future__ import annotations

import os
import sys
import time
from unittest import mock

import pytest

from pytest_lambda_lifecycle.isolation.parts import environ
from pytest_lambda_lifecycle.isolation.stage import stage

SHOW = "import os\nAT_INIT = dict(os.environ)\ndef handler(event, context): return AT_INIT"


def test_variables_of_lambda_are_set_in_init(environment, tmp_path):
    env = environment(SHOW, environment={"TABLE": "orders"}, function_name="shop", memory_size=256)
    seen = env.invoke().payload
    expected = {
        "TABLE": "orders",
        "_HANDLER": "app.handler",
        "AWS_LAMBDA_FUNCTION_NAME": "shop",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(tmp_path / "task"),
        "TZ": ":UTC",
    }
    assert {name: seen[name] for name in expected} == expected


def test_real_credentials_are_never_visible(environment, monkeypatch):
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
    ):
        monkeypatch.setenv(name, "REAL")
    env = environment(SHOW)
    seen = env.invoke().payload
    assert "REAL" not in seen.values()
    assert "AWS_PROFILE" not in seen
    env.close()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "REAL"


def test_a_variable_of_the_test_reaches_the_function_and_stays(environment, monkeypatch):
    env = environment(
        "import os\ndef handler(event, context): return os.environ.get('SET_BY_TEST')"
    )
    env.invoke()
    monkeypatch.setenv("SET_BY_TEST", "1")
    assert env.invoke().payload == "1"
    stage.leave()
    assert os.environ["SET_BY_TEST"] == "1"
    assert env.invoke().payload == "1"
    stage.leave()
    monkeypatch.undo()
    assert env.invoke().payload is None


@pytest.mark.parametrize("first_left", [True, False])
def test_monkeypatch_may_undo_before_or_after_the_environment_leaves(
    environment, monkeypatch, first_left
):
    monkeypatch.syspath_prepend("/by-the-test")
    env = environment("def handler(event, context): return 1")
    env.invoke()
    monkeypatch.setenv("SET_BY_TEST", "1")
    if first_left:
        stage.leave()
    monkeypatch.undo()
    env.close()
    assert "/by-the-test" not in sys.path
    assert "SET_BY_TEST" not in os.environ


def test_time_is_utc(environment, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        env = environment(
            "import time\ndef handler(event, context): return [time.tzname[0], time.timezone]"
        )
        assert env.invoke().payload == ["UTC", 0]
        env.close()
        assert time.timezone == -9 * 3600
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("tests_zone", [None, "UTC", ":UTC", "Asia/Tokyo"])
@pytest.mark.parametrize(
    "own", ["None", "time.tzset()", "time.strftime('%Z')", "time.tzset(), back(), None"]
)
def test_the_zone_of_the_test_returns(environment, monkeypatch, tests_zone, own):
    """Also where the C library has read the zone of function code (`time.strftime` lets it)."""
    monkeypatch.setenv("TZ", tests_zone) if tests_zone else monkeypatch.delenv("TZ", False)
    time.tzset()
    try:
        before = time.localtime(0).tm_hour, time.tzname
        env = environment(f"""
            import os, time
            def back(): os.environ["TZ"] = ":UTC"
            def handler(event, context):
                hour = time.localtime(0).tm_hour
                os.environ["TZ"] = "Asia/Kathmandu"
                {own}
                back()
                return hour, time.strftime("%Z", time.gmtime(0))
        """)
        assert env.invoke().payload[0] == 0
        env.close()
        assert (time.localtime(0).tm_hour, time.tzname) == before
    finally:
        monkeypatch.undo()
        time.tzset()


SHOW_NOW = "import os\ndef handler(event, context): return dict(os.environ)"


def test_patch_dict_of_os_environ_brings_no_real_credentials(environment, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
    env = environment(SHOW_NOW, environment={"TABLE": "orders"})
    with mock.patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": "mocked", "ADDED": "1"}):
        assert env.invoke().payload["ADDED"] == "1"
    seen = env.invoke().payload
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert (seen["TABLE"], seen["AWS_LAMBDA_FUNCTION_NAME"]) == ("orders", "function")
    assert "ADDED" not in seen
    stage.leave()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "REAL"
    assert "ADDED" not in os.environ


def test_patch_dict_with_clear_is_undone_completely(environment, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-east-1")  # the same value as in the environment
    before = dict(os.environ)
    env = environment(SHOW_NOW, environment={"TABLE": "orders"})
    with mock.patch.dict(os.environ, {"ADDED": "1"}, clear=True):
        assert "HOME" not in env.invoke().payload
    assert env.invoke().payload["AWS_LAMBDA_FUNCTION_NAME"] == "function"
    stage.leave()
    environ.sweep()
    assert dict(os.environ) == before


@pytest.mark.parametrize("undone", ["inside", "after leaving", "after coming back"])
def test_a_variable_of_the_function_that_the_test_sets(environment, monkeypatch, undone):
    env = environment(SHOW_NOW, environment={"TABLE": "orders"})
    env.invoke()
    monkeypatch.setenv("TABLE", "patched")
    assert env.invoke().payload["TABLE"] == "patched"
    if undone != "inside":
        left = stage.leave()
        assert "TABLE" not in os.environ
        if undone == "after coming back":
            stage.resume(left)
    monkeypatch.undo()
    stage.leave()
    environ.sweep()
    assert "TABLE" not in os.environ


@pytest.mark.parametrize("last", ["at-start", None])
def test_the_function_has_the_last_word_on_a_variable_of_both(environment, monkeypatch, last):
    """The value from before the test's change is a change, too."""
    env = environment(
        "import os\n"
        "def handler(event, context):\n"
        "    if 'set' in event:\n"
        "        os.environ.pop('TABLE')\n"
        "        os.environ.update({'TABLE': event['set']} if event['set'] else {})\n"
        "    return os.environ.get('TABLE')",
        environment={"TABLE": "at-start"},
    )
    assert env.invoke().payload == "at-start"
    monkeypatch.setenv("TABLE", "of-the-test")
    assert env.invoke().payload == "of-the-test"
    env.invoke({"set": last})
    stage.leave()
    assert env.invoke().payload == last
    monkeypatch.undo()


def test_moto_does_not_restore_real_keys_for_the_function(environment, monkeypatch):
    moto = pytest.importorskip("moto")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
    env = environment(
        "import os\ndef handler(event, context): return os.environ['AWS_ACCESS_KEY_ID']"
    )
    with moto.mock_aws():
        env.invoke()
    assert env.invoke().payload.startswith("ASIA")
    stage.leave()
    assert os.environ["AWS_ACCESS_KEY_ID"] == "REAL"


def test_changes_of_function_code_end_with_the_process(environment):
    env = environment("""
        import os
        def handler(event, context):
            os.environ["N"] = os.environ.get("N", "") + "1"
            return os.environ["N"]
    """)
    assert [env.invoke().payload, env.invoke().payload] == ["1", "11"]
    env.reset()
    assert env.invoke().payload == "1"


def test_variables_lie_in_the_order_in_which_they_were_given(environment, monkeypatch):
    monkeypatch.setenv("OF_BOTH", "outside")
    names = ["ZULU", "OF_BOTH", "ALPHA", "MIKE"]
    code = f"""
        import os
        def handler(event, context):
            if event == "change":
                os.environ["YANKEE"] = "1"
                os.environ["BRAVO"] = "2"
                del os.environ["ALPHA"]
                os.environ["ALPHA"] = "3"
            return [name for name in os.environ if name in {[*names, "YANKEE", "BRAVO"]}]
    """
    env = environment(code, environment={name: name for name in names})
    assert env.invoke().payload == names
    changed = ["ZULU", "OF_BOTH", "MIKE", "YANKEE", "BRAVO", "ALPHA"]
    assert env.invoke("change").payload == changed
    assert env.invoke().payload == changed
    stage.leave()
    # What has been deleted and set again is back in its first place; the others keep theirs.
    assert env.invoke().payload == [*names, "YANKEE", "BRAVO"]
    env.reset()
    assert env.invoke().payload == names


def test_variables_that_function_code_gives_to_the_system_itself(environment, monkeypatch):
    """`os.putenv` does not change `os.environ`."""
    env = environment("""
        import os
        def handler(event, context):
            os.putenv("PUT", "1")
            os.unsetenv("NEVER_SET")
            return "PUT" in os.environ
    """)
    assert env.invoke().payload is False
    monkeypatch.setenv("SET_BY_THE_TEST", "1")
    assert env.invoke().payload is False
    env.close()
    assert "AWS_LAMBDA_FUNCTION_NAME" not in os.environ
    os.unsetenv("PUT")


@pytest.mark.parametrize("change", ["os.environ = None", "del os.environ", "os.environ = {}"])
def test_an_object_in_the_place_of_os_environ_is_there_in_phases_alone(environment, change):
    """pytest writes into `os.environ` between the phases of a test."""
    before = os.environ
    env = environment(f"""
        import os
        def handler(event, context):
            found = getattr(os, "environ", "missing")
            if event: {change}
            return str(found)[:7]
    """)
    env.invoke(True)
    assert os.environ is before
    os.environ["PYTEST_CURRENT_TEST"] = os.environ["PYTEST_CURRENT_TEST"]
    env.invoke(False, check=False)
    assert os.environ is before
    env.reset()
    assert env.invoke(False).payload == "environ"
