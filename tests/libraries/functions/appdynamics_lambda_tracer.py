import appdynamics
from appdynamics.core import profiler

seen = []


@appdynamics.tracer
def handler(event, context):
    seen.append(1)
    one = profiler._profiler
    return [type(one).__name__, type(getattr(one, "current_transaction", None)).__name__, len(seen)]
