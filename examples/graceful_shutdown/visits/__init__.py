"""Counts visits, and writes them to a database in batches."""
