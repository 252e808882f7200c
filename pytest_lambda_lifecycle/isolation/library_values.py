"""Readers and writers of single values in libraries that need not be loaded."""

from __future__ import annotations

from typing import Any, Final

from pytest_lambda_lifecycle.isolation.held_modules import held_module

__all__ = [
    "DIALECTS",
    "FIELD_LIMIT",
    "FIELD_LIMIT_AT_START",
    "FIRST_WEEKDAY",
    "START_METHOD",
    "TIME_ZONES",
]

FIELD_LIMIT_AT_START: Final = 131072
"""What `csv.field_size_limit` is before anyone sets it (CPython, Modules/_csv.c)."""


def _read_field_limit() -> int:
    csv: Any = held_module("_csv")
    return FIELD_LIMIT_AT_START if csv is None else csv.field_size_limit()


def _write_field_limit(value: int) -> None:
    csv: Any = held_module("_csv")
    if csv is not None:
        csv.field_size_limit(value)


def _read_dialects() -> Any:  # noqa: ANN401  # a dict; None without the module
    csv: Any = held_module("_csv")
    return None if csv is None else {name: csv.get_dialect(name) for name in csv.list_dialects()}


def _write_dialects(dialects: dict[str, Any] | None) -> None:
    csv: Any = held_module("_csv")
    if dialects is None or csv is None:  # csv registers its own when it is imported
        return
    for name in csv.list_dialects():
        if name not in dialects:
            csv.unregister_dialect(name)
    for name, dialect in dialects.items():
        csv.register_dialect(name, dialect)


def _read_time_zones() -> Any:  # noqa: ANN401  # a tuple of folders
    return getattr(held_module("zoneinfo"), "TZPATH", None)


def _write_time_zones(folders: Any) -> None:  # noqa: ANN401
    zoneinfo: Any = held_module("zoneinfo")
    if folders is not None and zoneinfo is not None:
        zoneinfo.reset_tzpath(to=folders)


def _read_first_weekday() -> Any:  # noqa: ANN401
    calendar: Any = held_module("calendar")
    return None if calendar is None else calendar.firstweekday()


def _write_first_weekday(day: Any) -> None:  # noqa: ANN401
    if day is not None:
        held_module("calendar").setfirstweekday(day)


def _read_start_method() -> object:
    context: Any = held_module("multiprocessing.context")
    return None if context is None else context._default_context._actual_context


def _write_start_method(value: object) -> None:
    context: Any = held_module("multiprocessing.context")
    if context is not None:
        context._default_context._actual_context = value


FIELD_LIMIT: Final = _read_field_limit, _write_field_limit
DIALECTS: Final = _read_dialects, _write_dialects
TIME_ZONES: Final = _read_time_zones, _write_time_zones
FIRST_WEEKDAY: Final = _read_first_weekday, _write_first_weekday
START_METHOD: Final = _read_start_method, _write_start_method
