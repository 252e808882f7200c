import structlog

was_configured = structlog.is_configured()
structlog.configure(processors=[structlog.processors.JSONRenderer()])
log = structlog.get_logger()


def handler(event, context):
    log.info("an order", number=1)
    return was_configured
