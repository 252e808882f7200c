"""The fixture ``lambda_lifecycle_config``: settings of a suite, a directory or a module."""

from __future__ import annotations


def test_settings_of_the_fixture_are_the_defaults_of_the_suite(suite):
    suite.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session")
        def lambda_lifecycle_config():
            return {"handler": "app.handler", "timeout": 8}
        """
    )
    suite.makepyfile(
        """
        def test_it(lambda_lifecycle):
            config = lambda_lifecycle().config
            assert config.timeout == 8
            assert config.source_of("timeout") == "the lambda_lifecycle_config fixture"
        """
    )
    suite.runpytest().assert_outcomes(passed=1)


def test_a_module_may_override_the_fixture(suite):
    suite.makepyfile(
        """
        import pytest

        @pytest.fixture
        def lambda_lifecycle_config(lambda_lifecycle_config, request):
            return {**lambda_lifecycle_config, "function_name": request.node.name}

        def test_it(lambda_lifecycle):
            assert lambda_lifecycle("app.handler").config.function_name == "test_it"
        """
    )
    suite.runpytest().assert_outcomes(passed=1)


def test_the_fixture_has_to_return_a_mapping(suite):
    suite.makepyfile(
        """
        import pytest

        @pytest.fixture
        def lambda_lifecycle_config():
            return [("timeout", 3)]

        def test_it(lambda_lifecycle):
            pass
        """
    )
    result = suite.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*the lambda_lifecycle_config fixture has to return a mapping of settings, not*"]
    )
