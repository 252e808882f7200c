"""Process state that function code changes: taken over on entering, restored on leaving.

Nothing here depends on phases, time or Lambda's rules.  Each kind of state has one file in `parts/`
or `modules/`.
"""
