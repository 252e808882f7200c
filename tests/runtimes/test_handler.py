"""Handlers that cannot be loaded or called, and the hints that go with the error."""

import importlib
import re

import pytest

from pytest_lambda_lifecycle import InitError


@pytest.mark.parametrize(
    ("source", "handler", "error_type"),
    [
        ("def broken(:", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("import nope_nope", "app.handler", "Runtime.ImportModuleError"),
        ("", "app.handler", "Runtime.HandlerNotFound"),
        ("", "nope.handler", "Runtime.ImportModuleError"),
        ("", "handler", "Runtime.MalformedHandlerName"),
        ("", "sys.exit", "Runtime.BuiltInModuleConflict"),
    ],
)
def test_a_handler_that_cannot_be_loaded(environment, source, handler, error_type):
    env = environment(source, handler=handler)
    with pytest.raises(InitError) as caught:
        env.invoke()
    assert caught.value.error_type == error_type


@pytest.mark.parametrize(
    ("file", "handler", "neighbour", "remedy"),
    [
        (
            "src/app.py",
            "src/app.handler",
            "src/shop.py",
            r"from src import shop.*with the handler 'app\.handler'",
        ),
        (
            "a/b/app.py",
            "a.b.app.handler",
            "a/b/shop/x.py",
            r"from a\.b import shop.*with the handler 'app\.handler'",
        ),
        ("pkg/__init__.py", "pkg.handler", "pkg/shop.py", "from pkg import shop"),
    ],
)
def test_the_error_names_a_module_beside_the_handler(
    environment, write, file, handler, neighbour, remedy
):
    write(file, "import shop\ndef handler(event, context): ...")
    write(neighbour, "")
    env = environment(handler=handler)
    with pytest.raises(InitError) as caught:
        env.invoke()
    told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert re.search(f"shop lies beside the handler's file, in .*{remedy}", told)
    assert "beside" not in str(env.invocations[0].error) + caught.value.error_message + env.log
    with pytest.raises(InitError, match="No module named") as caught:
        environment(handler=handler).initialize()
    assert "beside" in "".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


@pytest.mark.parametrize(
    ("file", "handler"), [("queue.py", "queue.handler"), ("email/shop.py", "email/shop.handler")]
)
def test_the_error_names_a_loaded_library_that_hides_the_handler(environment, write, file, handler):
    library = importlib.import_module(handler.partition(".")[0].partition("/")[0])
    write(file, "def handler(event, context): ...")
    env = environment(handler=handler)
    with pytest.raises(InitError) as caught:
        env.invoke()
    told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert f"{library.__name__} is {library.__file__} here: the test process has loaded it" in told
    assert told.endswith("is not imported; give it another name")
    assert "loaded it" not in str(env.invocations[0].error) + caught.value.error_message + env.log


def test_a_missing_handler_in_a_module_that_was_found_is_hidden_by_nothing(environment, write):
    write("app/__init__.py", "def other(event, context): ...")
    write("shop.py", "")
    for handler in ("app.handler", "shop.handler"):
        with pytest.raises(InitError, match="Handler 'handler' missing on module") as caught:
            environment(handler=handler).invoke()
        told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
        assert "another name" not in told
        assert f"missing on module '{handler.partition('.')[0]}'\nThe functions" in told


@pytest.mark.parametrize("handler", ["app.handler", "src/app.handler"])
def test_a_module_that_does_not_exist_is_hidden_by_nothing(environment, write, handler):
    write("app.py", "import shop_nope\ndef handler(event, context): ...")
    write("src/app.py", "import shop_nope\ndef handler(event, context): ...")
    with pytest.raises(InitError) as caught:
        environment(handler=handler).invoke()
    told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    assert "another name" not in told
    assert "No module named 'shop_nope'\nshop_nope is neither in the task root" in told


@pytest.mark.parametrize(
    ("definition", "message"), [("handler = 3", "not callable"), ("def handler(): ...", "takes 0")]
)
def test_a_handler_that_cannot_be_called(environment, definition, message):
    from pytest_lambda_lifecycle import FunctionError

    env = environment(definition)
    with pytest.raises(FunctionError, match=message):
        env.invoke()
    assert env.init_count == 1
