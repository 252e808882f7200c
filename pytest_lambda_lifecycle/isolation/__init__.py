"""Process state that function code changes: taken over on entering, given back on leaving.

Nothing here knows of phases, time or Lambda's rules; each kind of state has one file in `parts/` or
`modules/`.
"""
