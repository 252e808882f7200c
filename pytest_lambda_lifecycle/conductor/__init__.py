"""The platform: conducts runtime and extensions through the phases, and alone changes the
environment's state.

Participants are protocols here: nothing imports a runtime, an extension or the HTTP APIs.
"""
