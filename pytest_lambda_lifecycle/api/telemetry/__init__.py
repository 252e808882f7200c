"""Telemetry: records made from the timeline, and their delivery to the listeners of extensions.

Nothing here writes to the timeline: events go through ``note``.
"""
