"""``assert_init_only``, ``assert_no_network`` and ``assert_calls``."""

from __future__ import annotations

import functools
import json
from datetime import datetime, timezone
from unittest import mock

import boto3.session  # noqa: F401  # before the first test: it adds warnings filters
import pytest
import responses

from pytest_lambda_lifecycle import (
    ConfigError,
    ExecutionEnvironment,
    FunctionConfig,
    FunctionError,
    InitError,
    LambdaClock,
    LifecycleError,
)

from .made_calls import APP, NET, let_it_reach

CONFIG = "GET https://config.example/v1"
GET_ITEM = "aws dynamodb.GetItem"


@pytest.fixture
def make(environment, write):
    write("net.py", NET)

    def make(*in_init, source=APP, **settings):
        variables = {"IN_INIT": json.dumps(in_init)}
        return let_it_reach(environment(source, environment=variables, **settings))

    return make


def failure(kind, check, *arguments):
    """Return the lines with which a check fails, and check its kind."""
    with pytest.raises(kind) as caught:
        check(*arguments)
    assert type(caught.value) is kind
    return str(caught.value).splitlines()


def invoke(env, *what):
    return env.invoke(list(what), request_id=f"r-{len(env.invocations)}")


class TestInitOnly:
    def test_a_client_of_boto3_needs_no_spy(self, make):
        env = make("client s3", "session")
        invoke(env)
        invoke(env, GET_ITEM)
        env.assert_init_only("boto3.client", "boto3.Session")

    def test_calls_in_invokes_are_shown_with_phase_line_and_number(self, make):
        env = make("client s3", "client s3")
        invoke(env, "client sqs", "client sqs", "client sqs")
        invoke(env)
        invoke(env, "client sqs")
        assert failure(AssertionError, env.assert_init_only, "boto3.client") == [
            "boto3.client was called in 2 of 3 invokes, as well as in init",
            "  init:",
            "    made boto3.client('s3'), at app.py:6   x 2",
            "  invoke 0 (cold, request r-0):",
            "    made boto3.client('sqs'), at app.py:11   x 3",
            "  invoke 2 (warm, request r-2):",
            "    made boto3.client('sqs'), at app.py:11",
        ]

    def test_each_target_that_fails_is_named(self, make):
        env = make()
        env.spy("app.load")
        invoke(env, "load", "load")
        assert failure(
            AssertionError, env.assert_init_only, "boto3.resource", "app.load", "Session.client"
        ) == [
            "boto3.resource was not called in init, nor in an invoke",
            "app.load was called in 1 of 1 invoke, and not in init",
            "  invoke 0 (cold, request r-0):",
            "    app.load, at app.py:9   x 2",
            "Session.client was not called in init, nor in an invoke",
        ]

    def test_of_many_invokes_ten_are_shown(self, make):
        env = make("client s3")
        for _ in range(14):
            invoke(env, "client s3")
        lines = failure(AssertionError, env.assert_init_only, "boto3.client")
        assert lines[0] == "boto3.client was called in 14 of 14 invokes, as well as in init"
        assert lines[-1] == "  (5 more phases)"
        assert len(lines) == 2 + 2 * 10

    def test_a_spied_function_that_init_calls_passes(self, make, write):
        write("settings.py", "def load(): return 1")
        env = make(source="from settings import load\nload()\ndef handler(event, context): pass")
        env.spy("settings.load")
        invoke(env)
        env.assert_init_only("settings.load")

    def test_a_spied_function_of_a_shared_library_shows_the_line_of_function_code(self, make):
        env = make(source="import json\n\ndef handler(event, context):\n    json.dumps(1)")
        env.spy("json.dumps")
        invoke(env)
        lines = failure(AssertionError, env.assert_init_only, "json.dumps")
        assert lines[-1] == "    json.dumps, at app.py:4"

    @pytest.mark.parametrize("target", ["settings.load", "json.loads"])
    def test_a_patch_that_comes_after_the_spy_hides_no_call(self, make, write, target):
        write("settings.py", "def load(text): return 1")
        module, _, name = target.partition(".")
        env = make(
            source=f"import {module}\n{module}.{name}('1')\n"
            f"def handler(event, context): return {module}.{name}('2')"
        )
        spy = env.spy(target)
        env.patch(target, lambda text: "patched")
        env.patch(target, lambda text: "patched again")
        assert invoke(env).payload == "patched again"
        assert spy.phases == ["init", "invoke"]
        lines = failure(AssertionError, env.assert_init_only, target)
        assert lines[0] == f"{target} was called in 1 of 1 invoke, as well as in init"

    @pytest.mark.parametrize("target", ["app.load", "json.dumps"])
    def test_a_spy_that_the_test_has_replaced_is_an_error(self, make, monkeypatch, target):
        env = make(source=APP + "load(); json.dumps(1)\n")
        env.spy(target)
        invoke(env)
        owner = env.module if target == "app.load" else json
        with monkeypatch.context() as patch:
            patch.setattr(owner, target.partition(".")[2], mock.Mock(return_value=""))
            invoke(env, "load")
        (line,) = failure(LifecycleError, env.assert_init_only, target)
        assert f"{target} had been replaced by a Mock when an invoke began" in line

    def test_a_wrapper_that_calls_the_spy_hides_no_call(self, make, monkeypatch):
        env = make(source=APP + "def handler(event, context): load()\nload()\n")
        env.spy("app.load")
        env.initialize()

        @functools.wraps(env.module.load)
        def wrapper(spy=env.module.load):
            return spy()

        monkeypatch.setattr(env.module, "load", wrapper)
        invoke(env)
        lines = failure(AssertionError, env.assert_init_only, "app.load")
        assert lines[0] == "app.load was called in 1 of 1 invoke, as well as in init"

    def test_a_latency_on_top_of_the_spy_hides_no_call(self, make):
        with LambdaClock(datetime(2030, 1, 1, tzinfo=timezone.utc)):
            env = make(source=APP)
            env.spy("app.load")
            env.latency("app.load", 10)
            invoke(env, "load")
            lines = failure(AssertionError, env.assert_init_only, "app.load")
            assert lines[0].startswith("app.load was called in 1 of 1 invoke")
            env.close()

    def test_an_init_after_a_reset_is_no_invoke(self, make):
        env = make("client s3")
        invoke(env)
        env.reset()
        invoke(env)
        assert [made.phase for made in env.aws_clients] == ["init", "init"]
        env.assert_init_only("boto3.client")

    def test_a_restore_may_call_it(self, make):
        pytest.importorskip("snapshot_restore_py")
        env = make(
            source="import net\nimport snapshot_restore_py as s\nnet.reach('client s3')\n"
            "s.register_after_restore(net.reach, 'client s3')\ndef handler(event, context): pass",
            initialization_type="snap-start",
        )
        invoke(env)
        assert [made.phase for made in env.aws_clients] == ["init", "restore"]
        env.assert_init_only("boto3.client")

    def test_it_can_be_asked_after_the_end(self, make):
        env = make("client s3")
        invoke(env)
        env.close()
        env.assert_init_only("boto3.client")

    @pytest.mark.parametrize("target", ["app.load", "botocore.session.Session", "boto3.clients"])
    def test_a_target_without_a_spy_is_an_error(self, make, target):
        env = make()
        invoke(env)
        first, second, _ = failure(LifecycleError, env.assert_init_only, target)
        assert f"no spy on '{target}' was in place when the first phase began" in first
        assert second.startswith(f"Call env.spy('{target}') before the first phase")

    def test_a_spy_that_was_placed_late_is_an_error_after_a_reset_too(self, make):
        env = make()
        invoke(env, "load")
        env.spy("app.load")
        assert "[LLC831]" in failure(LifecycleError, env.assert_init_only, "app.load")[-1]
        env.reset()
        invoke(env)
        env.recycle()
        env.spy("app.load")
        invoke(env)
        assert "[LLC831]" in failure(LifecycleError, env.assert_init_only, "app.load")[-1]

    def test_a_spy_on_a_module_that_was_never_imported_is_an_error(self, make, write):
        write("rare.py", "def load(): pass")
        env = make()
        env.spy("rare.load")
        invoke(env)
        (line,) = failure(LifecycleError, env.assert_init_only, "rare.load")
        assert "calls of 'rare.load' could not be seen: rare was never imported by a phase" in line

    @pytest.mark.parametrize(
        ("target", "maker"),
        [
            ("boto3.client", "boto3.client"),
            ("boto3.Session", "boto3.Session"),
            ("boto3.Session", "Session.resource"),
        ],
    )
    def test_a_mock_in_the_place_of_boto3_is_an_error(self, make, target, maker):
        env = make("client s3")
        with mock.patch(target):
            invoke(env)
            (line,) = failure(LifecycleError, env.assert_init_only, maker)
        assert f"calls of '{maker}' could not be seen: the test has put <MagicMock" in line

    @pytest.mark.parametrize("targets", [(), (3,), (["boto3.client"],)])
    def test_without_a_name_there_is_nothing_to_check(self, make, targets):
        env = make()
        invoke(env)
        assert "cannot say whether" in failure(LifecycleError, env.assert_init_only, *targets)[0]

    def test_without_an_invoke_there_is_nothing_to_compare(self, make):
        env = make("client s3")
        check = env.assert_init_only
        assert "no phase has run; invoke first" in failure(LifecycleError, check, "boto3.client")[0]
        env.initialize()
        (line,) = failure(LifecycleError, check, "boto3.client")
        assert "the handler has not run in any invoke; invoke first" in line

    def test_invokes_whose_init_failed_have_not_run_the_handler(self, make):
        env = make("client s3", source=APP + "raise ValueError('no')\n")
        with pytest.raises(InitError):
            invoke(env)
        assert len(env.invocations) == 1
        (line,) = failure(LifecycleError, env.assert_init_only, "boto3.client")
        assert "the handler has not run in any invoke" in line

    def test_a_handler_that_raised_has_run(self, make):
        env = make("client s3")
        with pytest.raises(FunctionError):
            invoke(env, "client s3", "raise")
        assert "1 of 1 invoke" in failure(AssertionError, env.assert_init_only, "boto3.client")[0]


