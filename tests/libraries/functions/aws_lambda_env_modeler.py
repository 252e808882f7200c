import os

from aws_lambda_env_modeler import get_environment_variables, init_environment_variables
from pydantic import BaseModel


class Variables(BaseModel):
    TABLE: str


os.environ["TABLE"] = f"orders of {os.environ['AWS_LAMBDA_LOG_STREAM_NAME'][:4]}"


@init_environment_variables(model=Variables)
def handler(event, context):
    table = get_environment_variables(model=Variables).TABLE
    os.environ["TABLE"] = "changed"
    return table
