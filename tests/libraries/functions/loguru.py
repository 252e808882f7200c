import sys

from loguru import logger

logger.add(sys.stdout, format="{level} {message}")


def handler(event, context):
    logger.warning("an order")
    return len(logger._core.handlers)
