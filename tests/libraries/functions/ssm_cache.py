import boto3
from botocore.stub import Stubber
from ssm_cache import SSMParameter

client = boto3.client(
    "ssm", region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="secret"
)
stubber = Stubber(client)
for number in range(1, 4):
    value = {"Name": "table", "Value": f"value {number}", "Type": "String", "Version": number}
    stubber.add_response("get_parameters", {"Parameters": [value], "InvalidParameters": []})
stubber.activate()
SSMParameter.set_ssm_client(client)
parameter = SSMParameter("table", max_age=1)


def handler(event, context):
    return parameter.value
