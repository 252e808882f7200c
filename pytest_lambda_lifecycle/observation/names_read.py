"""What the code of a module does with a name: imports it, reads it in Init, or reads it later."""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator
from types import CodeType, ModuleType
from typing import Any, Final

__all__ = ["imported_names", "is_read_later", "line_that_reads", "mentions_later"]

_OF_FUNCTIONS: Final = 0x2
"""``CO_NEWLOCALS``: the flag of the code of functions, which module and class bodies lack."""
_COMPREHENSIONS: Final = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})
_READS: Final = frozenset({"LOAD_NAME", "LOAD_GLOBAL"})


def imported_names(module: ModuleType) -> dict[str, tuple[str, str]]:
    """Return the names that a module binds by ``from x import y``, with x and y.

    Of a relative import, x is only what stands after the dots.
    """
    found: dict[str, tuple[str, str]] = {}
    code = _code_of(module)
    source = name = ""
    for instruction in () if code is None else dis.get_instructions(code):
        argument = str(instruction.argval)
        if instruction.opname == "IMPORT_NAME":
            source = argument
        elif instruction.opname == "IMPORT_FROM":
            name = argument
        elif name and instruction.opname in ("STORE_NAME", "STORE_GLOBAL"):
            found[argument] = source, name
            name = ""
    return found


def is_read_later(module: ModuleType, name: str, *, others: Iterable[ModuleType] = ()) -> bool:
    """Say whether a function reads a name of a module; also if the code is not known.

    Functions of ``others`` read it as an attribute of the module, or import it when they run.
    """
    code = _code_of(module)
    if code is None or any(_reads(one, name) for one in _codes(code, of_functions=True)):
        return True
    for other in others:
        code = _code_of(other)
        if code is None:
            return True
        names = {key for key, value in vars(other).items() if value is module}
        names |= {module.__name__, module.__name__.rpartition(".")[2]}
        if other is not module and any(
            name in one.co_names and not names.isdisjoint(one.co_names)
            for one in _codes(code, of_functions=True)
        ):
            return True
    return False


def mentions_later(module: ModuleType, name: str) -> bool:
    """Say whether a function of a module mentions a name, as that of an attribute as well."""
    code = _code_of(module)
    return code is None or any(name in one.co_names for one in _codes(code, of_functions=True))


def _reads(code: CodeType, name: str) -> bool:
    return name in code.co_names and any(
        instruction.opname in _READS and instruction.argval == name
        for instruction in dis.get_instructions(code)
    )


def line_that_reads(module: ModuleType, name: str) -> int:
    """Return the first line outside functions that reads a name of a module; 0 if there is none."""
    code = _code_of(module)
    line = 0
    for body in () if code is None else _codes(code, of_functions=False):
        if name not in body.co_names:
            continue
        line = body.co_firstlineno
        for instruction in dis.get_instructions(body):
            starts: Any = instruction.starts_line
            if type(starts) is int:
                line = starts
            elif starts:  # since 3.13 a bool
                line = getattr(instruction, "line_number", None) or line
            if instruction.opname in _READS and instruction.argval == name:
                return line
    return 0


def _code_of(module: ModuleType) -> CodeType | None:
    loader: Any = getattr(module, "__loader__", None)
    try:
        code = loader.get_code(module.__name__)
    except Exception:  # any loader: it may have no such method, or no file any more
        return None
    return code if isinstance(code, CodeType) else None


def _codes(code: CodeType, *, of_functions: bool, inside: bool = False) -> Iterator[CodeType]:
    """Yield the code of all functions, at any depth, or that of the module and its classes."""
    if inside is of_functions:
        yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            is_function = bool(constant.co_flags & _OF_FUNCTIONS)
            is_function &= constant.co_name not in _COMPREHENSIONS
            yield from _codes(constant, of_functions=of_functions, inside=inside or is_function)
