"""Telemetry: records made from the timeline, and their delivery to the listeners of extensions."""
