from lambda_handlers.handlers import http_handler

served = []


@http_handler()
def handler(event, context):
    served.append(event["path"])
    return {"served": len(served)}
