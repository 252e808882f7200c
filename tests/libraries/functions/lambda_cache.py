from lambda_cache import caching_logic
from lambda_cache.caching_logic import check_cache

fetched = []


def _fetch(name):
    fetched.append(name)
    return f"value {len(fetched)}"


def handler(event, context):
    value = check_cache("orders", 1, "orders", _fetch)
    cached = caching_logic.global_aws_lambda_cache
    return [value, sorted(cached)]
