import lambdawarmer


@lambdawarmer.warmer(send_metric=False)
def handler(event, context):
    known = lambdawarmer.LAMBDA_INFO
    return ["warm" if known["is_warm"] else "cold", known["name"]]
