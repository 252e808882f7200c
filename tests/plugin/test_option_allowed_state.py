"""The option ``allowed_state``: state that invokes may change for later ones."""

from .option_checks import check_bad_value, flag_of, shown


def test_in_the_ini_file(option_suite, monkeypatch):
    option_suite.makeini(
        "[pytest]\nlambda_lifecycle_allowed_state =\n  shop.app.CACHE\n  shop.app.X['a b']\n"
    )
    line = shown(option_suite, monkeypatch, "allowed_state")
    paths = ("shop.app.CACHE", "shop.app.X['a b']")
    assert f"<{paths!r} from ini option lambda_lifecycle_allowed_state in tox.ini>" in line


def test_on_the_command_line(option_suite, monkeypatch):
    flag = flag_of("allowed_state")
    line = shown(option_suite, monkeypatch, "allowed_state", flag, "shop.app.CACHE", flag, "a.*")
    assert f"<('shop.app.CACHE', 'a.*') from {flag}>" in line


def test_a_bad_value_ends_the_run(option_suite):
    check_bad_value(option_suite, "allowed_state", ".", "a path is text such as 'shop.app.CACHE'")
