"""Asks a price service, asynchronously."""
