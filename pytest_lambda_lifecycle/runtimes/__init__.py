"""The runtimes that run the handler: awslambdaric's behaviour in this process, or a process driven
over HTTP.

What belongs to the platform and not to a runtime (limits, states, REPORT) lives in `conductor/` and
`lifecycle/`.
"""
