from lambdarest import lambda_handler as handler

served = []


@handler.handle("get", path="/orders")
def orders(event):
    served.append(1)
    handler.get_url_map() if hasattr(handler, "get_url_map") else None
    return {"served": len(served)}
