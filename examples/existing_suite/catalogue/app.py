"""The function: the rates are loaded once, at import."""

from catalogue import rates

RATES = rates.load()
seen = []


def price(amount, currency):
    return round(amount * RATES[currency], 2)


def handler(event, context):
    seen.append(event["currency"])
    return {"price": price(event["amount"], event["currency"]), "requests": len(seen)}
