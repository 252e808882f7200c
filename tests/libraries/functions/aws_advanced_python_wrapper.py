import threading

import aws_advanced_python_wrapper
import psycopg
from aws_advanced_python_wrapper import AwsWrapperConnection
from aws_advanced_python_wrapper.errors import AwsWrapperError


def handler(event, context):
    try:
        AwsWrapperConnection.connect(
            psycopg.Connection.connect,
            "host=127.0.0.1 port=9 dbname=shop connect_timeout=1",
            plugins="host_monitoring_v2",
        )
    except (psycopg.Error, AwsWrapperError) as error:
        failure = type(error).__name__
    names = sorted(one.name for one in threading.enumerate() if "MainThread" not in one.name)
    return [failure, len([name for name in names if "onitor" in name])]
