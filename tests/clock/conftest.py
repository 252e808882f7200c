"""What the tests of clocks begin with."""

from __future__ import annotations

import pytest

from .projects import APP


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(app=APP)
    return pytester
