"""Stack traces of the function do not show frames of the library."""

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
def test_replaced_functions_do_not_show_in_stack_traces(environment, statement):
    env = environment(f"""
        import os, socket, threading
        def fail(): raise ValueError
        def handler(event, context): {statement}
    """)
    env.spy("app.fail")
    error = env.invoke(check=False).error
    assert not [entry for entry in error["stackTrace"] if "pytest_lambda_lifecycle" in entry]
    assert "in handler" in error["stackTrace"][0]
