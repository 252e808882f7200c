"""Adds tax to prices, by rates that a configuration service has."""
