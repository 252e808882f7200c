"""The marker ``lambda_lifecycle``: handler and settings of a test, a class or a module."""

from __future__ import annotations

import pytest


def test_the_closest_marker_wins(suite):
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.lambda_lifecycle(timeout=4, memory_size=200)
        @pytest.mark.lambda_lifecycle("app.handler", timeout=5)
        def test_stacked(lambda_lifecycle):
            config = lambda_lifecycle().config
            assert (config.timeout, config.memory_size) == (5, 200)

        @pytest.mark.lambda_lifecycle("app.handler", timeout=6, memory_size=300)
        class Base:
            def test_inherited(self, lambda_lifecycle):
                config = lambda_lifecycle().config
                assert (config.timeout, config.memory_size) == self.expected

        class TestPlain(Base):
            expected = (6, 300)

        @pytest.mark.lambda_lifecycle(timeout=7)
        class TestDerived(Base):
            expected = (7, 300)
        """
    )
    suite.runpytest().assert_outcomes(passed=3)


def test_a_marker_acts_on_every_fixture_but_that_of_the_session(suite):
    suite.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.lambda_lifecycle("app.handler", timeout=4)

        @pytest.mark.lambda_lifecycle(timeout=5)
        class TestIt:
            @pytest.mark.lambda_lifecycle(timeout=6)
            def test_it(self, lambda_lifecycle, class_lambda_lifecycle, module_lambda_lifecycle,
                        session_lambda_lifecycle):
                assert lambda_lifecycle().config.timeout == 6
                assert class_lambda_lifecycle().config.timeout == 5
                assert module_lambda_lifecycle().config.timeout == 4
                assert session_lambda_lifecycle("app.handler").config.timeout == 3
                with pytest.raises(ValueError, match="no handler"):
                    session_lambda_lifecycle()
        """
    )
    suite.runpytest().assert_outcomes(passed=1)


def test_a_handler_in_a_marker_does_not_reach_the_fixture_of_the_session(suite):
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.lambda_lifecycle("app.handler")
        def test_it(session_lambda_lifecycle):
            session_lambda_lifecycle()
        """
    )
    result = suite.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [r"E .*ConfigError: no handler .*::test_it has, does not reach session_lambda_"]
    )


def test_a_parameter_may_have_a_marker(suite):
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("timeout", [
            pytest.param(n, marks=pytest.mark.lambda_lifecycle(timeout=n)) for n in (4, 5)])
        @pytest.mark.lambda_lifecycle(handler="app.handler")
        def test_it(lambda_lifecycle, timeout):
            assert lambda_lifecycle().config.timeout == timeout
        """
    )
    suite.runpytest("--strict-markers").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            '"app.handler", 3',
            "takes one positional argument, the handler, and was given 2: 'app.handler', 3",
        ),
        ("timout=3", "unknown setting 'timout': did you mean 'timeout'?"),
        ('"a.b", handler="c.d"', "two handlers: 'a.b' and 'c.d'"),
    ],
)
def test_wrong_arguments_are_an_error_that_names_the_marker(suite, arguments, message):
    suite.makepyfile(
        test_it=f"""
            import pytest

            @pytest.mark.lambda_lifecycle({arguments})
            def test_it(lambda_lifecycle):
                pass
        """
    )
    result = suite.runpytest()
    result.assert_outcomes(errors=1)
    text = result.stdout.str()
    assert message in text
    assert "(from the marker at test_it.py:3 (test_it))" in text
    assert "fixtures.py" not in text


def test_wrong_values_show_at_the_call(suite):
    suite.makepyfile(
        test_it="""
            import pytest

            @pytest.mark.lambda_lifecycle("app.handler", timeout=1801)
            def test_it(lambda_lifecycle):
                lambda_lifecycle()
        """
    )
    result = suite.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*lambda_lifecycle()",
            "E*timeout=1801 s is outside Lambda's range 1..1800 s "
            "(from the marker at test_it.py:3 (test_it)) ?LLC202?",
            "test_it.py:5: ConfigError",
        ]
    )
    assert "config.py" not in result.stdout.str()


def test_the_marker_is_documented(suite):
    suite.runpytest("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.lambda_lifecycle(handler=None, [*][*]settings): *"]
    )
