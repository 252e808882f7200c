"""The smallest function: what an invoke costs then is ours."""


def handler(event, context):
    return {"ok": True}
