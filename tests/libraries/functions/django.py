import os

from django.conf import settings

settings.configure(INSTALLED_APPS=[], SECRET_KEY=f"key of {os.environ['AWS_LAMBDA_FUNCTION_NAME']}")

import django  # noqa: E402

django.setup()

from django.db import models  # noqa: E402

served = []


class Order(models.Model):
    class Meta:
        app_label = "orders"


def handler(event, context):
    served.append(1)
    return [settings.SECRET_KEY, Order._meta.label, len(served)]
