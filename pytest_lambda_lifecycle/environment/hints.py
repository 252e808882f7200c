"""Hints: advice to the author of a test beside a failure of the function.

Lambda gives none of it, so it stands outside the error object, as notes of the exception.
"""

from __future__ import annotations

import difflib
import os
import sys
from inspect import iscoroutinefunction
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Final

from pytest_lambda_lifecycle.function.candidates import Candidates, functions_in
from pytest_lambda_lifecycle.function.config import FunctionConfig
from pytest_lambda_lifecycle.function.handler_name import HandlerName
from pytest_lambda_lifecycle.function.layers import hint_at_layers
from pytest_lambda_lifecycle.function.task_root import (
    has_module,
    hint_at_form,
    hint_at_namesake,
    hint_at_neighbour,
)
from pytest_lambda_lifecycle.isolation.tracebacks import chain_of
from pytest_lambda_lifecycle.lifecycle.failures import FunctionError, InitError
from pytest_lambda_lifecycle.observation.file_guard import hint_at_refusal
from pytest_lambda_lifecycle.observation.second_imports import hint_at_shared_library

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.isolation.modules.world import World
    from pytest_lambda_lifecycle.observation.foreign_code import ForeignCode

__all__ = ["hints"]

_MOST_NAMES: Final = 8


class _Failure:
    """A failure of the function, with what is known about it."""

    def __init__(
        self,
        error: FunctionError,
        config: FunctionConfig,
        task_root: Path,
        world: World,
    ) -> None:
        self.error = error
        self.cause = error.__cause__
        self.config = config
        self.task_root = task_root
        self.world = world
        self.name = HandlerName.parse(config.handler)


def hints(
    error: FunctionError,
    config: FunctionConfig,
    task_root: Path,
    world: World,
    foreign_code: ForeignCode,
) -> list[str]:
    """Return the hints for a failure.

    One about code that is not deployed says more than the others about imports.
    """
    failure = _Failure(error, config, task_root, world)
    foreign = foreign_code.hint(failure.cause)
    if foreign:
        return [foreign]
    finders = (_of_handler, _of_import, _of_variable, _of_call, _of_result)
    first = next(filter(None, (find(failure) for find in finders)), "")
    found = [hint for hint in (first, hint_at_refusal(failure.cause)) if hint]
    if not found and isinstance(error, InitError) and failure.cause is not None:
        found = list(filter(None, [hint_at_shared_library(failure.cause, world)]))
    return found


# -- the handler's name ----------------------------------------------------------------------------


def _of_handler(failure: _Failure) -> str:
    if not failure.error.error_type.startswith("Runtime."):
        return ""
    if failure.name.attribute == "py" or ":" in failure.config.handler:
        return hint_at_form(failure.config.handler)
    match failure.error.error_type:
        case "Runtime.MalformedHandlerName":
            return _of_malformed_name(failure)
        case "Runtime.HandlerNotFound":
            return _of_missing_function(failure)
        case "Runtime.BuiltInModuleConflict":
            return (
                f"Give {failure.name.path}.py another name, and change the handler's name with it."
            )
    return ""


def _of_malformed_name(failure: _Failure) -> str:
    text = failure.config.handler
    found = functions_in(failure.task_root, text)
    if found:
        names = " or ".join(repr(f"{text}.{name}") for name in found[:3])
        return f"A handler is named 'module.function': did you mean {names}?"
    return hint_at_form(text)


def _of_missing_function(failure: _Failure) -> str:
    module = getattr(failure.cause, "obj", None)
    if not isinstance(module, ModuleType):
        return ""
    namesake = hint_at_namesake(failure.task_root, failure.config.handler, module)
    if namesake:
        return namesake
    asked, path = failure.name.attribute, failure.name.path
    callables = [
        name for name, value in vars(module).items() if callable(value) and name[:1] != "_"
    ]
    near = difflib.get_close_matches(asked, callables, n=1)
    if near:
        return f"Did you mean {near[0]!r}, as in '{path}.{near[0]}'?"
    defined = [name for name in callables if vars(module)[name].__module__ == module.__name__]
    where = f"{path} ({getattr(module, '__file__', None) or 'no file'})"
    return f"The functions and classes of {where} are: {_listed(defined) or 'none'}."


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


# -- imports ---------------------------------------------------------------------------------------


def _of_import(failure: _Failure) -> str:
    cause = failure.cause
    if isinstance(cause, ModuleNotFoundError) and cause.name:
        if f"{failure.name.module}.".startswith(f"{cause.name}."):
            return _of_handlers_module(failure, cause)
        return _of_dependency(failure, cause.name)
    if isinstance(cause, ImportError) and "relative import" in str(cause):
        return (
            f"Imports start at the task root, {failure.task_root}, as on Lambda: a module there "
            "belongs to no package. Write 'import helper' instead of 'from . import helper', or "
            "make the folder above it the task root (code_dir) with the handler "
            f"'{failure.task_root.name}.{failure.config.handler}'."
        )
    return ""


