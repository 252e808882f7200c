import threading

import psycopg
from aws_advanced_python_wrapper import AwsWrapperConnection
from aws_advanced_python_wrapper.errors import AwsWrapperError

before = threading.enumerate()


def handler(event, context):
    try:
        AwsWrapperConnection.connect(
            psycopg.Connection.connect,
            "host=127.0.0.1 port=9 dbname=shop connect_timeout=1",
            plugins="host_monitoring_v2",
        )
    except (psycopg.Error, AwsWrapperError) as error:
        failure = type(error).__name__
    monitors = [one for one in threading.enumerate() if one not in before]
    return [failure, len(monitors)]
