from catchpoint.catchpoint_agent import Catchpoint

catchpoint = Catchpoint(api_key="key", disable_metric=True)


@catchpoint
def handler(event, context):
    return catchpoint.plugin_context.request_count
