"""The clocks of the extensions, which the tests of shutdown need too."""

from extensions.conftest import clock, either_time

__all__ = ["clock", "either_time"]
