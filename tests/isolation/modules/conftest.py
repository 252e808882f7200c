"""A fixture of the tests that compare modules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_lambda_lifecycle.isolation import dict_versions
from pytest_lambda_lifecycle.isolation.modules import namespaces, traced_modules


@pytest.fixture(params=["versions", "values"])
def compared_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Modules are compared by the versions of dicts, and where Python has none by their values."""
    if request.param == "values":
        monkeypatch.setattr(dict_versions, "_view", None)
    namespaces._LOADED.clear()
    traced_modules._KNOWN.clear()
    yield request.param
    namespaces._LOADED.clear()
    traced_modules._KNOWN.clear()
