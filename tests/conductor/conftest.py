"""Fixtures of the tests of extensions that the tests of shutdown need too."""

from extensions.conftest import clock, either_time

__all__ = ["clock", "either_time"]
