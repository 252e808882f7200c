"""A function beside which an extension listens to telemetry."""
