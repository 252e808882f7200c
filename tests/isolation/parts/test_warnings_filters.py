"""Filters of the module ``warnings``, and the lines that it writes."""

from __future__ import annotations

import warnings

import pytest

from pytest_lambda_lifecycle import FunctionLog


def test_filters_of_the_function_do_not_stay(environment):
    before = warnings.filters
    env = environment("""
        import warnings
        warnings.simplefilter("ignore", UserWarning)
        def handler(event, context): warnings.warn("quiet"); return len(warnings.filters)
    """)
    env.invoke()
    assert warnings.filters is before
    with pytest.warns(UserWarning, match="loud"):
        warnings.warn("loud", stacklevel=1)


def test_filters_of_the_test_act_on_the_function(environment):
    env = environment("import warnings\ndef handler(event, context): warnings.warn('careful')")
    # This suite turns warnings into errors; on Lambda the warning is a line on stderr.
    assert env.invoke(check=False).error_type == "UserWarning"


def stderr(env):
    return "".join(event.text for event in env.timeline.of(FunctionLog) if event.stream == "stderr")


@pytest.mark.filterwarnings("default")
class TestLines:
    def test_a_warning_is_a_line_on_stderr_and_pytest_records_it(self, environment):
        env = environment("""
            import warnings
            def handler(event, context): warnings.warn("careful")
        """)
        with warnings.catch_warnings(record=True) as recorded:
            env.invoke()
            env.invoke()
        assert stderr(env) == (
            f"{env.module.__file__}:3: UserWarning: careful\n"
            '  def handler(event, context): warnings.warn("careful")\n'
        )
        assert len(recorded) == 1

    def test_hooks_of_function_code_act_in_its_phases_alone(self, environment):
        env = environment("""
            import sys, warnings
            def formatwarning(message, category, filename, lineno, line=None):
                return f"formatted: {message}\\n"
            def showwarning(message, *_): sys.stderr.write(f"shown: {message}\\n")
            warnings.formatwarning = formatwarning
            def handler(event, context):
                warnings.warn(event)
                warnings.showwarning = showwarning
        """)
        before = warnings.showwarning, warnings.formatwarning
        with warnings.catch_warnings(record=True) as recorded:
            env.invoke("one")
            env.invoke("two")
            assert (warnings.showwarning, warnings.formatwarning) == before
            warnings.warn("of the test", stacklevel=1)
        assert stderr(env) == "formatted: one\nshown: two\n"
        assert [str(one.message) for one in recorded] == ["one", "of the test"]
        env.reset()
        with pytest.warns(UserWarning, match="three"):
            env.invoke("three")
        assert stderr(env).endswith("formatted: three\n")

    def test_captured_warnings_are_log_records(self, environment):
        env = environment("""
            import logging, warnings
            logging.captureWarnings(True)
            def handler(event, context): warnings.warn("careful")
        """)
        assert "UserWarning: careful" in env.invoke().log.partition("[WARNING]\t")[2]

    def test_a_recorder_of_function_code_keeps_its_warnings(self, environment):
        env = environment("""
            import warnings
            def handler(event, context):
                with warnings.catch_warnings(record=True) as recorded:
                    warnings.simplefilter("always")
                    warnings.warn("kept")
                warnings.warn("shown")
                return len(recorded)
        """)
        with pytest.warns(UserWarning, match="shown"):
            assert env.invoke().payload == 1
        assert "kept" not in stderr(env).partition("\n")[0]
        assert "UserWarning: shown\n" in stderr(env)

    def test_a_recorder_that_function_code_leaves_open_does_not_stay(self, environment):
        env = environment("""
            import warnings
            recorded = warnings.catch_warnings(record=True).__enter__()
            def handler(event, context): warnings.warn("kept"); return len(recorded)
        """)
        with warnings.catch_warnings(record=True) as recorded:
            assert [env.invoke().payload, env.invoke().payload] == [1, 1]
            warnings.warn("of the test", stacklevel=1)
        assert [str(one.message) for one in recorded] == ["of the test"]
        assert stderr(env) == ""

    @pytest.mark.filterwarnings("always::DeprecationWarning", "always::UserWarning")
    def test_the_log_has_the_warnings_that_python_shows(self, environment):
        env = environment("""
            import warnings
            def handler(event, context):
                if event: warnings.simplefilter(event, DeprecationWarning)
                for _ in range(2):
                    warnings.warn("old", DeprecationWarning)
                    warnings.warn("new")
        """)
        with pytest.warns(Warning, match=".") as recorded:
            env.invoke("")
        assert len(recorded) == 4
        assert stderr(env).count("UserWarning: new\n") == 1
        assert "old" not in stderr(env)
        with pytest.warns(Warning, match="old"):
            env.invoke("always")
        assert stderr(env).count("DeprecationWarning: old\n") == 2

    def test_after_resetwarnings_the_filters_of_the_test_are_away(self, environment):
        env = environment("""
            import warnings
            warnings.resetwarnings()
            def handler(event, context): return len(warnings.filters)
        """)
        assert env.invoke().payload == 0
        env.reset()
        assert warnings.filters

    def test_lone_surrogates_are_escaped_for_pytest_as_well(self, environment):
        env = environment(r"""
            import warnings
            def handler(event, context): warnings.warn("caf\udce9")
        """)
        with pytest.warns(UserWarning, match=".") as recorded:
            env.invoke()
        assert str(recorded[0].message) == r"caf\udce9"
        assert r"UserWarning: caf\udce9" in stderr(env)
