"""Time: the real clock, the virtual clock, and the stand-ins for functions that read or wait for
time.

The only folder that imports freezegun.  It knows nothing of phases, and nothing of how the handler
is run.
"""
