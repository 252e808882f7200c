from apig_wsgi import make_lambda_handler
from flask import Flask, jsonify

app = Flask(__name__)
served = []


@app.route("/orders")
def orders():
    served.append(1)
    return jsonify(len(served))


handler = make_lambda_handler(app)
