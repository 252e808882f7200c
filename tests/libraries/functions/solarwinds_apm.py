from opentelemetry import trace
from solarwinds_apm.configurator import SolarWindsConfigurator
from solarwinds_apm.distro import SolarWindsDistro

SolarWindsDistro().configure()
SolarWindsConfigurator().configure()
provider = trace.get_tracer_provider()


def handler(event, context):
    with trace.get_tracer("orders").start_as_current_span("order") as span:
        recording = span.is_recording()
    return [type(provider).__name__, trace.get_tracer_provider() is provider, recording]
