from serverless_aws_lambda_sdk import serverlessSdk


def handler(event, context):
    spans = serverlessSdk.trace_spans
    return [serverlessSdk.name, len(spans.root.sub_spans), spans.aws_lambda.name]
