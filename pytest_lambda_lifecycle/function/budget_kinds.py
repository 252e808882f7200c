"""The kinds of settings that limit a test: budgets, and targets that init alone may call."""

from __future__ import annotations

import re
from typing import Any

from pytest_lambda_lifecycle.function.kinds import Given, Kind, Seconds

__all__ = ["Count", "Milliseconds", "Targets"]


class Milliseconds(Seconds):
    """A limit on a length of time, or None for no limit."""

    takes = "a number of ms above 0"
    none = "no limit"


class Count(Kind):
    """A whole number from 0 on, such as a limit on how often something happens, or None."""

    ini_type = "int"
    takes = "a whole number, 0 or more"
    limits = "0 or more"

    def __init__(self, none: str = "no limit") -> None:
        """``none`` says what None stands for."""
        self.none = none

    def read(self, text: Any, source: str) -> object:  # noqa: ANN401
        written = str(text).strip()
        if written.lower() == "none":
            return None
        return int(written) if re.fullmatch(r"[+-]?[0-9]+", written) else text

    def check(self, given: Given) -> int | None:
        value = given.value
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise given.error(f" has to be {self.takes}, or None for {self.none}")


class Targets(Kind):
    """Dotted names of functions, methods and classes."""

    takes = "a list of dotted names such as 'shop.config.load' or 'boto3.client'"

    def check(self, given: Given) -> tuple[str, ...]:
        targets = given.items("dotted names")
        for target in targets:
            parts = target.split(".") if isinstance(target, str) else []
            if len(parts) < 2 or not all(part.isidentifier() for part in parts):
                problem = f" has {target!r}: a target is a dotted name such as 'shop.config.load'"
                raise given.error(problem)
        return tuple(map(str, targets))
