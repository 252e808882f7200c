"""State that one invoke leaves for the next: photographs of reachable objects and of the process.

Modules here import from `isolation/`, `lifecycle/` and `function/` alone.  No module calls a method
of a photographed object that its class could have defined.
"""
