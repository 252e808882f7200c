"""The price list, which a real function would fetch from a service."""


def load():
    return {"tea": 4, "cup": 9}
