"""Takes over process state that function code changes, and restores it."""
