import boto3
import pytest
from moto import mock_aws


@pytest.fixture(autouse=True)
def prices():
    """Start moto before the environment, so that Init meets the mocked DynamoDB."""
    with mock_aws():
        table = boto3.resource("dynamodb", region_name="us-east-1").create_table(
            TableName="prices",
            KeySchema=[{"AttributeName": "article", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "article", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        table.put_item(Item={"article": "tea", "price": 4})
        table.put_item(Item={"article": "cup", "price": 9})
        yield table


@pytest.fixture(scope="session")
def lambda_lifecycle_config():
    """Settings for every environment of this suite."""
    return {"environment": {"TABLE": "prices"}, "timeout": 10}