def _of_handlers_module(failure: _Failure, cause: ModuleNotFoundError) -> str:
    """Explain why the handler's own module, or a package around it, was not found."""
    root, name = failure.task_root, failure.name
    if has_module(root, name.parts):
        return hint_at_namesake(root, failure.config.handler)
    parts = name.parts[:-1]
    if parts and has_module(root, parts) and "is not a package" in str(cause):
        return (
            f"{'.'.join(parts)} is a file, and the function's name is the last part of the "
            f"handler's name: did you mean '{'.'.join(parts)}.{name.attribute}'?"
        )
    return hint_at_layers(failure.config.layers, cause.name or "") or Candidates.below(
        root, name
    ).hint(f"the task root is {root}")


def _of_dependency(failure: _Failure, missing: str) -> str:
    root, config = failure.task_root, failure.config
    return (
        hint_at_layers(config.layers, missing)
        or hint_at_neighbour(root, config.handler, missing)
        or _of_other_root(failure, missing.partition(".")[0])
        or f"{missing.partition('.')[0]} is neither in the task root, {root}, nor in a layer, nor "
        f"installed for the Python that runs the tests, {sys.executable}: install there what the "
        "function requires, or name the layer that has it with layers=[...]."
    )


def _of_other_root(failure: _Failure, missing: str) -> str:
    """Explain a module of the project that lies deeper than the task root, or around it."""
    root = failure.task_root
    why = f"and imports start at the task root, {root}, as on Lambda"
    if missing in root.parts:
        above = Path(*root.parts[: root.parts.index(missing)])
        handler = ".".join([*root.relative_to(above).parts, failure.config.handler])
        return (
            f"The task root lies inside {missing}, {why}: make {above} the task root (code_dir), "
            f"with the handler {handler!r}."
        )
    folders = Candidates.below(root, HandlerName(missing, "")).folders
    if not folders:
        return ""
    parts = folders[0].relative_to(root).parts
    handler = failure.config.handler.replace("/", ".")
    shorter = handler.removeprefix(".".join([*parts, ""]))
    return (
        f"{missing} lies in {folders[0]}, {why}: make that folder the task root (code_dir), with "
        f"the handler {shorter!r}."
    )


# -- variables -------------------------------------------------------------------------------------


def _of_variable(failure: _Failure) -> str:
    """Explain ``os.environ["NAME"]`` for a variable that is not set."""
    for error in chain_of(failure.cause):
        if isinstance(error, KeyError) and _is_from_environ(error.__traceback__):
            name = str(error.args[0])
            if name in failure.config._taken_out:
                source = failure.config.source_of(f"environment.{name}")
                return f"{name} is not set: environment has None for it (from {source})."
            return (
                f"The environment variable {name} is not set: give it with "
                f"environment={{{name!r}: ...}}, in the call, the marker or the fixture "
                "lambda_lifecycle_config, or for the whole suite with the ini option "
                "lambda_lifecycle_environment."
            )
    return ""


def _is_from_environ(traceback: TracebackType | None) -> bool:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    frame = traceback.tb_frame
    return frame.f_globals is vars(os) and frame.f_code.co_name == "__getitem__"


# -- the call and its result -----------------------------------------------------------------------


def _of_call(failure: _Failure) -> str:
    """Explain a handler that does not take two arguments."""
    cause = failure.cause
    is_call = isinstance(cause, TypeError) and cause.__traceback__ is None
    if is_call and "not callable" in str(cause):
        return (
            f"{failure.name.attribute} in {failure.name.path} is no function: a handler is "
            "def handler(event, context)."
        )
    if is_call and "argument" in str(cause):
        return "Lambda calls the handler with two arguments: def handler(event, context)."
    return ""


def _of_result(failure: _Failure) -> str:
    """Explain a result that has no JSON form."""
    error, name = failure.error, failure.name
    if error.error_type == "Runtime.UnmarshalError":
        return "Events given as bytes are sent as they are: pass a dict to have it encoded."
    if error.error_type != "Runtime.MarshalError":
        return ""
    if "type coroutine " not in error.error_message:
        return (
            "The result of the handler crosses as JSON: return dict, list, str, numbers, bool and "
            "None, and convert other objects first, such as str(moment) or list(names)."
        )
    module = failure.world.own(name.module)
    if iscoroutinefunction(getattr(module, name.attribute, None)):
        return (
            f"{name.attribute} is an async def function, which Lambda's Python runtime calls and "
            "does not await: let a def handler call it with asyncio.run()."
        )
    return "The result holds a coroutine of an async def function: await it, or use asyncio.run()."
