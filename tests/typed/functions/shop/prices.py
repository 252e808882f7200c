"""The module that a test spies on and patches."""

RATE = 2


def price(item, *, count=1):
    if item == "unknown":
        raise LookupError(item)
    return RATE * count
