"""The kinds of values that settings take: how each one is read from text, checked and described."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.function.reserved import RESERVED_VARIABLES, setting_of_variable

__all__ = [
    "NOT_FRESH",
    "Choice",
    "Given",
    "Handler",
    "IniType",
    "Kind",
    "Packages",
    "Seconds",
    "Text",
    "Variables",
    "WholeNumber",
    "is_import_name",
]

IniType: TypeAlias = Literal["string", "bool", "int", "float", "paths", "args", "linelist"]


_NO_LISTS: Final = (str, bytes, os.PathLike, Mapping)


class Given(NamedTuple):
    """A value that was given for a setting, and where it came from."""

    name: str
    value: object
    source: str
    """In words, for messages: "the marker at tests/test_x.py:12"."""
    directory: Path | None = None
    """The start of relative paths; None = the current directory."""

    def error(self, problem: str, *lines: str, code: str = "LLC202") -> ConfigError:
        """Return the error for a value; ``problem`` follows the name and the value of the setting.

        Further lines say more; empty ones are left out.
        """
        first = f"{self.name}={self.value!r}{problem} (from {self.source})"
        return ConfigError(first, *filter(None, lines), code=code)

    def items(self, of: str) -> list[object]:
        """Return the items of a list; raise `ConfigError` if the value is no list.

        Text is no list: a single path or name in place of a list is a common slip.
        """
        scalar = isinstance(self.value, str | os.PathLike)
        if isinstance(self.value, Iterable) and not isinstance(self.value, _NO_LISTS):
            return list(cast("Iterable[object]", self.value))
        hint = f"In a list: {self.name}=[{str(self.value)!r}]." if scalar else ""
        raise self.error(f" has to be a list of {of}", hint)


class Kind:
    """The values that a setting may have."""

    ini_type: IniType = "string"
    """The type of the ini option, as `pytest.Parser.addini` names it."""
    takes: str
    """The values in words, for messages and documentation: "a whole number of MB, 512..10240"."""
    limits: str = ""
    """The same in short, where the option's name and metavar say the rest: "512..10240"."""
    none: str = ""
    """The meaning of None; ``""`` where None is refused."""

    def read(self, text: Any, source: str) -> object:  # noqa: ANN401
        """Return the value of a text in the ini file or on the command line.

        Text that is no such value is returned as it is: `check` refuses it in its own words.
        """
        return text

    def check(self, given: Given) -> object:
        """Return the value as `FunctionConfig` keeps it, or raise `ConfigError`."""
        raise NotImplementedError


class WholeNumber(Kind):
    """A whole number of some unit, within Lambda's range."""

    ini_type = "int"

    def __init__(self, low: int, high: int, unit: str, units: str) -> None:
        self.low = low
        self.high = high
        self.unit = unit
        self.limits = f"{low}..{high}"
        self.takes = f"a whole number of {units}, {self.limits}"

    def read(self, text: Any, source: str) -> object:  # noqa: ANN401
        digits = str(text).strip()
        return int(digits) if re.fullmatch(r"[+-]?[0-9]+", digits) else text

    def check(self, given: Given) -> int:
        value = given.value
        if isinstance(value, bool) or not isinstance(value, int):
            digits = value.strip() if isinstance(value, str) else ""
            hint = f"The number is written {given.name}={digits}." if digits.isdecimal() else ""
            if isinstance(value, float) and given.name == "timeout":
                hint = "For one invoke, env.invoke(event, remaining_ms=500) gives it less time."
            kind = type(value).__name__
            raise given.error(f" is of type {kind}: Lambda takes {self.takes}", hint)
        if not self.low <= value <= self.high:
            allowed = f"{self.limits} {self.unit}"
            thousandth, rest = divmod(value, 1000)
            meant = self.unit == "s" and not rest and self.low <= thousandth <= self.high
            hint = f"In seconds, as on Lambda: {given.name}={thousandth}?" if meant else ""
            raise given.error(f" {self.unit} is outside Lambda's range {allowed}", hint)
        return value


class Seconds(Kind):
    """A length of time above 0, or None for never."""

    ini_type = "float"
    takes = "a number of seconds above 0"
    none = "never"

    def read(self, text: Any, source: str) -> object:  # noqa: ANN401
        written = str(text).strip()
        try:
            return None if written.lower() == "none" else float(written)
        except ValueError:
            return text

    def check(self, given: Given) -> float | None:
        value = given.value
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = float(value)
            if math.isfinite(seconds) and seconds > 0:
                return seconds
        raise given.error(f" has to be {self.takes}, or None for {self.none}")


class Choice(Kind):
    """One of a few texts."""

    def __init__(
        self,
        *choices: str,
        limits: str = "",
        none: str = "",
        synonyms: Mapping[str, str] | None = None,
    ) -> None:
        """``synonyms`` maps words of other systems, in capitals, to choices."""
        self.choices = choices
        self.none = none
        self.synonyms = synonyms or {}
        self.limits = limits or f"{', '.join(choices[:-1])} or {choices[-1]}"
        self.takes = f"one of {', '.join(map(repr, choices))}"

    def check(self, given: Given) -> object:
        value = given.value
        if value in self.choices or (value is None and self.none):
            return value
        meant = self._meant(value.strip().upper()) if isinstance(value, str) else None
        hint = f"Hint: did you mean {meant!r}?" if meant else ""
        raise given.error(f" is not {self.takes}", hint)

    def _meant(self, capitals: str) -> str | None:
        for choice in self.choices:
            if choice.upper() == capitals:
                return choice
        for choice in self.choices:
            if choice.upper().endswith(capitals) and capitals:  # "3.12" of "python3.12"
                return choice
        near = difflib.get_close_matches(capitals.lower(), self.choices, n=1, cutoff=0.7)
        return self.synonyms.get(capitals) or (near[0] if near else None)


