"""The runtimes that run the handler: the behaviour of awslambdaric in this process, or a process
that is driven over HTTP.

Limits, states and the REPORT line belong to the platform: they live in `lifecycle/` and
`conductor/`.
"""