class TestTheSettingInitOnly:
    def test_it_places_spies_before_init(self, make, write):
        write("settings.py", "def load(): return 1")
        source = "from settings import load\nload()\ndef handler(event, context): load()"
        env = make(source=source, init_only=["settings.load", "boto3.client"])
        invoke(env)
        with pytest.raises(AssertionError) as caught, env:
            pass
        assert str(caught.value).splitlines() == [
            "app.handler: settings.load was called in 1 of 1 invoke, as well as in init "
            "(init_only, from the arguments of FunctionConfig)",
            "  init:",
            "    settings.load, at app.py:2",
            "  invoke 0 (cold, request r-0):",
            "    settings.load, at app.py:3",
            "app.handler: boto3.client was not called in init, nor in an invoke "
            "(init_only, from the arguments of FunctionConfig)",
        ]

    def test_its_targets_can_be_asserted(self, make):
        env = make(source=APP, init_only=["app.load"])
        invoke(env)
        failure(AssertionError, env.assert_init_only, "app.load")  # nobody called it
        env = make(source=APP + "load()\n", init_only=["app.load"])
        invoke(env)
        env.assert_init_only("app.load")  # the module called it while it ran

    def test_a_test_that_invokes_nothing_passes(self, make):
        with make(init_only=["app.load"]) as env:
            env.initialize()

    def test_a_target_that_does_not_exist_is_an_error_with_its_source(self, make):
        first, second = failure(ConfigError, lambda: make(init_only=["nowhere.load"]))
        assert first == (
            "init_only has 'nowhere.load', on which no spy can be placed "
            "(from the arguments of FunctionConfig)"
        )
        assert "there is no module 'nowhere' on the import path" in second

    @pytest.mark.parametrize("value", ["boto3.client", [3], ["load"], ["a.b-c"], None, {"a.b": 1}])
    def test_bad_values(self, value):
        with pytest.raises(ConfigError, match="init_only="):
            FunctionConfig("app.handler", init_only=value)


