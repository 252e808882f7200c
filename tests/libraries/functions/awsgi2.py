import awsgi2
from flask import Flask, jsonify

app = Flask(__name__)
served = []


@app.route("/orders")
def orders():
    served.append(1)
    return jsonify(len(served))


def handler(event, context):
    return awsgi2.response(app, event, context)
