"""The function; nothing in it is about the extension."""


def handler(event, context):
    if "name" not in event:
        raise ValueError("nobody to greet")
    print("greeting", event["name"])
    return f"Hello {event['name']}"
