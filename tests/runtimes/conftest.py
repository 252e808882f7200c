"""Fixtures of the APIs that the tests of the remote runtime need too."""

from api.conftest import make_apis, notes

__all__ = ["make_apis", "notes"]
