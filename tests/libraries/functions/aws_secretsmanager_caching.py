import boto3
from aws_secretsmanager_caching import SecretCache, SecretCacheConfig
from botocore.stub import Stubber

client = boto3.client(
    "secretsmanager",
    region_name="us-east-1",
    aws_access_key_id="id",
    aws_secret_access_key="secret",
)
stubber = Stubber(client)
for number in range(1, 4):
    version = f"{number:032}"
    stubber.add_response("describe_secret", {"VersionIdsToStages": {version: ["AWSCURRENT"]}})
    stubber.add_response("get_secret_value", {"SecretString": f"value {number}"})
stubber.activate()
cache = SecretCache(SecretCacheConfig(secret_refresh_interval=2), client)


def handler(event, context):
    return cache.get_secret_string("database")