class TestNoNetwork:
    @pytest.mark.parametrize(
        ("what", "shown"),
        [
            (CONFIG, f"{CONFIG}: 200 (mocked)"),
            (GET_ITEM, "dynamodb.GetItem: 200"),
            ("connect db.internal:5432", "connected to db.internal:5432"),
            ("refused 192.0.2.1:80", "network refused: connect to 192.0.2.1:80"),
        ],
    )
    def test_every_call_and_connection_fails_with_phase_line_and_number(self, make, what, shown):
        env = make()
        invoke(env)
        env.assert_no_network()
        invoke(env, what, what)
        expected = [
            "  invoke 1 (warm, request r-1):",
            f"    {shown}, at app.py:11   x 2",
        ]
        assert failure(AssertionError, env.assert_no_network) == [
            "function code reached out 2 times",
            *expected,
        ]
        assert failure(AssertionError, env.assert_no_network, "invoke") == [
            "invokes reached out 2 times",
            *expected,
        ]
        assert failure(AssertionError, env.assert_no_network, env.invocations[1]) == [
            "invoke 1 (warm, request r-1) reached out 2 times",
            *expected,
        ]
        env.assert_no_network("init")
        env.assert_no_network(phase=env.init)
        env.assert_no_network(env.invocations[0])

    def test_secrets_are_not_shown(self, make):
        env = make("GET https://me:needle@config.example/v1?api_key=needle")
        invoke(env)
        lines = failure(AssertionError, env.assert_no_network, "init")
        assert lines == [
            "init reached out once",
            "  init:",
            "    GET https://***@config.example/v1?api_key=***: 200 (mocked), at app.py:6",
        ]

    def test_making_a_client_reaches_nothing(self, make):
        env = make("client s3")
        invoke(env)
        env.assert_no_network()

    @pytest.mark.parametrize("host", ["{api}", "localhost:{port}", "sandbox.localdomain:{port}"])
    def test_requests_to_the_apis_of_the_environment_do_not_count(self, make, host):
        env = make(source=APP + "reached = os.environ['AWS_LAMBDA_RUNTIME_API']\n")
        env.initialize()
        api = env.module.reached
        own = host.format(api=api, port=api.partition(":")[2])
        invoke(env, f"GET http://{own}/2018-06-01/runtime/invocation/next")
        assert len(env.http_calls) == 1
        env.assert_no_network()
        invoke(env, f"GET http://example.org:{api.partition(':')[2]}/", f"GET http://{own}1/")
        assert len(failure(AssertionError, env.assert_no_network)) == 4
        env.close()
        assert len(failure(AssertionError, env.assert_no_network)) == 4

    def test_a_url_that_cannot_be_parsed_counts(self, make):
        env = make()
        invoke(env, "GET http://[half", "GET http://host:port/")
        assert "2 times" in failure(AssertionError, env.assert_no_network)[0]

    def test_a_phase_that_never_ran_is_an_error(self, make):
        env = make()
        check = env.assert_no_network
        assert "no phase has run; invoke first" in failure(LifecycleError, check)[0]
        assert "no phase has run" in failure(LifecycleError, check, "init")[0]
        invoke(env)
        for phase in ("restore", "shutdown"):
            (line,) = failure(LifecycleError, check, phase)
            assert f"there was no {phase}; the phases so far are init, invoke" in line
        env.shutdown()
        check("shutdown")

    def test_a_misspelled_phase_is_an_error(self, make):
        env = make()
        invoke(env)
        (line,) = failure(LifecycleError, env.assert_no_network, "invocation")
        assert "there is no phase 'invocation'; the phases are 'init', 'restore'" in line

    def test_a_phase_of_another_environment_is_an_error(self, make):
        env, other = make(), make()
        invoke(env)
        invoke(other)
        for check in (env.assert_no_network, env.assert_calls):
            (line,) = failure(LifecycleError, check, other.init)
            assert "is a phase of another environment" in line


