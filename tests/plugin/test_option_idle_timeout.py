"""The option ``idle_timeout``: seconds of idleness until environments spin down."""

from clock.projects import run

from .option_checks import check_bad_value, check_command_line, check_ini_option


def test_in_the_ini_file(option_suite, monkeypatch):
    check_ini_option(option_suite, monkeypatch, "idle_timeout", "600", 600.0)


def test_on_the_command_line(option_suite, monkeypatch):
    check_command_line(option_suite, monkeypatch, "idle_timeout", "600", 600.0)


def test_a_bad_value_ends_the_run(option_suite):
    message = "idle_timeout=0.0 has to be a number of seconds above 0"
    check_bad_value(option_suite, "idle_timeout", "0", message)


def test_idle_timeout_and_max_lifetime(project):
    project.makeini("[pytest]\nlambda_lifecycle_idle_timeout = 600")
    test = """
def test(lambda_lifecycle, lambda_clock):
    env = lambda_lifecycle("app.handler")
    env.invoke(0); env.idle(minutes=10)
    assert env.phases == ["init", "invoke", "shutdown"]
    assert env.config.max_lifetime == 60
"""
    run(project, test, "--lambda-lifecycle-max-lifetime=60")
    test = (
        "def test(lambda_lifecycle):\n"
        "    assert lambda_lifecycle('app.handler').config.idle_timeout is None"
    )
    run(project, test, "--lambda-lifecycle-idle-timeout=None")
    result = project.runpytest("--lambda-lifecycle-max-lifetime=soon")
    result.stderr.fnmatch_lines(["*max_lifetime='soon' has to be a number of seconds above 0*"])
