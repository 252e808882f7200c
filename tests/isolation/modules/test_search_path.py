"""``sys.path`` of the function: task root, layers, and entries that function code adds."""

import sys

from pytest_lambda_lifecycle.isolation.stage import stage


def test_the_task_root_comes_before_the_layers(environment, write, tmp_path):
    minor = f"python3.{sys.version_info.minor}"
    write("../layer1/python/layered.py", "WHO = 'layer 1'")
    write("../layer2/python/layered.py", "WHO = 'layer 2'")
    write(f"../layer1/python/lib/{minor}/site-packages/deep.py", "WHO = 'deep'")
    write("../layer1/python/both.py", "WHO = 'layer'")
    write("both.py", "WHO = 'task root'")
    env = environment(
        "import layered, deep, both\n"
        "def handler(event, context): return [layered.WHO, deep.WHO, both.WHO]",
        layers=[tmp_path / "layer1", tmp_path / "layer2"],
    )
    assert env.invoke().payload == ["layer 2", "deep", "task root"]
    env.close()
    assert not {"layered", "deep", "both"} & set(sys.modules)


def test_sys_path_of_the_function(environment, tmp_path):
    before, entries = sys.path, list(sys.path)
    env = environment("""
        import sys
        sys.path.append("/added")
        def handler(event, context): return [sys.path[0], "/added" in sys.path]
    """)
    assert env.invoke().payload == [str(tmp_path / "task"), True]
    env.close()
    assert sys.path is before
    assert sys.path == entries


def test_an_entry_that_the_test_removes_and_adds_again(environment, monkeypatch):
    monkeypatch.syspath_prepend("/of/the/test")
    env = environment("import sys\ndef handler(event, context): return '/of/the/test' in sys.path")
    assert env.invoke().payload is True
    sys.path.remove("/of/the/test")
    assert env.invoke().payload is False
    sys.path.insert(0, "/of/the/test")
    assert env.invoke().payload is True
    stage.leave()
    assert "/of/the/test" in sys.path


def test_an_entry_that_the_test_adds_and_removes_again(environment):
    env = environment("import sys\ndef handler(event, context): return '/of/the/test' in sys.path")
    env.invoke()
    sys.path.insert(0, "/of/the/test")
    assert env.invoke().payload is True
    sys.path.remove("/of/the/test")
    assert env.invoke().payload is False
    stage.leave()
    assert "/of/the/test" not in sys.path
