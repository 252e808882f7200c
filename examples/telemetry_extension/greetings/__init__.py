"""A function with an extension that listens to telemetry."""
