"""The attributes of HTTP clients that are hooked."""

from __future__ import annotations

from typing import Final

from pytest_lambda_lifecycle.observation.calls import (
    http_aiohttp,
    http_client,
    http_httpx,
    http_requests,
    http_urllib3,
)

__all__ = ["POINTS"]

POINTS: Final = (
    *http_requests.POINTS,
    *http_urllib3.POINTS,
    *http_client.POINTS,
    *http_httpx.POINTS,
    *http_aiohttp.POINTS,
)
