"""Precedence of the sources of a setting, and their names."""

from __future__ import annotations

import pytest

SOURCES = ("ini", "command line", "fixture", "hook", "module", "class", "function", "call")


@pytest.mark.parametrize("highest", range(1, len(SOURCES) + 1))
def test_each_source_wins_over_those_before_it(suite, highest):
    used = SOURCES[:highest]
    words = {
        "ini": "ini option lambda_lifecycle_timeout in tox.ini",
        "command line": "--lambda-lifecycle-timeout",
        "fixture": "the lambda_lifecycle_config fixture",
        "hook": "hook pytest_lambda_lifecycle_config of conftest.py",
        "module": "(pytestmark)",
        "class": "(class TestIt)",
        "function": "(TestIt.test_it)",
        "call": "the call at",
    }
    timeout = {source: index + 10 for index, source in enumerate(SOURCES)}
    variables = {
        source: {"STAGE": source, source.upper().replace(" ", "_"): "yes"} for source in SOURCES
    }

    def settings(source: str) -> str:
        return (
            f"timeout={timeout[source]}, environment={variables[source]!r}"
            if source in used
            else ""
        )

    ini = "[pytest]\n"
    if "ini" in used:
        ini += f"lambda_lifecycle_timeout={timeout['ini']}\n"
        ini += "lambda_lifecycle_environment=\n  STAGE=ini\n  INI=yes"
    suite.makeini(ini)
    suite.makeconftest(f"""
        import pytest

        @pytest.fixture(scope="session")
        def lambda_lifecycle_config():
            return dict({settings("fixture")})

        def pytest_lambda_lifecycle_config(request, settings):
            return dict({settings("hook")}) or None
    """)
    merged = {}
    for source in used:
        merged.update(variables[source])
    suite.makepyfile(f"""
        import pytest
        pytestmark = pytest.mark.lambda_lifecycle({settings("module")})

        @pytest.mark.lambda_lifecycle({settings("class")})
        class TestIt:
            @pytest.mark.lambda_lifecycle({settings("function")})
            def test_it(self, lambda_lifecycle):
                config = lambda_lifecycle("app.handler", {settings("call")}).config
                assert config.timeout == {timeout[used[-1]]}
                assert config.environment == {merged!r}
                assert {words[used[-1]]!r} in config.source_of("timeout")
    """)
    arguments = []
    if "command line" in used:
        arguments = [
            "--lambda-lifecycle-timeout=11",
            "--lambda-lifecycle-environment=STAGE=command line",
        ]
        arguments += ["--lambda-lifecycle-environment=COMMAND_LINE=yes"]
    suite.runpytest(*arguments).assert_outcomes(passed=1)


def test_the_source_of_a_setting_is_a_place_in_a_file(suite):
    suite.makepyfile(
        test_places="""
            import pytest

            @pytest.mark.lambda_lifecycle("app.handler", timeout=4)
            class TestIt:
                @pytest.mark.lambda_lifecycle(memory_size=256)
                def test_it(self, lambda_lifecycle):
                    source_of = lambda_lifecycle(region="eu-west-1").config.source_of
                    assert source_of("handler") == "the marker at test_places.py:3 (class TestIt)"
                    expected = "the marker at test_places.py:5 (TestIt.test_it)"
                    assert source_of("memory_size") == expected
                    assert source_of("region") == "the call at test_places.py:7"
                    assert source_of("code_dir") == "the search for the handler's module"
        """
    )
    suite.runpytest().assert_outcomes(passed=1)