class TestCalls:
    def test_http_requests_and_aws_calls_are_compared_together_in_order(self, make):
        env = make(CONFIG, GET_ITEM)
        first = invoke(env, "aws sns.Publish", "client s3", "connect a:1")
        second = invoke(env, GET_ITEM)
        env.assert_calls("init", CONFIG, "dynamodb.GetItem")
        env.assert_calls(env.init, CONFIG, "dynamodb.GetItem")
        env.assert_calls(first, "sns.Publish")
        env.assert_calls("invoke", "sns.Publish", "dynamodb.GetItem")
        env.assert_calls(second, "dynamodb.GetItem")
        env.shutdown()
        env.assert_calls("shutdown")

    def test_the_difference_shows_missing_and_unexpected_calls(self, make):
        env = make()
        invocation = invoke(env, GET_ITEM, "aws sns.Publish", "aws sns.Publish", CONFIG)
        assert failure(
            AssertionError,
            env.assert_calls,
            invocation,
            "dynamodb.GetItem",
            "dynamodb.PutItem",
            CONFIG,
            "s3.PutObject",
        ) == [
            "invoke 0 (cold, request r-0) made other calls than expected (4 expected, 4 made):",
            "  dynamodb.GetItem",
            "- dynamodb.PutItem  (missing)",
            "+ sns.Publish, at app.py:11  (unexpected)   x 2",
            f"  {CONFIG}",
            "- s3.PutObject  (missing)",
        ]

    def test_the_order_counts(self, make):
        env = make(GET_ITEM, CONFIG)
        env.initialize()
        assert failure(AssertionError, env.assert_calls, "init", CONFIG, "dynamodb.GetItem") == [
            "init made other calls than expected (2 expected, 2 made):",
            "+ dynamodb.GetItem, at app.py:6  (unexpected)",
            f"  {CONFIG}",
            "- dynamodb.GetItem  (missing)",
        ]

    def test_over_several_invokes_the_invoke_is_named(self, make):
        env = make()
        invoke(env, GET_ITEM)
        invoke(env, GET_ITEM, "aws sns.Publish")
        lines = failure(AssertionError, env.assert_calls, "invoke", *["dynamodb.GetItem"] * 3)
        assert lines == [
            "invokes made other calls than expected (3 expected, 3 made):",
            "  dynamodb.GetItem   x 2",
            "- dynamodb.GetItem  (missing)",
            "+ sns.Publish, at app.py:11  (unexpected, in invoke 1)",
        ]

    def test_many_equal_calls_are_left_out(self, make):
        env = make()
        many = [f"GET https://a.example/{number}" for number in range(40)]
        invoke(env, *many, "aws sns.Publish")
        lines = failure(AssertionError, env.assert_calls, "invoke", *many)
        assert lines[1:] == [
            *(f"  {text}" for text in many[:3]),
            "  (34 equal lines)",
            *(f"  {text}" for text in many[-3:]),
            "+ sns.Publish, at app.py:11  (unexpected, in invoke 0)",
        ]

    def test_secrets_of_an_expected_url_are_redacted_as_those_of_the_call(self, make):
        secret = "GET https://me:needle@config.example/v1?api_key=needle&page=2"
        env = make(secret)
        env.initialize()
        env.assert_calls("init", secret)
        env.assert_calls("init", str(env.http_calls[0]))
        lines = failure(AssertionError, env.assert_calls, "init", secret.replace("2", "3"))
        assert lines[1:] == [
            "- GET https://***@config.example/v1?api_key=***&page=3  (missing)",
            "+ GET https://***@config.example/v1?api_key=***&page=2, at app.py:6  (unexpected)",
        ]

    @pytest.mark.parametrize("item", [["dynamodb.GetItem"], None, b"GET /", 3])
    def test_something_that_is_no_text_is_an_error(self, make, item):
        env = make()
        invoke(env)
        lines = failure(LifecycleError, env.assert_calls, "invoke", item)
        assert lines[0].startswith(f"cannot compare the calls of invokes with {item!r}: ")
        assert lines[1].startswith("Give each call as an argument of its own")

    def test_a_phase_that_never_ran_is_an_error(self, make):
        env = make()
        assert "no phase has run" in failure(LifecycleError, env.assert_calls, "init")[0]
        env.initialize()
        assert "there was no invoke" in failure(LifecycleError, env.assert_calls, "invoke")[0]
        assert "no phase 'inti'" in failure(LifecycleError, env.assert_calls, "inti")[0]
        env.assert_calls("init")

    def test_none_means_all_phases(self, make):
        env = make(CONFIG)
        assert "no phase has run" in failure(LifecycleError, env.assert_calls, None)[0]
        invoke(env, GET_ITEM)
        env.assert_calls(None, CONFIG, "dynamodb.GetItem")
        lines = failure(AssertionError, env.assert_calls, None, CONFIG)
        assert lines == [
            "function code made other calls than expected (1 expected, 2 made):",
            f"  {CONFIG}",
            "+ dynamodb.GetItem, at app.py:11  (unexpected, in invoke 0)",
        ]


REQUESTING = """
import requests
requests.get("https://config.example/v1")
def handler(event, context):
    for _ in range(event):
        requests.get("https://config.example/v1")
"""


@pytest.mark.parametrize("targets", [1, 2])
def test_requests_that_a_mock_answers_are_seen(environment, targets):
    env = environment(REQUESTING)
    with responses.RequestsMock() as mocked:
        mocked.get("https://config.example/v1", json={})
        env.invoke(0)
        second = env.invoke(targets)
    env.assert_calls("init", CONFIG)
    env.assert_calls(env.invocations[0])
    env.assert_calls(second, *[CONFIG] * targets)
    env.assert_no_network(env.invocations[0])
    lines = failure(AssertionError, env.assert_no_network, second)
    times = "   x 2" if targets == 2 else ""
    assert lines[-1] == f"    {CONFIG}: 200 (mocked), at app.py:6{times}"


def test_without_a_pytest_plugin_the_assertions_are_those_of_the_environment(tmp_path):
    (tmp_path / "app.py").write_text("def handler(event, context): pass")
    with ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path)) as env:
        env.invoke()
        env.assert_no_network()
        env.assert_calls("invoke")
