"""Fixtures of the tests of extensions."""

from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from pytest_lambda_lifecycle import LambdaClock
from pytest_lambda_lifecycle.clock.real import RealClock

START = datetime(2030, 1, 31, 12, tzinfo=timezone.utc)
START_MS = int(START.timestamp() * 1000)


@pytest.fixture
def clock() -> Iterator[LambdaClock]:
    """Virtual time that begins at `START`."""
    with LambdaClock(START) as clock:
        yield clock


@pytest.fixture(params=["virtual", "real"])
def either_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test in virtual time, and once more in real time."""
    if request.param == "virtual":
        request.getfixturevalue("clock")
    else:  # "at once" may take a while on a busy machine
        monkeypatch.setattr(RealClock, "resolution_us", 2_000_000)
    return str(request.param)
