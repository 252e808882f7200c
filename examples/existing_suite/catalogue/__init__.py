"""Answers with prices in the currency of the caller."""
