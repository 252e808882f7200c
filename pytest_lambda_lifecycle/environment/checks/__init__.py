"""Checks that run a function again and again, in environments of their own: cold against warm.

A check makes environments and compares them.  Nothing here changes the process itself.
"""