class Text(Kind):
    """Text that matches a pattern."""

    def __init__(self, pattern: str, takes: str, *, limits: str = "") -> None:
        self.pattern = pattern
        self.takes = takes
        self.limits = limits

    def check(self, given: Given) -> object:
        value = given.value
        if isinstance(value, str) and re.fullmatch(self.pattern, value):
            return value
        kind = "" if isinstance(value, str) else f" is of type {type(value).__name__}; it"
        text = str(value)
        hint = f"Write {given.name}={text!r}." if kind and re.fullmatch(self.pattern, text) else ""
        raise given.error(f"{kind} has to be {self.takes}", hint)


class Handler(Kind):
    """The handler's name.  Any text is accepted: init fails for a bad one as the runtime does."""

    takes = "text such as 'package/module.function'"

    def check(self, given: Given) -> str | None:
        value = given.value
        if value is None or isinstance(value, str):
            return value
        # A function object is a common slip.  Only its name can be given: init imports it afresh.
        name = getattr(value, "__qualname__", None)
        hint = f"Give its name: '{value.__module__}.{name}'." if name else ""
        if isinstance(value, Mapping):
            hint = 'The event goes to invoke: lambda_lifecycle("app.handler").invoke(event).'
        kind = type(value).__name__
        problem = f" is of type {kind}; it has to be a string such as 'app.handler'"
        raise given.error(problem, hint, code="LLC203")


NOT_FRESH: Final = "no:"
"""Before the name of a package: share it, although it is on the built-in list."""


class Packages(Kind):
    """Import names of packages, ``"*"``, or ``"no:name"``."""

    ini_type = "args"
    takes = "a list of import names, '*' for every pure-Python package, 'no:NAME' for none of it"
    limits = "import names, *, or no:NAME"

    def check(self, given: Given) -> tuple[str, ...]:
        if given.value == "*":
            return ("*",)
        names = given.items("package names, or '*'")
        for name in names:
            bare = name.removeprefix(NOT_FRESH) if isinstance(name, str) else name
            if name != "*" and not is_import_name(bare):
                raise self._refused(name, given.source)
        return tuple(map(str, names))

    def _refused(self, name: object, source: str) -> ConfigError:
        guess = re.sub(r"[^A-Za-z0-9_.]", "_", str(name))
        hint = guess != name and guess.isidentifier()
        return ConfigError(
            f"fresh_packages has {name!r}, which is no import name (from {source})",
            *([f"Hint: did you mean {guess!r}?"] if hint else []),
            code="LLC202",
        )


def is_import_name(name: object) -> bool:
    """Say whether a value is the dotted name of a module, as text."""
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


class Variables(Kind):
    """Environment variables of the function."""

    ini_type = "linelist"

    def __init__(self, most_bytes: int) -> None:
        self.takes = (
            f"a mapping of names to strings, at most {most_bytes} bytes; None takes a variable out"
        )

    def read(self, text: Any, source: str) -> object:  # noqa: ANN401
        return dict(_pair(entry, source) for entry in cast("Iterable[str]", text))

    def check(self, given: Given) -> dict[str, str | None]:
        if not isinstance(given.value, Mapping):
            raise given.error(" has to be a mapping of names to strings", code="LLC205")
        pairs = cast("Mapping[object, object]", given.value).items()
        return {
            _variable_name(key, given.source): _variable_value(key, value, given.source)
            for key, value in pairs
        }


def _pair(entry: str, source: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not equals:
        raise ConfigError(
            f"environment: {entry!r} is not of the form NAME=VALUE (from {source})", code="LLC205"
        )
    return name.strip(), value.strip()


def _variable_name(key: object, source: str) -> str:
    if key in RESERVED_VARIABLES:
        setting = setting_of_variable(str(key))
        remedy = f"use the setting {setting}" if setting else "leave it out: Lambda sets it"
        raise ConfigError(
            f"environment: {key!r} is reserved by Lambda; {remedy} (from {source})", code="LLC205"
        )
    if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]+", key):
        raise ConfigError(
            f"environment: Lambda refuses the name {key!r} (from {source})",
            "A name starts with a letter, has at least two characters and consists of letters, "
            "digits and '_'.",
            code="LLC205",
        )
    return key


def _variable_value(key: object, value: object, source: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigError(
            f"environment: the value of {key!r} is {value!r}, of type {type(value).__name__} "
            f"(from {source})",
            f"It has to be a string: write {str(value)!r}.",
            code="LLC205",
        )
    if "\0" in value:
        raise ConfigError(
            f"environment: the value of {key!r} contains a null character (from {source})",
            code="LLC205",
        )
    return value
