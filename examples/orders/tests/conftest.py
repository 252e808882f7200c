import boto3
import pytest
from moto import mock_aws


@pytest.fixture
def orders_table():
    """Start moto before the environment, so that Init opens its client on the mocked DynamoDB."""
    with mock_aws():
        yield boto3.resource("dynamodb", region_name="eu-west-1").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )


@pytest.fixture(scope="session")
def lambda_lifecycle_config():
    """Settings for every environment of this suite; markers and calls override them."""
    return {"timeout": 10, "memory_size": 256, "region": "eu-west-1"}
