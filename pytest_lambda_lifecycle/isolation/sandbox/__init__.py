"""Put on ``PYTHONPATH`` for extension processes: their Python runs `sitecustomize` first.  Standard
library alone.
"""
