"""Mistakes of newcomers: each error says what was meant, or what to do next."""

import pytest

APP = """
    table = object()
    def handler(event, context): return event
"""


@pytest.fixture
def message(pytester):
    """Return the lines of the error of a test, in one text."""

    def message(body, *, before="", arguments=(), fixtures="lambda_lifecycle"):
        pytester.makepyfile(
            **{
                "src/shop/__init__": "",
                "src/shop/app": APP,
                "test_it": f"import pytest\n{before}\ndef test_it({fixtures}):\n    {body}\n",
            }
        )
        options = ("-W", "ignore", "--tb=short", "-p", "no:cacheprovider", *arguments)
        result = pytester.runpytest(*options)
        result.assert_outcomes(failed=1)
        return "\n".join(line[1:].strip() for line in result.outlines if line.startswith("E  "))

    return message


H = '"shop.app.handler"'
ENV = f"env = lambda_lifecycle({H}); "


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ("lambda_lifecycle.invoke({})", 'env = lambda_lifecycle("app.handler")'),
        ("lambda_lifecycle.timeout", "'LambdaLifecycle' object has no attribute 'timeout'"),
        ("lambda_lifecycle({'id': 1})", "The event goes to invoke"),
        (f"lambda_lifecycle({H}, {{}})", "the event goes to invoke"),
        (f"lambda_lifecycle({H}, 3)", "Settings are keywords, as in timeout=3"),
        ("with lambda_lifecycle as env: pass", 'env = lambda_lifecycle("app.handler")'),
        (f"{ENV}env({{}})", "env.invoke(event)"),
        (f"{ENV}env.invoke({{}}, None)", "The event is the only one: Lambda makes the context"),
        (f"{ENV}env.call({{}})", "did you mean invoke(event)?"),
        (f"{ENV}env.sleep(5)", "did you mean idle(seconds)?"),
        (f"{ENV}env.timelin", "did you mean timeline?"),
        (f"{ENV}env.invoke().body", "did you mean payload?"),
        (f"{ENV}env.invoke().requestid", "did you mean request_id?"),
        (f"{ENV}env.invoke({{}})['statusCode']", "payload['statusCode']"),
        (f"{ENV}list(env.invoke({{}}))", "not iterable"),
        (f"{ENV}env.spy(print)", "Did you mean its name: 'builtins.print'?"),
        (f"{ENV}env.patch(3, 4)", "a target is the dotted name"),
        (f"{ENV}env.initialize(); env.initialize()", "after reset() the next invoke runs it"),
        (f"lambda_lifecycle({H}, timeout=3000)", "In seconds, as on Lambda: timeout=3?"),
        (f"lambda_lifecycle({H}, timeout=0.5)", "remaining_ms=500"),
        (f"lambda_lifecycle({H}, runtime='3.12')", "did you mean 'python3.12'?"),
        (f"lambda_lifecycle({H}, initialization_type='snapstart')", "did you mean 'snap-start'?"),
        (f"lambda_lifecycle({H}, account_id=123456789012)", "Write account_id='123456789012'."),
        (f"lambda_lifecycle({H}, code_dir='sorc')", "did you mean 'src'?"),
        (f"lambda_lifecycle({H}, code_dir='src/shop/app.py')", "the directory around it is"),
        ("lambda_lifecycle('shop.ap.handler')", "Did you mean 'shop.app.handler'"),
        ("lambda_lifecycle('shop.app:handler').invoke()", "did you mean 'shop.app.handler'?"),
        (
            "env = lambda_lifecycle('app.handler', code_dir='src/shop'); env.invoke(); "
            "env.assert_calls('s3.GetObject')",
            "or None for all",
        ),
    ],
)
def test_each_says_what_was_meant(message, body, meant):
    assert meant in message(body)


def test_an_invocation_in_the_place_of_its_payload(message):
    assert "payload, {'id': 1}, which is equal" in message(
        f"{ENV}assert env.invoke({{'id': 1}}) == {{'id': 1}}"
    )
    assert "payload, {}, which is not equal, too" in message(f"{ENV}assert 3 == env.invoke()")


def test_a_misspelt_marker(message):
    marked = f"@pytest.mark.lambda_lifcycle({H})"
    text = message("lambda_lifecycle()", before=marked)
    assert "the test has the marker 'lambda_lifcycle'" in text
    assert "did you mean @pytest.mark.lambda_lifecycle?" in text


def test_attributes_that_objects_do_not_have_stay_attribute_errors(environment):
    env = environment(APP)
    assert not hasattr(env, "call")
    assert not hasattr(env, "__wrapped__")
    assert getattr(env.invoke(), "body", None) is None


@pytest.mark.parametrize(
    "misuse",
    ["lambda_lifecycle('app.handler', timout=3)", "lambda_lifecycle('app.handler').invoke({1})"],
)
def test_errors_print_under_the_name_by_which_users_import_them(pytester, misuse):
    pytester.makepyfile(app=APP, test_it=f"def test_it(lambda_lifecycle): {misuse}")
    text = pytester.runpytest().stdout.str()
    assert "E   pytest_lambda_lifecycle." in text.replace("E       ", "E   ")
    assert ".errors." not in text


class TestMarkersThatNobodyReads:
    def test_on_a_test_without_the_fixture(self, pytester):
        pytester.makepyfile(
            """
            import pytest
            @pytest.mark.lambda_lifecycle("app.handler")
            def test_it(): pass
            """
        )
        result = pytester.runpytest("-W", "default", "-W", "ignore:Module already imported")
        result.assert_outcomes(passed=1, warnings=1)
        result.stdout.fnmatch_lines(
            ["*LifecycleWarning: the marker lambda_lifecycle has no effect*"]
        )

    def test_not_for_markers_of_a_class_or_a_module_nor_for_fixtures_of_fixtures(self, pytester):
        pytester.makepyfile(
            app=APP,
            test_it="""
                import pytest
                pytestmark = pytest.mark.lambda_lifecycle(timeout=4)
                @pytest.fixture
                def env(request): return request.getfixturevalue("lambda_lifecycle")()
                def test_without(): pass
                @pytest.mark.lambda_lifecycle(timeout=5)
                class TestIt:
                    def test_without(self): pass
                    @pytest.mark.lambda_lifecycle("app.handler")
                    def test_with(self, env): assert env.config.timeout == 5
            """,
        )
        pytester.runpytest("-W", "error", "-W", "ignore:Module already imported").assert_outcomes(
            passed=3
        )
