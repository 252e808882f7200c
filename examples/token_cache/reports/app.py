import time

from reports import issuer

EARLY = 60  # s before a token expires, it is replaced
RESERVE_MS = 150  # the time that it takes to save the rest

token = issuer.fetch_token()


def current_token():
    global token
    if time.time() > token["expires_at"] - EARLY:
        token = issuer.fetch_token()
    return token


def handler(event, context):
    pages = []
    for number in range(event["pages"]):
        if context.get_remaining_time_in_millis() < RESERVE_MS:
            return {"pages": pages, "continue_at": number}
        pages.append(issuer.make_page(number, current_token()))
    return {"pages": pages}
