"""Patches that begin before the environment is made: the error names target and remedy."""

from __future__ import annotations

from unittest import mock

import pytest


@pytest.mark.parametrize(
    "patch",
    [
        '@mock.patch("app.table")',
        '@mock.patch("app.table", new=5)',
        '@mock.patch("app.connect", new=lambda: None)',
        '@mock.patch("app.Client.get")',
        '@mock.patch.object(app.Client, "get", new=lambda self: None)',
        '@mock.patch("app.connect", autospec=True)',
        '@mock.patch.multiple("app", table=1, connect=2)',
        "@pytest.mark.usefixtures('started')",
        "@pytest.mark.usefixtures('monkeypatched')",
        "@pytest.mark.usefixtures('monkeypatched_value')",
        "@pytest.mark.usefixtures('monkeypatched_class')",
        "@pytest.mark.usefixtures('by_hand')",
    ],
)
def test_the_error_names_target_and_remedy(pytester, patch):
    mocks = "fake, " if patch.startswith("@mock.patch(") and "new=" not in patch else ""
    pytester.makepyfile(
        app="""
            class Client:
                def get(self): return "real"
            def connect(): return Client()
            table = connect()
            LIMIT = 3
            def handler(event, context): return connect().get()
        """,
        test_it=f"""
            import pytest
            from unittest import mock
            import app

            @pytest.fixture
            def started():
                patcher = mock.patch("app.LIMIT", 5)
                patcher.start()
                yield
                patcher.stop()

            @pytest.fixture
            def monkeypatched(monkeypatch):
                monkeypatch.setattr("app.connect", lambda: None)

            @pytest.fixture
            def monkeypatched_value(monkeypatch):
                monkeypatch.setattr(app, "LIMIT", 5)

            @pytest.fixture
            def monkeypatched_class(monkeypatch):
                monkeypatch.setattr(app.Client, "get", lambda self: "fake")

            @pytest.fixture
            def by_hand():
                before, app.connect = app.connect, lambda: None
                yield
                app.connect = before

            {patch}
            def test_it({mocks}lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke()
        """,
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*importlib*")  # the traceback ends at the line of the test
    result.stdout.re_match_lines(
        [
            r"E +.*LifecycleError: app\.(table|connect|Client\.get|LIMIT) is patched on the test's",
            r"E +.*env\.patch",
        ]
    )


@pytest.mark.parametrize(
    "test",
    [
        "with mock.patch('app.LIMIT', 5): check(lambda_lifecycle)",
        "with mock.patch.object(app.Client, 'URL', None): check(lambda_lifecycle)",
        "with mock.patch.multiple(app, LIMIT=5, CACHE={'a': 1}): check(lambda_lifecycle)",
        "with contextlib.ExitStack() as s: "
        "s.enter_context(mock.patch('app.LIMIT', 5)); check(lambda_lifecycle)",
        "with pytest.MonkeyPatch.context() as own: "
        "own.setattr(app, 'LIMIT', 5); check(lambda_lifecycle)",
        "mock.patch('app.LIMIT', 5)(check)(lambda_lifecycle)",
        "request.getfixturevalue('patched'); check(lambda_lifecycle)",
        "request.getfixturevalue('monkeypatch').setattr(app, 'LIMIT', 5); check(lambda_lifecycle)",
        "request.getfixturevalue('mocker').patch('app.LIMIT', 5); check(lambda_lifecycle)",
    ],
)
def test_patches_of_plain_values_are_an_error(pytester, test):
    if "mocker" in test:
        pytest.importorskip("pytest_mock")
    pytester.makepyfile(
        app="""
            LIMIT, CACHE = 3, {}
            class Client: URL = "real"
            def handler(event, context): return LIMIT
        """,
        test_it=f"""
            import contextlib, pytest
            from unittest import mock
            import app
            from pytest_lambda_lifecycle import LifecycleError

            @pytest.fixture
            def patched():
                with mock.patch("app.LIMIT", 5): yield

            def check(lambda_lifecycle):
                match = "app.(LIMIT|CACHE|Client.URL) is patched on the test"
                with pytest.raises(LifecycleError, match=match):
                    lambda_lifecycle("app.handler").invoke()

            def test_it(lambda_lifecycle, request):
                {test}

            def test_next(lambda_lifecycle, request, monkeypatch):
                monkeypatch.setattr(app, "LIMIT", 5)
                monkeypatch.undo()
                with mock.patch("app.LIMIT", 5): pass
                assert lambda_lifecycle("app.handler").invoke().payload == 3
        """,
    )
    plugins = ("-p", "pytest_mock") if "mocker" in test else ()
    pytester.runpytest("-p", "no:randomly", *plugins).assert_outcomes(passed=2)


@pytest.mark.parametrize("patcher", ["mock.patch('app.LIMIT', 5)", "pytest.MonkeyPatch.context()"])
def test_a_patch_that_begins_before_the_first_use_is_an_error(pytester, patcher):
    before = mock._patch.__enter__, pytest.MonkeyPatch.__init__
    pytester.makepyfile(
        app="LIMIT = 3\ndef handler(event, context): return LIMIT",
        test_it=f"""
            import pytest
            from unittest import mock
            import app
            from pytest_lambda_lifecycle import LifecycleError

            @pytest.fixture(scope="module", autouse=True)
            def patched():
                with {patcher} as patcher:
                    if patcher != 5: patcher.setattr("app.LIMIT", 5)
                    yield

            @pytest.mark.parametrize("n", range(2))
            def test_it(n, lambda_lifecycle):
                with pytest.raises(LifecycleError, match="app.LIMIT is patched on the test"):
                    lambda_lifecycle("app.handler").invoke()
        """,
    )
    pytester.runpytest().assert_outcomes(passed=2)
    assert before == (mock._patch.__enter__, pytest.MonkeyPatch.__init__)


@pytest.mark.parametrize(
    "change",
    [
        "app.handler({}, None)",
        "importlib.reload(app)",
        "app.CACHE['x'] = 1",
        "app.client = app.make()",
        "freezer.move_to('2020-01-01')",
        "monkeypatch.setattr('json.dumps', json.dumps)",
        "monkeypatch.setenv('TABLE', 'x')",
    ],
)
def test_changes_of_the_module_itself_are_not_patches(pytester, change):
    if "freezer" in change:
        pytest.importorskip("pytest_freezer")
    fixture = "freezer" if "freezer" in change else "tmp_path"
    pytester.makepyfile(
        app="""
            import json
            from datetime import datetime
            count = 0
            client = None
            CACHE = {}
            class Client: pass
            def make(): return Client()
            def handler(event, context):
                global count, client
                count += 1
                client = client or make()
                return count
        """,
        test_it=f"""
            import importlib, json, pytest
            import app

            @pytest.fixture
            def freezer():
                from freezegun import freeze_time
                with freeze_time("2021-01-01") as frozen:
                    yield frozen

            def test_it(lambda_lifecycle, monkeypatch, {fixture}):
                {change}
                assert lambda_lifecycle("app.handler").invoke().payload == 1
        """,
    )
    pytester.runpytest().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "patch",
    [
        "mock.patch.dict('os.environ', {'A': 'b'})",
        "mock.patch.dict(app.CACHE, {'A': 'b'})",
        "mock.patch.multiple('json', dumps=json.dumps)",
        "mock.patch('json.loads', json.loads)",
    ],
)
@pytest.mark.parametrize("decorates", [True, False])
def test_patches_outside_of_function_code_are_not_an_error(pytester, patch, decorates):
    pytester.makepyfile(
        app="CACHE = {}\ndef handler(event, context): return len(CACHE)",
        test_it=f"""
            import json
            from unittest import mock
            import pytest
            import app

            @pytest.fixture
            def started():
                patcher = {patch}
                patcher.start()
                yield
                patcher.stop()

            {"@" + patch if decorates else "@pytest.mark.usefixtures('started')"}
            def test_it(lambda_lifecycle):
                assert lambda_lifecycle("app.handler").invoke().payload == 0
        """,
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_fixture_requested_at_run_time_sees_the_patches_of_its_test(pytester):
    pytester.makepyfile(
        app="LIMIT = 3\ndef handler(event, context): return LIMIT",
        test_it="""
            import pytest
            import app
            from pytest_lambda_lifecycle import LifecycleError

            def test_first(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke()

            def test_second(request, monkeypatch):
                env = request.getfixturevalue("lambda_lifecycle")("app.handler")
                assert env.invoke().payload == 3

            def test_third(request, monkeypatch):
                monkeypatch.setattr(app, "LIMIT", 5)
                with pytest.raises(LifecycleError, match="app.LIMIT is patched on the test"):
                    request.getfixturevalue("lambda_lifecycle")("app.handler").invoke()

            def test_fourth(request):
                request.getfixturevalue("session_lambda_lifecycle")("app.handler").invoke()
        """,
    )
    pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=4)


