"""Methods of classes that are written in C, replaced for a while.

Python refuses to set an attribute of such a class.  Two other ways were tried.  A class in its
place (a subclass of `datetime`, as freezegun has it) reaches only the modules whose names are
replaced; its instances are not of the class that encoders look up, a metaclass that makes
`isinstance` right conflicts with those of other libraries, and compiled code that checks the class
may end the process.  An object in its place (a lock in Python) reaches only the locks that are made
from now on, and stays in libraries when the clock has ended.

The dict of the class itself can be had from the garbage collector.  After a change of it, Python's
caches of methods have to be told, which is what `PyType_Modified` is for.  Nothing is left behind:
afterwards the dict holds the same objects as before.
"""

from __future__ import annotations

import gc
from typing import Any, TypeAlias, cast

from pytest_lambda_lifecycle.isolation.patching import Undo

__all__ = ["replace_methods"]

Method: TypeAlias = tuple[type, str, Any]
"""A class written in C, the name of a method that it defines, and the new value."""


def replace_methods(*methods: Method) -> Undo:
    """Replace methods; the returned call restores them."""
    originals: list[Method] = []

    def restore() -> None:
        while originals:
            _put(*originals.pop())

    try:
        for cls, name, value in methods:
            originals.append((cls, name, cls.__dict__[name]))
            _put(cls, name, value)
    except BaseException:
        restore()
        raise
    return restore


def _put(cls: type, name: str, value: Any) -> None:  # noqa: ANN401  # a method of any kind
    import ctypes

    (members,) = (held for held in gc.get_referents(cls.__dict__) if type(held) is dict)
    cast("dict[str, Any]", members)[name] = value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(cls))
