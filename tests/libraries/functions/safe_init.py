served = []


def handler(event, context):
    served.append(1)
    return len(served)
