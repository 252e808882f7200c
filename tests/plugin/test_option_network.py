"""The option ``network``: what happens when functions reach out to the network."""

import pytest

from .option_checks import check_bad_value, check_command_line, check_ini_option

REACHING = """
    import socket
    def handler(event, context):
        try:
            socket.create_connection(("198.51.100.7", 443), timeout=0.1)
        except Exception as problem:
            return type(problem).__name__
"""


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "network", "strict", "strict")


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "network", "allow", "allow")


def test_a_bad_value_ends_the_run(option_suite):
    check_bad_value(option_suite, "network", "closed", "'block', 'strict', 'warn', 'allow'")


def test_block_is_the_default_and_warns_of_a_swallowed_refusal(pytester):
    pytester.makepyfile(
        app=REACHING,
        test_it="""
            def test_swallows(lambda_lifecycle):
                assert lambda_lifecycle("app.handler").invoke().payload == "NetworkRefused"
        """,
    )
    result = pytester.runpytest_subprocess("-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*LifecycleWarning: function code swallowed this refusal of the network:",
            "*connect to 198.51.100.7:443 (in invoke 0, at app.py:4)",
            "*lambda_lifecycle_network_allow = 198.51.100.7",
        ]
    )


def test_a_marker_wins_over_the_ini_file_and_strict_fails_the_test(pytester):
    pytester.makeini("[pytest]\nlambda_lifecycle_network = strict")
    pytester.makepyfile(
        app=REACHING,
        test_it="""
            import pytest
            def test_fails(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke()
            @pytest.mark.lambda_lifecycle(network="block")
            def test_passes(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke()
        """,
    )
    result = pytester.runpytest_subprocess("-W", "default")
    result.assert_outcomes(failed=1, passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*network refused: connect to 198.51.100.7:443, at app.py:4"])


def test_an_uncaught_refusal_fails_the_test_at_its_line_with_the_ways_out(pytester):
    pytester.makepyfile(
        app="""
            import socket
            def handler(event, context):
                return socket.gethostbyname("api.example.com")
        """,
        test_it="""
            def test_reaches_out(lambda_lifecycle):
                lambda_lifecycle("app.handler").invoke()
        """,
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*NetworkRefused: cannot look up api.example.com: the network is closed to function "
            "code (network='block', from the built-in default)",
            "*It was asked in invoke 0, at app.py:3.",
            "*lambda_lifecycle_network_allow = api.example.com [[]LLC821[]]",
        ]
    )
    assert "warning" not in result.stdout.str()


def test_the_tests_own_connections_and_those_of_fixtures_and_plugins_are_untouched(pytester):
    pytester.makeconftest(
        """
        import socket
        class Local:
            seen = []
        def asked(name):
            # AI_NUMERICHOST: nothing is looked up, and the guard does not know that.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.connect(("198.51.100.7", 9))
                except OSError:
                    pass
            Local.seen.append(name)
        def pytest_lambda_lifecycle_event(event):
            asked(event.name)
        import pytest
        @pytest.fixture
        def reaching():
            asked("setup")
            yield asked
            asked("teardown")
        """
    )
    pytester.makepyfile(
        app="def handler(event, context): return 1",
        test_it="""
            def test_reaches_out(lambda_lifecycle, reaching):
                env = lambda_lifecycle("app.handler", network="strict")
                env.invoke()
                reaching("between phases")
                env.invoke()
        """,
    )
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


@pytest.mark.parametrize("order", ["lambda_lifecycle, socket_disabled", "socket_disabled"])
def test_a_socket_that_pytest_socket_refuses_is_refused_by_it(pytester, order):
    pytest.importorskip("pytest_socket")
    pytester.makepyfile(
        app=REACHING,
        test_it=f"""
            def test_refused({order}, request):
                lambda_lifecycle = request.getfixturevalue("lambda_lifecycle")
                env = lambda_lifecycle("app.handler")
                assert env.invoke().payload == "SocketBlockedError"
        """,
    )
    result = pytester.runpytest_subprocess("-p", "pytest_socket", "-W", "default")
    result.assert_outcomes(passed=1)


def test_a_host_that_pytest_socket_refuses_needs_both_to_let_it_through(pytester):
    pytest.importorskip("pytest_socket")
    pytester.makepyfile(
        app=REACHING,
        test_it="""
            def test_the_guard_lets_it_through(lambda_lifecycle):
                env = lambda_lifecycle("app.handler", network_allow=["198.51.100.0/24"])
                assert env.invoke().payload == "SocketConnectBlockedError"

            def test_none_lets_it_through(lambda_lifecycle):
                assert lambda_lifecycle("app.handler").invoke().payload == "NetworkRefused"
        """,
    )
    arguments = ("-p", "pytest_socket", "-W", "default", "--allow-hosts=127.0.0.1")
    # In a process of its own: pytest-socket leaves an attribute in the class of sockets.
    pytester.runpytest_subprocess(*arguments).assert_outcomes(passed=2, warnings=2)
