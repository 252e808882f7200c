"""Stands in for a service that issues tokens, and for one that makes pages."""

import time

LIFETIME = 3600  # s


def fetch_token():
    time.sleep(0.2)
    return {"value": f"token of {time.time():.0f}", "expires_at": time.time() + LIFETIME}


def make_page(number, token):
    time.sleep(0.1)
    return f"page {number}"
