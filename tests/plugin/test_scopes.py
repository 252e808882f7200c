"""Lifetimes of environments: one fixture for each scope."""

from __future__ import annotations


def test_environments_live_as_long_as_the_scope_of_their_fixture(suite):
    suite.makepyfile(
        test_one="""
            import pytest

            ended = []

            def invoke(lifecycle, made={}):
                if lifecycle not in made:
                    made[lifecycle] = lifecycle("app.handler")
                return made[lifecycle].invoke().payload["count"]

            class TestIt:
                @pytest.mark.parametrize("n", [1, 2])
                def test_scopes(self, n, lambda_lifecycle, class_lambda_lifecycle,
                                module_lambda_lifecycle, session_lambda_lifecycle):
                    assert invoke(lambda_lifecycle) == 1
                    assert invoke(class_lambda_lifecycle) == n
                    assert invoke(module_lambda_lifecycle) == n
                    assert invoke(session_lambda_lifecycle) == n

            def test_after(class_lambda_lifecycle, module_lambda_lifecycle,
                           session_lambda_lifecycle):
                assert invoke(class_lambda_lifecycle) == 1
                assert invoke(module_lambda_lifecycle) == 3
                assert invoke(session_lambda_lifecycle) == 3
        """,
        test_two="""
            from test_one import invoke

            def test_other_module(module_lambda_lifecycle, session_lambda_lifecycle):
                assert invoke(module_lambda_lifecycle) == 1
                assert invoke(session_lambda_lifecycle) == 4
        """,
    )
    suite.runpytest().assert_outcomes(passed=4)


def test_environments_of_a_scope_are_shut_down_in_reverse_order(suite):
    suite.makepyfile(
        """
        seen = []

        def test_makes_two(lambda_lifecycle):
            for number in range(2):
                env = lambda_lifecycle("app.handler", function_name=f"f{number}")
                env.invoke()
                seen.append(env)
            assert lambda_lifecycle.environments == tuple(seen)

        def test_afterwards():
            assert [env.state for env in seen] == ["closed", "closed"]
            assert [env.phases[-1].reason for env in seen] == ["spindown", "spindown"]
            first, second = (env.phases[-1].started_at for env in seen)
            assert second <= first
        """
    )
    suite.runpytest("-p", "no:randomly").assert_outcomes(passed=2)


def test_classes_of_unittest_can_use_the_fixtures(suite):
    suite.makepyfile(
        """
        import unittest, pytest

        @pytest.mark.usefixtures("attach")
        class TestOrders(unittest.TestCase):
            @pytest.fixture
            def attach(self, lambda_lifecycle):
                self.env = lambda_lifecycle("app.handler")

            def test_counts(self):
                self.assertEqual(self.env.invoke().payload["count"], 1)
                self.assertEqual(self.env.invoke().payload["count"], 2)
        """
    )
    suite.runpytest().assert_outcomes(passed=1)


def test_a_session_environment_can_serve_function_fixtures(suite):
    suite.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="session")
        def shared(session_lambda_lifecycle):
            env = session_lambda_lifecycle("app.handler")
            env.initialize()
            return env

        @pytest.fixture
        def warm(shared, tmp_path, capsys):
            return shared.invoke()

        @pytest.mark.parametrize("n", [1, 2, 3])
        def test_is_warm(warm, shared, n):
            assert not warm.cold_start
            assert shared.init_count == 1
        """
    )
    suite.runpytest().assert_outcomes(passed=3)


def test_the_error_of_a_closed_environment_names_the_end_of_its_scope(suite):
    suite.makepyfile(
        test_kept="""
            import pytest
            from pytest_lambda_lifecycle import InvalidTransition

            kept = []

            class TestFirst:
                def test_it(self, lambda_lifecycle, class_lambda_lifecycle):
                    kept.append(lambda_lifecycle("app.handler"))
                    kept.append(class_lambda_lifecycle("app.handler"))

            def test_next():
                ends = ["test_kept.py::TestFirst::test_it", "test_kept.py::TestFirst"]
                for env, end in zip(kept, ends):
                    with pytest.raises(InvalidTransition) as caught:
                        env.invoke()
                    message = f"cannot invoke: this environment was closed at the end of {end};"
                    assert message in str(caught.value)
        """
    )
    suite.runpytest("-p", "no:randomly").assert_outcomes(passed=2)


def test_an_environment_that_fails_to_close_is_a_warning(suite):
    suite.makepyfile(
        """
        import pytest
        ended = []

        def test_it(lambda_lifecycle, monkeypatch):
            first, second = lambda_lifecycle("app.handler"), lambda_lifecycle("app.handler")
            close = second.close
            def fail():
                close()
                raise OSError("disk gone")
            second.close = fail
            ended.append(first)

        def test_of_the_session(session_lambda_lifecycle):
            env = session_lambda_lifecycle("app.handler")
            close = env.close
            def fail():
                close()
                raise OSError("session's disk gone")
            env.close = fail

        def test_afterwards():
            assert ended[0].state == "closed"
        """
    )
    result = suite.runpytest("-W", "default")
    result.assert_outcomes(passed=3)
    text = result.stdout.str()
    assert "could not be ended cleanly: OSError: disk gone" in text
    assert "could not be ended cleanly: OSError: session's disk gone" in text


def test_every_fixture_has_a_short_first_line(suite):
    result = suite.runpytest("--fixtures")
    lines = result.outlines
    for name in ("", "class_", "module_", "session_"):
        index = next(
            i for i, line in enumerate(lines) if line.split(" ")[0] == f"{name}lambda_lifecycle"
        )
        assert lines[index + 1].strip().startswith("Call it to make a Lambda environment")
        assert len(lines[index + 1].strip()) <= 80
    assert any(line.startswith("lambda_lifecycle_config [session scope]") for line in lines)


def test_a_fixture_requested_at_run_time(suite):
    suite.makepyfile(
        """
        def test_it(request):
            assert request.getfixturevalue("lambda_lifecycle")("app.handler").invoke().cold_start
        """
    )
    suite.runpytest().assert_outcomes(passed=1)


def test_without_the_terminal_plugin(suite):
    suite.makepyfile(
        "def test_it(lambda_lifecycle): assert lambda_lifecycle('app.handler').invoke().cold_start"
    )
    assert suite.runpytest("-p", "no:terminal").ret == 0
