"""``assert_reused``: the objects that init has made are still in use."""

import pytest

from pytest_lambda_lifecycle import LifecycleError

SOURCE = """
    table = object()
    count = 0
    class Pool:
        instance = object()
    def handler(event, context):
        global table, count
        count += 1
        if event == "replace": table = object()
        if event == "pool": Pool.instance = object()
        if event == "delete": del table
"""


def test_the_same_object_passes(environment):
    env = environment(SOURCE)
    env.invoke()
    env.invoke()
    env.assert_reused("app.table", "app.Pool", "app.Pool.instance")


def test_another_object_fails_and_names_the_invocation(environment):
    env = environment(SOURCE)
    env.invoke()
    env.invoke("replace", request_id="r-7")
    env.invoke()
    with pytest.raises(AssertionError) as caught:
        env.assert_reused("app.table")
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "app.table was not reused: it is another object than init made "
        "(replaced by invocation 1, request r-7)"
    )
    assert lines[1].startswith("  after init: <object object at ")
    assert lines[2].startswith("  now:        <object object at ")
    assert lines[1].split()[-1] != lines[2].split()[-1]


@pytest.mark.parametrize(
    ("event", "target"), [("pool", "app.Pool.instance"), ("delete", "app.table")]
)
def test_class_attributes_and_deleted_names(environment, event, target):
    env = environment(SOURCE)
    env.invoke(event)
    with pytest.raises(AssertionError, match="was not reused"):
        env.assert_reused(target)


def test_objects_are_compared_with_those_of_the_latest_init(environment):
    env = environment(SOURCE)
    env.invoke("replace")
    env.reset()
    env.invoke()
    env.assert_reused("app.table")


def test_an_error_before_the_first_invoke(environment):
    env = environment(SOURCE)
    for prepare in (lambda: None, env.initialize):
        prepare()
        with pytest.raises(LifecycleError, match="nothing was invoked since init"):
            env.assert_reused("app.table")


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (
            "shutdown",
            r"the objects of init are gone, .* was shut down \(reason spindown\)"
            r" at .*test_reuse.py:.*; ask before",
        ),
        ("close", r"the objects of init are gone, .* was closed at .*test_reuse.py:.*; ask before"),
        (
            "reset",
            "the objects of init are gone, as the environment is in state 'reset'; invoke first",
        ),
        (
            "recycle",
            "the objects of init are gone, as the environment is in state 'new'; invoke first",
        ),
    ],
)
def test_an_error_after_the_end_of_the_process(environment, end, message):
    env = environment(SOURCE)
    env.invoke()
    getattr(env, end)()
    with pytest.raises(LifecycleError, match=f"cannot say whether app.table was reused: {message}"):
        env.assert_reused("app.table")


def test_an_error_without_targets(environment):
    env = environment(SOURCE)
    env.invoke()
    with pytest.raises(LifecycleError, match="whether nothing was reused: name targets"):
        env.assert_reused(*[])


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("app.tabel", "had no such name"),
        ("table", "names nothing inside a module"),
        ("json.dumps", "names nothing inside a module of the function"),
        ("app", "names nothing inside a module"),
        (5, "names nothing inside a module"),
    ],
)
def test_targets_outside_of_function_code(environment, target, message):
    env = environment(SOURCE)
    env.invoke()
    with pytest.raises(LifecycleError, match=message):
        env.assert_reused(target)


def test_a_replacement_of_the_test_does_not_name_an_invocation(environment):
    env = environment("table = object()\ndef handler(event, context): ...")
    env.invoke()
    env.module.table = object()
    env.invoke()
    assert "replaced" not in env.timeline.names
    with pytest.raises(AssertionError, match=r"it is another object than init made\n"):
        env.assert_reused("app.table")


def test_names_that_are_no_texts_are_left_alone(environment):
    env = environment("""
        globals()[1] = COUNT = 0
        def handler(event, context):
            global COUNT
            globals()[1] = COUNT = COUNT + 1000
    """)
    for _ in range(3):
        env.invoke()
    assert [event.target for event in env.timeline if event.name == "replaced"] == ["app.COUNT"]
