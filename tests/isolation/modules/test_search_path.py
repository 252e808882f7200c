"""``sys.path`` of the function: task root, layers, and entries that function code adds."""

import sys


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
