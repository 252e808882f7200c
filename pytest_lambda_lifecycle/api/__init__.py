"""Lambda's HTTP APIs on loopback: runtime, extensions, telemetry, logs and metadata.

A thread that serves a request answers from the registry.  No module here touches the environment or
waits for it, and none starts a process.
"""
