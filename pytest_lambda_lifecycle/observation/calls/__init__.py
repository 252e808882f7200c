"""The calls that leave the function's process: HTTP requests, AWS operations, connections.

Client libraries are hooked when they are imported, and only while an environment is entered.
"""
