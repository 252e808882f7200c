import boto3
import pytest
from moto import mock_aws


@pytest.fixture
def stock_table():
    with mock_aws():
        yield boto3.resource("dynamodb", region_name="us-east-1").create_table(
            TableName="stock",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )


@pytest.fixture(scope="session")
def lambda_lifecycle_config():
    # Two or three back-offs of boto3 may take longer than the 3 s that a function has by default.
    return {"environment": {"TABLE": "stock"}, "timeout": 30}
