from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import PynamoDBException
from pynamodb.models import Model

clients = []


class Order(Model):
    class Meta:
        table_name = "orders"
        region = "us-east-1"
        host = "http://127.0.0.1:9"
        aws_access_key_id = "id"
        aws_secret_access_key = "secret"
        max_retry_attempts = 0
        connect_timeout_seconds = 1

    number = UnicodeAttribute(hash_key=True)


def handler(event, context):
    try:
        Order.get("1")
    except PynamoDBException as error:
        failure = type(error).__name__
    connection = Order._get_connection().connection
    clients.append(id(connection.client))
    return [failure, len(set(clients))]