def test_lazy_objects_in_a_module_are_not_evaluated(pytester):
    pytester.makepyfile(
        app="""
            class Lazy:
                @property
                def __class__(self): raise RuntimeError("woken")
            table = Lazy()
            def handler(event, context): return 1
        """,
        test_it="""
            from unittest import mock
            import app
            def test_it(lambda_lifecycle):
                assert lambda_lifecycle("app.handler").invoke().payload == 1
        """,
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_patch_after_init_acts_on_the_environment(pytester):
    pytester.makepyfile(
        app="""
            def connect(): return "real"
            def handler(event, context): return connect()
        """,
        test_it="""
            from unittest import mock
            import app

            def test_it(lambda_lifecycle, monkeypatch):
                env = lambda_lifecycle("app.handler")
                env.initialize()
                with mock.patch("app.connect", return_value="mock"):
                    assert env.invoke().payload == "mock"
                monkeypatch.setattr("app.connect", lambda: "monkey")
                assert env.invoke().payload == "monkey"
                assert app.connect() == "real"
        """,
    )
    pytester.runpytest().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "patch",
    [
        'mock.patch.object(app, "status", return_value="of the conftest")',
        'mock.patch("app.status", return_value="of the conftest")',
        "by_hand()",
    ],
)
@pytest.mark.parametrize("scope", ["function", "session"])
def test_a_patch_of_the_environment_takes_over_that_of_a_conftest(pytester, patch, scope):
    """The other tests keep the patch; the error of a test that replaces nothing names them all."""
    pytester.makepyfile(
        app="""
            LIMIT = 1
            class Client:
                def get(self): return "real"
            def status(): return Client().get()
            def handler(event, context): return status()
        """,
        conftest=f"""
            import contextlib, pytest
            from unittest import mock
            import app

            @contextlib.contextmanager
            def by_hand():
                before, app.status = app.status, lambda *args: "of the conftest"
                yield
                app.status = before

            @pytest.fixture(autouse=True, scope="{scope}")
            def no_status():
                with {patch}, mock.patch.object(app.Client, "get"):
                    yield
        """,
        test_it="""
            import app, pytest
            from pytest_lambda_lifecycle import LifecycleError

            def test_own_copy():
                assert app.handler({}, None) == "of the conftest"

            def test_taken_over(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                env.patch("app.status", lambda: "mine")
                env.patch("app.Client", None)
                assert env.invoke().payload == "mine"
                env.reset()
                assert env.invoke().payload == "mine"
                assert app.handler({}, None) == "of the conftest"

            def test_the_others_are_named(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                with pytest.raises(LifecycleError, match="app.Client.get.*; so are app.status"):
                    env.invoke()
                env.patch("app.status", lambda: "mine")
                with pytest.raises(LifecycleError, match="app.Client.get is patched"):
                    env.invoke()
        """,
    )
    expected = {"passed": 3}
    if patch == "by_hand()" and scope == "session":
        pytest.skip("a plain assignment before the first test leaves no trace")
    pytester.runpytest("-p", "no:randomly").assert_outcomes(**expected)


