"""Lambda's HTTP APIs on loopback: runtime, extensions, telemetry, logs and metadata.

A thread that serves a request answers from the registry: it never touches the environment, and
never waits for it.
"""
