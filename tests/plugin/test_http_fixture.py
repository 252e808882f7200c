"""The fixtures ``lambda_http``, ``class_lambda_http``, ``module_lambda_http`` and
``session_lambda_http``."""

from __future__ import annotations

from importlib import metadata

import pytest

# Version 0.24 of responses leaves an unclosed socket with each response.
OLD = int(metadata.version("responses").split(".")[1]) < 25
WARNINGS = ["-W", "error"]
if OLD:
    WARNINGS += ["-W", "ignore:unclosed <socket:ResourceWarning"]
    WARNINGS += ["-W", "ignore::pytest.PytestUnraisableExceptionWarning"]

APP = """
    import requests

    def fetch(url):
        return requests.get(url, timeout=5).text

    loaded = fetch("https://config.example/v1")

    def handler(event, context):
        return fetch(event["url"]) if event else loaded
"""
SHOWS_THE_ADAPTER = """
    from requests.adapters import HTTPAdapter

    GENUINE = HTTPAdapter.send

    def pytest_terminal_summary(terminalreporter):
        terminalreporter.write_line(f"restored: {HTTPAdapter.send is GENUINE}")
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(app=APP)
    pytester.makeconftest(SHOWS_THE_ADAPTER)
    return pytester


def outcomes(suite: pytest.Pytester, test: str, **expected: int) -> pytest.RunResult:
    suite.makepyfile(test_it=test)
    result = suite.runpytest_subprocess(*WARNINGS)
    result.assert_outcomes(**expected)
    result.stdout.fnmatch_lines(["restored: True"])
    return result


@pytest.mark.parametrize(
    "order", ["lambda_lifecycle, lambda_http", "lambda_http, lambda_lifecycle"]
)
def test_config_is_fetched_once(suite, order):
    outcomes(
        suite,
        f"""
        def test_config_is_fetched_once({order}):
            lambda_http.get("https://config.example/v1", json={{"v": 1}})
            env = lambda_lifecycle("app.handler")
            cold, warm = env.invoke({{}}), env.invoke({{}})
            assert [call.url for call in env.init.http_calls] == ["https://config.example/v1"]
            assert not warm.http_calls
        """,
        passed=1,
    )


@pytest.mark.parametrize(
    "order", ["lambda_lifecycle, lambda_http", "lambda_http, lambda_lifecycle"]
)
def test_it_answers_in_the_shutdown_at_the_end_of_the_test(suite, order):
    outcomes(
        suite,
        f"""
        import pytest, requests
        from pytest_lambda_lifecycle import Extension

        seen = []

        class Flush(Extension):
            name = "flush"

            def on_shutdown(self, event):
                seen.append(requests.get("https://config.example/v1").text)

        def test_it({order}):
            lambda_http.get("https://config.example/v1", body="x")
            env = lambda_lifecycle("app.handler")
            env.add_extension(Flush())
            env.invoke({{}})

        def test_after():
            assert seen == ["x"]
        """,
        passed=2,
    )


def test_an_unmatched_request_is_shown_with_phase_and_line(suite):
    result = outcomes(
        suite,
        """
        def test_it(lambda_lifecycle, lambda_http):
            lambda_http.get("https://config.example/v1", body="x")
            lambda_lifecycle("app.handler").invoke({"url": "https://shop.example/?token=s3cr3t"})
        """,
        failed=1,
    )
    result.stdout.fnmatch_lines(
        [
            "*Connection refused by Responses*",
            "*GET https://shop.example/?token=[*][*][*]",
            "*GET https://config.example/v1 URL does not match",
            "*Phase: invoke, env.invocations[[]0]",
            "*Function code: app.py:4",
        ]
    )


def test_the_wide_forms_stay_in_force_and_lie_beneath_the_narrow_one(suite):
    outcomes(
        suite,
        """
        import pytest

        @pytest.fixture(scope="module", autouse=True)
        def config(module_lambda_http, session_lambda_http):
            module_lambda_http.get("https://config.example/v1", body="module")
            session_lambda_http.get("https://session.example/", body="session")

        @pytest.fixture(scope="module")
        def env(module_lambda_lifecycle):
            return module_lambda_lifecycle("app.handler")

        class TestOne:
            def test_the_module(self, env, module_lambda_http):
                assert env.invoke({}).payload == "module"
                assert len(module_lambda_http.calls) == 1

            def test_the_session_beneath(self, env):
                assert env.invoke({"url": "https://session.example/"}).payload == "session"

            def test_a_class_above(self, env, class_lambda_http, lambda_http):
                class_lambda_http.get("https://session.example/", body="class")
                assert env.invoke({"url": "https://session.example/"}).payload == "class"
                lambda_http.get("https://session.example/", body="test")
                assert env.invoke({"url": "https://session.example/"}).payload == "test"

            def test_the_class_again(self, env, class_lambda_http):
                assert env.invoke({"url": "https://session.example/"}).payload == "class"

        def test_the_session_again(env):
            assert env.invoke({"url": "https://session.example/"}).payload == "session"
        """,
        passed=5,
    )


def test_missing_requests_are_no_matter_unless_asked_for(suite):
    result = outcomes(
        suite,
        """
        def test_it(lambda_http):
            lambda_http.get("https://config.example/v1")

        def test_asked(lambda_http):
            lambda_http.assert_all_requests_are_fired = True
            lambda_http.get("https://config.example/v1?api_key=s3cr3t")

        def test_made_in_shutdown(lambda_lifecycle, lambda_http):
            lambda_http.assert_all_requests_are_fired = True
            lambda_http.get("https://config.example/v1", body="x")
            lambda_lifecycle("app.handler").invoke({})
        """,
        passed=3,
        errors=1,
    )
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_asked*",
            "Not all requests have been executed:",
            "- GET https://config.example/v1[?]api_key=[*][*][*]",
        ]
    )
    result.stdout.no_fnmatch_line("*in stop*")
    result.stdout.no_fnmatch_line("*traceback entries are hidden*")


def test_a_failed_test_gets_no_second_error_for_missing_requests(suite):
    outcomes(
        suite,
        """
        import pytest
        from pytest_lambda_lifecycle import LambdaHttp

        @pytest.fixture
        def own():
            with LambdaHttp(assert_all_requests_are_fired=True) as http:
                yield http

        def test_it(lambda_http):
            lambda_http.assert_all_requests_are_fired = True
            lambda_http.get("https://config.example/v1")
            assert False

        def test_own(own):
            own.get("https://config.example/v1")
            assert False
        """,
        failed=2,
    )


def test_a_suite_may_override_the_fixture_to_choose_a_registry(suite):
    outcomes(
        suite,
        """
        import pytest
        from responses.registries import OrderedRegistry
        from pytest_lambda_lifecycle import LambdaHttp

        @pytest.fixture
        def lambda_http():
            with LambdaHttp(registry=OrderedRegistry) as http:
                yield http

        def test_it(lambda_lifecycle, lambda_http):
            lambda_http.get("https://config.example/v1", body="one")
            lambda_http.get("https://config.example/v1", body="two")
            env = lambda_lifecycle("app.handler")
            assert env.invoke({}).payload == "one"
            assert env.invoke({"url": "https://config.example/v1"}).payload == "two"
        """,
        passed=1,
    )


@pytest.mark.parametrize(
    "other", ["@responses.activate", "@mock_aws", "@responses.activate\n        @mock_aws"]
)
def test_decorators_of_other_mocks_begin_after_it(suite, other):
    outcomes(
        suite,
        f"""
        import pytest, responses
        from moto import mock_aws

        {other}
        def test_it(lambda_lifecycle, lambda_http):
            lambda_http.get("https://config.example/v1", body="x")
            responses.get("https://other.example/", body="other")
            env = lambda_lifecycle("app.handler")
            assert env.invoke({{}}).payload == "x"
            assert env.invoke({{"url": "https://other.example/"}}).payload == "other"
            bucket = env.invoke({{"url": "https://s3.amazonaws.com/none/key"}}, check=False)
            assert ("NoSuchBucket" in (bucket.payload or "")) is {"mock_aws" in other}
            responses.reset()
        """,
        passed=1,
    )


def test_tools_that_patch_the_adapter_end_before_or_after_it(suite):
    outcomes(
        suite,
        """
        import pytest
        from requests.adapters import HTTPAdapter

        @pytest.mark.parametrize("first", ["lambda_http", "monkeypatch"])
        def test_it(request, first, lambda_lifecycle):
            request.getfixturevalue(first)
            monkeypatch = request.getfixturevalue("monkeypatch")
            http = request.getfixturevalue("lambda_http")
            http.get("https://config.example/v1", body="x")
            env = lambda_lifecycle("app.handler")
            env.invoke({})
            monkeypatch.setattr(HTTPAdapter, "send", lambda *_, **__: 1 / 0)
            assert env.invoke({"url": "https://config.example/v1"}).payload == "x"
            with pytest.raises(Exception, match="ZeroDivisionError"):
                env.invoke({"url": "https://none.example/"})
        """,
        passed=2,
    )


def test_it_leaves_nothing_where_no_environment_is_made(suite):
    outcomes(
        suite,
        """
        import requests
        from requests.adapters import HTTPAdapter

        def test_it(monkeypatch, lambda_http):
            lambda_http.get("https://config.example/v1", body="x")
            assert requests.get("https://config.example/v1").text == "x"
            monkeypatch.setattr(HTTPAdapter, "send", HTTPAdapter.send)
        """,
        passed=1,
    )
