"""Function code that patches the functions by which the real client serves an event."""

from __future__ import annotations

import sys

import pytest

from pytest_lambda_lifecycle import InitError

VENDOR = """
    import __main__
    SEEN = []
    bootstrap = __main__.bootstrap
    def wrapped(function, name):
        def wrapper(*arguments, **options):
            SEEN.append(name)
            return function(*arguments, **options)
        return wrapper
    for name in NAMES:
        setattr(bootstrap, name, wrapped(getattr(bootstrap, name), name))
    client = bootstrap.LambdaRuntimeClient
    for name in METHODS:
        setattr(client, name, wrapped(getattr(client, name), name))
"""
SOURCE = """
    def handler(event, context):
        if event == "boom":
            raise ValueError("boom")
        seen, SEEN[:] = SEEN[:], []
        return [event, context.aws_request_id != "", seen]
"""
ALL = """
    NAMES = ["handle_event_request", "create_lambda_context", "make_error", "to_json", "log_error"]
    METHODS = ["post_invocation_result", "post_invocation_error", "post_init_error"]
"""


def test_each_step_of_an_event_is_the_patched_one(environment):
    env = environment(ALL + VENDOR + SOURCE)
    first = env.invoke(1)
    assert first.payload == [1, True, ["handle_event_request", "create_lambda_context"]]
    assert env.invoke("boom", check=False).error["errorType"] == "ValueError"
    assert env.invoke(2).payload[2] == [
        *("post_invocation_result", "handle_event_request", "create_lambda_context"),
        *("make_error", "log_error", "to_json", "to_json", "post_invocation_error"),
        *("handle_event_request", "create_lambda_context"),
    ]


def test_an_error_is_the_same_as_without_a_patch(environment):
    plain = environment(SOURCE).invoke("boom", check=False)
    env = environment(ALL + VENDOR + SOURCE)
    patched = env.invoke("boom", check=False)
    for error in (plain.error, patched.error):
        stack = error.pop("stackTrace")
        assert [entry.partition(", in ")[2].partition("\n")[0] for entry in stack] == ["handler"]
        del error["requestId"]
    assert patched.error == plain.error == {"errorMessage": "boom", "errorType": "ValueError"}


def test_an_error_object_of_the_vendors_own_is_logged_and_posted(environment):
    env = environment("""
        from awslambdaric import bootstrap
        bootstrap.make_error = lambda *arguments: {"errorMessage": "replaced"}
        def handler(event, context):
            raise ValueError("boom")
    """)
    failed = env.invoke(check=False)
    assert failed.payload == {"errorMessage": "replaced"}
    assert "[ERROR] replaced\n" in failed.log


def test_a_text_that_is_no_json_is_posted_as_it_is(environment):
    env = environment("""
        from awslambdaric.bootstrap import LambdaRuntimeClient as Client
        post = Client.post_invocation_error
        Client.post_invocation_error = lambda self, i, text, *a: post(self, i, "no JSON", *a)
        def handler(event, context):
            raise ValueError("boom")
    """)
    failed = env.invoke(check=False)
    assert (failed.status, failed.raw) == ("error", b"no JSON")


def test_frames_of_a_vendor_head_the_stack_as_in_the_real_runtime(environment):
    env = environment("""
        from awslambdaric import bootstrap
        serve = bootstrap.handle_event_request
        def traced(handler):
            def call(event, context):
                return handler(event, context)
            return call
        def patched(client, handler, *arguments):
            return serve(client, traced(handler), *arguments)
        bootstrap.handle_event_request = patched
        def handler(event, context):
            raise ValueError("boom")
    """)
    stack = env.invoke(check=False).error["stackTrace"]
    names = [entry.partition(", in ")[2].partition("\n")[0] for entry in stack]
    assert names == ["call", "handler"]


def test_a_patched_client_sees_an_error_of_init(environment):
    env = environment("""
        from awslambdaric.bootstrap import LambdaRuntimeClient
        post = LambdaRuntimeClient.post_init_error
        def wrapper(client, error, *arguments):
            print("the vendor saw", error["errorType"])
            post(client, {**error, "errorMessage": "seen"}, *arguments)
        LambdaRuntimeClient.post_init_error = wrapper
        1 / 0
    """)
    with pytest.raises(InitError, match="ZeroDivisionError"):
        env.initialize()
    assert "the vendor saw ZeroDivisionError\n" in env.log


def test_an_event_without_an_answer_ends_the_process(environment):
    env = environment("""
        from awslambdaric import bootstrap
        bootstrap.handle_event_request = lambda *arguments: None
        def handler(event, context): return 1
    """)
    assert env.invoke(check=False).error["errorType"] == "Runtime.ExitError"


def test_patches_end_with_the_process_and_main_is_as_before(environment):
    before = dict(vars(sys.modules["__main__"]))
    env = environment(ALL + VENDOR + SOURCE)
    env.invoke(1)
    env.reset()
    assert env.invoke(1).payload[2] == ["handle_event_request", "create_lambda_context"]
    env.close()
    plain = environment(SOURCE.replace("SEEN", "[]").replace("seen, [][:] = [][:], []", "seen = 0"))
    assert plain.invoke(1).payload == [1, True, 0]
    plain.close()
    assert dict(vars(sys.modules["__main__"])) == before


def test_a_skip_of_the_test_passes_through(environment):
    source = SOURCE.replace("raise ValueError", "raise pytest.skip.Exception")
    env = environment(ALL + VENDOR + "    import pytest\n" + source)
    with pytest.raises(pytest.skip.Exception):
        env.invoke("boom")


@pytest.mark.parametrize(
    "name", ["awslambdaric.bootstrap", "awslambdaric.lambda_runtime_client", "awslambdaric"]
)
def test_a_patch_after_another_process_has_removed_a_module_of_the_client(environment, name):
    first = environment(f"import sys\ndef handler(event, context): del sys.modules[{name!r}]")
    first.invoke(check=False)
    first.close()
    env = environment("""
        from awslambdaric import bootstrap
        bootstrap.handle_event_request = lambda *arguments: None
        def handler(event, context): return 1
    """)
    assert env.invoke(check=False).error["errorType"] == "Runtime.ExitError"
