"""The HTTP APIs of an execution environment, on loopback: Runtime, Extensions, Telemetry, Logs and metadata."""
