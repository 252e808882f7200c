"""From the handler setting to the object that is called, by the rules of the Python runtime."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from pytest_lambda_lifecycle.function.handler_name import HandlerName
from pytest_lambda_lifecycle.runtimes.codec import RuntimeFault

__all__ = ["load_handler"]

__stands_for__ = "bootstrap"


def load_handler(handler: str) -> Callable[[Any, Any], Any]:
    """Import the module of *handler* and return the attribute after its last dot, of any type.

    Raises `RuntimeFault` for the failures that the runtime reports in its own words; any other
    exception of the module comes out as it is.  In the name of the module a slash counts as a dot;
    error texts keep it as it was written.
    """
    __tracebackhide__ = __function_code_above__ = True
    if "." not in handler:  # the runtime adds the words of Python's ValueError
        message = f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)"
        raise RuntimeFault("Runtime.MalformedHandlerName", message)
    name = HandlerName.parse(handler)
    if name.is_built_in:
        message = f"Cannot use built-in module {name.path} as a handler module"
        raise RuntimeFault("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(name.module)
    except ImportError as error:
        message = f"Unable to import module '{name.path}': {error}"
        raise RuntimeFault("Runtime.ImportModuleError", message) from error
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        message = f"Syntax error in module '{name.path}': {error}"
        raise RuntimeFault("Runtime.UserCodeSyntaxError", message, (place,)) from error
    try:
        found: Callable[[Any, Any], Any] = getattr(module, name.attribute)
    except AttributeError as error:
        message = f"Handler '{name.attribute}' missing on module '{name.path}'"
        raise RuntimeFault("Runtime.HandlerNotFound", message) from error
    return found
