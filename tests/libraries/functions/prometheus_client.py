from prometheus_client import Counter, generate_latest

orders = Counter("orders", "Orders served")


def handler(event, context):
    orders.inc()
    return [line for line in generate_latest().decode().splitlines() if "orders_total " in line]
