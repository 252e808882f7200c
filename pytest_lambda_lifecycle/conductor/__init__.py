"""The platform: conducts runtime and extensions through the phases, and alone changes the
environment's state.

It knows participants by their protocols only: nothing here imports a runtime, an extension or the
HTTP APIs.
"""
