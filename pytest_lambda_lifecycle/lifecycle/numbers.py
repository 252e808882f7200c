"""Numbers as texts show them."""

from __future__ import annotations

__all__ = ["in_words"]


def in_words(count: int, noun: str, form: str = "") -> str:
    """Return a number of things: ``"1 call"``, ``"2 calls"``; ``form`` formats the number."""
    return f"{count:{form}} {noun}" if count == 1 else f"{count:{form}} {noun}s"
