"""The option ``network_allow``: hosts that functions may reach although the network is closed."""

import pytest

from .option_checks import check_bad_value, flag_of, shown


def test_in_the_ini_file(option_suite, monkeypatch):
    option_suite.makeini(
        "[pytest]\nlambda_lifecycle_network_allow = API.example.com. *.corp.example 10.0.0.0/8 ::2"
    )
    line = shown(option_suite, monkeypatch, "network_allow")
    hosts = ("api.example.com", "*.corp.example", "10.0.0.0/8", "::2")
    assert f"<{hosts!r} from ini option lambda_lifecycle_network_allow in tox.ini>" in line


def test_on_the_command_line(option_suite, monkeypatch):
    flag = flag_of("network_allow")
    arguments = (flag, "api.example.com", flag, "10.1.2.3")
    line = shown(option_suite, monkeypatch, "network_allow", *arguments)
    assert f"<('api.example.com', '10.1.2.3') from {flag}>" in line


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("https://api.example.com/v1", "Hint: did you mean 'api.example.com'?"),
        ("db.example.com:5432", "Hint: did you mean 'db.example.com'?  It counts for every port."),
        ("[2001:db8::1]:80", "Hint: did you mean '2001:db8::1'?"),
        ("10.0.0.0/99", "which is no host"),
        ("10.0.*", "which is no host"),
        ("*", "Hint: network='allow' opens the whole network."),
        ("169.254.169.254", "which is always refused"),
        ("metadata.google.internal", "which is always refused"),
    ],
)
def test_a_bad_value_ends_the_run(option_suite, host, message):
    check_bad_value(option_suite, "network_allow", host, message)


def test_text_in_the_place_of_a_list_is_refused(pytester):
    pytester.makepyfile(
        app="def handler(event, context): return None",
        test_it="""
            def test(lambda_lifecycle):
                lambda_lifecycle("app.handler", network_allow="api.example.com")
        """,
    )
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*In a list: network_allow=[[]'api.example.com'[]]*"])


def test_a_marker_opens_the_network_for_one_host(pytester):
    pytester.makepyfile(
        app="""
            import socket
            def handler(event, context):
                return [info[4][0] for info in socket.getaddrinfo(event, 443)]
        """,
        test_it="""
            import socket, pytest
            from pytest_lambda_lifecycle import NetworkRefused

            @pytest.fixture(autouse=True)
            def resolver(monkeypatch):
                def getaddrinfo(host, port):
                    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("198.51.100.7", port))]
                monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

            @pytest.mark.lambda_lifecycle(network_allow=["*.example.com"])
            def test_opens(lambda_lifecycle):
                env = lambda_lifecycle("app.handler")
                assert env.invoke("api.example.com").payload == ["198.51.100.7"]
                with pytest.raises(NetworkRefused):
                    env.invoke("example.com")
        """,
    )
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)
