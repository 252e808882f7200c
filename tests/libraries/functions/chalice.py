from chalice import Chalice

app = Chalice(app_name="orders")
served = []


@app.route("/orders")
def orders():
    served.append(app.current_request.path)
    return served


@app.lambda_function()
def other(event, context):
    return len(served)
