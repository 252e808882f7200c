"""freezegun's stand-ins for `datetime` and `date`, made known to pydantic.

Since version 2.14 pydantic looks types up in a table, and a model that is made inside a freeze
names types that are not in it: every function with a date in its models would fail at init,
Powertools' own models included.
"""

from __future__ import annotations

import datetime
import importlib
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.part import nothing_to_undo
from pytest_lambda_lifecycle.isolation.patching import Undo, patch_attributes

__all__ = ["explain_to_pydantic"]

_HOOK: Final = "__get_pydantic_core_schema__"


def explain_to_pydantic(
    fake_datetime: type[datetime.datetime], fake_date: type[datetime.date]
) -> Undo:
    """Give both types pydantic's hook for foreign ones, until the returned call."""
    if _HOOK in vars(fake_datetime):  # inside another freeze
        return nothing_to_undo
    return patch_attributes(
        (fake_datetime, _HOOK, classmethod(_datetime_schema)),
        (fake_date, _HOOK, classmethod(_date_schema)),
    )


def _datetime_schema(cls: type, source: object, handler: object) -> Any:  # noqa: ANN401
    return _core_schema().datetime_schema()


def _date_schema(cls: type, source: object, handler: object) -> Any:  # noqa: ANN401
    return _core_schema().date_schema()


def _core_schema() -> Any:  # noqa: ANN401
    # It is loaded already: pydantic alone calls this.
    return importlib.import_module("pydantic_core.core_schema")
