"""`HandlerName`: the setting ``handler``, split as the Python runtime splits it."""

from __future__ import annotations

import sys
from typing import NamedTuple

__all__ = ["HandlerName"]


class HandlerName(NamedTuple):
    """The parts of ``"package/module.function"``.

    The attribute stands after the last dot, and before it a slash counts as a dot (awslambdaric,
    ``_get_handler``).
    """

    path: str
    """The module as it was written: ``"package/module"``; ``""`` if the text has no dot."""
    attribute: str

    @classmethod
    def parse(cls, text: str) -> HandlerName:
        """Split any text; `is_importable` says whether the runtime could import its module."""
        path, _, attribute = text.rpartition(".")
        return cls(path, attribute)

    @property
    def module(self) -> str:
        """The name under which the module is imported: ``"package.module"``."""
        return self.path.replace("/", ".")

    @property
    def parts(self) -> list[str]:
        """The names of the packages and of the module: ``["package", "module"]``."""
        return self.module.split(".")

    @property
    def is_built_in(self) -> bool:
        """Whether the runtime refuses the module because Python has a built-in one of its name."""
        return self.path.split(".")[0] in sys.builtin_module_names

    @property
    def is_importable(self) -> bool:
        """Whether the runtime looks for the module; if not, it has an error of its own."""
        return all(self.parts) and not self.is_built_in

    @property
    def sources(self) -> tuple[str, str]:
        """The files that can hold the module's source, relative to a folder of imports."""
        path = "/".join(self.parts)
        return f"{path}.py", f"{path}/__init__.py"
