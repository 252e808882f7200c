"""From the handler setting to the object that is called, by the rules of the Python runtime."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

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
    module_name, attribute = _split(handler)
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = f"Cannot use built-in module {module_name} as a handler module"
        raise RuntimeFault("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise RuntimeFault("Runtime.ImportModuleError", message) from error
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        message = f"Syntax error in module '{module_name}': {error}"
        raise RuntimeFault("Runtime.UserCodeSyntaxError", message, (place,)) from error
    try:
        found: Callable[[Any, Any], Any] = getattr(module, attribute)
    except AttributeError as error:
        message = f"Handler '{attribute}' missing on module '{module_name}'"
        raise RuntimeFault("Runtime.HandlerNotFound", message) from error
    return found


def _split(handler: str) -> tuple[str, str]:
    try:
        module_name, attribute = handler.rsplit(".", 1)
    except ValueError as error:
        message = f"Bad handler '{handler}': {error}"
        raise RuntimeFault("Runtime.MalformedHandlerName", message) from None
    return module_name, attribute
