import serverless_wsgi
from flask import Flask, jsonify

app = Flask(__name__)
served = []


@app.route("/orders")
def orders():
    served.append(1)
    return jsonify(len(served))


def handler(event, context):
    return serverless_wsgi.handle_request(app, event, context)
