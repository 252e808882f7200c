"""Our frames show in no stack of the function."""

import pytest


@pytest.mark.parametrize(
    "statement",
    [
        "os.chdir('/nowhere')",
        "socket.create_connection(('127.0.0.1', 1))",
        "fail()",
        "threading.stack_size(-1)",
    ],
)
def test_what_stands_in_for_something_shows_in_no_stack(environment, statement):
    env = environment(f"""
        import os, socket, threading
        def fail(): raise ValueError
        def handler(event, context): {statement}
    """)
    env.spy("app.fail")
    error = env.invoke(check=False).error
    assert not [entry for entry in error["stackTrace"] if "pytest_lambda_lifecycle" in entry]
    assert "in handler" in error["stackTrace"][0]
