import os

from flask import Flask, jsonify

app = Flask(__name__)
served = []


@app.route("/orders")
def orders():
    served.append(1)
    return jsonify(len(served), os.environ.get("SERVERTYPE"), os.environ.get("FRAMEWORK"))