def test_a_patch_of_an_environment_of_the_session_takes_over_that_of_a_later_fixture(pytester):
    pytester.makepyfile(
        app="def status(): return 'real'\ndef handler(event, context): return status()",
        conftest="""
            import app, pytest

            @pytest.fixture(scope="session")
            def env(session_lambda_lifecycle):
                env = session_lambda_lifecycle("app.handler")
                env.initialize()
                return env

            @pytest.fixture(autouse=True)
            def no_status(env, monkeypatch):
                monkeypatch.setattr(app, "status", lambda: "of the conftest")
        """,
        test_it="""
            import pytest
            from pytest_lambda_lifecycle import LifecycleError

            def test_it(env):
                with pytest.raises(LifecycleError, match=r"ask this environment for env\\.patch"):
                    env.invoke()
                env.patch("app.status", lambda: "mine")
                assert env.invoke().payload == "mine"
        """,
    )
    pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=1)


@pytest.mark.parametrize("first", ["lambda_lifecycle", "request"])
def test_a_patch_of_a_dict_that_has_ended_is_none(pytester, first):
    """The patcher of a decorator lives on, and looks as if it were in force."""
    pytester.makepyfile(
        app="""
            RATES = {"EUR": 1}
            def handler(event, context): return RATES
        """,
        test_it=f"""
            from unittest import mock
            import app

            def invoke(lambda_lifecycle):
                return lambda_lifecycle("app.handler").invoke().payload

            def test_an_environment({first}):
                if {first!r} == "lambda_lifecycle":
                    invoke(lambda_lifecycle)

            @mock.patch.dict("app.RATES", {{"GBP": 0.5}})
            def test_a_plain_call():
                assert app.handler(1, None)["GBP"]

            def test_another_environment(lambda_lifecycle):
                assert invoke(lambda_lifecycle) == {{"EUR": 1}}
                app.RATES["USD"] = 2
                assert invoke(lambda_lifecycle) == {{"EUR": 1}}

            def test_a_patch_that_is_in_force(lambda_lifecycle):
                with mock.patch.dict("app.RATES", {{"GBP": 0.5}}):
                    invoke(lambda_lifecycle)
        """,
    )
    result = pytester.runpytest("-p", "no:randomly")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["E *LifecycleError: app.RATES is patched on the test's own copy*"])
