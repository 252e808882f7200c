import logging

import lambdawarmer

logging.getLogger().setLevel(logging.INFO)


@lambdawarmer.warmer(send_metric=False)
def serve(event, context):
    return lambdawarmer.LAMBDA_INFO["function_name"]


def handler(event, context):
    warm = lambdawarmer.LAMBDA_INFO["is_warm"]
    return ["warm" if warm else "cold", serve(event, context)]
