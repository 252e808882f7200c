"""The extensions that run beside the runtime: objects in this process, and programs.

Only the order of their events and the deadlines live here; `processes/` starts and ends programs.
"""
