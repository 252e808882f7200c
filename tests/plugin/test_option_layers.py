"""The option ``layers``: unpacked layers of the functions."""

from .option_checks import check_bad_value, shown


def test_in_the_ini_file_and_on_the_command_line(option_suite, monkeypatch):
    below = option_suite.mkdir("below")
    for name in ("layer-a", "layer-b"):
        option_suite.mkdir(name)
    option_suite.makeini("[pytest]\nlambda_lifecycle_layers = layer-a layer-b")
    line = shown(option_suite, monkeypatch, "layers")
    assert str(option_suite.path / "layer-a") in line
    assert str(option_suite.path / "layer-b") in line
    monkeypatch.chdir(below)
    line = shown(
        option_suite,
        monkeypatch,
        "layers",
        "--lambda-lifecycle-layers",
        "../layer-b",
        "--rootdir",
        "..",
        "..",
    )
    assert f"('{option_suite.path / 'layer-b'}'),)" in line


def test_a_bad_value_ends_the_run(option_suite):
    check_bad_value(option_suite, "layers", "no-layer", "does not exist")
