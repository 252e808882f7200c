"""Shared packages that a cold start imports afresh, and compiled packages, which it cannot."""

import sys

import pytest

from pytest_lambda_lifecycle import LifecycleWarning


def test_fresh_packages_are_imported_again(environment, write, tmp_path, monkeypatch):
    folder = tmp_path / "lib" / "site-packages" / "stateful"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("STATE = []")
    monkeypatch.syspath_prepend(str(folder.parent))
    source = (
        "import stateful\n"
        "def handler(event, context): stateful.STATE.append(1); return len(stateful.STATE)"
    )
    shared = environment(source)
    assert [shared.invoke().payload, shared.invoke().payload] == [1, 2]
    shared.close()
    outside = sys.modules["stateful"]
    fresh = environment(fresh_packages=["stateful"])
    assert fresh.invoke().payload == 1
    fresh.close()
    assert sys.modules.pop("stateful") is outside


@pytest.mark.parametrize(("wanted", "expected"), [((), [1, 1]), (("no:lambdawarmer",), [1, 2])])
def test_a_library_of_the_built_in_list_can_be_shared(
    environment, tmp_path, monkeypatch, wanted, expected
):
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "lambdawarmer.py").write_text("STATE = []")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "lambdawarmer", raising=False)
    env = environment(
        "import lambdawarmer\nlambdawarmer.STATE.append(1)\n"
        "def handler(event, context): return len(lambdawarmer.STATE)",
        fresh_packages=wanted,
    )
    found = []
    for _ in range(2):
        found.append(env.invoke().payload)
        env.reset()
    assert found == expected
    env.close()
    sys.modules.pop("lambdawarmer", None)


def test_a_library_that_the_tests_have_set_up_is_shared(environment, tmp_path, monkeypatch):
    folder = tmp_path / "lib" / "site-packages" / "django"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "conf.py").write_text(
        "class settings:\n    configured = False\n    database = 'production'"
    )
    monkeypatch.syspath_prepend(str(folder.parent))
    for name in [name for name in sys.modules if name.partition(".")[0] == "django"]:
        monkeypatch.delitem(sys.modules, name)
    from django.conf import settings

    source = (
        "from django.conf import settings\ndef handler(event, context): return settings.database"
    )
    settings.database = "test"
    own = environment(source)
    assert own.invoke().payload == "production"
    own.close()
    settings.configured = True
    shared = environment()
    assert shared.invoke().payload == "test"
    shared.close()
    named = environment(fresh_packages=["django"])
    assert named.invoke().payload == "production"
    named.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "django"]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["stateful_nope", "json.nope"])
def test_an_unknown_fresh_package_is_a_warning_with_its_source(environment, name):
    with pytest.warns(LifecycleWarning, match=f"fresh_packages has '{name}'.*FunctionConfig"):
        environment(
            "def handler(event, context): ...", fresh_packages=[name, "json", "json.decoder"]
        )


def test_a_compiled_package_is_imported_once_and_shown_on_the_timeline(
    environment, write, tmp_path
):
    import shutil
    import sysconfig
    from pathlib import Path

    # A copy of a compiled module of the standard library stands for a vendored numpy.
    folder = Path(str(sysconfig.get_config_var("DESTSHARED")))
    compiled = next(
        file for name in ("_statistics", "_csv", "_json") for file in folder.glob(f"{name}.*.so")
    )
    write("vendored/__init__.py", f"from vendored import {compiled.name.partition('.')[0]}")
    shutil.copy(compiled, tmp_path / "task" / "vendored" / compiled.name)
    source = "import vendored\nX = 1\ndef handler(event, context): return id(vendored)"
    first = environment(source)
    identity = first.invoke().payload
    first.close()
    assert [event.module for event in first.timeline.of(shared_module())] == ["vendored"]
    second = environment()
    assert second.invoke().payload == identity
    second.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "vendored"]:
        del sys.modules[name]


def shared_module():
    from pytest_lambda_lifecycle.lifecycle.events import SharedModule

    return SharedModule


def test_the_installed_package_of_the_handler_is_imported_again(environment, tmp_path, monkeypatch):
    """A vendor's wrapper keeps the function that it has found at its import."""
    folder = tmp_path / "lib" / "site-packages"
    folder.mkdir(parents=True)
    (folder / "vendor_wrapper.py").write_text(
        "import os\nfrom importlib import import_module\n"
        "name, _, attribute = os.environ['WRAPPED'].rpartition('.')\n"
        "handler = getattr(import_module(name), attribute)\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    source = "served = []\ndef serve(event, context): served.append(1); return len(served)"
    settings = {"handler": "vendor_wrapper.handler", "environment": {"WRAPPED": "app.serve"}}
    first = environment(source, **settings)
    second = environment(**settings)
    for env in (first, second):
        assert [env.invoke().payload, env.invoke().payload] == [1, 2]
    first.reset()
    assert first.invoke().payload == 1


def test_what_function_code_sets_up_is_not_taken_for_the_tests(environment, tmp_path, monkeypatch):
    folder = tmp_path / "lib" / "site-packages" / "django"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "conf.py").write_text("class settings:\n    configured = False")
    monkeypatch.syspath_prepend(str(folder.parent))
    for name in [name for name in sys.modules if name.partition(".")[0] == "django"]:
        monkeypatch.delitem(sys.modules, name)
    source = (
        "from django.conf import settings\nwas, settings.configured = settings.configured, True\n"
        "def handler(event, context): return was"
    )
    first = environment(source)
    assert first.invoke().payload is False
    for _ in range(2):  # made while the first one is entered
        env = environment()
        assert env.invoke().payload is False
        env.close()
    assert "django.conf" not in sys.modules or first.invoke().payload is False


def test_the_test_reaches_the_copy_of_the_function(environment, tmp_path, monkeypatch):
    """As with ``env.import_module("prometheus_client").REGISTRY``."""
    folder = tmp_path / "lib" / "site-packages" / "prometheus_client"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from prometheus_client.registry import REGISTRY")
    (folder / "registry.py").write_text("REGISTRY = []")
    monkeypatch.syspath_prepend(str(folder.parent))
    for name in [name for name in sys.modules if name.partition(".")[0] == "prometheus_client"]:
        monkeypatch.delitem(sys.modules, name)
    import prometheus_client

    env = environment("""
        from prometheus_client import REGISTRY
        def handler(event, context): REGISTRY.append("order")
    """)
    for _ in range(2):
        env.invoke()
        registry = env.import_module("prometheus_client").REGISTRY
        assert registry == ["order"]
        assert env.import_module("prometheus_client.registry").REGISTRY is registry
        assert prometheus_client.REGISTRY == []
        env.reset()
    env.close()
    for name in ("prometheus_client", "prometheus_client.registry"):
        del sys.modules[name]
